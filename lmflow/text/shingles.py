"""Text folded for comparison, and its shingles: what near-duplicate detection sees of a document.

Two spellings of one text must fold to the same units: lower case, digits to 0 (as cc_net does), diacritics removed,
full-width and other compatibility forms made plain (NFKD), punctuation and symbols to spaces (as datatrove does),
traditional Chinese characters to simplified ones (OpenCC's `t2s`, character by character).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

import opencc

from lmflow.text.scripts import HAN, UNSPACED

#: Units in a shingle (FineWeb, RedPajama v1, data-juicer and text-dedup: 5).
SHINGLE_UNITS: Final = 5

_HAN: Final = re.compile(f"[{HAN}]")
_UNSPACED_CHARACTER: Final = re.compile(f"[{UNSPACED}]")


class _Fold(dict[int, str]):
    """A `str.translate` table that learns each character when it is first met."""

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        # Hangul syllables and voiced kana would fall apart; everything else is decomposed, to lose its diacritics.
        whole = "\uac00" <= character <= "\ud7a3" or _UNSPACED_CHARACTER.match(character)
        plain = unicodedata.normalize("NFKC" if whole else "NFKD", character)
        self[code_point] = folded = "".join(map(_fold_character, plain))
        return folded


def _fold_character(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "M" and not _UNSPACED_CHARACTER.match(character):
        return ""  # a diacritic; vowel signs of Thai and its neighbours are letters to us
    if category == "Nd":
        return "0"
    if category[0] in "LN" or category[0] == "M":
        lower = _simplified().convert(character) if _HAN.match(character) else character.lower()
        return f" {lower} " if _UNSPACED_CHARACTER.match(character) else lower
    return " "


@cache
def _simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


_FOLD: Final = _Fold()


def units(text: str) -> list[str]:
    """What two texts are compared by: folded words, or single characters of scripts without spaces (Han, kana, …).

    The choice goes by character and not by detected language, so that a near-copy detected as another language still
    compares equal.
    """
    return text.translate(_FOLD).split()


def fold(text: str) -> str:
    """The units of a text joined by single spaces: equal for texts that differ only in spelling details."""
    return " ".join(units(text))


def shingles(text: str, n: int = SHINGLE_UNITS) -> set[str]:
    """The distinct runs of `n` consecutive units; empty when there are fewer than `n` units."""
    found = units(text)
    return {" ".join(found[start : start + n]) for start in range(len(found) - n + 1)}
