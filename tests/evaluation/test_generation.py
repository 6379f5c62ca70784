"""Variety and calibration agree with what can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.evaluation.generation import calibration_error, distinct, next_token, repetition, self_bleu
from lmflow.models.ngram import KneserNey

texts = st.lists(st.lists(st.integers(1, 5), max_size=12), min_size=2, max_size=5)


def test_variety_by_hand() -> None:
    assert distinct([[1, 2, 1, 2], [1, 2]], 2) == pytest.approx(2 / 4)
    assert repetition([[1, 2, 3, 4, 1, 2, 3, 4]]) == pytest.approx(1 / 5)
    assert self_bleu([[1, 2, 3, 4, 5]] * 3) == pytest.approx(1.0)
    assert self_bleu([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]) == 0.0
    # Against [1, 2, 3, 5]: 3 of 4 words, (2+1)/(3+1), (1+1)/(2+1), (0+1)/(1+1), no penalty; and the same back.
    by_hand = (3 / 4 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert self_bleu([[1, 2, 3, 4], [1, 2, 3, 5]]) == pytest.approx(by_hand)


@given(texts)
def test_shares_are_shares_and_order_does_not_matter(given_texts: list[list[int]]) -> None:
    for found in (distinct(given_texts, 2), repetition(given_texts), self_bleu(given_texts)):
        assert 0 <= found <= 1 + 1e-9
    assert self_bleu(given_texts) == pytest.approx(self_bleu(given_texts[::-1]))


def test_calibration_by_hand() -> None:
    confidence, right = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    assert calibration_error(confidence, right) == pytest.approx((0.1 + 0.1) / 4)


def test_a_text_that_repeats_is_predicted_and_the_limit_is_kept() -> None:
    documents = [np.tile([1, 2, 3], 40)] * 4
    model = KneserNey.fit(documents, 5, 3)
    report = next_token(model, documents, most=200)
    assert report.tokens == 200
    assert report.accuracy > 0.95
    with pytest.raises(ValueError, match="no token"):
        next_token(model, [])
