"""The sampled softmax estimates the exact loss, better with more samples, and trains a model that is scored exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.models.neural import cross_entropy
from lmflow.models.noise import Noise
from lmflow.models.sampled import sampled_nats
from lmflow.training.batches import StreamBatches
from lmflow.training.checkpoint import in_folder
from lmflow.training.loop import train
from lmflow.training.schedule import Schedule

V, WIDTH = 500, 8


def estimates(sample: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(2)
    hidden, matrix = (tf.constant(draw.normal(size=shape), tf.float32) for shape in ((2, 5, WIDTH), (V, WIDTH)))
    bias, following = tf.constant(draw.normal(size=V), tf.float32), tf.constant(draw.integers(0, V, (2, 5)), tf.int32)
    exact = cross_entropy(tf.matmul(hidden, matrix, transpose_b=True) + bias, following).numpy()
    noises = [Noise(tf.constant([seed * 4096, 1]), 0, 2) for seed in range(seeds)]
    return exact, np.array([sampled_nats(hidden, following, matrix, bias, sample, noise) for noise in noises])


def test_the_estimated_normaliser_is_unbiased_and_comes_closer_with_more_samples() -> None:
    exact, few = estimates(64, 400)
    _, many = estimates(20_000, 5)
    assert many.mean(axis=0) == pytest.approx(exact, abs=0.1)
    assert np.abs(few - exact).mean() > 3 * np.abs(many - exact).mean()
    right = exact.min()  # nats = log Z' - s: the same s in both, so that ratios of Z are differences of nats
    ratio = np.exp(few - exact).mean(axis=0)
    assert ratio == pytest.approx(np.ones_like(ratio), abs=0.25) and right > 0
    assert few.mean() < exact.mean()  # Jensen


def test_a_model_trained_on_samples_is_nearly_as_good_by_the_exact_score(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    few = 60
    text = np.cumsum(draw.integers(1, 4, 5_000)) % few  # three tokens may follow each: perplexity 3 at best
    schedule = Schedule(epochs=4, batch_size=8, sequence_length=12, learning_rate=0.03, reset_share=0)
    scores = {}
    for sample in (0, 20):

        def build(sample: int = sample) -> Lstm:
            model = Lstm(few, LstmPreset(1, 24, 0.0), 3)
            if sample:
                model.sample_softmax(sample, np.bincount(text, minlength=few))
            return model

        folder = in_folder(tmp_path / str(sample))
        model, _ = train(build, StreamBatches(text, schedule), lambda model: 0.0, schedule, folder)
        scores[sample] = float(np.exp(model.running_nats([text[:1000]]).mean()))
        logits, _ = model.forward(text[None, :9], tuple(map(tf.constant, model.zero_states(1))))
        assert logits.shape == (1, 9, few)  # always over all
    assert 3 < scores[0] < 6 and scores[20] < 1.5 * scores[0]


def test_tokens_that_are_hardly_ever_drawn_do_not_stay_as_likely_as_the_rest(tmp_path: Path) -> None:
    vocabulary, draw = 10_000, np.random.default_rng(4)
    text = (draw.zipf(1.3, 12_000) - 1) % vocabulary  # most of it never occurs, and 94 steps draw 64 each
    schedule = Schedule(epochs=1, batch_size=8, sequence_length=16, learning_rate=0.003, reset_share=0)
    counts = np.bincount(text, minlength=vocabulary)
    unigram = (counts + 1) / (counts.sum() + vocabulary)

    def build() -> Lstm:
        model = Lstm(vocabulary, LstmPreset(1, 16, 0.0), 3)
        model.sample_softmax(64, counts)
        return model

    trained, _ = train(build, StreamBatches(text, schedule), lambda model: 0.0, schedule, in_folder(tmp_path))
    assert (
        trained.running_nats([text[:2000]]).mean() < -np.log(unigram[text[:2000]]).mean()
    )  # 0.95 times; without: 1.49
