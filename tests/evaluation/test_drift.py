"""Drift is a model doing worse on a source than it did on that source, not another mixture of sources."""

from __future__ import annotations

import numpy as np
import pytest

from lmflow.evaluation.drift import compare_fresh, divergence

LN2 = np.log(2)


def documents(source: str, number: int, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Documents of about 100 bytes, `rate` bits each byte."""
    draw = np.random.default_rng(seed)
    n_bytes = draw.integers(50, 150, number)
    return n_bytes * draw.normal(rate, 0.1, number) * LN2, n_bytes, [source] * number


def joined(*parts: tuple[np.ndarray, np.ndarray, list[str]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    nats, n_bytes, sources = zip(*parts, strict=True)
    return np.concatenate(nats), np.concatenate(n_bytes), [name for part in sources for name in part]


def test_another_mixture_of_the_same_sources_is_no_drift() -> None:
    judged = joined(documents("news", 100, 2.0, 1), documents("social", 100, 3.0, 2))
    fresh = joined(documents("news", 20, 2.0, 3), documents("social", 180, 3.0, 4))
    found = compare_fresh(fresh, judged)
    assert found.fresh.value > 2.8  # much worse than the 2.5 of before, and yet
    assert found.difference is not None
    assert abs(found.difference.value) < 0.03
    assert found.difference.low < 0 < found.difference.high


def test_a_source_that_reads_worse_is_drift_and_an_unknown_one_is_named() -> None:
    judged = joined(documents("news", 100, 2.0, 1), documents("social", 100, 3.0, 2))
    found = compare_fresh(joined(documents("news", 100, 2.3, 3), documents("file", 9, 5.0, 4)), judged)
    assert found.difference is not None
    assert 0.25 < found.difference.low < 0.3 < found.difference.high < 0.35
    assert found.unknown == ("file",)
    assert compare_fresh(documents("file", 9, 5.0, 4), judged).difference is None


def test_divergence_is_zero_for_the_same_text_and_one_bit_for_text_with_nothing_in_common() -> None:
    assert divergence(np.array([2, 4]), np.array([1, 2])) == pytest.approx(0)
    assert divergence(np.array([3, 0]), np.array([0, 5])) == pytest.approx(1)
