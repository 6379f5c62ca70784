"""An LSTM scores a document the same in any company, and is the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmflow.models.lstm import Lstm, LstmPreset

DOCUMENTS = [np.random.default_rng(n).integers(1, 30, length) for n, length in enumerate([1, 5, 64, 150, 63, 0])]


@pytest.fixture(scope="module")
def model() -> Lstm:
    return Lstm(30, LstmPreset(layers=2, width=8, dropout=0.5), seed=3)


def test_scores_do_not_depend_on_the_batch_and_agree_with_one_pass_over_the_document(model: Lstm) -> None:
    import tensorflow as tf

    together = model.score(DOCUMENTS)
    for document, nats in zip(DOCUMENTS, together, strict=True):
        words = np.concatenate([[0], document, [0]]).astype(np.int32)
        logits, _ = model.forward(tf.constant(words[None, :-1]), tf.constant(model.zero_states(1)), None)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=words[None, 1:], logits=logits)
        assert nats == pytest.approx(float(tf.reduce_sum(losses)), rel=1e-5)
        assert model.score([document])[0] == pytest.approx(nats, rel=1e-5)


def test_an_untrained_model_is_close_to_uniform(model: Lstm) -> None:
    assert model.score(DOCUMENTS).sum() / sum(len(d) + 1 for d in DOCUMENTS) == pytest.approx(np.log(30), rel=0.02)


def test_a_saved_model_scores_and_writes_the_same(model: Lstm, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = Lstm.load(tmp_path)
    assert np.array_equal(model.score(DOCUMENTS), again.score(DOCUMENTS))
    prompt = np.array([4, 5])
    assert np.array_equal(model.generate(prompt, 12, seed=2), again.generate(prompt, 12, seed=2))
    assert not np.array_equal(model.generate(prompt, 12, seed=2), model.generate(prompt, 12, seed=9))
    assert model.n_parameters == again.n_parameters == 30 * 8 + 30 + 2 * (8 * 32 + 8 * 32 + 32)
