"""Old and new vectors in one space, so that what a consumer stored stays comparable; and which words moved.

Training fixes a space only up to a rotation. Orthogonal Procrustes (Schönemann 1966; for embeddings over time, Hamilton
et al. 2016) turns the new space so that the frequent words both know lie as near as can be to where they lay. A
rotation changes no cosine within the new space, so it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.subwords import Subwords
from lmflow.embeddings.vectors import Matrix, WordVectors

_ANCHORS: Final = 20_000  # most frequent common words that the rotation is fitted to
_PROBED, _NEIGHBOURS, _SEED = 1_000, 10, 0
_FEWEST_OCCURRENCES: Final = 20  # a rarer word moves by chance
_REPORTED: Final = 50


@dataclass(frozen=True)
class Moved:
    """A word, the cosine between where it lay and lies, and what was and is near it."""

    word: str
    cosine: float
    was_near: tuple[str, ...]
    is_near: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """How far a new embedding lies from an old one, over the words that both have.

    Args:
        common: words of both.
        added: words only of the new.
        lost: words only of the old.
        mean_cosine: between old and new vector of a word, frequent words.
        neighbour_overlap: share of the ten nearest words that stay, each model asked in its own space.
        stored_overlap: the same, when an old vector is looked up in the new space.
        moved: frequent words that moved most, the farthest first.
    """

    common: int
    added: int
    lost: int
    mean_cosine: float
    neighbour_overlap: float
    stored_overlap: float
    moved: tuple[Moved, ...]

    def metrics(self) -> dict[str, float]:
        """Figures by name."""
        names = ("common", "added", "lost", "mean_cosine", "neighbour_overlap", "stored_overlap")
        return {f"drift_{name}": float(getattr(self, name)) for name in names}


def rotation(old: WordVectors, new: WordVectors) -> Matrix:
    """The orthogonal R, shape [dimensions, dimensions], for which new.matrix @ R lies nearest to the old vectors.

    The identity when the two share no word.

    Raises:
        ValueError: the dimensions differ.
    """
    if old.matrix.shape[1] != new.matrix.shape[1]:
        raise ValueError(f"{old.matrix.shape[1]} and {new.matrix.shape[1]} dimensions have no rotation between them")
    rows = np.array([(old.index[word], row) for row, word in enumerate(new.words) if word in old.index][:_ANCHORS])
    if not len(rows):
        return np.eye(new.matrix.shape[1], dtype=np.float32)
    left, _, right = np.linalg.svd(new.unit[rows[:, 1]].T.astype(np.float64) @ old.unit[rows[:, 0]])
    turned: Matrix = (left @ right).astype(np.float32)
    return turned


def rotated(vectors: WordVectors, turn: Matrix) -> WordVectors:
    """The same vectors, n-grams included, turned."""
    subwords: Subwords | None = vectors.subwords
    if subwords is not None:
        turned = (subwords.matrix.astype(np.float32) @ turn).astype(subwords.matrix.dtype)
        subwords = replace(subwords, matrix=turned)
    return WordVectors(vectors.words, vectors.matrix @ turn, subwords)


def drift(old: Embedding, new: Embedding) -> Drift:
    """Compare two embeddings in one space (rotate first)."""
    words = [word for word in new.vectors.words if word in old.vectors.index]
    before, after = (each.vectors.unit[_rows(each.vectors, words)] for each in (old, new))
    cosines = np.einsum("wd,wd->w", before, after)
    counts = np.minimum(old.counts[_rows(old.vectors, words)], new.counts[_rows(new.vectors, words)])
    frequent = np.flatnonzero(counts >= _FEWEST_OCCURRENCES)
    probed = np.random.default_rng(_SEED).permutation(frequent)[:_PROBED]
    was, stays, stored = (_nearest(*pair, probed) for pair in ((before, before), (after, after), (before, after)))
    farthest = frequent[np.argsort(cosines[frequent], kind="stable")][:_REPORTED]
    near_old, near_new = _nearest(before, before, farthest), _nearest(after, after, farthest)
    return Drift(
        common=len(words),
        added=len(new.vectors.words) - len(words),
        lost=len(old.vectors.words) - len(words),
        mean_cosine=float(cosines[frequent].mean()) if len(frequent) else float("nan"),
        neighbour_overlap=_overlap(was, stays),
        stored_overlap=_overlap(was, stored),
        moved=tuple(
            Moved(words[row], float(cosines[row]), _named(words, one), _named(words, other))
            for row, one, other in zip(farthest, near_old, near_new, strict=True)
        ),
    )


def _rows(vectors: WordVectors, words: Sequence[str]) -> NDArray[np.int64]:
    return np.array([vectors.index[word] for word in words], np.int64)


def _nearest(queries: Matrix, among: Matrix, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest words of each row but itself, shape [rows, neighbours]."""
    scores = queries[rows] @ among.T
    scores[np.arange(len(rows)), rows] = -np.inf
    found: NDArray[np.int64] = np.argsort(-scores, axis=1)[:, :_NEIGHBOURS]
    return found


def _overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    shared = [len(np.intersect1d(*pair)) / max(len(pair[0]), 1) for pair in zip(one, other, strict=True)]
    return float(np.mean(shared)) if shared else float("nan")


def _named(words: Sequence[str], rows: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(words[row] for row in rows[:5])
