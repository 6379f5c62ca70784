"""How a trained embedding goes into MLflow: the model, what ships with it, and the same vectors for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jobs.command import Result
from jobs.embedding_text import Source, documents
from lmflow import registry, tracking
from lmflow.embeddings import pyfunc_model_path
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.documents import DocumentVectors, NoKnownWordError
from lmflow.embeddings.exchange import write_projector, write_text
from lmflow.embeddings.related import RelatedDocuments
from lmflow.embeddings.training import Training
from lmflow.embeddings.update import State
from lmflow.embeddings.vectors import Matrix

#: Requirements of a registered model that turns texts into vectors; versions are those it was made with.
REQUIREMENTS: Final = ("mlflow", "numpy", "pandas", "safetensors", "rjieba")
#: What ships with it.
MODULES: Final = (
    *("lmflow.embeddings.container", "lmflow.embeddings.subwords", "lmflow.embeddings.vectors"),
    *("lmflow.embeddings.documents", "lmflow.embeddings.wording", "lmflow.text.segment", "lmflow.text.scripts"),
)
#: Columns of a question beside `task`.
_COLUMNS: Final = ("word", "other", "like", "text")


def index_documents(source: Source, embedding: Embedding, folder: Path) -> int:
    """Index the documents of the corpus that have a known word; returns how many."""
    vectors = DocumentVectors(embedding)

    def rows() -> Iterator[tuple[Matrix, dict[str, str]]]:
        for text, document in documents(source, embedding.lang):
            try:
                yield vectors.vector(text), document
            except NoKnownWordError:  # nothing can be related to it
                continue

    return RelatedDocuments.build(rows(), embedding.vectors.matrix.shape[1], folder)


def register(
    opened: tracking.Run,
    name: str,
    embedding: Embedding,
    artifacts: dict[str, Path],
    card: str,
    tags: dict[str, Any],
) -> tracking.ModelVersion:
    """Register the model.

    Args:
        opened: the run that trained it.
        name: registered name.
        embedding: the vectors.
        artifacts: the file `embedding`, and the folder `related` if documents were indexed.
        card: the model card.
        tags: lineage.
    """
    from importlib.metadata import version

    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    columns = [ColSpec("string", "task"), *(ColSpec("string", column, required=False) for column in _COLUMNS)]
    signature = ModelSignature(inputs=Schema(columns), params=ParamSchema([ParamSpec("topn", "long", 10)]))
    example = pd.DataFrame([{"task": "most_similar", "word": embedding.vectors.words[0]}])
    indexed = "related" in artifacts
    packages = (*REQUIREMENTS, "usearch") if indexed else REQUIREMENTS
    return opened.log_model(
        name=name,
        code=pyfunc_model_path(),
        artifacts=artifacts,
        modules=(*MODULES, "lmflow.embeddings.related") if indexed else MODULES,
        requirements=[f"{package}=={version(package)}" for package in packages],
        input_example=example,
        signature=signature,
        description=card,
        tags=tags,
    )


def log_files(opened: tracking.Run, embedding: Embedding, training: Training, folder: Path) -> None:
    """The model's own file; the same vectors for other programs and the state for the next training, beside it."""
    embedding.save(folder / "embedding.safetensors")
    formats = folder / "vectors"
    formats.mkdir()
    embedding.vectors.save(formats / "vectors.bin")
    write_text(embedding.vectors, formats / "vectors.txt")
    opened.log_artifact(formats, "vectors")
    write_projector(embedding, folder / "projector")
    opened.log_artifact(folder / "projector", "projector")
    if "outputs" in training.state:
        state = State(embedding, training.state["outputs"], training.rare, training.state.get("own"))
        state.save(folder / "state.safetensors")
        opened.log_artifact(folder / "state.safetensors", "state")


def nothing_new(done: registry.Version, reason: str) -> Result:
    """Why there was nothing to train, and what is there; a run killed between registering and nominating ends here."""
    if max(registry.aliases(done.name).values(), default=0) < done.version:
        registry.nominate(done.name, done.version)
    return {"status": "nothing_new", "reason": reason, **registry.place(done.name, done.version, done.run_id)}
