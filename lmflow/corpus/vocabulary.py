"""The words of many texts as arrays: a number, a length and a kind for each, looked up once for every distinct word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MOST_REMEMBERED: Final = 2_000_000


class _Vocabulary(dict[str, int]):
    """A number for every word, given when it is first met, and what is known of the word under that number."""

    def __init__(self) -> None:
        super().__init__()
        self.lettered = bytearray()

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        self.lettered.append(any(map(str.isalpha, word)))
        return number


_vocabulary = _Vocabulary()


@dataclass(frozen=True)
class Words:
    """Words of n texts, one text after the other, m in all.

    Attributes:
        sizes: int64 [n], words of each text.
        text_of: int64 [m], which text a word is in.
        numbers: uint64 [m], equal for equal words. They differ between processes: only equality means something.
        lengths: int64 [m], characters.
        lettered: bool [m], whether a word has a letter.
    """

    sizes: NDArray[np.int64]
    text_of: NDArray[np.int64]
    numbers: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    lettered: NDArray[np.bool_]

    def sums(self, values: NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.float64]:
        """One value a word, summed over each text."""
        return np.bincount(self.text_of, values, len(self.sizes)).astype(np.float64)

    def longest(self) -> NDArray[np.int64]:
        """Characters of the longest word of each text; 0 without words."""
        found = np.zeros(len(self.sizes), np.int64)
        np.maximum.at(found, self.text_of, self.lengths)
        return found


def number_words(texts: Sequence[Sequence[str]]) -> Words:
    """The words of texts as arrays."""
    global _vocabulary
    if len(_vocabulary) > _MOST_REMEMBERED:
        _vocabulary = _Vocabulary()
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    total = int(sizes.sum())
    words = [word for text in texts for word in text]
    numbers = np.fromiter(map(_vocabulary.__getitem__, words), np.int64, total)
    return Words(
        sizes,
        np.repeat(np.arange(len(texts)), sizes),
        numbers.astype(np.uint64),
        np.fromiter(map(len, words), np.int64, total),
        np.array(_vocabulary.lettered, np.bool_)[numbers],
    )
