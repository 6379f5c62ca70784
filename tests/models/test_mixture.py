"""A mixture is as good as the better of its parts, sums to one, and is the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.models.mixture import Mixture, best_weight
from lmflow.models.ngram import KneserNey

TEXTS = [np.random.default_rng(n).zipf(1.6, 40).clip(1, 29) for n in range(20)]


@pytest.fixture(scope="module")
def parts() -> tuple[Lstm, KneserNey]:
    return Lstm(30, LstmPreset(layers=1, width=8, dropout=0.0), seed=2), KneserNey.fit(TEXTS[:15], 30, 3)


def test_the_weight_is_the_best_of_all(parts: tuple[Lstm, KneserNey]) -> None:
    model = Mixture.fit(*parts, TEXTS[15:])
    best = model.score(TEXTS[15:]).sum()
    assert all(Mixture(*parts, weight).score(TEXTS[15:]).sum() >= best - 1e-3 for weight in np.linspace(0.01, 0.99, 50))


def test_a_useless_part_gets_almost_no_weight_and_no_token_becomes_impossible() -> None:
    good, bad = np.full(50, 0.1), np.full(50, 9.0)
    assert best_weight(good, bad) == pytest.approx(1, abs=1e-4)
    assert best_weight(bad, good) == pytest.approx(0, abs=1e-4)
    assert 0 < best_weight(bad, good) < best_weight(good, bad) < 1
    assert 0 < best_weight(np.array([2000.0]), np.array([0.0])) < 1


def test_its_score_is_what_its_distributions_say_and_they_sum_to_one(parts: tuple[Lstm, KneserNey]) -> None:
    model = Mixture(*parts, 0.3)
    document = TEXTS[16][:12]
    reader, nats = model.reader(np.array([], np.int64)), []
    for word in [*document.tolist(), 0]:
        found = reader.distribution()
        assert found.sum() == pytest.approx(1.0)
        nats.append(-np.log(found[word]))
        reader.read(word)
    assert model.token_nats([TEXTS[15], document])[-13:] == pytest.approx(nats, rel=1e-4)


def test_a_saved_mixture_scores_and_writes_the_same(parts: tuple[Lstm, KneserNey], tmp_path: Path) -> None:
    model = Mixture(*parts, 0.25)
    model.save(tmp_path)
    again = Mixture.load(tmp_path)
    assert np.array_equal(model.score(TEXTS), again.score(TEXTS))
    assert np.array_equal(model.generate(TEXTS[0][:3], 20, seed=5), again.generate(TEXTS[0][:3], 20, seed=5))


def test_different_vocabularies_are_refused(parts: tuple[Lstm, KneserNey]) -> None:
    with pytest.raises(ValueError, match="vocabularies of 30 and 31 tokens do not mix"):
        Mixture(parts[0], KneserNey.fit(TEXTS, 31, 2), 0.5)
