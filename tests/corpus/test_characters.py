"""Characters, lines and words of many texts at once, as each text alone has them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.corpus.characters import CLASSES, Characters, Runs, hashes
from lmflow.corpus.language import detect, detect_all
from lmflow.text.segment import cut, half_width, words

TEXTS = st.lists(st.text("aB1'’_- .\n#{é東かなไทยー。１🙂\ud800\u0301\u3000", max_size=40), min_size=1, max_size=5)


def strings(characters: Characters, runs: Runs) -> list[list[str]]:
    """The runs of each text as strings."""
    found: list[list[str]] = [[] for _ in runs.sizes]
    for start, end, text in zip(runs.starts, runs.ends, runs.text_of, strict=True):
        found[text].append(characters.text[start:end])
    assert list(map(len, found)) == runs.sizes.tolist()
    return found


@given(TEXTS)
def test_words_are_those_of_the_segmenter(texts: list[str]) -> None:
    characters = Characters.of(texts)
    assert strings(characters, characters.words()) == [words(text, "en") for text in texts]


@given(st.lists(st.text("我在北京大学读书，价格是元！ a1.\n", max_size=40), min_size=1, max_size=5))
def test_chinese_words_are_those_of_the_segmenter(texts: list[str]) -> None:
    characters = Characters.of(texts)
    assert strings(characters, characters.tokens(cut(half_width(characters.text)))) == [
        words(its, "zh") for its in texts
    ]


@given(TEXTS)
def test_lines_and_classes_are_those_of_each_text(texts: list[str]) -> None:
    characters = Characters.of(texts)
    assert strings(characters, characters.lines()) == [[line for line in text.split("\n") if line] for text in texts]
    counts = characters.count_classes()
    assert list(counts) == list(CLASSES)
    assert sum(counts.values()).tolist() == list(map(len, texts))
    assert counts["newline"].tolist() == [text.count("\n") for text in texts]
    assert counts["hash"].tolist() == [text.count("#") for text in texts]


@given(TEXTS)
def test_equal_runs_have_equal_hashes_and_others_do_not(texts: list[str]) -> None:
    characters = Characters.of(texts)
    runs = characters.words()
    found = hashes(characters.codes, runs).tolist()
    spelled = [word for text in strings(characters, runs) for word in text]
    assert len(set(found)) == len(set(spelled)) == len(set(zip(found, spelled, strict=True)))


@pytest.mark.parametrize("phrase", ["www.", "use cookies", "使用条款"])
def test_phrases_are_found_whatever_their_case(phrase: str) -> None:
    texts = ["İ " + phrase.upper(), "nothing", "好 " + phrase.capitalize() + phrase]
    characters = Characters.of(texts)
    assert characters.texts_with(phrase) == [0, 2]
    assert len(characters.find(phrase)) == 3
    assert all(re.match(phrase, characters.text[at:], re.IGNORECASE) for at in characters.find(phrase))


def test_a_long_run_and_a_short_one_are_measured_alike() -> None:
    characters = Characters.of(["x" * 100_000, "yy", "x" * 100_000])
    first, second, third = hashes(characters.codes, characters.words())
    assert first == third != second
    assert characters.words().longest().tolist() == [100_000, 2, 100_000]
    assert characters.words().chars.dtype == np.int64


@given(st.lists(st.text("ab é²東かな한1 \n", max_size=900), max_size=4))
def test_languages_of_many_texts_are_those_of_each_alone(texts: list[str]) -> None:
    assert detect_all(texts) == [detect(text) for text in texts]
