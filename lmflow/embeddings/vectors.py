"""Word vectors and the questions one asks them. NumPy alone: this file is shipped inside every registered model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.subwords import Subwords

Matrix = NDArray[np.float32]
Neighbours = list[tuple[str, float]]


class UnknownWordError(KeyError):
    """A word that the vocabulary does not hold."""

    def __str__(self) -> str:
        return f"the vocabulary has no word {self.args[0]!r}"


@dataclass(frozen=True)
class WordVectors:
    """Words, most frequent first, and one vector each.

    Args:
        words: the vocabulary.
        matrix: float32, shape [words, dimensions].
        subwords: vectors of n-grams, from which words outside the vocabulary get one too.
    """

    words: tuple[str, ...]
    matrix: Matrix
    subwords: Subwords | None = None

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> Matrix:
        """The same vectors at length 1, so that a dot product is a cosine; a zero vector stays zero."""
        norms = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        unit: Matrix = (self.matrix / np.where(norms > 0, norms, 1)).astype(np.float32)
        return unit

    def row(self, word: str) -> int:
        """Row of a word: as it stands, in lower case, or joined as a phrase (New York: new_york).

        Raises:
            UnknownWordError: none of them is in the vocabulary.
        """
        lower = word.lower()
        for spelling in (word, lower, lower.replace(" ", "_")):
            if spelling in self.index:
                return self.index[spelling]
        raise UnknownWordError(word)

    def vector(self, word: str) -> Matrix:
        """The vector of a word, shape [dimensions]; of an unknown one from its n-grams, if there are any.

        Raises:
            UnknownWordError: it has none.
        """
        return self._known(word)[0]

    def similarity(self, word: str, other: str) -> float:
        """Cosine of the angle between two words, -1 to 1."""
        return float(_unit(self.vector(word)) @ _unit(self.vector(other)))

    def most_similar(self, word: str, topn: int = 10) -> Neighbours:
        """The words nearest by cosine, best first, without the word itself."""
        vector, rows = self._known(word)
        return self.nearest(vector, rows, topn)

    def analogy(self, word: str, to: str, like: str, topn: int = 10) -> Neighbours:
        """What is to `like` as `to` is to `word`: athens, greece, oslo -> norway (3CosAdd, Mikolov et al. 2013)."""
        given = [self._known(each) for each in (word, to, like)]
        first, second, third = (_unit(vector) for vector, _ in given)
        return self.nearest(second - first + third, {row for _, rows in given for row in rows}, topn)

    def nearest(self, target: Matrix, without: Iterable[int] = (), topn: int = 10) -> Neighbours:
        """The words nearest to a vector by cosine, best first, some rows left out."""
        scores = self.unit @ _unit(target)
        scores[list(without)] = -np.inf
        count = min(topn, int(np.isfinite(scores).sum()))
        best = np.argpartition(-scores, range(count))[:count]
        return [(self.words[row], float(scores[row])) for row in best]

    def _known(self, word: str) -> tuple[Matrix, frozenset[int]]:
        """The vector of a word, and its row if it has one."""
        try:
            row = self.row(word)
        except UnknownWordError:
            composed = self.subwords.vector(word.lower()) if self.subwords else None
            if composed is None:
                raise
            return composed, frozenset()
        return self.matrix[row], frozenset({row})

    def save(self, path: Path) -> None:
        """Write word2vec's binary format, which gensim, fastText and most readers know."""
        rows = np.ascontiguousarray(self.matrix, dtype="<f4")
        with path.open("wb") as file:
            file.write(f"{len(self.words)} {rows.shape[1]}\n".encode())
            for word, row in zip(self.words, rows, strict=True):
                file.write(word.encode() + b" " + row.tobytes() + b"\n")

    @classmethod
    def load(cls, path: Path) -> WordVectors:
        """Read word2vec's binary format.

        Raises:
            ValueError: the file is not in that format, or ends too early.
        """
        data = path.read_bytes()
        header, _, _ = data[:64].partition(b"\n")
        try:
            count, dimensions = (int(field) for field in header.split())
        except ValueError:
            raise ValueError(f"{path} is not in word2vec's binary format") from None
        words, matrix = [], np.empty((count, dimensions), np.float32)
        place = len(header) + 1
        for row in range(count):
            space = data.find(b" ", place)
            end = space + 1 + 4 * dimensions
            if space < 0 or end > len(data):
                raise ValueError(f"{path} ends at word {row} of {count}")
            words.append(data[place:space].lstrip(b"\n").decode())
            matrix[row] = np.frombuffer(data, "<f4", dimensions, space + 1)
            place = end
        return cls(tuple(words), matrix)


def _unit(vector: Matrix) -> Matrix:
    unit: Matrix = vector / np.float32(max(float(np.linalg.norm(vector)), 1e-12))
    return unit
