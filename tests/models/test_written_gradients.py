"""Gradients that are written out equal those of the definitions that they replace in training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.models.neural import cross_entropy
from lmflow.models.noise import Noise
from lmflow.models.recurrence import fits, lstm_through_time
from lmflow.models.softmax import softmax_nats

DRAW = np.random.default_rng(4)


def normal(*shape: int, scale: float = 1.0) -> Any:
    return tf.constant(DRAW.normal(size=shape) * scale, tf.float32)


def values_and_gradients(function: Any, arguments: list[Any]) -> list[np.ndarray]:
    """Of a sum of the outputs in which every number has a weight of its own."""
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        outputs = tf.nest.flatten(function(*arguments))
        waves = [tf.reshape(tf.sin(tf.range(tf.size(out), dtype=tf.float32)), out.shape) for out in outputs]
        total = tf.add_n([tf.reduce_sum(out * wave) for out, wave in zip(outputs, waves, strict=True)])
    return [np.asarray(each) for each in [*outputs, *tape.gradient(total, arguments)]]


def farthest(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The greatest difference between arrays, as a share of the greatest number in each where that is above 1."""
    pairs = zip(one, other, strict=True)
    return float(np.max([np.abs(mine - its).max() / max(1.0, np.abs(its).max()) for mine, its in pairs]))


@pytest.mark.parametrize("time", [1, 2, 9])
def test_an_lstm_through_time_is_keras_layer_and_so_is_its_gradient(time: int) -> None:
    rows, inputs, width = 3, 5, 4
    layer = keras.layers.LSTM(width, return_sequences=True, return_state=True)
    layer.build((None, None, inputs))
    weights = [normal(*variable.shape, scale=0.7) for variable in layer.trainable_variables]
    arguments = [normal(rows, time, inputs), normal(rows, width), normal(rows, width), *weights]

    def keras_layer(flow: Any, h: Any, c: Any, *weights: Any) -> Any:
        return layer.stateless_call(weights, layer.non_trainable_variables, flow, initial_state=[h, c])[0]

    mine, its = (values_and_gradients(function, arguments) for function in (lstm_through_time, keras_layer))
    assert farthest(mine, its) < 2e-5


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("scale", [1.0, 60.0])  # 60: logits of hundreds, whose exponentials float32 does not hold
def test_softmax_nats_are_cross_entropy_and_so_is_their_gradient(with_bias: bool, scale: float) -> None:
    vocabulary, width = 11, 3
    following = tf.constant([[1, 10, 1, 0], [5, 5, 1, 10]])  # words that come twice have their rows added up
    bias = [normal(vocabulary)] if with_bias else []
    arguments = [normal(2, 4, width, scale=scale), normal(vocabulary, width), *bias]

    def written(hidden: Any, matrix: Any, *bias: Any) -> Any:
        return softmax_nats(hidden, matrix, bias[0] if bias else None, following)

    def defined(hidden: Any, matrix: Any, *bias: Any) -> Any:
        return cross_entropy(tf.matmul(hidden, matrix, transpose_b=True) + (bias[0] if bias else 0.0), following)

    mine, its = (values_and_gradients(function, arguments) for function in (written, defined))
    assert farthest(mine, its) < 2e-5


def test_training_reads_the_words_that_scoring_reads() -> None:
    model = Lstm(20, LstmPreset(layers=2, width=6, dropout=0.0), seed=3)
    tokens, following = tf.constant([[1, 2, 3, 4]]), tf.constant([[2, 3, 4, 0]])
    states = tuple(map(tf.constant, model.zero_states(1)))
    noise = Noise(tf.constant([0, 0]), 0, 1)
    assert fits(model.hidden(tokens, states, None)[0]) == (not tf.config.list_physical_devices("GPU"))
    nats, penalty, after = model.objective(tokens, following, tf.ones((1, 4)), states, noise, 0)
    logits, its = model.forward(tokens, states)
    exact = cross_entropy(logits, following)
    assert farthest([np.asarray(each) for each in (nats, *after)], [np.asarray(each) for each in (exact, *its)]) < 2e-5
    assert penalty == 0.0
