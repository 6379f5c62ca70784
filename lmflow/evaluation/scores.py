"""What a language model scored on each held-out document, kept so that the gate need not score again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lmflow.dataset.shards import Dataset
from lmflow.models.contract import LanguageModel, Tokens, by_document


def document_nats(model: LanguageModel, dataset: Dataset, split: str) -> NDArray[np.float64]:
    """Nats of each document of a split, read as the dataset says: each by itself, or as one running text."""
    return nats_of(model, dataset.split(split).documents(), dataset.running)


def nats_of(model: LanguageModel, documents: Sequence[Tokens], running: bool) -> NDArray[np.float64]:
    """Nats of each document, its end included. Shape [documents].

    Args:
        model: any family.
        documents: token ids of each, without its end.
        running: they are read as one text: what the model remembers goes on from one into the next.
    """
    return by_document(model.running_nats(documents) if running else model.token_nats(documents), documents)


@dataclass(frozen=True)
class Scores:
    """Scores by document. Comparable only where `held_out_digest` is equal.

    Attributes:
        held_out_digest: what names the held-out texts.
        doc_ids: their ids.
        nats: negative log probability of each. Shape [documents].
        n_bytes: UTF-8 bytes of each. Shape [documents].
    """

    held_out_digest: str
    doc_ids: tuple[str, ...]
    nats: NDArray[np.float64]
    n_bytes: NDArray[np.int64]

    @staticmethod
    def artifact(held_out_digest: str) -> str:
        """Where the scores lie among the artifacts of the run that trained the model."""
        return f"evaluation/{held_out_digest[:16]}.parquet"

    def write(self, path: Path) -> None:
        """Write a Parquet file."""
        columns = {"doc_id": list(self.doc_ids), "nats": self.nats, "n_bytes": self.n_bytes}
        table = pa.table(columns).replace_schema_metadata({"held_out_digest": self.held_out_digest})
        pq.write_table(table, path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        table = pq.read_table(path)
        return cls(
            held_out_digest=table.schema.metadata[b"held_out_digest"].decode(),
            doc_ids=tuple(table["doc_id"].to_pylist()),
            nats=table["nats"].to_numpy(),
            n_bytes=table["n_bytes"].to_numpy(),
        )
