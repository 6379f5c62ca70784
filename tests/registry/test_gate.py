"""The gate lets a model through for a significant win and for nothing less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.errors import InputError
from lmflow.evaluation import compression
from lmflow.evaluation.scores import Scores
from lmflow.registry.gate import (
    Contender,
    EmbeddingContender,
    HeadContender,
    holm,
    judge_embeddings,
    judge_language_models,
    judge_task_heads,
)

N = 200


def contender(
    version: int, gain: float, noise: float = 0.05, architecture: str = "lstm", digest: str = "d"
) -> Contender:
    """A model whose nats a byte are `gain` better than 1.5, document by document with `noise`."""
    n_bytes = np.random.default_rng(0).integers(500, 3000, N)
    hardness = 1.5 + 0.3 * np.random.default_rng(1).normal(size=N)
    luck = noise * np.random.default_rng(version).normal(size=N)
    nats = (hardness - gain + luck) * n_bytes
    return Contender(version, architecture, Scores(digest, tuple(map(str, range(N))), nats, n_bytes))


def test_a_clear_win_takes_the_place_and_noise_does_not() -> None:
    champion = contender(1, 0.0, architecture="ngram")
    verdict = judge_language_models(champion, [contender(2, 0.1), contender(3, 0.0)])
    outcomes = {row.version: row.outcome for row in verdict.rows}
    assert (verdict.winner, verdict.first, verdict.runner_up) == (2, None, 3 if verdict.rows[1].version == 3 else 1)
    assert outcomes == {1: "champion", 2: "wins", 3: "loses"}
    best = verdict.rows[0]
    assert best.version == 2 and best.difference is not None and best.difference.high < 0
    assert best.p_value is not None and best.p_value < 0.01


def test_the_best_of_several_winners_is_chosen() -> None:
    verdict = judge_language_models(contender(1, 0), [contender(2, 0.1), contender(3, 0.2), contender(4, 0.15)])
    assert verdict.winner == 3
    assert [row.version for row in verdict.rows] == [3, 4, 2, 1]
    assert {row.outcome for row in verdict.rows[1:3]} == {"beaten"}


def test_a_worse_model_never_wins_however_lax_the_threshold() -> None:
    verdict = judge_language_models(contender(1, 0.1), [contender(2, 0.0)], alpha=0.999999)
    assert verdict.winner == 1


def test_without_a_champion_the_ngram_is_first_and_must_be_beaten() -> None:
    kept = judge_language_models(None, [contender(1, 0.0), contender(2, 0.0, architecture="ngram")])
    assert (kept.first, kept.winner, kept.runner_up) == (2, 2, 1)
    beaten = judge_language_models(None, [contender(1, 0.3), contender(2, 0.0, architecture="ngram")])
    assert (beaten.first, beaten.winner, beaten.runner_up) == (2, 1, 2)
    alone = judge_language_models(None, [contender(5, 0.0)])
    assert (alone.first, alone.winner, alone.runner_up) == (5, 5, None)


def test_luck_wins_no_more_often_than_alpha_says_even_with_many_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "RESAMPLES", 300)
    wins = 0
    for trial in range(40):
        candidates = [contender(1000 * trial + number, 0.0) for number in range(2, 7)]
        wins += judge_language_models(contender(1000 * trial + 1, 0.0), candidates).winner != 1000 * trial + 1
    assert wins <= 6  # 5 % of 40 is 2; without the adjustment about 8


def test_scores_on_other_documents_are_refused() -> None:
    with pytest.raises(InputError, match=r"different documents.*version 2: other"):
        judge_language_models(contender(1, 0), [contender(2, 0.5, digest="other")])
    with pytest.raises(InputError, match="no candidate"):
        judge_language_models(None, [])


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=9))
def test_holm_never_lowers_a_p_value_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert min(adjusted) == min(1.0, len(p_values) * min(p_values))


def test_holm_gives_the_figures_of_the_paper_s_procedure() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def embeddings(version: int, noise: float) -> EmbeddingContender:
    human = np.linspace(0, 10, 200)
    cosines = human / 10 + noise * np.random.default_rng(version).normal(size=200)
    rows = [[f"a{i}", f"b{i}", human[i], float(cosines[i])] for i in range(200)]
    return EmbeddingContender(version, "word2vec", {"wordsim353": rows})


def test_newest_embeddings_win_unless_significantly_worse() -> None:
    good, equal, bad = embeddings(1, 0.3), embeddings(2, 0.3), embeddings(3, 3.0)
    assert judge_embeddings(None, [good]).winner == 1
    assert judge_embeddings(good, [equal]).winner == 2
    verdict = judge_embeddings(good, [equal, bad])
    assert (verdict.winner, verdict.runner_up) == (2, 3)
    assert {row.version: row.outcome for row in verdict.rows} == {1: "champion", 2: "wins", 3: "loses"}


def test_embeddings_that_no_test_judged_are_taken_by_age_and_the_table_says_so() -> None:
    untested = EmbeddingContender(2, "word2vec", {})
    verdict = judge_embeddings(EmbeddingContender(1, "word2vec", {}), [untested])
    assert verdict.winner == 2
    assert verdict.measured_on == "no word test"
    assert "no test judged both" in verdict.rows[0].reason


def head(version: int, right: float, rival: float, documents: int = 400, overlap: float = 0.8) -> HeadContender:
    """A head right on a share of the documents, its rival on another, alike on most."""
    draw = np.random.default_rng(version)
    luck = draw.random(documents)
    other = np.where(draw.random(documents) < overlap, luck, draw.random(documents))
    return HeadContender(version, "logistic-regression", luck < right, other < rival, f"d{version}")


def test_the_first_head_must_beat_the_most_frequent_class() -> None:
    verdict = judge_task_heads(None, [head(1, 0.8, 0.5)])
    assert (verdict.first, verdict.winner, verdict.measured_on) == (1, 1, "d1")
    row = verdict.rows[0].flat()
    assert row["outcome"] == "wins" and row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    assert "accuracy against the most frequent class on 400 held-out documents" in row["reason"]
    refused = judge_task_heads(None, [head(1, 0.5, 0.5)])
    assert (refused.first, refused.winner, refused.runner_up) == (None, None, 1)
    assert refused.rows[0].outcome == "refused" and "not significantly better at 0.05" in refused.rows[0].reason
    best = judge_task_heads(None, [head(1, 0.7, 0.5), head(2, 0.9, 0.5), head(3, 0.5, 0.5)])
    assert best.winner == best.first == 2
    assert {row.version: row.outcome for row in best.rows} == {1: "beaten", 2: "wins", 3: "refused"}


def test_a_later_head_needs_a_significant_win_on_enough_documents() -> None:
    champion = (1, "logistic-regression")
    assert judge_task_heads(champion, [head(2, 0.8, 0.6)]).winner == 2
    kept = judge_task_heads(champion, [head(2, 0.8, 0.8), head(3, 0.6, 0.8)])
    assert kept.winner == 1
    assert {row.version: row.outcome for row in kept.rows} == {1: "champion", 2: "loses", 3: "loses"}
    for documents in (0, 19):
        few = judge_task_heads(champion, [head(2, 1.0, 0.0, documents)])
        assert few.winner == 1
        assert f"not compared: only {documents} held-out documents that neither learnt" in few.rows[-1].reason


def test_luck_makes_no_champion_of_heads_even_with_many_candidates() -> None:
    wins = 0
    for trial in range(40):
        candidates = [head(100 * trial + number, 0.8, 0.8) for number in range(2, 7)]
        wins += judge_task_heads((1, "any"), candidates).winner != 1
    assert wins <= 6
