"""One optimizer step under `tf.distribute.MirroredStrategy`, and all that is carried from one to the next.

The loss is a sum divided by a global count; gradients are summed over accumulated parts and all-reduced first and
clipped after, because Keras would clip each replica by itself; embedding gradients are made dense, because Keras does
not sum duplicate rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmflow.models.neural import NeuralModel
from lmflow.models.noise import Noise
from lmflow.training.batches import Batch
from lmflow.training.optimizers import optimizer
from lmflow.training.schedule import Schedule

Arrays = dict[str, NDArray[Any]]
_DRAWS_A_STEP = 4096  # room in the seeds for all draws of one step


def strategy(replicas: int) -> Any:
    """A MirroredStrategy over `replicas` GPUs, or logical CPU devices where there are none.

    Raises:
        ValueError: the host has fewer GPUs.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if len(gpus) < replicas:
            raise ValueError(f"--replicas {replicas}: this host has {len(gpus)} GPUs")
        return tf.distribute.MirroredStrategy([f"/gpu:{i}" for i in range(replicas)])
    if replicas > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    return tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(replicas)])


class Stepper:
    """Trains a model step by step. Make it inside the strategy's scope.

    Raises:
        ValueError: a batch has fewer examples than there are parts and replicas to spread it over.
    """

    def __init__(self, spread: Any, model: NeuralModel, schedule: Schedule) -> None:
        import tensorflow as tf

        self._strategy, self._model, self._schedule = spread, model, schedule
        self._replicas = spread.num_replicas_in_sync
        if schedule.batch_size < schedule.accumulate * self._replicas:
            raise ValueError(
                f"--batch-size {schedule.batch_size} cannot be split over {self._replicas} replicas in "
                f"{schedule.accumulate} parts"
            )
        self._optimizer = optimizer(schedule, model.variables)
        self._averages: list[Any] = []
        if schedule.average != "none":
            self._averages = [tf.Variable(variable.value, trainable=False) for variable in model.variables]
        self._states = self._parts(model.zero_states(schedule.batch_size))
        # Compiled anew for each shape of a batch: a graph for any shape would round differently, and which of the two
        # a step meets would depend on where the run was last started.
        self._run = tf.function(self._whole_step)

    def step(self, batch: Batch, number: int, rate: float, kept: float = 0.0) -> tuple[float, float]:
        """Train on one batch.

        Args:
            batch: what to read.
            number: of the step; its dropout masks follow from it.
            rate: learning rate.
            kept: share of the averaged weights that stays; the rest comes from the new weights.

        Returns:
            The mean loss in nats a token, and the global norm of the gradient before it was clipped.
        """
        import tensorflow as tf

        rows = np.arange(len(batch.tokens), dtype=np.int32)
        inputs = self._parts((batch.tokens, batch.following, batch.weights, batch.carried, rows))
        counted = float(batch.weights.sum())
        divisor = counted if self._schedule.loss_per == "token" else float(len(rows))
        numbers = (tf.constant(number), *map(tf.constant, (counted, divisor, rate, kept)))
        loss, norm, self._states = self._run(inputs, self._states, numbers)
        return float(loss), float(norm)

    def _whole_step(self, inputs: Any, states: Any, numbers: Any) -> Any:
        loss, norm, after = self._strategy.run(self._replica_step, args=(inputs, states, numbers))
        kept = numbers[-1]
        for average, variable in zip(self._averages, self._model.variables, strict=bool(self._averages)):
            self._strategy.extended.update(
                average,
                lambda mean, value: mean.assign(kept * mean + (1 - kept) * value),
                args=(variable.value,),
            )
        return self._strategy.reduce("SUM", loss, axis=None), self._first(norm), after

    def _replica_step(self, inputs: Any, states: Any, numbers: Any) -> Any:
        import tensorflow as tf

        number, counted, divisor, rate, _ = numbers
        weights = [variable.value for variable in self._model.variables]
        gradients, after, loss = list[Any](), list[Any](), tf.constant(0.0)
        for part, before in zip(inputs, states, strict=True):
            with tf.control_dependencies(gradients):  # one part after the other, so that one fits into memory
                nats, part_gradients, part_after = self._part_step(part, before, number, divisor, weights)
            gradients = [a + b for a, b in zip(gradients, part_gradients, strict=True)] if after else part_gradients
            loss = loss + nats / counted
            after.append(part_after)
        if self._replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        norm, most = tf.linalg.global_norm(gradients), self._schedule.clip_norm
        self._optimizer.apply(gradients, most / tf.maximum(norm, most), rate)
        return loss, norm, after

    def _part_step(self, part: Any, before: Any, number: Any, divisor: Any, weights: list[Any]) -> Any:
        import tensorflow as tf

        tokens, following, counts, carried, rows = part
        seed = tf.stack([number * _DRAWS_A_STEP, self._schedule.seed])
        noise = Noise(seed, rows[0], self._schedule.batch_size)
        before = tuple(state * tf.reshape(carried, [-1] + [1] * (len(state.shape) - 1)) for state in before)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses, penalty, after = self._model.objective(tokens, following, counts, before, noise, number)
            nats = tf.reduce_sum(losses * counts)
            loss = (nats + penalty) / divisor
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
        return nats, gradients, after

    # ---------------------------------------------------------------- spread

    def _parts(self, arrays: tuple[NDArray[Any], ...]) -> list[tuple[Any, ...]]:
        """Arrays cut along the batch: for each accumulated part a tuple of values, spread over the replicas."""
        parts = self._schedule.accumulate
        cut = [np.array_split(array, parts) for array in arrays]
        return [tuple(self._spread(pieces[number]) for pieces in cut) for number in range(parts)]

    def _spread(self, array: NDArray[Any]) -> Any:
        import tensorflow as tf

        if self._replicas == 1:
            return tf.constant(array)
        pieces = np.array_split(array, self._replicas)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(pieces[context.replica_id_in_sync_group])
        )

    def _first(self, value: Any) -> Any:
        return self._strategy.experimental_local_results(value)[0]

    def _gathered(self) -> list[NDArray[Any]]:
        """The states of the whole batch, in the order of `zero_states`."""
        whole = [
            np.concatenate(
                [np.asarray(piece) for part in parts for piece in self._strategy.experimental_local_results(part)]
            )
            for parts in zip(*self._states, strict=True)
        ]
        return whole

    # ------------------------------------------------------------ checkpoint

    def arrays(self) -> Arrays:
        """Everything that the next step depends on."""
        return self.learned() | {f"state{i}": state for i, state in enumerate(self._gathered())}

    def learned(self) -> Arrays:
        """Of that, what does not depend on the text just read: weights, the optimizer's memory, averages."""
        arrays = {f"model{i}": np.asarray(v) for i, v in enumerate(self._model.variables)}
        arrays |= {f"optimizer{i}": np.asarray(v) for i, v in enumerate(self._optimizer.variables)}
        return arrays | {f"average{i}": v.numpy() for i, v in enumerate(self._averages)}

    def restore(self, arrays: Arrays) -> None:
        """Go on from what `arrays` gave."""
        self.go_back(arrays)
        names = sorted((name for name in arrays if name.startswith("state")), key=lambda name: int(name[5:]))
        self._states = self._parts(tuple(arrays[name] for name in names))

    def go_back(self, arrays: Arrays) -> None:
        """Go on from what `learned` gave, in the text where it is."""
        kinds = (
            ("model", self._model.variables),
            ("optimizer", self._optimizer.variables),
            ("average", self._averages),
        )
        for kind, variables in kinds:
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{kind}{i}"])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in the model for a while, where there are any."""
        if not self._averages:
            yield
            return
        last = self.weights()
        self.set_weights([average.numpy() for average in self._averages])
        try:
            yield
        finally:
            self.set_weights(last)

    def weights(self) -> list[NDArray[Any]]:
        """The model's weights."""
        return [np.asarray(variable) for variable in self._model.variables]

    def set_weights(self, values: list[NDArray[Any]]) -> None:
        """Give the model other weights."""
        for variable, value in zip(self._model.variables, values, strict=True):
            variable.assign(value)
