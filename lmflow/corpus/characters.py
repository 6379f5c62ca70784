"""The characters of many texts as arrays, with what kind each is, and the runs of them that are lines and words.

One look at a table a character; all else is done for whole arrays, so that a short text costs hardly more than its
characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.text.scripts import UNSPACED, code_points, members, spelled

#: What a character is counted as. A kind holds the number of its class in the lowest four bits.
CLASSES: Final = ("other", "space", "newline", "digit", "upper", "punctuation", "curly_bracket", "hash", "replacement")
_CLASS: Final = 0b1111
#: The other bits of a kind: a letter; white space; and what it can be of a word: a letter or digit of a script that
#: puts spaces between words, one of a script that does not, or an apostrophe.
_LETTER: Final = 1 << 4
_SPACE: Final = 1 << 5
_SPACED: Final = 1 << 6
_UNSPACED: Final = 2 << 6
_APOSTROPHE: Final = _SPACED | _UNSPACED

BASE: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that nothing is lost in a product
MIX: Final = np.uint64(0xBF58476D1CE4E5B9)

_SINGLE: Final = {
    " ": "space",
    "\t": "space",
    "\n": "newline",
    "{": "curly_bracket",
    "#": "hash",
    "\ufffd": "replacement",
}
_BY_CATEGORY: Final = {
    "Nd": "digit",
    "Lu": "upper",
    "Zs": "space",
    **dict.fromkeys(("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"), "punctuation"),
}
#: Behind the last assigned Han extension there are no letters, digits, spaces or marks.
_LAST: Final = 0x32400


@dataclass(frozen=True)
class Runs:
    """Places of r runs of characters in n texts, in order, none empty.

    Attributes:
        starts: int64 [r], where each begins.
        ends: int64 [r], the place behind its last character.
        text_of: int64 [r], which text it is in.
        sizes: int64 [n], how many each text has.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    text_of: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 [r], characters."""
        return self.ends - self.starts

    @property
    def chars(self) -> NDArray[np.int64]:
        """int64 [n], characters in all runs of each text."""
        behind = np.cumsum(self.sizes)
        return _between(_running(self.lengths), behind - self.sizes, behind)

    def longest(self) -> NDArray[np.int64]:
        """int64 [n], characters of the longest run of each text; 0 without runs."""
        found = np.zeros(len(self.sizes), np.int64)
        np.maximum.at(found, self.text_of, self.lengths)
        return found

    def count(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        """int64 [n], how many of each text's runs are chosen by a bool [r]."""
        return np.bincount(self.text_of[which], minlength=len(self.sizes))


@dataclass(frozen=True)
class Characters:
    """Characters of n texts, one text after the other, a line end before, between and behind them: m in all.

    Attributes:
        text: all of them.
        codes: uint32 [m], code points.
        kinds: uint8 [m], bits (see the top of the module).
        starts: int64 [n], where each text begins.
        ends: int64 [n], the place behind its last character.
    """

    text: str
    codes: NDArray[np.uint32]
    kinds: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Characters:
        """Those of at least one text; lone surrogates are characters like others."""
        text = "\n".join(["", *texts, ""])
        codes = code_points(text)
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        ends = np.cumsum(sizes + 1)
        return cls(text, codes, _kinds().take(codes, mode="clip"), ends - sizes, ends)

    @cached_property
    def lower(self) -> str:
        """`text` with ASCII's capital letters made small, place for place."""
        if self.text.isascii():
            return self.text.lower()
        capital = self.codes - np.uint32(ord("A")) < 26  # what comes before A wraps around
        return spelled(self.codes + np.uint32(32) * capital)

    def find(self, phrase: str) -> NDArray[np.int64]:
        """Where a phrase (if of ASCII, in small letters) begins, whatever its case."""
        found, at = list[int](), self.lower.find(phrase)
        while at >= 0:
            found.append(at)
            at = self.lower.find(phrase, at + len(phrase))
        return np.array(found, np.int64)

    def text_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which text a place is in."""
        return np.searchsorted(self.ends, places, "right")

    def texts_with(self, *phrases: str) -> list[int]:
        """Which texts have one of the phrases (if of ASCII, in small letters), whatever its case."""
        found = self.text_of(np.concatenate([self.find(phrase) for phrase in phrases]))
        return sorted(set(found.tolist()))

    def count_classes(self) -> dict[str, NDArray[np.int64]]:
        """int64 [n] for each of `CLASSES`: characters of each text in it (by Unicode's general category)."""
        n, width = len(self.starts), _CLASS + 1
        cells = np.repeat(np.arange(n) * width, self.ends - self.starts + 1)  # each text with the line end behind it
        cells += self.kinds[1:] & _CLASS
        counts = np.bincount(cells, minlength=n * width).reshape(n, width)
        counts[:, CLASSES.index("newline")] -= 1
        return dict(zip(CLASSES, counts.T, strict=False))

    def places(self, name: str) -> NDArray[np.int64]:
        """Where the characters of a class are, in order."""
        return np.flatnonzero((self.kinds & _CLASS) == CLASSES.index(name))

    def is_space(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether white space (`str.isspace`) stands at these places."""
        return np.asarray(self.kinds[places] & _SPACE, np.bool_)

    def spaces(self, runs: Runs) -> NDArray[np.int64]:
        """int64 [r], how many spaces (U+0020) each run has."""
        return _between(_running(self.codes == ord(" ")), runs.starts, runs.ends)

    def lettered(self, runs: Runs) -> NDArray[np.bool_]:
        """Bool [r], whether a run has a letter."""
        return _between(_running((self.kinds & _LETTER) != 0), runs.starts, runs.ends) > 0

    def lines(self) -> Runs:
        """The lines that are not empty."""
        newlines = self.places("newline")
        starts, ends = newlines[:-1] + 1, newlines[1:]
        full = ends > starts
        return self._runs(starts[full], ends[full])

    def words(self) -> Runs:
        """Runs of letters and digits, inner apostrophes included; in scripts without spaces each character alone.

        `lmflow.text.segment.words` has the same words, for every language but Chinese.
        """
        part = self.kinds & _APOSTROPHE
        inside = part == _SPACED
        apostrophes = np.flatnonzero(part == _APOSTROPHE)
        inside[apostrophes[inside[apostrophes - 1] & inside[apostrophes + 1]]] = True
        alone = part == _UNSPACED
        if alone.any():
            starts = np.flatnonzero(alone[1:] | (inside[1:] & ~inside[:-1])) + 1
            return self._runs(starts, np.flatnonzero(alone[:-1] | (inside[:-1] & ~inside[1:])) + 1)
        edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
        return self._runs(edges[0::2], edges[1::2])

    def tokens(self, cut: Sequence[str]) -> Runs:
        """Those of the tokens, which together are `text`, that have a letter or digit."""
        lengths = np.fromiter(map(len, cut), np.int64, len(cut))
        ends = np.cumsum(lengths)
        starts = ends - lengths
        # Adding the lower of the two bits of a word sets the upper one for letters and digits of both kinds alone.
        of_words = _between(_running(((self.kinds + np.uint8(_SPACED)) & _UNSPACED) != 0), starts, ends) > 0
        return self._runs(starts[of_words], ends[of_words])

    def _runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Runs:
        sizes = np.diff(np.append(np.searchsorted(starts, self.starts), len(starts)))
        return Runs(starts, ends, np.repeat(np.arange(len(sizes)), sizes), sizes)


def hashes(codes: NDArray[np.uint32], runs: Runs) -> NDArray[np.uint64]:
    """uint64 [r], equal for equal characters; two different runs agree with a probability of about 2^-64.

    A polynomial in `BASE` modulo 2^64 (Karp and Rabin 1987), as a difference of sums over all characters before a
    place, divided by the power at the start of the run, and scattered.
    """
    powers, inverses = _powers(1 << len(codes).bit_length())
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * powers[: len(codes)], out=sums[1:])
    return scatter((sums[runs.ends] - sums[runs.starts]) * inverses[runs.starts])


def scatter(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers spread over 64 bits (the finaliser of SplitMix64, Steele et al. 2014): a bijection."""
    mixed = numbers + BASE
    mixed = (mixed ^ (mixed >> np.uint64(30))) * MIX
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@cache
def _powers(number: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The first powers of `BASE` modulo 2^64, and their inverses: uint64 [number] each."""
    bases = np.array([int(BASE), pow(int(BASE), -1, 1 << 64)], np.uint64)
    steps = np.repeat(bases[:, None], number, 1)
    steps[:, 0] = 1
    powers, inverses = np.cumprod(steps, axis=1)
    return powers, inverses


def _running(values: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 [m + 1]: the sum of the values before each place."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _between(sums: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    return sums[ends] - sums[starts]


@cache
def _kinds() -> NDArray[np.uint8]:
    """The kind of every code point up to `_LAST`, which stands for all behind it."""
    characters = list(map(chr, range(_LAST + 1)))
    number = {category: CLASSES.index(name) for category, name in _BY_CATEGORY.items()}
    kinds = np.array([number.get(category, 0) for category in map(unicodedata.category, characters)], np.uint8)
    for character, name in _SINGLE.items():
        kinds[ord(character)] = CLASSES.index(name)
    of_word, letter, space = (np.array(list(map(of, characters))) for of in (str.isalnum, str.isalpha, str.isspace))
    unspaced = members(UNSPACED, len(characters))
    kinds |= _LETTER * letter.astype(np.uint8) | _SPACE * space.astype(np.uint8)
    kinds[of_word] |= np.where(unspaced[of_word], np.uint8(_UNSPACED), np.uint8(_SPACED))
    kinds[list(map(ord, "'’"))] |= _APOSTROPHE
    return kinds
