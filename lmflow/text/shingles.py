"""Text folded for comparison, and its shingles: what near-duplicate detection sees of a document.

Two spellings of one text must fold to the same units: cases are one (Unicode's full case folding, so that ß is ss),
diacritics and Arabic's tatweel removed, full-width and other compatibility forms made plain (NFKD), apostrophes removed
("don't" is "dont"), other punctuation and symbols to spaces (as datatrove does), traditional Chinese characters to
simplified ones (OpenCC's `t2s`, character by character, and what Taiwan and Hong Kong write otherwise). For likeness
digits are 0 (as cc_net has it): a report of this year is like that of the last. It is not the same text.
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

#: To be counted up when any text folds to other units than before: stored fingerprints of another one are made anew.
FOLDING: Final = 2

_HAN: Final = re.compile(f"[{HAN}]")
_UNSPACED_CHARACTER: Final = re.compile(f"[{UNSPACED}]")
#: Apostrophes (typewriter's, typographic, modifier letter) and the stroke that lengthens Arabic words.
_UNWRITTEN: Final = "'\u2019\u02bc\u0640"
#: What `t2s` leaves of Taiwan's and Hong Kong's spelling, character by character: where OpenCC's s2t, s2tw and s2hk
#: went from one character to another on 2 million characters of Chinese, and on single characters.
_VARIANTS: Final = str.maketrans(
    "著瞭覆像藉彷揹俱甦痺薰簷衞敍枱睪腭齶鲇馀苧", "着了复象借仿背具苏痹熏檐卫叙台睾颚颚鲶余苎"
)
_TO_ZERO: Final = bytes.maketrans(b"123456789", b"0" * 9)


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
    if character in _UNWRITTEN:
        return ""
    category = unicodedata.category(character)
    if category[0] == "M" and not _UNSPACED_CHARACTER.match(character):
        return ""  # a diacritic; vowel signs of Thai and its neighbours are letters to us
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category[0] in "LN" or category[0] == "M":
        is_han = _HAN.match(character)
        same = _simplified().convert(character).translate(_VARIANTS) if is_han else character.casefold()
        return f" {same} " if _UNSPACED_CHARACTER.match(character) else same
    return " "


@cache
def _simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


_FOLD: Final = _Fold()


def folded(text: str) -> list[str]:
    """The units of a text (see `units`) with digits as they are: equal for texts that differ only in spelling."""
    return text.translate(_FOLD).split()


def units(text: str) -> list[str]:
    """What two texts are compared by: folded words, or single characters of scripts without spaces (Han, kana, …).

    Digits are 0. The choice goes by character and not by detected language, so that a near-copy detected as another
    language still compares equal.
    """
    return without_digits(text.translate(_FOLD)).split()


def without_digits(folded_text: str) -> str:
    """Folded text with 0 for every digit."""
    return folded_text.encode("utf-8", "surrogatepass").translate(_TO_ZERO).decode("utf-8", "surrogatepass")


def shingles(text: str, n: int = SHINGLE_UNITS) -> set[str]:
    """The distinct runs of `n` consecutive units; empty when there are fewer than `n` units."""
    found = units(text)
    return {" ".join(found[start : start + n]) for start in range(len(found) - n + 1)}
