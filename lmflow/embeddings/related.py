"""Related articles: an index of document vectors that finds the nearest ones without looking at all. Shipped in models.

The index is usearch's HNSW graph (Malkov & Yashunin 2016) over vectors of length 1 in half precision, read from disk in
place; beside it lie the ids, titles and addresses of the documents, a line each. One thread builds it: vectors that
usearch adds at the same time can miss each other, and then no search reaches them (its issue 735).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from lmflow.embeddings.vectors import Matrix

_INDEX, _DOCUMENTS = "index.usearch", "documents.jsonl"
_AT_ONCE: Final = 10_000
_SEED: Final = 1


class RelatedDocuments:
    """Documents by nearness to a vector."""

    def __init__(self, index: Any, documents: list[dict[str, str]]) -> None:
        self._index, self.documents = index, documents

    @classmethod
    def build(cls, rows: Iterable[tuple[Matrix, dict[str, str]]], dim: int, folder: Path) -> int:
        """Write an index.

        Args:
            rows: the vector of each document, of length 1, and what is known of it; streamed.
            dim: dimensions of the vectors.
            folder: where to write; made when it is not there.

        Returns:
            how many documents it holds.
        """
        from usearch.index import Index

        folder.mkdir(parents=True, exist_ok=True)
        index = Index(ndim=dim, metric="cos", dtype="f16")
        count = 0
        with (folder / _DOCUMENTS).open("w", encoding="utf-8") as file:
            pending: list[Matrix] = []

            def flush() -> None:
                if pending:
                    index.add(np.arange(count - len(pending), count), np.stack(pending), threads=1)
                    pending.clear()

            for vector, document in rows:
                file.write(json.dumps(document, ensure_ascii=False) + "\n")
                pending.append(vector)
                count += 1
                if len(pending) == _AT_ONCE:
                    flush()
            flush()
        index.save(str(folder / _INDEX))
        return count

    @classmethod
    def load(cls, folder: Path) -> RelatedDocuments:
        """Read what `build` wrote; vectors stay on disk until they are needed."""
        from usearch.index import Index

        with (folder / _DOCUMENTS).open(encoding="utf-8") as file:
            documents = [json.loads(line) for line in file]
        return cls(Index.restore(str(folder / _INDEX), view=True), documents)

    def nearest(self, vector: Matrix, topn: int = 10) -> list[dict[str, Any]]:
        """The documents nearest to a vector, best first, each with its `score` (cosine)."""
        if not self.documents:
            return []
        found = self._index.search(vector, min(topn, len(self.documents)))
        pairs = zip(found.keys.tolist(), found.distances.tolist(), strict=True)
        return [{**self.documents[int(key)], "score": round(1 - float(distance), 4)} for key, distance in pairs]
