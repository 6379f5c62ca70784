"""Co-occurrences and their factorisation are the reference GloVe's: by hand and by a plain loop, block by block."""

from __future__ import annotations

import dataclasses
from collections import Counter
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.embeddings.cooccurrence import ONE, Records, Vocabulary, count_pairs, frequent_words, write_records
from lmflow.embeddings.glove import GloveConfig, Parameters, one_pass, train_glove
from lmflow.embeddings.sentences import Sentences

CONFIG = GloveConfig(dim=30, window=10, min_count=3, epochs=50, seed=1, workers=1, x_max=10.0)


def counts(
    lines: list[list[str]], words: tuple[str, ...], window: int, at_once: int = 10**6
) -> dict[tuple[str, str], float]:
    index = {word: row for row, word in enumerate(words)}
    total: Counter[tuple[str, str]] = Counter()
    for pairs, sums in count_pairs(lines, index, window, at_once):
        assert (np.diff(pairs) > 0).all()
        for pair, units in zip(pairs.tolist(), sums.tolist(), strict=True):
            total[words[pair // len(words)], words[pair % len(words)]] += units
    return {pair: units / ONE for pair, units in total.items()}


def test_a_line_counted_by_hand() -> None:
    # the cat the mat: the-cat 1 + 1, the-the 1/2, cat-mat 1/2, the-mat 1 (+ 1/3 outside the window)
    found = counts([["the", "cat", "rare", "the", "mat"]], ("the", "cat", "mat"), window=2)
    assert found == {("the", "cat"): 2.0, ("the", "the"): 0.5, ("cat", "mat"): 0.5, ("the", "mat"): 1.0}


lines_of_words = st.lists(st.lists(st.sampled_from("abcdx"), max_size=12), max_size=8)


@settings(max_examples=60, deadline=None)
@given(lines_of_words, st.integers(1, 6), st.integers(1, 40))
def test_blocks_of_any_size_add_up_to_what_a_plain_loop_counts(
    lines: list[list[str]], window: int, at_once: int
) -> None:
    words = tuple("abcd")
    expected: Counter[tuple[str, str]] = Counter()
    for line in lines:
        known = [word for word in line if word in words]
        for place, word in enumerate(known):
            for distance in range(1, min(window, place) + 1):
                first, second = sorted((word, known[place - distance]))
                expected[first, second] += 1 / distance
    found = counts(lines, words, window, at_once)
    assert found.keys() == expected.keys()
    assert all(found[pair] == pytest.approx(expected[pair], abs=1e-8) for pair in expected)


def written(lines: list[list[str]], words: tuple[str, ...], window: int, folder: Path, x_max: float = 100.0) -> Records:
    index = {word: row for row, word in enumerate(words)}
    return write_records(count_pairs(lines, index, window), len(words), folder, x_max, 0.75, seed=1)


def test_records_go_both_ways_and_weigh_as_the_paper_says(tmp_path: Path) -> None:
    records = written([["a", "b", "a", "a"]] * 80, ("a", "b"), 2, tmp_path)
    found = {
        (int(r["word"]), int(r["context"])): (float(r["log"]), float(r["weight"]))
        for r in Records.read(records.files[0])
    }
    # a-b: 1 + 1 + 1/2 = 2.5 in a line; a-a: 1/2 + 1 = 1.5, from both sides 3; 80 lines
    assert records.count == len(found) == 3
    for pair, value in {(0, 1): 200.0, (1, 0): 200.0, (0, 0): 240.0}.items():
        assert found[pair] == (pytest.approx(log(value)), 1.0)
    few = written([["a", "b"]] * 50, ("a", "b"), 2, tmp_path)
    assert Records.read(few.files[0])["weight"] == pytest.approx([0.5**0.75] * 2)


def test_one_step_of_adagrad_computed_by_hand(tmp_path: Path) -> None:
    records = written([["a", "b"]] * 50, ("a", "b"), 1, tmp_path)
    file = np.array(Records.read(records.files[0])[:1])
    file.tofile(tmp_path / "one")
    i, j = int(file["word"][0]), int(file["context"][0])
    start = Parameters.random(2, 2, seed=5)
    word, context = start.words[i].astype(float), start.contexts[j].astype(float)
    bias, context_bias = float(start.word_bias[i]), float(start.context_bias[j])
    cost = one_pass(Records((tmp_path / "one",), 1), start, 0.05, 1)

    error = word @ context + bias + context_bias - log(50)
    weight = (50 / 100) ** 0.75
    rate = 0.05 * weight * error
    assert cost == pytest.approx(0.5 * weight * error**2, rel=1e-5)
    assert start.words[i] == pytest.approx(word - rate * context / sqrt(1), rel=1e-5)
    assert start.contexts[j] == pytest.approx(context - rate * word / sqrt(1), rel=1e-5)
    assert start.word_bias[i] == pytest.approx(bias - rate, rel=1e-5)
    assert start.squares[0][i] == pytest.approx(1 + (rate * context) ** 2, rel=1e-5)
    assert start.squares[2][i] == pytest.approx(1 + rate**2, rel=1e-5)


def reference_pass(records: np.ndarray, p: list[np.ndarray], g: list[np.ndarray], eta: float) -> float:
    """`glove_thread` of the reference program (glove.c), line by line, in double precision."""
    cost = 0.0
    for r in records:
        l1, l2 = int(r["word"]), int(r["context"])
        diff = p[0][l1] @ p[1][l2] + p[2][l1] + p[3][l2] - float(r["log"])
        fdiff = float(r["weight"]) * diff
        cost += 0.5 * fdiff * diff
        fdiff *= eta
        temp1, temp2 = fdiff * p[1][l2], fdiff * p[0][l1]
        p[0][l1] -= temp1 / np.sqrt(g[0][l1])
        p[1][l2] -= temp2 / np.sqrt(g[1][l2])
        g[0][l1] += temp1**2
        g[1][l2] += temp2**2
        p[2][l1] -= fdiff / np.sqrt(g[2][l1])
        p[3][l2] -= fdiff / np.sqrt(g[3][l2])
        g[2][l1] += fdiff**2
        g[3][l2] += fdiff**2
    return cost / len(records)


def test_passes_equal_the_reference_in_double_precision(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    words = tuple("abcdefgh")
    lines = [list(draw.choice(list(words), 20)) for _ in range(30)]
    records = written(lines, words, 5, tmp_path)
    ours = Parameters.random(len(words), 6, seed=3)
    theirs = [np.array(each, float) for each in (ours.words, ours.contexts, ours.word_bias, ours.context_bias)]
    squares = [np.ones_like(each) for each in theirs]
    for _ in range(20):
        expected = reference_pass(Records.read(records.files[0]), theirs, squares, 0.05)
        assert one_pass(records, ours, 0.05, 1) == pytest.approx(expected, rel=1e-3)
    assert ours.words == pytest.approx(theirs[0], abs=1e-3)
    assert ours.context_bias == pytest.approx(theirs[3], abs=1e-3)


def in_parts(lines: list[list[str]], words: tuple[str, ...], window: int, parts: int, folder: Path) -> Records:
    """The same pairs by what divides them, as Spark's partitions come; one partition is empty."""
    index = {word: row for row, word in enumerate(words)}
    [(pairs, sums)] = count_pairs(lines, index, window, 10**9)
    blocks = [(pairs[pairs % parts == part], sums[pairs % parts == part]) for part in range(parts)]
    return write_records([*blocks[:1], (pairs[:0], sums[:0]), *blocks[1:]], len(words), folder, 10.0, 0.75, seed=1)


def test_several_files_hold_each_pair_once_and_are_passed_over_one_after_the_other(tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    words = tuple("abcdefgh")
    lines = [list(draw.choice(list(words), 20)) for _ in range(30)]
    (tmp_path / "one").mkdir()
    whole = written(lines, words, 5, tmp_path / "one", x_max=10.0)
    records = in_parts(lines, words, 5, 3, tmp_path)
    assert len(records.files) == 3 and records.count == whole.count
    there = np.concatenate([Records.read(file) for file in records.files])
    assert np.array_equal(np.sort(there), np.sort(Records.read(whole.files[0])))

    ours = Parameters.random(len(words), 6, seed=3)
    theirs = [np.array(each, float) for each in (ours.words, ours.contexts, ours.word_bias, ours.context_bias)]
    squares = [np.ones_like(each) for each in theirs]
    for _ in range(10):
        expected = reference_pass(there, theirs, squares, 0.05)
        assert one_pass(records, ours, 0.05, 1) == pytest.approx(expected, rel=1e-3)
    assert ours.words == pytest.approx(theirs[0], abs=1e-3)


@pytest.fixture(scope="module")
def counted(lee: Sentences, tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, Vocabulary]:
    vocabulary = frequent_words(lee, CONFIG.min_count)
    lines = [line.split() for line in lee.path.read_text().splitlines()]
    return written(
        lines, vocabulary.words, CONFIG.window, tmp_path_factory.mktemp("pairs"), x_max=CONFIG.x_max
    ), vocabulary


def test_related_words_come_near_and_the_same_bytes_again(counted: tuple[Records, Vocabulary]) -> None:
    training = train_glove(*counted, CONFIG, lambda epoch, loss: None)
    assert training.losses[0] > training.losses[-1] > 0
    vectors = training.vectors
    assert "palestinian" in [word for word, _ in vectors.most_similar("israeli", 10)]
    again = train_glove(*counted, CONFIG, lambda epoch, loss: None)
    assert again.vectors.matrix.tobytes() == vectors.matrix.tobytes()


def test_several_files_teach_as_much_as_one(
    lee: Sentences, counted: tuple[Records, Vocabulary], tmp_path: Path
) -> None:
    lines = [line.split() for line in lee.path.read_text().splitlines()]
    records = in_parts(lines, counted[1].words, CONFIG.window, 4, tmp_path)
    assert len(records.files) == 4
    one, several = (train_glove(each, counted[1], CONFIG, lambda *_: None) for each in (counted[0], records))
    assert several.losses[-1] == pytest.approx(one.losses[-1], rel=0.05)
    assert "palestinian" in [word for word, _ in several.vectors.most_similar("israeli", 10)]


def test_threads_learn_as_well_as_one(counted: tuple[Records, Vocabulary]) -> None:
    one = train_glove(*counted, CONFIG, lambda epoch, loss: None)
    two = train_glove(*counted, dataclasses.replace(CONFIG, workers=2), lambda epoch, loss: None)
    assert two.losses[-1] == pytest.approx(one.losses[-1], rel=0.05)
