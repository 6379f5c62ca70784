"""Task heads: classifiers of texts over their document vectors, learnt from labelled examples."""

from __future__ import annotations

from pathlib import Path


def pyfunc_model_path() -> Path:
    """The file that MLflow runs as a registered model. It is never imported: it needs MLflow and acts when loaded."""
    return Path(__file__).with_name("pyfunc_model.py")
