"""Our signals against datatrove's own output on texts of the sample corpus, given the same words.

The file is made by `python -m benchmarks.cleaning.datatrove_signals` from datatrove 0.10.1.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from lmflow.corpus.policy import load
from lmflow.corpus.signals import measure
from lmflow.text.segment import words
from tests.corpus.documents import comparable

THEIRS = json.loads((Path(__file__).parent / "data/datatrove_signals.json").read_text())
TEXTS = comparable()
POLICIES = load(["en", "zh"])
OURS = {name: measure(text, POLICIES.traits(lang), 0.9) for name, (lang, text) in TEXTS.items()}
EXACT = sorted(set(next(iter(THEIRS.values()))) - {"top_2gram_chars", "top_3gram_chars", "top_4gram_chars"})


def test_the_file_is_about_these_texts() -> None:
    assert THEIRS.keys() == TEXTS.keys()


@pytest.mark.parametrize("signal", EXACT)
def test_where_definitions_agree_so_do_values(signal: str) -> None:
    for name, theirs in THEIRS.items():
        if signal == "short_line_ratio" and TEXTS[name][0] == "zh":
            continue  # a short line has 12 characters in Chinese, not 30
        expected = theirs[signal]
        if signal == "ellipsis_line_ratio":  # they count empty lines too
            lines = TEXTS[name][1].split("\n")
            expected *= len(lines) / len(list(filter(None, lines)))
        assert OURS[name][signal] == pytest.approx(expected, abs=1e-6), name
    assert len({row[signal] for row in THEIRS.values()}) > 1, "a signal that never varies compares nothing"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_top_ngram_differs_only_as_stated(n: int) -> None:
    """Ours is the longest of the equally common, none that occurs once, and has no spaces in Chinese."""
    equal = 0
    for name, (lang, text) in TEXTS.items():
        found = words(text, lang)
        counts = Counter(tuple(found[at : at + n]) for at in range(len(found) - n + 1))
        top = max(counts.values())
        ours, theirs = OURS[name][f"top_{n}gram_chars"], THEIRS[name][f"top_{n}gram_chars"]
        if top == 1:
            assert ours == 0 < theirs
        elif lang == "en" and list(counts.values()).count(top) == 1:
            assert ours == pytest.approx(min(theirs, 1), abs=1e-6)
            equal += 1
        elif lang == "en":
            assert ours >= theirs - 1e-6
    assert equal >= 5
