"""Vectors of whole texts, from the vectors of their words. Shipped in models.

A text is the mean of its words' vectors at length 1, each weighing a / (a + p), p being the word's share of the
training text: smooth inverse frequency (Arora et al. 2017, A Simple but Tough-to-Beat Baseline for Sentence
Embeddings).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.vectors import Matrix

_A: Final = 1e-3  # the paper's choice


class NoKnownWordError(ValueError):
    """A text without one word of the vocabulary."""

    def __str__(self) -> str:
        return f"no word of the vocabulary is in the text {self.args[0][:40]!r}"


class DocumentVectors:
    """Texts as vectors, for one embedding."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding = embedding

    @cached_property
    def _weighted(self) -> Matrix:
        counts = self._embedding.counts.astype(np.float64)
        weights = _A / (_A + counts / max(counts.sum(), 1))
        weighted: Matrix = (self._embedding.vectors.unit * weights[:, None]).astype(np.float32)
        return weighted

    def vector(self, text: str) -> Matrix:
        """A text as a vector of length 1, shape [dimensions].

        Raises:
            NoKnownWordError: none of its words is in the vocabulary.
        """
        index = self._embedding.vectors.index
        found = self._embedding.wording.words(text, self._embedding.lang)
        rows = [index[word] for word in found if word in index]
        if not rows:
            raise NoKnownWordError(text)
        total = self._weighted[rows].sum(axis=0)
        unit: Matrix = total / np.float32(max(float(np.linalg.norm(total)), 1e-12))
        return unit

    def matrix(self, texts: Sequence[str]) -> tuple[Matrix, NDArray[np.bool_]]:
        """Vectors of many texts, shape [texts, dimensions], and which have one, shape [texts]; the others are zeros."""
        found = np.zeros((len(texts), self._embedding.vectors.matrix.shape[1]), np.float32)
        known = np.ones(len(texts), np.bool_)
        for row, text in enumerate(texts):
            try:
                found[row] = self.vector(text)
            except NoKnownWordError:
                known[row] = False
        return found, known

    def similarity(self, text: str, other: str) -> float:
        """Cosine of two texts, -1 to 1."""
        return float(self.vector(text) @ self.vector(other))
