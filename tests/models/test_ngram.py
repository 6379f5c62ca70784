"""Kneser-Ney agrees with a hand calculation, always sums to one, and is the same after a round trip."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.models.ngram import KneserNey

documents = st.lists(st.lists(st.integers(1, 7), max_size=12).map(np.array), min_size=1, max_size=8)


def test_a_bigram_model_of_two_words_agrees_with_the_calculation_by_hand() -> None:
    # One document "a b a" (a=1, b=2) of a vocabulary of 3; discounts fall back to 0.5, 1.0, 1.5.
    # Bigrams: ^a 1, ab 1, ba 1, a$ 1. Left neighbours of a unigram: $ 1 (a), a 2 (^, b), b 1 (a): 4 in all.
    model = KneserNey.fit([np.array([1, 2, 1])], vocabulary=3, order=2)
    unigram_gamma = (0.5 + 1.0 + 0.5) / 4
    p_a = (2 - 1.0) / 4 + unigram_gamma / 3
    p_b = (1 - 0.5) / 4 + unigram_gamma / 3
    # After a: b once, $ once, so c(a*) = 2 and g(a) = (0.5 + 0.5) / 2.
    expected = 0.5 / 2 + 0.5 * p_b
    assert model.distribution(np.array([1]))[2] == pytest.approx(expected)
    # After ^: a once. After b: a once.
    nats = -math.log(0.5 + 0.5 * p_a) - math.log(0.5 / 2 + 0.5 * p_b) - math.log(0.5 + 0.5 * p_a)
    p_end = 0.5 / 2 + 0.5 * ((1 - 0.5) / 4 + unigram_gamma / 3)
    assert model.score([np.array([1, 2, 1])])[0] == pytest.approx(nats - math.log(p_end))


@settings(max_examples=60, deadline=None)
@given(documents, st.integers(1, 5), st.lists(st.integers(0, 8), max_size=6).map(lambda h: np.array(h, np.int64)))
def test_probabilities_sum_to_one_after_any_history(texts: list[np.ndarray], order: int, history: np.ndarray) -> None:
    assert KneserNey.fit(texts, 9, order).distribution(history).sum() == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(documents, st.integers(1, 5), st.lists(st.integers(1, 8), max_size=9).map(lambda d: np.array(d, np.int64)))
def test_the_vectorised_score_equals_the_product_of_distributions(
    texts: list[np.ndarray], order: int, document: np.ndarray
) -> None:
    model = KneserNey.fit(texts, 9, order)
    words = [0, *document.tolist(), 0]
    nats = -sum(math.log(model.distribution(np.array(words[:i]))[words[i]]) for i in range(1, len(words)))
    assert model.score([np.array([3]), document])[1] == pytest.approx(nats)


def test_a_saved_model_scores_and_writes_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    texts = [rng.zipf(1.5, 50).clip(1, 99) for _ in range(40)]
    model = KneserNey.fit(texts[:30], 100, 4)
    model.save(tmp_path)
    again = KneserNey.load(tmp_path)
    assert np.array_equal(model.score(texts[30:]), again.score(texts[30:]))
    assert np.array_equal(model.generate(texts[0][:3], 20, seed=5), again.generate(texts[0][:3], 20, seed=5))
    assert not np.array_equal(model.generate(texts[0][:3], 20, seed=5), model.generate(texts[0][:3], 20, seed=6))


def test_longer_orders_help_on_text_that_repeats() -> None:
    texts = [np.tile([1, 2, 3, 1, 2, 4], 30)] * 3
    scores = [KneserNey.fit(texts, 6, order).score(texts)[0] for order in (1, 2, 3, 4)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("bad", [[], [np.array([1, 99])]])
def test_no_documents_or_a_foreign_token_is_refused(bad: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"at least one document|outside the vocabulary"):
        KneserNey.fit(bad, 10, 3)


def test_an_exported_arpa_file_backs_off_to_the_same_probabilities(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    texts = [rng.zipf(1.4, rng.integers(0, 12)).clip(1, 14) for _ in range(60)]
    model = KneserNey.fit(texts[:45], 15, 4)
    words = ["unused", *(f"w{number}" for number in range(1, 15))]
    model.to_arpa(tmp_path / "model.arpa", words)
    listed = read_arpa(tmp_path / "model.arpa")
    for text in texts[45:]:
        sentence = ["<s>", *(words[number] for number in text), "</s>"]
        log = sum(backed_off(listed, sentence[max(0, i - 3) : i], sentence[i]) for i in range(1, len(sentence)))
        assert -log * math.log(10) == pytest.approx(model.score([text])[0], rel=1e-5)
    with pytest.raises(ValueError, match="divides words at blanks"):
        model.to_arpa(tmp_path / "bad.arpa", ["", "a b", *words[2:]])


def read_arpa(path: Path) -> dict[tuple[str, ...], tuple[float, float]]:
    """(log10 probability, log10 backoff weight) of every n-gram; its header must count them."""
    listed, counted = {}, 0
    for line in path.read_text().splitlines():
        if line.startswith("ngram "):
            counted += int(line.partition("=")[2])
        elif "\t" in line:
            log, gram, *weight = line.split("\t")
            listed[tuple(gram.split(" "))] = float(log), float(weight[0]) if weight else 0.0
    assert counted == len(listed)
    return listed


def backed_off(listed: dict[tuple[str, ...], tuple[float, float]], history: list[str], word: str) -> float:
    """log10 p(word | history) by the rule of the format."""
    if (*history, word) in listed:
        return listed[(*history, word)][0]
    return listed.get(tuple(history), (0.0, 0.0))[1] + backed_off(listed, history[1:], word)
