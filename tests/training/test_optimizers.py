"""The fused steps are those of Keras' optimizers."""

from typing import Any

import keras
import numpy as np
import pytest

from lmflow.training.optimizers import optimizer
from lmflow.training.schedule import Schedule
from lmflow.training.stepper import strategy

SHARE, RATES = 0.25, [0.1, 0.05, 0.2]


@pytest.mark.parametrize(
    ("kind", "decay", "keras_optimizer"),
    [
        ("sgd", 0.0, lambda: keras.optimizers.SGD(0.1)),
        ("adam", 0.0, lambda: keras.optimizers.Adam(0.1)),
        ("adam", 0.1, lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1)),
    ],
)
def test_steps_are_those_of_keras(kind: Any, decay: float, keras_optimizer: Any) -> None:
    import tensorflow as tf

    draw = np.random.default_rng(1)
    starts = [draw.normal(size=shape).astype(np.float32) for shape in ((3, 4), (5,))]
    gradients = [[draw.normal(size=start.shape).astype(np.float32) for start in starts] for _ in RATES]
    spread = strategy(1)
    with spread.scope():
        mine, its = ([keras.Variable(start) for start in starts] for _ in range(2))
        fused, known = optimizer(Schedule(optimizer=kind, weight_decay=decay), mine), keras_optimizer()
        known.build(its)
    step = tf.function(lambda given, rate: spread.run(fused.apply, args=(given, tf.constant(SHARE), rate)))
    for rate, given in zip(RATES, gradients, strict=True):
        known.learning_rate.assign(rate)
        known.apply_gradients(zip([SHARE * gradient for gradient in given], its, strict=True))
        step([tf.constant(gradient) for gradient in given], tf.constant(rate))
    for variable, same, start in zip(mine, its, starts, strict=True):
        np.testing.assert_allclose(np.asarray(variable), np.asarray(same), rtol=1e-5, atol=1e-6)
        assert np.abs(np.asarray(variable) - start).mean() > 0.01
    assert len(fused.variables) == (0 if kind == "sgd" else len(known.variables))
    for variable, same in list(zip(fused.variables, known.variables, strict=False))[2:]:
        np.testing.assert_allclose(variable.numpy(), np.asarray(same), rtol=1e-5, atol=1e-7)


def test_what_sgd_adds_for_a_weight_is_not_clipped() -> None:
    import tensorflow as tf

    spread = strategy(1)
    with spread.scope():
        weight = keras.Variable(np.array([2.0], np.float32))
        fused = optimizer(Schedule(optimizer="sgd", weight_decay=0.5), [weight])
    spread.run(fused.apply, args=([tf.constant([4.0])], tf.constant(0.25), tf.constant(0.1)))
    assert np.asarray(weight) == pytest.approx(2.0 - 0.1 * (0.25 * 4.0 + 0.5 * 2.0))
