"""What can be measured about a document, in one pass over one segmentation. Measuring decides nothing: see `policy`.

Definitions follow C4 (Raffel et al. 2020), Gopher (Rae et al. 2021, table A1) and FineWeb (Penedo et al. 2024) as
datatrove implements them; tests/corpus/test_datatrove.py holds them to its output. Where ours differ:

- words are runs of letters and digits; symbols are no words and are measured apart (datatrove's tokenisers make
  words of punctuation too, and then leave it out again for some measures);
- an n-gram counts as the top one only if it occurs at least twice, so that a short text is not repetitive for being
  short; of several equally common the longest counts, not the first;
- in Chinese nothing stands between the words of an n-gram, where datatrove counts a space;
- C4 also takes a line that ends with a quotation mark for finished, whatever stands before it; ours asks for the mark
  of a sentence there; its sentences are cut by a tokeniser, ours are counted by their ends;
- an empty line is no line (Gopher's filter in datatrove counts it for bullets and ellipses);
- bullets are datatrove's, dolma's and those of Chinese pages; after a terminal mark, closing quotes and a byline in
  brackets are skipped;
- lines are not changed: C4's rules for lines count the sentences of the lines that pass them;
- a document without words has ratio 0 everywhere; one of more than a million characters is measured by its first
  million (only `n_chars` is of all of it), so that no document takes more than seconds.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.corpus.characters import CLASSES, count_classes
from lmflow.corpus.repetition import DUPLICATE_LENGTHS, TOP_LENGTHS, repetition
from lmflow.corpus.vocabulary import number_words
from lmflow.text.segment import CHINESE, UNSPACED_LANGUAGES, words
from lmflow.text.sentences import CLOSERS

#: Every signal by name, with what it means. A policy may hold thresholds on these and on no others.
SIGNALS: Final[Mapping[str, str]] = {
    "language_score": "how sure the language is (see `language.Detected`)",
    "n_chars": "characters",
    "n_words": "words (jieba's in Chinese)",
    "n_lines": "lines that are not empty",
    "n_long_lines": "lines of at least 200 characters (mC4 asks for three)",
    "c4_sentences": "ends of sentences in lines that C4 keeps: a terminal mark at the end, no ellipsis, three words or "
    "more, no boilerplate (in scripts without spaces: any number of words)",
    "mean_word_length": "characters a word",
    "longest_word": "characters of the longest word",
    "letter_word_ratio": "share of words with a letter",
    "stop_words": "distinct stop words of the language that occur",
    "hash_word_ratio": "`#` a word",
    "ellipsis_word_ratio": "ellipses a word (…, three full stops or more, 。。)",
    "symbol_char_ratio": "share of the visible characters that belong to no word",
    "digit_char_ratio": "share of the visible characters that are decimal digits, of any script",
    "upper_char_ratio": "share of the visible characters that are capital letters",
    "punctuation_char_ratio": "share of the visible characters that are punctuation (Unicode category P)",
    "url_char_ratio": "share of the characters inside web addresses",
    "replacement_char_ratio": "share of U+FFFD: text lost in decoding",
    "curly_brackets": "`{`, which C4 takes for program code",
    "lorem_ipsum": "times the placeholder text `lorem ipsum` begins",
    "boilerplate_line_ratio": "share of lines with `javascript` or a phrase about cookies or terms of use (C4)",
    "compression_ratio": "UTF-8 bytes a byte of their deflation (zlib level 1, at most the first 64 KiB)",
    "bullet_line_ratio": "share of lines that begin with a bullet",
    "ellipsis_line_ratio": "share of lines that end with an ellipsis",
    "terminal_line_ratio": "share of lines that end with the language's terminal punctuation",
    "short_line_ratio": "share of lines up to the language's short length (English: 30 characters)",
    "newline_word_ratio": "line ends a word",
    "duplicate_line_ratio": "share of lines that occurred before",
    "duplicate_line_chars": "share of characters in lines that occurred before",
    "duplicate_paragraph_ratio": "share of paragraphs that occurred before",
    "duplicate_paragraph_chars": "share of characters in paragraphs that occurred before",
    **{
        f"top_{n}gram_chars": f"share of characters in the commonest {n}-gram of words, if it occurs twice"
        for n in TOP_LENGTHS
    },
    **{
        f"duplicate_{n}gram_chars": f"share of characters in {n}-grams of words that occurred before"
        for n in DUPLICATE_LENGTHS
    },
}

_ELLIPSIS: Final = re.compile(r"…+|\.{3,}|。{2,}")
_ELLIPSIS_ENDS: Final = ("…", "...", "。。")
_URL: Final = re.compile(r"(?:https?://|ftp://|www\.)[^\s，。；、）】》\"'<>]+", re.IGNORECASE)
_BYLINE: Final = re.compile(r"\s*[（(][^（）()]{1,30}[）)]$")
_BULLETS: Final = ("•", "-", "*", "‣", "◦", "●", "▪", "■", "·", "–", "—\t", "○", "◆", "★", "※")
#: C4's phrases of boilerplate (c4_utils.py of TensorFlow Datasets), and the same in Chinese.
_BOILERPLATE: Final = re.compile(
    "javascript|terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
    "|使用条款|隐私政策|隐私权政策|版权所有|未经许可"
)
_SENTENCE_END: Final = re.compile(r"[。！？؟۔।॥]+|[.!?]+[\"'”’)\]]*(?=\s|$)")
_MAY_END_WITHIN: Final = frozenset(CLOSERS)
_LEAST_LINE_SPACES: Final = 2  # three words
_LONG_LINE_CHARS: Final = 200
#: Most characters of a document that are measured (ten times what Gopher's longest document has).
MEASURED_CHARS: Final = 1_000_000
_COMPRESSED_BYTES: Final = 1 << 16


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

    @cached_property
    def terminals(self) -> tuple[str, ...]:
        """The terminal marks one by one."""
        return tuple(self.terminal_punctuation)


def measure(text: str, traits: Traits, language_score: float) -> dict[str, float]:
    """All of `SIGNALS` for one normalised text."""
    return dict(zip(SIGNALS, measure_all([text], [traits], [language_score])[0].tolist(), strict=True))


def measure_all(
    texts: Sequence[str], traits: Sequence[Traits], language_scores: Sequence[float]
) -> NDArray[np.float64]:
    """All of `SIGNALS`, in their order, for many normalised texts: float64 [texts, signals].

    A text's signals do not depend on the texts beside it; many at once are measured faster.
    """
    if not texts:
        return np.zeros((0, len(SIGNALS)))
    whole = np.fromiter(map(len, texts), np.float64, len(texts))
    heads = [text[:MEASURED_CHARS] for text in texts]
    found = [words(text, its.lang) for text, its in zip(heads, traits, strict=True)]
    by_class = dict(zip(CLASSES, count_classes(heads).T.astype(np.float64), strict=True))
    columns = {"language_score": np.asarray(language_scores, np.float64), "n_chars": whole}
    columns |= _as_columns(
        [_line_signals(*each) | _text_signals(*each) for each in zip(heads, found, traits, strict=True)]
    )
    numbered = number_words(found)
    n_words, word_chars = numbered.sizes.astype(np.float64), numbered.sums(numbered.lengths)
    n_chars = np.fromiter(map(len, heads), np.float64, len(heads))
    visible = n_chars - by_class["space"] - by_class["newline"]
    columns |= {
        "n_words": n_words,
        "mean_word_length": _ratio(word_chars, n_words),
        "longest_word": numbered.longest().astype(np.float64),
        "letter_word_ratio": _ratio(numbered.sums(numbered.lettered), n_words),
        "hash_word_ratio": _ratio(by_class["hash"], n_words),
        "newline_word_ratio": _ratio(by_class["newline"], n_words),
        "symbol_char_ratio": _ratio(visible - word_chars, visible),
        "digit_char_ratio": _ratio(by_class["digit"], visible),
        "upper_char_ratio": _ratio(by_class["upper"], visible),
        "punctuation_char_ratio": _ratio(
            by_class["punctuation"] + by_class["curly_bracket"] + by_class["hash"], visible
        ),
        "replacement_char_ratio": _ratio(by_class["replacement"], n_chars),
        "curly_brackets": by_class["curly_bracket"],
    }
    repeated = repetition(numbered, [0 if its.lang in CHINESE else 1 for its in traits])
    for n, chars in repeated.top.items():
        columns[f"top_{n}gram_chars"] = np.minimum(_ratio(chars, n_chars), 1.0)
    for n, chars in repeated.duplicate.items():
        columns[f"duplicate_{n}gram_chars"] = _ratio(chars, n_chars)
    return np.stack([columns[name] for name in SIGNALS], axis=1)


def _as_columns(rows: Sequence[Mapping[str, float]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}


def _text_signals(text: str, found: Sequence[str], traits: Traits) -> dict[str, float]:
    n_words = len(found)
    addresses = _URL.findall(text) if "://" in text or "www." in text.lower() else []
    stop_words = traits.stop_word_spellings.intersection(found)
    ellipses = len(_ELLIPSIS.findall(text)) if "…" in text or "..." in text or "。。" in text else 0
    content = text[:_COMPRESSED_BYTES].encode("utf-8", "replace")[:_COMPRESSED_BYTES]
    return {
        "stop_words": float(len({word.lower() for word in stop_words})),
        "ellipsis_word_ratio": _share(ellipses, n_words),
        "url_char_ratio": _share(sum(map(len, addresses)), len(text)),
        "lorem_ipsum": float(text.lower().count("lorem ipsum")),
        "compression_ratio": _share(len(content), len(zlib.compress(content, 1))) if content else 0.0,
    }


def _line_signals(text: str, _: Sequence[str], traits: Traits) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line]
    paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph]
    boilerplate = _lines_with_boilerplate(text, lines)
    repeated_lines, line_chars = _repeats(lines)
    repeated_paragraphs, paragraph_chars = _repeats(paragraphs)
    terminals, n_lines = traits.terminals, len(lines)
    ended = [
        line
        for line in lines
        if line.endswith(terminals) or (line[-1] in _MAY_END_WITHIN and _ends_within(line, terminals))
    ]
    return {
        "n_lines": float(n_lines),
        "n_long_lines": float(sum(len(line) >= _LONG_LINE_CHARS for line in lines)),
        "c4_sentences": float(_c4_sentences(ended, boilerplate, traits)),
        "boilerplate_line_ratio": _share(sum(line in boilerplate for line in lines) if boilerplate else 0, n_lines),
        "bullet_line_ratio": _share(sum(line.startswith(_BULLETS) for line in lines), n_lines),
        "ellipsis_line_ratio": _share(sum(line.endswith(_ELLIPSIS_ENDS) for line in lines), n_lines),
        "terminal_line_ratio": _share(len(ended), n_lines),
        "short_line_ratio": _share(sum(len(line) <= traits.short_line_chars for line in lines), n_lines),
        "duplicate_line_ratio": _share(repeated_lines, n_lines),
        "duplicate_line_chars": _share(line_chars, len(text)),
        "duplicate_paragraph_ratio": _share(repeated_paragraphs, len(paragraphs)),
        "duplicate_paragraph_chars": _share(paragraph_chars, len(text)),
    }


def _lines_with_boilerplate(text: str, lines: Sequence[str]) -> set[str]:
    if not _BOILERPLATE.search(text.lower()):
        return set()
    return {line for line in lines if _BOILERPLATE.search(line.lower())}


def _c4_sentences(ended: Sequence[str], boilerplate: Collection[str], traits: Traits) -> int:
    """Ends of sentences in finished lines that C4 finds long enough, without those of boilerplate."""
    fewest = 0 if traits.lang in UNSPACED_LANGUAGES else _LEAST_LINE_SPACES
    kept = [line for line in ended if line.count(" ") >= fewest and not line.endswith(_ELLIPSIS_ENDS)]
    if boilerplate:
        kept = [line for line in kept if line not in boilerplate]
    return len(_SENTENCE_END.findall("\n".join(kept)))


def _ends_within(line: str, terminals: tuple[str, ...]) -> bool:
    """Whether a line ends a sentence before its closing quotes and brackets, or before a byline in brackets."""
    return line.rstrip(CLOSERS).endswith(terminals) or _BYLINE.sub("", line[-40:]).rstrip(CLOSERS).endswith(terminals)


def _repeats(parts: Sequence[str]) -> tuple[int, int]:
    """How many parts occurred before, and their characters (the first copy counts as original)."""
    if len(set(parts)) == len(parts):
        return 0, 0
    counts = Counter(parts)
    return len(parts) - len(counts), sum(len(part) * (number - 1) for part, number in counts.items())


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _ratio(part: NDArray[np.float64] | NDArray[np.int64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
