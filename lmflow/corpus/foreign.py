"""Paragraphs in another language than their document's: measured, and taken out if a policy asks for it.

A paragraph is a line, as extraction writes them. It is foreign if its language is found with confidence and is not the
document's; what cannot be told for certain stays. The document's language is then that of most of its characters in
paragraphs that can be told, and the score of the rest counts.

Only documents that look mixed are looked at line by line: whose language is unsure, that hold a long run of another
script, or several stop words of another language that a policy lists. A paragraph of Polish in an English document can
so be overlooked; one of French is not, for there is a policy for French.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from pydantic import BaseModel, Field

from lmflow.corpus.language import UNDETERMINED, Detected, detect
from lmflow.text.scripts import count
from lmflow.text.segment import CHINESE

#: Signals, only where the policy of the language asks for them.
FOREIGN: Final = {
    "foreign_paragraphs": "paragraphs that are in another language for certain",
    "foreign_char_ratio": "their share of the characters, before they were taken out",
}

#: A sure document of one script is taken for one of one language. Nine tenths of clean English are above.
_SURE: Final = 0.94
#: Distinct stop words of another language. English text quotes one or two: de la, sine die, per se.
_TELLING: Final = 4
_SAMPLE: Final = 400
_LATIN_LETTERS: Final = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_Script = Literal["latin", "east_asian", "other"]
#: For each script, characters that are not of it, and the most bytes that one of them has.
_FOREIGN_RUNS: Final[Mapping[_Script, tuple[str, int]]] = {
    "latin": (rf"^\n{_LATIN_LETTERS}", 4),
    "east_asian": (r"^\n\u2e80-\uffef\U00020000-\U0003ffff", 2),
    "other": (rf" -\u036f{_LATIN_LETTERS}\u2000-\u206f", 2),
}
_EAST_ASIAN_LANGUAGES: Final = CHINESE | {"ja", "ko"}
_LATIN: Final = re.compile(f"[{_LATIN_LETTERS}]")
_LETTER: Final = re.compile(r"[^\W\d_]")


class ForeignParagraphs(BaseModel, frozen=True, extra="forbid"):
    """What a policy says about them.

    Attributes:
        action: `remove` takes them out, `measure` leaves them.
        score_at_least: how sure a paragraph's language must be.
        bytes_at_least: shorter paragraphs are not judged; in UTF-8, so that 80 are 13 words of English and 27
            characters of Chinese.
    """

    action: Literal["remove", "measure"]
    score_at_least: float = Field(0.8, gt=0, le=1)
    bytes_at_least: int = Field(80, ge=1)


@dataclass(frozen=True)
class Sorted:
    """A document by the languages of its paragraphs.

    Attributes:
        text: what is left of it.
        detected: the language of most of it.
        signals: the values of FOREIGN.
    """

    text: str
    detected: Detected
    signals: dict[str, float]


def sort_paragraphs(
    text: str,
    detected: Detected,
    asked: Callable[[str], ForeignParagraphs | None],
    others: Callable[[str], Sequence[frozenset[str]]],
) -> Sorted | None:
    """Sort the paragraphs of a normalised text by language.

    Args:
        text: of the document.
        detected: its language as a whole.
        asked: what the policy of a language says; a document only changes to a language whose policy says something.
        others: for a language, the stop words of each other one that are none in it.

    Returns:
        None if the policy of its language says nothing.
    """
    options = asked(detected.lang)
    if options is None:
        return None
    if not looks_mixed(text, detected, options.bytes_at_least, others(detected.lang)):
        return Sorted(text, detected, dict.fromkeys(FOREIGN, 0.0))
    paragraphs = text.split("\n")
    found = [_told(paragraph, options) for paragraph in paragraphs]
    chars = Counter({detected.lang: 0})  # first, so that it wins among equals
    for paragraph, lang in zip(paragraphs, found, strict=True):
        chars[lang] += len(paragraph)
    del chars[""]
    main = next((lang for lang, _ in chars.most_common() if lang == detected.lang or asked(lang)), detected.lang)
    foreign = [lang not in ("", main) for lang in found]
    lost = sum(len(paragraph) for paragraph, is_foreign in zip(paragraphs, foreign, strict=True) if is_foreign)
    signals = dict(zip(FOREIGN, (float(sum(foreign)), lost / len(text)), strict=True))
    if not lost:
        return Sorted(text, detected, signals)
    rest = "\n".join(paragraph for paragraph, is_foreign in zip(paragraphs, foreign, strict=True) if not is_foreign)
    rest = re.sub("\n{3,}", "\n\n", rest).strip()
    score = detect(rest)
    main_score = score.score if score.lang == main else detected.score if detected.lang == main else 0.0
    final = asked(main) or options
    return Sorted(rest if final.action == "remove" else text, Detected(main, main_score), signals)


def looks_mixed(text: str, detected: Detected, bytes_at_least: int, others: Sequence[frozenset[str]]) -> bool:
    """Whether a text is worth a look at each paragraph.

    Args:
        text: of the document.
        detected: its language.
        bytes_at_least: of a paragraph that is judged.
        others: stop words of each other language that are none in this one.
    """
    if "\n" not in text:
        return False
    if detected.score < _SURE:
        return True
    script = _script(text, detected.lang)
    if not (script == "latin" and text.isascii()) and _foreign_run(script, bytes_at_least).search(text):
        return True
    found = set(text.split())
    return any(len(words & found) >= _TELLING for words in others)


def _script(text: str, lang: str) -> _Script:
    sample = text[:_SAMPLE]
    if lang in _EAST_ASIAN_LANGUAGES:
        return "east_asian"
    return "latin" if 2 * count(_LATIN, sample) > count(_LETTER, sample) else "other"


@cache
def _foreign_run(script: _Script, bytes_at_least: int) -> re.Pattern[str]:
    """A run in another script that may be a paragraph."""
    characters, width = _FOREIGN_RUNS[script]
    return re.compile(f"[{characters}]{{{max(bytes_at_least // width, 1)}}}")


def _told(paragraph: str, options: ForeignParagraphs) -> str:
    """The language of a paragraph; empty if that cannot be told for certain."""
    if (
        4 * len(paragraph) < options.bytes_at_least
        or len(paragraph.encode("utf-8", "replace")) < options.bytes_at_least
    ):
        return ""
    found = detect(paragraph)
    return found.lang if found.score >= options.score_at_least and found.lang != UNDETERMINED else ""
