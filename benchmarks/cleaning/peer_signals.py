"""datatrove's own measures of texts, recovered from its filters: runs among the peers (JSON on stdin and stdout).

A filter of datatrove says only whether a text passes. The value it compares is found by halving the interval of its
threshold until the verdict flips. Its tokenisers are replaced by the words given, so that definitions are compared and
not tokenisers.
"""

import json
import sys

from datatrove.data import Document
from datatrove.pipeline.filters import fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter
from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter

WORDS: dict[str, list[str]] = {}
for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
    module.split_into_words = lambda text, language: WORDS[text]

NO_QUALITY = dict.fromkeys(
    ("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio",
     "max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words")
)  # fmt: skip
NO_REPETITION = {
    **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
    **{"top_n_grams": (), "dup_n_grams": ()},
}


def quality(name, at_most=True):
    return lambda threshold: GopherQualityFilter(**{**NO_QUALITY, name: threshold}), at_most


def repetition(name):
    return lambda threshold: GopherRepetitionFilter(**{**NO_REPETITION, name: threshold}), True


def grams(name, n):
    return lambda threshold: GopherRepetitionFilter(**{**NO_REPETITION, name: ((n, threshold),)}), True


def fineweb(name):
    loose = {"line_punct_thr": -1, "short_line_thr": 2, "char_duplicates_ratio": 2, "new_line_ratio": 1e9}
    return lambda threshold: FineWebQualityFilter(**{**loose, name: threshold}), True


FILTERS = {
    "n_words": quality("min_doc_words", at_most=False),
    "mean_word_length": quality("max_avg_word_length"),
    "letter_word_ratio": quality("max_non_alpha_words_ratio", at_most=False),
    "ellipsis_line_ratio": quality("max_ellipsis_lines_ratio"),
    "short_line_ratio": fineweb("short_line_thr"),
    "newline_word_ratio": fineweb("new_line_ratio"),
    "duplicate_line_ratio": repetition("dup_line_frac"),
    "duplicate_line_chars": repetition("dup_line_char_frac"),
    "duplicate_paragraph_ratio": repetition("dup_para_frac"),
    "duplicate_paragraph_chars": repetition("dup_para_char_frac"),
    **{f"top_{n}gram_chars": grams("top_n_grams", n) for n in (2, 3, 4)},
    **{f"duplicate_{n}gram_chars": grams("dup_n_grams", n) for n in range(5, 11)},
}


def value(name, text):
    """The value at which the filter changes its mind, to 1e-9 of the largest possible."""
    make, at_most = FILTERS[name]
    low, high = 0.0, 200_000.0 if name == "n_words" else 100.0
    passes = lambda threshold: make(threshold).filter(Document(text=text, id="")) is True  # noqa: E731
    if passes(1e-12) == at_most:
        return 0.0
    while high - low > 1e-9 * max(1.0, low):
        middle = (low + high) / 2
        if passes(middle) == at_most:
            high = middle
        else:
            low = middle
    return high if at_most else low


given = json.load(sys.stdin)
WORDS.update({text: words for text, words in given})
print(json.dumps([{name: value(name, text) for name in FILTERS} for text, _ in given]))
