"""What a version learnt and what it was judged on, kept with its run: a Parquet file.

A later version is divided alike by it, and compared with this one on documents that neither has learnt. Of what was
learnt only fingerprints are kept; the held-out texts are kept whole, because a later version must answer them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lmflow.heads.labelled import Labelled
from lmflow.text.shingles import FOLDING

#: Where it lies among the artifacts of the run.
ARTIFACT: Final = "evaluation/documents.parquet"
HELD_OUT: Final = "test"


@dataclass(frozen=True)
class Record:
    """One entry a document, held-out ones and those that were learnt.

    Args:
        ids: of the documents.
        splits: train, valid or test.
        labels: class of each.
        keys: of its text and MinHash bands (`lmflow.corpus.fingerprint`), int64, shape [documents, 15]; 0: none.
        texts: of held-out documents, empty for the others.
        answers: what the version said of held-out documents, empty for the others.
        folding: version of the folding that the keys were made of (`lmflow.text.shingles`).
    """

    ids: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    keys: NDArray[np.int64]
    texts: tuple[str, ...]
    answers: tuple[str, ...]
    folding: int = FOLDING

    @classmethod
    def of(cls, learnt: Labelled, splits: tuple[str, ...], held_out: Labelled, answers: tuple[str, ...]) -> Self:
        """Of a training: what it learnt, in which splits, and what it answered to what was held out."""
        return cls(
            ids=learnt.ids + held_out.ids,
            splits=splits + (HELD_OUT,) * len(held_out),
            labels=learnt.labels + held_out.labels,
            keys=np.concatenate([learnt.fingerprints.keys, held_out.fingerprints.keys]),
            texts=("",) * len(learnt) + held_out.texts,
            answers=("",) * len(learnt) + answers,
        )

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Which documents were held out, shape [documents]."""
        return np.array([split == HELD_OUT for split in self.splits], np.bool_)

    @property
    def majority(self) -> str:
        """The most frequent class among what was learnt; of equals the first in the alphabet."""
        names, counts = np.unique(np.array(self.labels)[~self.held_out], return_counts=True)
        return str(names[counts.argmax()])

    def right(self, rows: Sequence[int]) -> NDArray[np.bool_]:
        """Which of some held-out documents the version answered rightly, shape [rows]."""
        return np.array([self.answers[row] == self.labels[row] for row in rows], np.bool_)

    def digest(self, rows: Sequence[int]) -> str:
        """What names some documents and their classes."""
        named = "\n".join(f"{self.ids[row]} {self.labels[row]}" for row in rows)
        return hashlib.sha256(named.encode()).hexdigest()[:32]

    def rows_unknown_to(self, other: Record) -> list[int]:
        """My held-out documents that are surely no copy or near copy of what the other learnt: no key in common.

        Keys of another folding say nothing: then only those with the same id count as copies.
        """
        if self.folding != other.folding:
            known = {name for name, held_out in zip(other.ids, other.held_out, strict=True) if not held_out}
            return [int(row) for row in np.flatnonzero(self.held_out) if self.ids[row] not in known]
        learnt = other.keys[~other.held_out]
        shared = np.isin(self.keys, learnt[learnt != 0]).any(axis=1)
        return [int(row) for row in np.flatnonzero(self.held_out & ~shared)]

    def write(self, path: Path) -> None:
        """Write a Parquet file."""
        columns = {name: list(getattr(self, name)) for name in ("ids", "splits", "labels", "texts", "answers")}
        keys = pa.FixedSizeListArray.from_arrays(pa.array(self.keys.ravel()), self.keys.shape[1])
        folding = pa.array(np.full(len(self.ids), self.folding))
        pq.write_table(pa.table({**columns, "keys": keys, "folding": folding}), path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        table = pq.read_table(path)
        keys = table["keys"].combine_chunks()
        columns = {name: tuple(table[name].to_pylist()) for name in ("ids", "splits", "labels", "texts", "answers")}
        folding = table["folding"][0].as_py() if "folding" in table.column_names else 1
        return cls(**columns, folding=folding, keys=keys.flatten().to_numpy().reshape(len(keys), -1))
