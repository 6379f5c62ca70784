"""Numbers and words of the hand-checked snippets that survive; README.md states the rules."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SUPERSCRIPTS: Final = str.maketrans({char: f"^{number}" for number, char in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})
_SUPERSCRIPT_RUN = re.compile(r"\^\d(?:\^\d)*")
#: What writes numbers in groups; an ordinary blank only before three digits (66 000 000 in French, Russian, Swedish).
_SEPARATOR = re.compile(r"(?<=\d)(?:[.,٫٬'’\u00a0\u202f\u2009](?=\d)| (?=\d{3}(?!\d)))")
_LOWERED_RUN = re.compile(r"(?<=\d)([₀-₉]+)")
_UNIT_EXPONENT = re.compile(r"(?<=[^\W\d_])\^\d+")
#: A digit glued to a Latin letter belongs to a unit or a name (m2, H2O, CO2), not to a number.
_NUMBER = re.compile(r"(?<![A-Za-z\d])\d+")
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Snippet:
    """Wikitext, and what a reader of the rendered article sees of it."""

    lang: str
    markup: str
    numbers: Counter[str]
    computed: Counter[str]
    words: tuple[str, ...]


@dataclass(slots=True)
class Score:
    """Counts over snippets."""

    numbers: int = 0
    of_numbers: int = 0
    computed: int = 0
    of_computed: int = 0
    words: int = 0
    of_words: int = 0
    surplus: int = 0

    def add(self, snippet: Snippet, text: str) -> None:
        """Count one snippet's output."""
        there = numbers(text)
        seen = there & snippet.numbers
        self.numbers += seen.total()
        self.of_numbers += snippet.numbers.total()
        left = there - seen
        computed = left & snippet.computed
        self.computed += computed.total()
        self.of_computed += snippet.computed.total()
        self.surplus += (left - computed).total()
        packed = _BLANK.sub("", text)
        self.words += sum(1 for word in snippet.words if _BLANK.sub("", word) in packed)
        self.of_words += len(snippet.words)


def numbers(text: str) -> Counter[str]:
    """Every number of a text as ASCII digits without separators."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].replace("^", ""), text.translate(_SUPERSCRIPTS))
    text = _LOWERED_RUN.sub(r" \1", _UNIT_EXPONENT.sub("", text))
    text = _SEPARATOR.sub("", unicodedata.normalize("NFKC", text).replace("\u2044", "/"))
    return Counter("".join(str(unicodedata.digit(char)) for char in run) for run in _NUMBER.findall(text))


def snippets(name: str = "snippets") -> list[Snippet]:
    """All of snippets.toml, or of another list beside it."""
    data = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
    return [
        Snippet(
            one["lang"],
            one["markup"],
            _expected(one["numbers"]),
            _expected(one.get("computed", [])),
            tuple(one["words"]),
        )
        for one in data["snippet"]
    ]


def _expected(written: list[str]) -> Counter[str]:
    return Counter(re.sub(r"[.,]", "", number) for number in written)
