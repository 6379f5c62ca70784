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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.corpus.characters import Characters, Runs, hashes
from lmflow.corpus.repetition import DUPLICATE_LENGTHS, TOP_LENGTHS, repetition
from lmflow.text.scripts import code_points
from lmflow.text.segment import CHINESE, UNSPACED_LANGUAGES, cut, half_width
from lmflow.text.sentences import CLOSERS

#: Every signal by name, with what it means. A policy may hold thresholds on these and on no others.
SIGNALS: Final[Mapping[str, str]] = {
    "measures": "the number of these definitions (see `MEASURES`)",
    "language_score": "how sure the language is (see `language.Detected`)",
    "n_chars": "characters",
    "n_words": "words (jieba's in Chinese)",
    "n_lines": "lines that are not empty",
    "n_long_lines": "lines of at least 200 characters (mC4 asks for three)",
    "c4_sentences": "ends of sentences in lines that C4 as FineWeb runs it keeps: three words or more (any number in "
    "scripts without spaces), no boilerplate, whatever the line ends with",
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

#: What the signal `measures` says. It rises when a signal of the same name means another thing, so that what was
#: measured before is measured again. 2: `c4_sentences` counts whatever a line ends with; more phrases of boilerplate.
MEASURES: Final = 2.0

_Columns = dict[str, NDArray[Any]]

_ELLIPSIS: Final = re.compile(r"…+|\.{3,}|。{2,}")
_ELLIPSIS_ENDS: Final = ("…", "...", "。。")
_URL: Final = re.compile(r"(?:https?://|ftp://|www\.)[^\s，。；、）】》\"'<>]+", re.IGNORECASE)
_URL_SIGNS: Final = ("://", "www.")
_BYLINE: Final = re.compile(r"\s*[（(][^（）()]{1,30}[）)]$")
_BULLETS: Final = code_points("•-*‣◦●▪■·–○◆★※")  # and — before a tab
#: C4's phrases of boilerplate (c4_utils.py of TensorFlow Datasets), and the like in the languages that have a policy.
#: ASCII in small letters stands for both cases; other letters with a case are given in both.
_BOILERPLATE: Final = (
    *("javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"),
    *(
        "value your privacy",
        "accept all cookies",
        "使用条款",
        "隐私政策",
        "隐私权政策",
        "版权所有",
        "未经许可",
        "使用cookie",
    ),
    *("verwenden cookies", "verwendet cookies", "datenschutzerklärung", "utilisons des cookies", "utilise des cookies"),
    *("politique de confidentialité", "utilizamos cookies", "utiliza cookies", "política de cookies"),
    *("política de privacidad", "файлы cookie", "Файлы cookie", "политика конфиденциальности"),
    *("Политика конфиденциальности", "cookieを使用", "クッキーを使用", "プライバシーポリシー", "利用規約"),
    *("ملفات تعريف الارتباط", "سياسة الخصوصية"),
)
_WIDE_ENDS: Final = code_points("。！？؟۔।॥")
_NARROW_ENDS: Final = code_points(".!?")
_END_CLOSERS: Final = code_points("\"'”’)]")
_LINE_CLOSERS: Final = code_points(CLOSERS)
_LEAST_LINE_SPACES: Final = 2  # three words
_LONG_LINE_CHARS: Final = 200
#: Texts are measured this many characters at a time: arrays of 8 bytes for each of them stay in a processor's cache.
_CHARS_AT_ONCE: Final = 1 << 16
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
    def _spellings(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Hashes of all spellings of the stop words, in order, and the number of the stop word of each.

        In running text they stand in lower case, capitalised, and in capitals.
        """
        words = sorted({word.lower() for word in self.stop_words})
        spelled = {spell(word): at for at, word in enumerate(words) for spell in (str, str.capitalize, str.upper)}
        if not spelled:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        characters = Characters.of(list(spelled))
        whole = Runs(characters.starts, characters.ends, np.arange(len(spelled)), np.ones(len(spelled), np.int64))
        found = hashes(characters.codes, whole)
        order = np.argsort(found)
        return found[order], np.array(list(spelled.values()))[order]

    def distinct_stop_words(self, words: Runs, numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        """int64 [texts], how many stop words occur in each text, given its words and their hashes."""
        spellings, stop_words = self._spellings
        if not len(spellings):
            return np.zeros(len(words.sizes), np.int64)
        at = np.searchsorted(spellings, numbers) % len(spellings)
        met = spellings[at] == numbers
        seen = np.zeros((len(words.sizes), int(stop_words.max()) + 1), np.bool_)
        seen[words.text_of[met], stop_words[at[met]]] = True
        return np.asarray(seen.sum(axis=1), np.int64)

    @cached_property
    def terminals(self) -> NDArray[np.uint32]:
        """The code points of the terminal marks."""
        return code_points(self.terminal_punctuation)


def measure(text: str, traits: Traits, language_score: float) -> dict[str, float]:
    """All of `SIGNALS` for one normalised text."""
    return dict(zip(SIGNALS, measure_all([text], [traits], [language_score])[0].tolist(), strict=True))


def measure_all(
    texts: Sequence[str], traits: Sequence[Traits], language_scores: Sequence[float]
) -> NDArray[np.float64]:
    """All of `SIGNALS`, in their order, for many normalised texts: float64 [texts, signals].

    A text's signals do not depend on the texts beside it; many at once are measured faster.
    """
    found = np.zeros((len(texts), len(SIGNALS)))
    for rows in _alike(texts, traits):
        columns = _measure([texts[row][:MEASURED_CHARS] for row in rows], traits[rows[0]])
        columns["measures"] = np.full(len(rows), MEASURES)
        columns["language_score"] = np.array([language_scores[row] for row in rows])
        columns["n_chars"] = np.array([len(texts[row]) for row in rows])
        found[rows] = np.stack([columns[name] for name in SIGNALS], axis=1)
    return found


def _alike(texts: Sequence[str], traits: Sequence[Traits]) -> Iterator[list[int]]:
    """Rows of texts with the same traits, as many at a time as make arrays that fit into a processor's cache."""
    by_traits: dict[Traits, list[int]] = {}
    for row, its in enumerate(traits):
        by_traits.setdefault(its, []).append(row)
    for rows in by_traits.values():
        some, chars = list[int](), 0
        for row in rows:
            some.append(row)
            chars += len(texts[row]) + 1
            if chars >= _CHARS_AT_ONCE:
                yield some
                some, chars = [], 0
        if some:
            yield some


def _measure(texts: Sequence[str], traits: Traits) -> _Columns:
    """The signals of texts of one language by name: [texts] each. Only the score of the language is not among them."""
    characters = Characters.of(texts)
    words, numbers = _words(characters, traits)
    by_class = characters.count_classes()
    n_chars, n_words, word_chars = characters.ends - characters.starts, words.sizes, words.chars
    visible = n_chars - by_class["space"] - by_class["newline"]
    marks = by_class["punctuation"] + by_class["curly_bracket"] + by_class["hash"]
    columns: _Columns = {
        "n_words": n_words,
        "mean_word_length": _ratio(word_chars, n_words),
        "longest_word": words.longest(),
        "letter_word_ratio": _ratio(words.count(characters.lettered(words)), n_words),
        "stop_words": traits.distinct_stop_words(words, numbers),
        "hash_word_ratio": _ratio(by_class["hash"], n_words),
        "newline_word_ratio": _ratio(by_class["newline"], n_words),
        "symbol_char_ratio": _ratio(visible - word_chars, visible),
        "digit_char_ratio": _ratio(by_class["digit"], visible),
        "upper_char_ratio": _ratio(by_class["upper"], visible),
        "punctuation_char_ratio": _ratio(marks, visible),
        "replacement_char_ratio": _ratio(by_class["replacement"], n_chars),
        "curly_brackets": by_class["curly_bracket"],
    }
    repeated = repetition(words, numbers, 0 if traits.lang in CHINESE else 1)
    for n, chars in repeated.top.items():
        columns[f"top_{n}gram_chars"] = np.minimum(_ratio(chars, n_chars), 1.0)
    for n, chars in repeated.duplicate.items():
        columns[f"duplicate_{n}gram_chars"] = _ratio(chars, n_chars)
    return columns | _line_signals(texts, characters, traits) | _text_signals(texts, characters, n_chars, n_words)


def _words(characters: Characters, traits: Traits) -> tuple[Runs, NDArray[np.uint64]]:
    """The words of all texts, and numbers that are equal for equal words."""
    if traits.lang not in CHINESE:
        words = characters.words()
        return words, hashes(characters.codes, words)
    halved = half_width(characters.text)
    words = characters.tokens(cut(halved))
    return words, hashes(characters.codes if halved is characters.text else code_points(halved), words)


def _text_signals(
    texts: Sequence[str], characters: Characters, n_chars: NDArray[np.int64], n_words: NDArray[np.int64]
) -> _Columns:
    addresses, ellipses = np.zeros((2, len(texts)), np.int64)
    for at in characters.texts_with(*_URL_SIGNS):
        addresses[at] = sum(map(len, _URL.findall(texts[at])))
    for at in characters.texts_with(*_ELLIPSIS_ENDS):
        ellipses[at] = len(_ELLIPSIS.findall(texts[at]))
    placeholders = characters.text_of(characters.find("lorem ipsum"))
    return {
        "ellipsis_word_ratio": _ratio(ellipses, n_words),
        "url_char_ratio": _ratio(addresses, n_chars),
        "lorem_ipsum": np.bincount(placeholders, minlength=len(texts)),
        "compression_ratio": np.array(list(map(_compression_ratio, texts))),
    }


def _compression_ratio(text: str) -> float:
    content = text[:_COMPRESSED_BYTES].encode("utf-8", "replace")[:_COMPRESSED_BYTES]
    return len(content) / len(zlib.compress(content, 1)) if content else 0.0


def _line_signals(texts: Sequence[str], characters: Characters, traits: Traits) -> _Columns:
    lines, codes = characters.lines(), characters.codes
    first, second = codes[lines.starts], codes[lines.starts + 1]
    last, before, before_that = (codes[lines.ends - back] for back in (1, 2, 3))
    trailing = (last == ord("…")) | ((last == ord("。")) & (before == last))
    trailing |= (last == ord(".")) & (before == last) & (before_that == last)
    bullets = np.isin(first, _BULLETS) | ((first == ord("—")) & (second == ord("\t")))
    ended = np.isin(last, traits.terminals)
    for at in np.flatnonzero(~ended & np.isin(last, _LINE_CLOSERS)).tolist():
        line = characters.text[lines.starts[at] : lines.ends[at]]
        ended[at] = _ends_within(line, tuple(traits.terminal_punctuation))
    boilerplate = _boilerplate(characters, lines)
    kept = ~boilerplate
    if traits.lang not in UNSPACED_LANGUAGES:
        kept &= characters.spaces(lines) >= _LEAST_LINE_SPACES
    line_of = np.searchsorted(lines.starts, _sentence_ends(characters), "right") - 1
    sentences = np.bincount(line_of, minlength=len(kept))
    n_chars, n_lines = characters.ends - characters.starts, lines.sizes
    _, repeated_lines, line_chars = np.array([_repeats(text, "\n") for text in texts]).T
    paragraphs, repeated_paragraphs, paragraph_chars = np.array([_repeats(text, "\n\n") for text in texts]).T
    return {
        "n_lines": n_lines,
        "n_long_lines": lines.count(lines.lengths >= _LONG_LINE_CHARS),
        "c4_sentences": np.bincount(lines.text_of[kept], sentences[kept], len(texts)),
        "boilerplate_line_ratio": _ratio(lines.count(boilerplate), n_lines),
        "bullet_line_ratio": _ratio(lines.count(bullets), n_lines),
        "ellipsis_line_ratio": _ratio(lines.count(trailing), n_lines),
        "terminal_line_ratio": _ratio(lines.count(ended), n_lines),
        "short_line_ratio": _ratio(lines.count(lines.lengths <= traits.short_line_chars), n_lines),
        "duplicate_line_ratio": _ratio(repeated_lines, n_lines),
        "duplicate_line_chars": _ratio(line_chars, n_chars),
        "duplicate_paragraph_ratio": _ratio(repeated_paragraphs, paragraphs),
        "duplicate_paragraph_chars": _ratio(paragraph_chars, n_chars),
    }


def _boilerplate(characters: Characters, lines: Runs) -> NDArray[np.bool_]:
    """Which lines have a phrase of boilerplate."""
    found = np.zeros(len(lines.starts), np.bool_)
    for phrase in _BOILERPLATE:
        found[np.searchsorted(lines.starts, characters.find(phrase), "right") - 1] = True
    return found


def _sentence_ends(characters: Characters) -> NDArray[np.int64]:
    """Places of marks that end a sentence, one of several in a row: 。！？ and the like anywhere, `.!?` before a space.

    Quotes and brackets may close between the mark and the space.
    """
    marks, codes = characters.places("punctuation"), characters.codes
    wide = marks[np.isin(codes[marks], _WIDE_ENDS)]
    narrow = marks[np.isin(codes[marks], _NARROW_ENDS)]
    narrow = narrow[~np.isin(codes[narrow + 1], _NARROW_ENDS)]
    closers = marks[np.isin(codes[marks], _END_CLOSERS)]
    # Behind each closing mark, the place behind all that follow it without a gap.
    last = np.flatnonzero(np.append(np.diff(closers) != 1, True)) if len(closers) else closers
    behind = narrow + 1
    closed = np.flatnonzero(np.isin(codes[behind], _END_CLOSERS))
    at = np.searchsorted(closers, behind[closed])
    behind[closed] = closers[last[np.searchsorted(last, at)]] + 1
    return np.concatenate([wide[~np.isin(codes[wide - 1], _WIDE_ENDS)], narrow[characters.is_space(behind)]])


def _ends_within(line: str, terminals: tuple[str, ...]) -> bool:
    """Whether a line ends a sentence before its closing quotes and brackets, or before a byline in brackets."""
    return line.rstrip(CLOSERS).endswith(terminals) or _BYLINE.sub("", line[-40:]).rstrip(CLOSERS).endswith(terminals)


def _repeats(text: str, separator: str) -> tuple[int, int, int]:
    """How many parts a text has, how many occurred before, and their characters (the first copy counts as original)."""
    if separator not in text:
        return int(bool(text)), 0, 0
    parts = [part for part in text.split(separator) if part]
    if len(set(parts)) == len(parts):
        return len(parts), 0, 0
    counts = Counter(parts)
    return len(parts), len(parts) - len(counts), sum(len(part) * (number - 1) for part, number in counts.items())


def _ratio(part: NDArray[Any], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratios = np.zeros(len(whole))
    np.divide(part, whole, out=ratios, where=whole > 0)
    return ratios
