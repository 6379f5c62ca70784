"""How a text becomes the words that vectors are learnt for. Shipped in models, which must cut texts the same way."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from lmflow.text import segment

Segmentation = Literal["words", "characters", "spaces"]

_WORDS: Final[Mapping[Segmentation, Callable[[str, str], list[str]]]] = {
    "words": segment.words,
    "characters": lambda text, _: segment.characters(text),
    "spaces": lambda text, _: [word for word in map(_bare, text.split()) if word],
}
_WITH_MARKS: Final[Mapping[Segmentation, Callable[[str, str], list[str]]]] = {
    "words": segment.words_and_marks,
    "characters": lambda text, _: segment.characters_and_marks(text),
    "spaces": lambda text, _: text.split(),
}


@dataclass(frozen=True)
class Wording:
    """The options of the embedding branch; cleaning and language models keep a text as it is.

    Args:
        segmentation: `words`: jieba's in Chinese, runs of letters and digits elsewhere; `characters`: every character
            of a script without spaces stands alone, in Chinese too; `spaces`: what stands between white space, for text
            that was cut before.
        lower_case: whether case is given up.
        punctuation: whether marks stay, each as a word (with `spaces`, where they stand).
        stop_words: lower-cased words that are left out.
    """

    segmentation: Segmentation = "words"
    lower_case: bool = True
    punctuation: bool = False
    stop_words: frozenset[str] = frozenset()

    def words(self, text: str, lang: str) -> list[str]:
        """The words of a text in a language, in order."""
        cut = (_WITH_MARKS if self.punctuation else _WORDS)[self.segmentation]
        found = cut(text.lower() if self.lower_case else text, lang)
        if self.stop_words:
            found = [word for word in found if word.lower().replace("’", "'") not in self.stop_words]
        return found

    def facts(self) -> dict[str, str]:
        """What a file of vectors says of it."""
        return {
            "segmentation": self.segmentation,
            "lower_case": str(self.lower_case),
            "punctuation": str(self.punctuation),
            "stop_words": " ".join(sorted(self.stop_words)),
        }

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> Wording:
        """What `facts` said; the defaults where a file says nothing, for files of before there was a choice."""
        return cls(
            cast(Segmentation, facts.get("segmentation", "words")),
            facts.get("lower_case", "True") == "True",
            facts.get("punctuation", "False") == "True",
            frozenset(facts.get("stop_words", "").split()),
        )

    def __str__(self) -> str:
        case = "lower-cased" if self.lower_case else "case kept"
        marks = "punctuation kept" if self.punctuation else "without punctuation"
        without = f", without {len(self.stop_words)} stop words" if self.stop_words else ""
        return f"{case}, cut into {self.segmentation}, {marks}{without}"


def _bare(word: str) -> str:
    """A word without the marks around it."""
    start, end = 0, len(word)
    while start < end and _is_mark(word[start]):
        start += 1
    while end > start and _is_mark(word[end - 1]):
        end -= 1
    return word[start:end]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
