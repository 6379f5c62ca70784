"""How many characters of each class a text has, for many texts at a time: one table look-up a character."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

CLASSES: Final = ("other", "space", "newline", "digit", "upper", "punctuation", "curly_bracket", "hash", "replacement")

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
#: Behind the last assigned Han extension there are no digits, capitals or marks.
_LAST: Final = 0x32400


def count_classes(texts: Sequence[str]) -> NDArray[np.int64]:
    """int64 [texts, classes]: characters of each text in each of `CLASSES` (by Unicode's general category)."""
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    cells = np.repeat(np.arange(len(texts)) * len(CLASSES), sizes)
    cells += _table()[np.minimum(codes, _LAST)]
    return np.bincount(cells, minlength=len(texts) * len(CLASSES)).reshape(len(texts), len(CLASSES))


@cache
def _table() -> NDArray[np.uint8]:
    """The class of every code point up to `_LAST`, which stands for all behind it."""
    names = (
        _SINGLE.get(character) or _BY_CATEGORY.get(unicodedata.category(character), "other")
        for character in map(chr, range(_LAST + 1))
    )
    return np.fromiter(map(CLASSES.index, names), np.uint8, _LAST + 1)
