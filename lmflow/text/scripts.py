"""Which writing systems put no spaces between words: character ranges and counts. Not a language detector."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Han ideographs with their extensions A to H, compatibility forms, and the iteration mark.
HAN: Final = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
#: Hiragana and katakana, half-width katakana too; the long-vowel mark counts, the middle dot does not.
KANA: Final = "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
#: Thai, Lao, Tibetan, Myanmar and Khmer.
SOUTHEAST_ASIAN: Final = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
#: Every script in which a character, not a run between spaces, is the unit we compare.
UNSPACED: Final = HAN + KANA + SOUTHEAST_ASIAN

HAS_UNSPACED: Final = re.compile(f"[{UNSPACED}]")


def code_points(text: str) -> NDArray[np.uint32]:
    """uint32 [characters], of lone surrogates too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def spelled(codes: NDArray[np.uint32]) -> str:
    """The text that has these code points."""
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def members(characters: str, number: int) -> NDArray[np.bool_]:
    """Bool [number], which of the first code points belong to the inside of a character class (`a-z`)."""
    found = np.zeros(number, np.bool_)
    for run in re.finditer(f"[{characters}]+", "".join(map(chr, range(number)))):
        found[run.start() : run.end()] = True
    return found


def count(pattern: re.Pattern[str], text: str) -> int:
    """How many characters of `text` a character-class pattern matches (one pass, no list of matches)."""
    return len(text) - len(pattern.sub("", text))
