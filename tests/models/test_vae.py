"""A sentence VAE's bounds are bounds, in the right order, and it says when its posterior has collapsed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras.src.backend.tensorflow.rnn import _assert_valid_mask

from lmflow.models.families import PRESETS
from lmflow.models.vae import Vae, VaePreset
from lmflow.training.batches import PieceBatches
from lmflow.training.recipes import RECIPES
from tests.training.trainer import SHAPES

V = 12
TEXTS = [np.random.default_rng(n).integers(1, V, length) for n, length in enumerate([1, 5, 8, 20, 7, 0])]


@pytest.fixture(scope="module")
def model() -> Vae:
    made = Vae(V, SHAPES["vae"], seed=3)
    means = np.arange(2 * SHAPES["vae"].latent) < SHAPES["vae"].latent
    made._posterior.assign(np.where(means, 300, 1) * np.asarray(made._posterior))  # a posterior that says something
    return made


def test_every_token_is_scored_and_a_score_does_not_depend_on_the_company(model: Vae) -> None:
    assert len(model.token_nats(TEXTS)) == sum(len(text) + 1 for text in TEXTS)
    assert [model.score([text])[0] for text in TEXTS] == pytest.approx(model.score(TEXTS), rel=1e-4)
    assert np.array_equal(model.running_nats(TEXTS), model.token_nats(TEXTS))


def test_the_weighted_bound_is_tighter_and_more_draws_are_tighter_still(model: Vae) -> None:
    report = model.latent_report(TEXTS)
    assert report.kl > 0.5
    assert report.importance_weighted < report.negative_elbo
    assert report.negative_elbo == pytest.approx(report.reconstruction + report.kl)
    pieces = len(model._pieces(TEXTS))
    assert report.importance_weighted == pytest.approx(model.score(TEXTS).sum() / pieces, rel=1e-6)
    many = Vae(V, VaePreset(**{**vars(SHAPES["vae"]), "draws": 512}), seed=3)
    for mine, other in zip(many.variables, model.variables, strict=True):
        mine.assign(other)
    assert many.latent_report(TEXTS).importance_weighted < report.importance_weighted + 0.05


def test_the_bound_approaches_the_likelihood_by_brute_force() -> None:
    preset = VaePreset(width=6, latent=1, longest=9, anneal_steps=1, word_dropout=0.0, dropout=0.0, draws=2000)
    model = Vae(V, preset, seed=4)
    text = np.array([3, 1, 2])
    # log of the mean over a fine grid of z under the prior, by the trapezoid rule.
    grid = np.linspace(-6, 6, 601, dtype=np.float32)[:, None]
    states = tuple(np.asarray(state) for state in model.states_of(grid))
    words = np.tile([0, 3, 1, 2, 0], (len(grid), 1)).astype(np.int32)
    logits = np.asarray(model.forward(words[:, :-1], states)[0], np.float64)
    logs = np.take_along_axis(logits, words[:, 1:, None], 2)[..., 0] - np.log(np.exp(logits).sum(-1))
    density = np.exp(-0.5 * grid[:, 0] ** 2) / np.sqrt(2 * np.pi)
    likelihood = np.trapezoid(np.exp(logs.sum(1)) * density, grid[:, 0])
    assert model.score([text])[0] == pytest.approx(-np.log(likelihood), abs=0.02)


def test_a_posterior_that_is_the_prior_is_called_collapsed(model: Vae) -> None:
    flat = Vae(V, SHAPES["vae"], seed=3)
    flat._posterior.assign(0 * np.asarray(flat._posterior))
    report = flat.latent_report(TEXTS)
    assert (report.collapsed, report.active_units) == (True, 0)
    assert report.kl == pytest.approx(0, abs=1e-6)
    assert report.negative_elbo == pytest.approx(report.importance_weighted, rel=0.02)
    assert not model.latent_report(TEXTS).collapsed


def test_cudnn_takes_the_mask_of_a_batch_with_empty_rows(model: Vae, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = np.cumsum([len(text) + 1 for text in TEXTS])
    tokens = np.concatenate([part for text in TEXTS for part in (text, [0])])
    batches = PieceBatches(tokens, ends, [str(n) for n in ends], 9, RECIPES["vae-nano"])
    batch = batches.batch(batches.per_epoch - 1)
    assert not batch.weights[-1].any()  # an empty row
    masks: list[Any] = []
    encoder = model._encoder
    monkeypatch.setattr(model, "_encoder", lambda words, mask: masks.append(mask) or encoder(words, mask=mask))
    model.encode(batch.following, batch.weights)
    _assert_valid_mask(masks[0])  # what Keras asks before it hands a mask to cuDNN
    rows = batch.weights.any(axis=1)
    assert np.array_equal(np.asarray(masks[0])[rows], batch.weights[rows] > 0)


def test_the_weight_of_the_divergence_rises_within_a_training_and_is_behind_one_that_goes_on() -> None:
    model = Vae(V, VaePreset(8, 2, longest=9, anneal_steps=1000, word_dropout=0.0, dropout=0.0), seed=3)

    def weight(step: int) -> float:
        return float(model._divergence_weight(step))

    model.plan(5000)
    assert [weight(step) for step in (0, 500, 1000)] == pytest.approx([0.0067, 0.5, 0.9933], abs=1e-4)
    model.plan(200)
    assert [weight(step) for step in (0, 100, 200)] == pytest.approx([0.0067, 0.5, 0.9933], abs=1e-4)
    model.continue_from(Vae(V, model.preset, seed=4))
    model.plan(200)
    assert [weight(step) for step in (0, 100, 200)] == [1, 1, 1]


def test_the_latent_may_stand_in_the_first_state_alone() -> None:
    model = Vae(V, VaePreset(**{**vars(PRESETS["vae"]["vae-timbmg"]), "width": 8, "embedding": 5, "longest": 9}), 3)
    assert model._embedding.shape == (V, 5)
    assert model._decoder.cell.kernel.shape[0] == 5  # no z beside a word's vector
    report = model.latent_report(TEXTS)
    assert report.negative_elbo == pytest.approx(report.reconstruction + report.kl)
    assert len(model.generate(np.array([3, 4]), 5, seed=1)) <= 5


def test_it_writes_after_a_prompt_and_after_none(model: Vae) -> None:
    assert len(model.generate(np.array([3, 4]), 5, seed=1)) <= 5
    assert np.array_equal(model.generate(np.array([], np.int64), 9, seed=1), model.generate(np.array([]), 9, seed=1))
