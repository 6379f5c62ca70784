"""How a task head goes into MLflow, one model with the vectors it needs, and how its record comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from jobs.embedding_registration import MODULES, REQUIREMENTS
from lmflow import registry, tracking
from lmflow.embeddings.container import Embedding
from lmflow.errors import InputError
from lmflow.heads import pyfunc_model_path
from lmflow.heads.classifier import Head
from lmflow.heads.record import ARTIFACT, Record

_MODULES: Final = (*MODULES, "lmflow.heads.classifier")


def record_of(version: registry.Version) -> Record:
    """What a version learnt and was judged on.

    Raises:
        InputError: it is no task head.
    """
    if "task" not in version.tags:
        raise InputError(f"{version.uri} was not made by jobs.train_task_head: what it learnt is not known")
    with tempfile.TemporaryDirectory() as folder:
        return Record.read(tracking.download(version.run_id, ARTIFACT, Path(folder)))


def register(
    opened: tracking.Run,
    name: str,
    embedding: Embedding,
    head: Head,
    example: str,
    card: str,
    tags: Mapping[str, object],
    folder: Path,
) -> tracking.ModelVersion:
    """Register the model.

    Args:
        opened: the run that trained it.
        name: `<task>-<lang>`.
        embedding: the vectors; n-grams stay behind, as vectors of texts are made of words alone.
        head: what was learnt.
        example: a text.
        card: the model card.
        tags: lineage.
        folder: where to write its files.
    """
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    replace(embedding, vectors=replace(embedding.vectors, subwords=None)).save(folder / "embedding.safetensors")
    head.save(folder / "head.safetensors")
    answers = [ColSpec("string", "label"), *(ColSpec("double", f"probability_{label}") for label in head.labels)]
    return opened.log_model(
        name=name,
        code=pyfunc_model_path(),
        artifacts={part: folder / f"{part}.safetensors" for part in ("embedding", "head")},
        modules=_MODULES,
        requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        input_example=pd.DataFrame({"text": [example]}),
        signature=ModelSignature(inputs=Schema([ColSpec("string", "text")]), outputs=Schema(answers)),
        description=card,
        tags=tags,
    )
