"""Word embeddings: a corpus written as sentences, trained by gensim, kept as vectors that need only NumPy."""

from __future__ import annotations

from pathlib import Path


def pyfunc_model_path() -> Path:
    """The file that MLflow runs as a registered model. It is never imported: it needs MLflow and acts when loaded."""
    return Path(__file__).with_name("pyfunc_model.py")
