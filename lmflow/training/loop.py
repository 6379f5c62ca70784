"""Truncated back-propagation through time under `tf.distribute.MirroredStrategy`, resumable to the step.

The training text is laid out as `batch_size` parallel streams; each step reads `sequence_length` tokens of every
stream and carries the recurrent states on. What a step does follows from its number and the carried arrays alone (the
dropout seed is the step, the learning rate a function of it), so a run that was killed and one that was not end in the
same weights, bit for bit on one CPU replica.

The loss is a sum divided by the global token count; gradients are all-reduced first and clipped after, because Keras
would clip each replica by itself; embedding gradients are made dense, because Keras does not sum duplicate rows.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lmflow.models.contract import END_OF_DOCUMENT, Tokens
from lmflow.training import checkpoint


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: passes over the training text.
        batch_size: parallel streams, over all replicas.
        sequence_length: tokens of each stream a step.
        learning_rate: peak of Adam's rate; linear warm-up, then cosine down to a tenth of it.
        warmup_steps: steps of the warm-up.
        clip_norm: largest global norm of a gradient.
        reset_share: share of streams that start a step from zero states (Melis et al. 2018), so that the model learns
            the start of a document as it will be scored; without it states drift where evaluation never goes.
        evaluate_every: steps between evaluations on the validation split.
        checkpoint_every: steps between checkpoints.
        seed: of initial weights and dropout.
    """

    epochs: float = 2.0
    batch_size: int = 64
    sequence_length: int = 32
    learning_rate: float = 8e-3
    warmup_steps: int = 50
    clip_norm: float = 1.0
    reset_share: float = 0.05
    evaluate_every: int = 200
    checkpoint_every: int = 200
    seed: int = 1


@dataclass(frozen=True)
class Point:
    """What is known after a step: training loss in nats a token, and validation loss where it was measured."""

    step: int
    loss: float
    valid_loss: float | None


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    steps: int
    tokens_per_second: float
    points: list[Point]
    interrupted: bool


class Recurrent(Protocol):
    """What the loop asks of a model: variables, states that go in and come out, and scores."""

    @property
    def variables(self) -> list[Any]:
        """Trainable variables in a fixed order."""

    def zero_states(self, batch: int) -> NDArray[np.float32]:
        """States at the start of a text. Shape [n, batch, width]."""

    def forward(self, tokens: Any, states: Any, dropout_seed: Any) -> Any:
        """Logits and next states."""

    def score(self, documents: Sequence[Tokens]) -> NDArray[np.float64]:
        """Nats of each document. Shape [documents]."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number; says at which step and what to change."""


def train(
    build: Callable[[], Recurrent],
    tokens: Tokens,
    validate: Callable[[Recurrent], float],
    schedule: Schedule,
    folder: Path,
    replicas: int = 1,
    report: Callable[[Point, int], None] = lambda point, total: None,
) -> tuple[Any, Outcome]:
    """Train until the schedule ends, going on from the newest checkpoint in `folder` if there is one.

    Args:
        build: makes the model; called inside the strategy's scope.
        tokens: the training text, documents separated by END_OF_DOCUMENT. Shape [tokens].
        validate: validation loss in nats a token.
        schedule: how to train.
        folder: where checkpoints go; one training a folder.
        replicas: GPUs, or logical CPU devices where there is none, to spread each batch over.
        report: called after every step with what is known and the number of steps in all.

    Returns:
        The model with its final weights, and how the training went. SIGTERM ends it early, after a checkpoint.

    Raises:
        ValueError: the text is shorter than one step, or the batch cannot be split over the replicas.
        TrainingDiverged: the loss is not a number.
    """
    streams = _streams(tokens, schedule)
    per_epoch = (streams.shape[1] - 1) // schedule.sequence_length
    total = max(1, round(schedule.epochs * per_epoch))
    strategy = _strategy(replicas, schedule.batch_size)
    with strategy.scope():
        model = build()
        stepper = _Stepper(strategy, model, schedule)
    started_at = stepper.restore(folder, schedule)
    points = list(stepper.points)
    stop = _StopOnSignal()
    clock, step, trained = time.monotonic(), started_at, 0.0
    with stop:
        while step < total and not stop.asked:
            offset = step % per_epoch
            if offset == 0:
                stepper.set_states(model.zero_states(schedule.batch_size))
            begin = offset * schedule.sequence_length
            window = streams[:, begin : begin + schedule.sequence_length + 1]
            loss = stepper.step(window, step, _rate(schedule, step, total))
            step += 1
            if not math.isfinite(loss):
                raise TrainingDiverged(
                    f"the loss is {loss} at step {step} of {total}; lower --learning-rate ({schedule.learning_rate})"
                )
            valid = None
            if step % schedule.evaluate_every == 0 or step == total:
                trained += time.monotonic() - clock
                valid = validate(model)
                clock = time.monotonic()
                points.append(Point(step, loss, valid))
            report(Point(step, loss, valid), total)
            if step % schedule.checkpoint_every == 0 or step == total or stop.asked:
                stepper.save(folder, step, points)
    trained += time.monotonic() - clock
    done = (step - started_at) * schedule.batch_size * schedule.sequence_length
    return model, Outcome(step, done / max(trained, 1e-9), points, interrupted=step < total)


class _Stepper:
    """One training step, and all that it carries from one to the next."""

    def __init__(self, strategy: Any, model: Recurrent, schedule: Schedule) -> None:
        import keras
        import tensorflow as tf

        self._strategy, self._model, self._schedule = strategy, model, schedule
        self._optimizer = keras.optimizers.Adam(schedule.learning_rate)
        self._optimizer.build(model.variables)
        self._states: Any = None
        self.points: list[Point] = []

        @tf.function  # type: ignore[untyped-decorator, unused-ignore]
        def run(tokens: Any, following: Any, carried: Any, states: Any, number: Any) -> Any:
            losses, after = strategy.run(self._replica_step, args=(tokens, following, carried, states, number))
            return strategy.reduce("SUM", losses, axis=None), after

        self._run = run

    def _replica_step(self, tokens: Any, following: Any, carried: Any, states: Any, number: Any) -> Any:
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
        seed = tf.stack([number * 64, self._schedule.seed + 1000 * replica])
        weights = [variable.value for variable in self._model.variables]
        with tf.GradientTape() as tape:
            logits, after = self._model.forward(tokens, states * carried[None, :, None], seed)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=following, logits=logits)
            loss = tf.reduce_sum(losses) / (self._schedule.batch_size * self._schedule.sequence_length)
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
        gradients = context.all_reduce("sum", gradients)
        gradients, _ = tf.clip_by_global_norm(gradients, self._schedule.clip_norm)
        # The optimizer sums over replicas once more.
        shares = [gradient / self._strategy.num_replicas_in_sync for gradient in gradients]
        self._optimizer.apply_gradients(zip(shares, self._model.variables, strict=True))
        return loss, after

    def step(self, window: NDArray[np.int32], number: int, rate: float) -> float:
        """Train on one window [batch, time + 1]; returns the mean loss in nats a token."""
        import tensorflow as tf

        draw = np.random.default_rng([self._schedule.seed, number])
        carried = (draw.random(len(window)) >= self._schedule.reset_share).astype(np.float32)
        self._optimizer.learning_rate.assign(rate)
        loss, self._states = self._run(
            self._shared(window[:, :-1]),
            self._shared(window[:, 1:]),
            self._shared(carried),
            self._states,
            tf.constant(number),
        )
        return float(loss)

    def set_states(self, states: NDArray[np.float32]) -> None:
        """Start from these states [n, batch, width]."""
        self._states = self._shared(states, axis=1)

    def _shared(self, array: NDArray[Any], axis: int = 0) -> Any:
        """Split an array along its batch axis, a part for each replica."""
        import tensorflow as tf

        parts = np.split(array, self._strategy.num_replicas_in_sync, axis=axis)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def save(self, folder: Path, step: int, points: list[Point]) -> None:
        """Checkpoint everything that the next step depends on."""
        states = np.concatenate(
            [np.asarray(part) for part in self._strategy.experimental_local_results(self._states)], 1
        )
        arrays = {f"model{i}": np.asarray(v) for i, v in enumerate(self._model.variables)}
        arrays |= {f"optimizer{i}": np.asarray(v) for i, v in enumerate(self._optimizer.variables)}
        facts = {"schedule": asdict(self._schedule), "points": [asdict(point) for point in points]}
        checkpoint.save(folder, checkpoint.Checkpoint(step, {**arrays, "states": states}, facts))

    def restore(self, folder: Path, schedule: Schedule) -> int:
        """Go on from the newest checkpoint; returns the steps already done."""
        found = checkpoint.latest(folder)
        if found is None:
            return 0
        if found.facts["schedule"] != asdict(schedule):
            raise ValueError(f"{folder} holds checkpoints of another schedule; remove it, or use another folder")
        for kind, variables in (("model", self._model.variables), ("optimizer", self._optimizer.variables)):
            for i, variable in enumerate(variables):
                variable.assign(found.arrays[f"{kind}{i}"])
        self.set_states(found.arrays["states"])
        self.points = [Point(**point) for point in found.facts["points"]]
        return found.step


class _StopOnSignal:
    """Notes a SIGTERM, so that the loop can end after a checkpoint."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> None:
        try:
            self._before = signal.signal(signal.SIGTERM, self._note)
        except ValueError:  # not the main thread: nobody sends us signals
            self._before = None

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def _streams(tokens: Tokens, schedule: Schedule) -> NDArray[np.int32]:
    """The text, led by END_OF_DOCUMENT, as parallel streams. Shape [batch, tokens of each]."""
    text = np.concatenate([[END_OF_DOCUMENT], np.asarray(tokens)]).astype(np.int32)
    length = len(text) // schedule.batch_size
    if length <= schedule.sequence_length:
        raise ValueError(
            f"{len(tokens)} training tokens are too few for {schedule.batch_size} streams of "
            f"{schedule.sequence_length}; lower --batch-size or --sequence-length"
        )
    return text[: length * schedule.batch_size].reshape(schedule.batch_size, length)


def _rate(schedule: Schedule, step: int, total: int) -> float:
    """Linear warm-up, then a half cosine down to a tenth (Loshchilov & Hutter 2017, one cycle)."""
    if step < schedule.warmup_steps:
        return schedule.learning_rate * (step + 1) / schedule.warmup_steps
    share = (step - schedule.warmup_steps) / max(1, total - schedule.warmup_steps)
    return schedule.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * min(share, 1.0))))


def _strategy(replicas: int, batch_size: int) -> Any:
    """A MirroredStrategy over `replicas` GPUs, or logical CPU devices where there are none."""
    import tensorflow as tf

    if batch_size % replicas:
        raise ValueError(f"--batch-size {batch_size} cannot be split over {replicas} replicas")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if len(gpus) < replicas:
            raise ValueError(f"--replicas {replicas}: this host has {len(gpus)} GPUs")
        return tf.distribute.MirroredStrategy([f"/gpu:{i}" for i in range(replicas)])
    if replicas > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    return tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(replicas)])
