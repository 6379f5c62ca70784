"""Plain SGD and Adam by TensorFlow's fused kernels, which read and write each weight once a step.

Keras' optimizers are put together from elementwise operations, each of them a pass over all weights, with temporary
arrays of their size (docs/benchmarks.md has the times). With g the clipped gradient and a the learning rate,

    SGD:  w <- w - a g
    Adam: m <- m + (1 - b1)(g - m),  v <- v + (1 - b2)(g^2 - v)
          w <- w - a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + e)

(Kingma & Ba 2015, the order of computation of section 2; b1 = 0.9, b2 = 0.999, e = 1e-7 as Keras has it). Weight decay
is decoupled from Adam's gradient (Loshchilov & Hutter 2019): w <- w - a lambda w before the step. SGD adds lambda w to
the clipped g.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from lmflow.training.schedule import Schedule

_BETA_1: Final = 0.9
_BETA_2: Final = 0.999
_EPSILON: Final = 1e-7


def optimizer(schedule: Schedule, trained: Sequence[Any]) -> Optimizer:
    """The schedule's optimizer of these Keras variables. Make it inside the strategy's scope."""
    kind = Sgd if schedule.optimizer == "sgd" else Adam
    return kind([variable.value for variable in trained], schedule.weight_decay)


class Optimizer(ABC):
    """Takes steps along gradients that are the same on all replicas.

    Attributes:
        variables: what the next step depends on besides the weights.
    """

    def __init__(self, trained: Sequence[Any], weight_decay: float) -> None:
        self.variables: list[Any] = []
        self._trained, self._decay = trained, weight_decay

    def apply(self, gradients: Sequence[Any], share: Any, rate: Any) -> None:
        """Take a step, in a replica's context.

        Args:
            gradients: of the weights in their order, summed over replicas.
            share: what they are multiplied by, so that they are clipped.
            rate: the learning rate.
        """
        import tensorflow as tf

        tf.distribute.get_replica_context().merge_call(self._apply, args=(list(gradients), share, rate))

    @abstractmethod
    def _apply(self, strategy: Any, gradients: list[Any], share: Any, rate: Any) -> None:
        """Take the step on all replicas."""


class Sgd(Optimizer):
    """Plain gradient descent."""

    def _apply(self, strategy: Any, gradients: list[Any], share: Any, rate: Any) -> None:
        import tensorflow as tf

        def update(weight: Any, gradient: Any, share: Any, rate: Any) -> None:
            if self._decay:
                gradient, share = gradient * share + self._decay * weight, 1.0
            tf.raw_ops.ResourceApplyGradientDescent(var=weight.handle, alpha=rate * share, delta=gradient)

        for weight, gradient in zip(self._trained, gradients, strict=True):
            strategy.extended.update(weight, update, args=(gradient, share, rate), group=False)


class Adam(Optimizer):
    """Adam, and AdamW where there is weight decay.

    Its variables are the number of steps, a place that Keras' Adam had for the rate, and m and v of each weight.
    """

    def __init__(self, trained: Sequence[Any], weight_decay: float) -> None:
        import tensorflow as tf

        super().__init__(trained, weight_decay)
        self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._moments = [
            tuple(tf.Variable(tf.zeros(weight.shape), trainable=False) for _ in range(2)) for weight in trained
        ]
        rate = tf.Variable(0.0, trainable=False)
        self.variables = [self._steps, rate, *(moment for pair in self._moments for moment in pair)]

    def _apply(self, strategy: Any, gradients: list[Any], share: Any, rate: Any) -> None:
        import tensorflow as tf

        def update(weight: Any, m: Any, v: Any, gradient: Any, share: Any, rate: Any, number: Any) -> None:
            if self._decay:
                weight.assign_sub(weight * (rate * self._decay))
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=_BETA_1**number,
                beta2_power=_BETA_2**number,
                lr=rate,
                beta1=_BETA_1,
                beta2=_BETA_2,
                epsilon=_EPSILON,
                grad=gradient * share,
            )

        strategy.extended.update(self._steps, lambda steps: steps.assign_add(1), group=False)
        number = tf.cast(self._steps.read_value(), tf.float32)
        for weight, (m, v), gradient in zip(self._trained, self._moments, gradients, strict=True):
            strategy.extended.update(weight, update, args=(m, v, gradient, share, rate, number), group=False)
