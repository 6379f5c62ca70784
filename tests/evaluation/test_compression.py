"""An interval covers the truth as often as it says, and a difference is found only where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from lmflow.evaluation.compression import bits_per_byte, by_group, compare, perplexity


def test_bits_per_byte_of_a_uniform_byte_model_is_eight() -> None:
    n_bytes = np.array([10, 200, 3000])
    estimate = bits_per_byte(n_bytes * np.log(256), n_bytes)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((8.0, 8.0, 8.0))


def test_a_long_document_weighs_by_its_bytes() -> None:
    nats = np.array([100 * 1.0, 900 * 3.0]) * np.log(2)
    assert bits_per_byte(nats, np.array([100, 900])).value == pytest.approx(2.8)


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    draw = np.random.default_rng(3)
    covered = 0
    for seed in range(60):
        n_bytes = draw.integers(200, 2000, 60)
        estimate = bits_per_byte(n_bytes * draw.normal(2.0, 0.3, 60) * np.log(2), n_bytes, seed)
        covered += estimate.low <= 2.0 <= estimate.high
    assert 51 <= covered <= 60


def test_a_small_but_steady_gain_is_significant_where_unpaired_intervals_overlap() -> None:
    draw = np.random.default_rng(5)
    n_bytes = draw.integers(200, 2000, 100)
    old = n_bytes * draw.normal(2.0, 0.4, 100) * np.log(2)
    new = old * 0.99
    assert bits_per_byte(new, n_bytes).high > bits_per_byte(old, n_bytes).low
    result = compare(new, old, n_bytes)
    assert result.p_value < 0.001
    assert result.difference.high < 0
    assert compare(old, new, n_bytes).p_value > 0.999


def test_under_no_difference_the_gate_is_fooled_about_as_often_as_alpha_says() -> None:
    draw = np.random.default_rng(11)
    n_bytes = np.full(80, 500)
    fooled = sum(
        compare(draw.normal(700, 40, 80), draw.normal(700, 40, 80), n_bytes, seed).p_value < 0.05 for seed in range(100)
    )
    assert fooled <= 12  # 5 expected; a binomial exceeds 12 less than twice in 1,000 tries


def test_equal_models_are_never_better_and_results_repeat() -> None:
    nats, n_bytes = np.array([5.0, 7.0]), np.array([3, 4])
    assert compare(nats, nats, n_bytes).p_value == 1.0
    assert bits_per_byte(nats, n_bytes, 4) == bits_per_byte(nats, n_bytes, 4)
    assert perplexity(np.array([np.log(8.0) * 6]), 6) == pytest.approx(8.0)


def test_no_documents_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="0 scores for 0 documents"):
        bits_per_byte(np.array([]), np.array([], np.int64))
    with pytest.raises(ValueError, match="1 scores for 2 documents"):
        compare(np.array([1.0]), np.array([1.0]), np.array([1, 2]))


def test_groups_are_scored_by_themselves_and_add_up() -> None:
    draw = np.random.default_rng(3)
    n_bytes = draw.integers(50, 500, 200)
    nats = n_bytes * np.where(np.arange(200) % 4 == 0, 2.0, 1.0) * draw.uniform(0.8, 1.2, 200)
    groups = ["zh" if number % 4 == 0 else "en" for number in range(200)]
    found = by_group(nats, n_bytes, groups)
    assert {name: group.documents for name, group in found.items()} == {"en": 150, "zh": 50}
    assert found["en"].low < found["en"].value < found["en"].high < found["zh"].low < found["zh"].value
    mine = np.array(groups) == "zh"
    assert found["zh"].value == bits_per_byte(nats[mine], n_bytes[mine]).value
    shares = {name: n_bytes[np.array(groups) == name].sum() / n_bytes.sum() for name in found}
    total = sum(group.value * shares[name] for name, group in found.items())
    assert total == pytest.approx(bits_per_byte(nats, n_bytes).value)
