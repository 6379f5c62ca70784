"""Embeddings back out of the registry: to start from, to compare with, to feed language models."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from lmflow import tracking
from lmflow.embeddings.container import Embedding
from lmflow.errors import InputError

#: What `--start-from` and `--init-embeddings` take.
URI: Final = r"^models:/embeddings-[a-z-]+(/\d+|@\w+)$"


def load_embedding(uri: str) -> Embedding:
    """The vectors of a registered version.

    Args:
        uri: models:/embeddings-<lang>/<version> or models:/embeddings-<lang>@<alias>.

    Raises:
        InputError: there is no such version, or it was registered in an older format.
    """
    if not re.match(URI, uri):
        raise InputError(f"{uri}: write models:/embeddings-en/3 or models:/embeddings-en@champion")
    tracking.client()
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = download_artifacts(f"{uri}/artifacts/embedding.safetensors", dst_path=folder)
            return Embedding.load(Path(path))
        except (MlflowException, OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{uri} cannot be read ({reason}); train it with jobs.train_embeddings") from None
