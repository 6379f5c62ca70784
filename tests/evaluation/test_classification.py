"""Accuracy and macro-F1 are scikit-learn's, and their intervals are those of resampled documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from lmflow.evaluation.classification import classified, compare_accuracy, share_right

LABELS = ("a", "b", "c")
answers = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(answers)
def test_figures_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    true, given_ = ([pair[side] for pair in pairs] for side in (0, 1))
    found = classified(true, given_, LABELS)
    assert found.confusion.tolist() == confusion_matrix(true, given_, labels=LABELS).tolist()
    assert found.accuracy.value == pytest.approx(accuracy_score(true, given_))
    assert found.macro_f1.value == pytest.approx(
        f1_score(true, given_, labels=LABELS, average="macro", zero_division=0)
    )
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high
    expected = precision_recall_fscore_support(true, given_, labels=LABELS, zero_division=0)
    rows = [(each.precision, each.recall, each.f1, each.documents) for each in found.by_class()]
    assert np.array(rows) == pytest.approx(np.array(expected).T)


def test_intervals_are_those_of_documents_drawn_again() -> None:
    draw = np.random.default_rng(3)
    true = draw.choice(LABELS, 300, p=[0.6, 0.3, 0.1])
    said = np.where(draw.random(300) < 0.8, true, draw.choice(LABELS, 300))
    found = classified(list(true), list(said), LABELS)
    rows = draw.integers(0, 300, (1000, 300))
    for estimate, figures in (
        (found.accuracy, [(true[row] == said[row]).mean() for row in rows]),
        (found.macro_f1, [f1_score(true[row], said[row], average="macro") for row in rows]),
    ):
        assert [estimate.low, estimate.high] == pytest.approx(np.percentile(figures, [2.5, 97.5]), abs=0.01)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(5)
    hits = 0
    for trial in range(100):
        estimate = share_right(draw.random(400) < 0.7, seed=trial)
        hits += estimate.low <= 0.7 <= estimate.high
    assert hits >= 88  # 95 are expected; fewer than 88 has a chance below 1 %


def test_a_paired_comparison_sees_what_intervals_side_by_side_do_not() -> None:
    draw = np.random.default_rng(1)
    worse = draw.random(1000) < 0.8
    better = worse | (draw.random(1000) < 0.1)
    found = compare_accuracy(better, worse)
    assert share_right(better).low < share_right(worse).high
    assert found.difference.low > 0 and found.p_value < 0.001
    assert compare_accuracy(worse, better).p_value > 0.99
    assert compare_accuracy(worse, worse).p_value == 1  # equal is not better


def test_luck_wins_no_more_often_than_the_p_value_says() -> None:
    draw = np.random.default_rng(2)
    wins = sum(compare_accuracy(*(draw.random((2, 300)) < 0.8)).p_value < 0.05 for _ in range(200))
    assert wins <= 20  # 10 are expected; more than 20 has a chance below 0.1 %


def test_nothing_is_no_score() -> None:
    with pytest.raises(ValueError, match="0 documents"):
        classified([], [], LABELS)
    with pytest.raises(ValueError, match="0 answers"):
        compare_accuracy(np.zeros(0, bool), np.zeros(0, bool))


def test_drawing_in_small_blocks_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(7)
    true, said = (list(draw.choice(LABELS, 200)) for _ in range(2))
    whole = classified(true, said, LABELS, seed=2)
    monkeypatch.setattr("lmflow.evaluation.classification._NUMBERS_AT_ONCE", 1000)
    small = classified(true, said, LABELS, seed=2)
    assert (small.accuracy, small.macro_f1) == (whole.accuracy, whole.macro_f1)
