"""Words of a text: runs of letters and digits in scripts with spaces, jieba's words in Chinese.

One segmentation serves cleaning and embeddings, so that a count of words means the same everywhere.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import rjieba

from lmflow.text.scripts import HAS_UNSPACED, UNSPACED, code_points, spelled

#: Written in Han characters and segmented with jieba's dictionary (yue: Cantonese, wuu: Shanghainese).
CHINESE: Final = frozenset({"zh", "yue", "wuu"})
#: Languages that put no spaces between words.
UNSPACED_LANGUAGES: Final = CHINESE | {"ja", "th", "lo", "my", "km", "bo"}

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SPACED: Final = rf"(?:(?![{UNSPACED}])[^\W_])"
_WORD_OR_CHARACTER: Final = re.compile(rf"(?=[^\W_])[{UNSPACED}]|{_SPACED}+(?:['’]{_SPACED}+)*")
#: Behind a word, one mark or symbol at a time.
_OR_MARK: Final = r"|[^\w\s]|_"
_WORD_AND_MARK: Final = re.compile(_WORD.pattern + _OR_MARK)
_CHARACTER_AND_MARK: Final = re.compile(_WORD_OR_CHARACTER.pattern + _OR_MARK)
_HAS_WORD: Final = re.compile(r"[^\W_]")
#: Apostrophes that stand between no two letters, and a translation of all ASCII that belongs to no word into spaces:
#: cutting there and splitting gives the same words as `_WORD` in half the time.
_LOOSE_APOSTROPHE: Final = re.compile(r"(?<![^\W_])'|'(?![^\W_])")
_ASCII_TO_WORDS: Final = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "'")}

#: Full-width letters, digits and full stop, which jieba would cut one by one.
_FULL_WIDTH: Final = re.compile("[．０-９Ａ-Ｚａ-ｚ]")
_FIRST_FULL: Final = 0xFF0E
#: What to take from the code points from there on; the last stands for all behind it.
_TO_HALF_WIDTH: Final = np.array(
    [0xFEE0 * bool(_FULL_WIDTH.match(chr(code))) for code in range(_FIRST_FULL, 0xFF5C)], np.uint32
)


def words(text: str, lang: str) -> list[str]:
    """The words of a text in order, case kept, punctuation and symbols left out.

    Args:
        text: any string; lone surrogates are no letters and vanish.
        lang: ISO 639 code. Chinese is segmented by jieba (Rust: rjieba, with its hidden Markov model for unknown
            words), and its full-width letters and digits come out half-width; in other languages a word is a run of
            letters and digits, inner apostrophes included, and each character of a script without spaces (Han, kana,
            Thai, …) stands alone.
    """
    if lang in CHINESE:
        return [token for token in cut(half_width(text)) if token.isalnum() or _HAS_WORD.search(token)]
    if text.isascii():
        if "'" in text:
            text = _LOOSE_APOSTROPHE.sub(" ", text)
        return text.translate(_ASCII_TO_WORDS).split()
    if HAS_UNSPACED.search(text):
        return _WORD_OR_CHARACTER.findall(text)
    return _WORD.findall(text)


def words_and_marks(text: str, lang: str) -> list[str]:
    """The words of a text as `words` has them, and every mark of punctuation and symbol between them as one of its own.

    In Chinese, marks that jieba leaves together (……, ——) stay together.
    """
    if lang in CHINESE:
        return [token for token in cut(half_width(text)) if not token.isspace()]
    return (_CHARACTER_AND_MARK if HAS_UNSPACED.search(text) else _WORD_AND_MARK).findall(text)


def characters(text: str) -> list[str]:
    """The words of a text, each character of a script without spaces (Han, kana, Thai, …) standing alone."""
    return _WORD_OR_CHARACTER.findall(text)


def characters_and_marks(text: str) -> list[str]:
    """The same with every mark of punctuation and symbol as one of its own."""
    return _CHARACTER_AND_MARK.findall(text)


def half_width(text: str) -> str:
    """A text with half-width letters, digits and full stops in place of full-width ones, character for character."""
    if not _FULL_WIDTH.search(text):
        return text
    codes = code_points(text)
    halved = codes - _TO_HALF_WIDTH.take(
        codes - np.uint32(_FIRST_FULL), mode="clip"
    )  # below the first, it wraps around
    return spelled(halved)


def cut(text: str) -> list[str]:
    """Jieba's tokens of a text with half-width letters, marks and spaces too: together they are as long as the text."""
    try:
        return rjieba.cut(text)
    except UnicodeEncodeError:  # a lone surrogate cannot cross into Rust
        return rjieba.cut(text.encode("utf-8", "replace").decode("utf-8"))
