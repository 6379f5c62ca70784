"""Vectors for words that a fastText model never saw, from their character n-grams. NumPy alone: shipped in models.

N-grams and their hash are those of fastText (Bojanowski et al. 2017; `Dictionary::computeSubwords` and
`Dictionary::hash` in its sources): FNV-1a over UTF-8, each byte taken as a signed character.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FNV_OFFSET, _FNV_PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF


@dataclass(frozen=True)
class Subwords:
    """Vectors of the n-grams that occur in the vocabulary; those that do not were never trained.

    Args:
        min_n: shortest n-gram, in characters; the marks < and > around a word count.
        max_n: longest.
        bucket: n-grams are hashed into so many rows.
        buckets: which rows these are, ascending; shape [n].
        matrix: their vectors, float16 or float32, shape [n, dimensions].
    """

    min_n: int
    max_n: int
    bucket: int
    buckets: NDArray[np.int64]
    matrix: NDArray[np.floating]

    def vector(self, word: str) -> NDArray[np.float32] | None:
        """Mean of the known n-grams of a word, shape [dimensions]; None when it has none of them."""
        wanted = np.array([hashed(ngram) % self.bucket for ngram in ngrams(word, self.min_n, self.max_n)], np.int64)
        if not len(self.buckets) or not len(wanted):
            return None
        places = np.minimum(np.searchsorted(self.buckets, wanted), len(self.buckets) - 1)
        known = places[self.buckets[places] == wanted]
        return self.matrix[known].astype(np.float32).mean(axis=0) if len(known) else None


def ngrams(word: str, min_n: int, max_n: int) -> list[bytes]:
    """The character n-grams of <word>, as UTF-8; a mark alone is none."""
    text = f"<{word}>"
    return [
        text[start : start + n].encode("utf-8", "replace")
        for start in range(len(text))
        for n in range(min_n, max_n + 1)
        if start + n <= len(text) and not (n == 1 and (start == 0 or start + n == len(text)))
    ]


def hashed(ngram: bytes) -> int:
    """FastText's 32-bit hash."""
    value = _FNV_OFFSET
    for byte in ngram:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _FNV_PRIME) & _MASK
    return value
