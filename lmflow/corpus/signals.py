"""What can be measured about a document, in one pass over one segmentation. Measuring decides nothing: see `policy`.

Definitions follow C4, Gopher (Rae et al. 2021, table A1) and FineWeb as datatrove implements them. Where ours differ:
words are runs of letters and digits (symbols are no words and are measured apart); an n-gram counts as the top one only
if it occurs at least twice, so that a short text is not repetitive for being short; n-grams are joined by a space in
scripts with spaces and by nothing in Chinese, and overlapping occurrences count up to the whole text; after a terminal
mark, closing quotes and a byline in brackets are skipped; a document without words has ratio 0 everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from lmflow.text.segment import CHINESE, words
from lmflow.text.sentences import CLOSERS

#: Every signal by name, with what it means. A policy may hold thresholds on these and on no others.
SIGNALS: Final[Mapping[str, str]] = {
    "language_score": "how sure the language is (see `language.Detected`)",
    "n_chars": "characters",
    "n_words": "words (jieba's in Chinese)",
    "n_lines": "lines that are not empty",
    "mean_word_length": "characters a word",
    "letter_word_ratio": "share of words with a letter",
    "stop_words": "distinct stop words of the language that occur",
    "hash_word_ratio": "`#` a word",
    "ellipsis_word_ratio": "ellipses a word (…, three full stops or more, 。。)",
    "symbol_char_ratio": "share of the visible characters that belong to no word",
    "url_char_ratio": "share of the characters inside web addresses",
    "replacement_char_ratio": "share of U+FFFD: text lost in decoding",
    "bullet_line_ratio": "share of lines that begin with a bullet",
    "ellipsis_line_ratio": "share of lines that end with an ellipsis",
    "terminal_line_ratio": "share of lines that end with the language's terminal punctuation",
    "short_line_ratio": "share of lines up to the language's short length (English: 30 characters)",
    "newline_word_ratio": "line ends a word",
    "duplicate_line_ratio": "share of lines that occurred before",
    "duplicate_line_chars": "share of characters in lines that occurred before",
    "duplicate_paragraph_ratio": "share of paragraphs that occurred before",
    "duplicate_paragraph_chars": "share of characters in paragraphs that occurred before",
    "top_2gram_chars": "share of characters in the commonest 2-gram of words, if it occurs twice",
    "top_3gram_chars": "share of characters in the commonest 3-gram of words, if it occurs twice",
    "top_4gram_chars": "share of characters in the commonest 4-gram of words, if it occurs twice",
}

_ELLIPSIS: Final = re.compile(r"…+|\.{3,}|。{2,}")
_ELLIPSIS_ENDS: Final = ("…", "...", "。。")
_URL: Final = re.compile(r"(?:https?://|ftp://|www\.)[^\s，。；、）】》\"'<>]+", re.IGNORECASE)
_BYLINE: Final = re.compile(r"\s*[（(][^（）()]{1,30}[）)]$")
_BULLETS: Final = ("•", "-", "*", "‣", "◦", "●", "▪", "■", "·", "–", "—\t", "○", "◆", "★", "※")


@dataclass(frozen=True)
class Traits:
    """What measuring needs to know of a language.

    Attributes:
        lang: ISO 639 code, for segmentation.
        stop_words: lower-case words (in Chinese: as jieba cuts them).
        terminal_punctuation: characters that end a sentence.
        short_line_chars: a line of at most this many characters is short.
    """

    lang: str
    stop_words: frozenset[str]
    terminal_punctuation: str
    short_line_chars: int

    @cached_property
    def stop_word_spellings(self) -> frozenset[str]:
        """Stop words as they stand in running text: lower case, capitalised, in capitals."""
        return frozenset(spell(word) for word in self.stop_words for spell in (str, str.capitalize, str.upper))


def measure(text: str, traits: Traits, language_score: float) -> dict[str, float]:
    """All of `SIGNALS` for one normalised text."""
    found = words(text, traits.lang)
    lines = [line for line in text.split("\n") if line]
    return {
        "language_score": language_score,
        "n_chars": float(len(text)),
        "n_words": float(len(found)),
        "n_lines": float(len(lines)),
        **_word_signals(text, found, traits),
        **_line_signals(text, lines, len(found), traits),
        **_repetition_signals(text, found, lines, traits),
    }


def _word_signals(text: str, found: Sequence[str], traits: Traits) -> dict[str, float]:
    n_words = len(found)
    word_chars = sum(map(len, found))
    visible = len(text) - text.count(" ") - text.count("\n")
    addresses = _URL.findall(text) if "://" in text or "www." in text.lower() else []
    stop_words = traits.stop_word_spellings.intersection(found)
    return {
        "mean_word_length": _ratio(word_chars, n_words),
        "letter_word_ratio": _ratio(n_words - sum(map(str.isnumeric, found)), n_words),
        "stop_words": float(len({word.lower() for word in stop_words})),
        "hash_word_ratio": _ratio(text.count("#"), n_words),
        "ellipsis_word_ratio": _ratio(len(_ELLIPSIS.findall(text)), n_words),
        "symbol_char_ratio": _ratio(visible - word_chars, visible),
        "url_char_ratio": _ratio(sum(map(len, addresses)), len(text)),
        "replacement_char_ratio": _ratio(text.count("\ufffd"), len(text)),
    }


def _line_signals(text: str, lines: Sequence[str], n_words: int, traits: Traits) -> dict[str, float]:
    terminals = tuple(traits.terminal_punctuation)
    ended = sum(line.endswith(terminals) or _ends_within(line, terminals) for line in lines)
    return {
        "bullet_line_ratio": _ratio(sum(line.startswith(_BULLETS) for line in lines), len(lines)),
        "ellipsis_line_ratio": _ratio(sum(line.endswith(_ELLIPSIS_ENDS) for line in lines), len(lines)),
        "terminal_line_ratio": _ratio(ended, len(lines)),
        "short_line_ratio": _ratio(sum(len(line) <= traits.short_line_chars for line in lines), len(lines)),
        "newline_word_ratio": _ratio(text.count("\n"), n_words),
    }


def _ends_within(line: str, terminals: tuple[str, ...]) -> bool:
    """Whether a line ends a sentence before its closing quotes and brackets, or before a byline in brackets."""
    return line.rstrip(CLOSERS).endswith(terminals) or _BYLINE.sub("", line).rstrip(CLOSERS).endswith(terminals)


def _repetition_signals(text: str, found: Sequence[str], lines: Sequence[str], traits: Traits) -> dict[str, float]:
    paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph]
    repeated_lines, line_chars = _repeats(lines)
    repeated_paragraphs, paragraph_chars = _repeats(paragraphs)
    tops = _top_ngram_chars(found, joint=0 if traits.lang in CHINESE else 1)
    return {
        "duplicate_line_ratio": _ratio(repeated_lines, len(lines)),
        "duplicate_line_chars": _ratio(line_chars, len(text)),
        "duplicate_paragraph_ratio": _ratio(repeated_paragraphs, len(paragraphs)),
        "duplicate_paragraph_chars": _ratio(paragraph_chars, len(text)),
        **{f"top_{n}gram_chars": min(_ratio(chars, len(text)), 1.0) for n, chars in tops.items()},
    }


def _repeats(parts: Sequence[str]) -> tuple[int, int]:
    """How many parts occurred before, and their characters (the first copy counts as original)."""
    if len(set(parts)) == len(parts):
        return 0, 0
    counts = Counter(parts)
    return len(parts) - len(counts), sum(len(part) * (number - 1) for part, number in counts.items())


def _top_ngram_chars(found: Sequence[str], joint: int, longest: int = 4) -> dict[int, int]:
    """For n from 2 to `longest`: characters in all occurrences of the commonest n-gram; 0 when none occurs twice.

    Of several equally common the one with most characters. An n-gram repeats only where its first n-1 words do, so that
    each length looks only at the places the one before has left.
    """
    tops = dict.fromkeys(range(2, longest + 1), 0)
    starts: Sequence[int] = range(len(found) - 1)
    grams: Sequence[tuple[str, ...]] = list(pairwise(found))
    for n in tops:
        counts = Counter(grams)
        repeated = {gram: number for gram, number in counts.items() if number > 1}
        if not repeated:
            break
        top = max(repeated.values())
        tops[n] = top * max(sum(map(len, gram)) + joint * (n - 1) for gram, number in repeated.items() if number == top)
        starts = [
            start for start, gram in zip(starts, grams, strict=True) if gram in repeated and start + n < len(found)
        ]
        grams = [tuple(found[start : start + n + 1]) for start in starts]
    return tops


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
