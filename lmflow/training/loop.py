"""The one training loop of every network: resumable to the step, stopped by a signal, evaluated as it goes.

What a step does follows from its number and the carried arrays alone (its batch, its dropout masks and its learning
rate are functions of them), so a run that was killed and one that was not end in the same weights, bit for bit on one
CPU replica.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any, Final

from lmflow.models.neural import NeuralModel
from lmflow.training.batches import Batches
from lmflow.training.checkpoint import Checkpoint, Checkpoints
from lmflow.training.memory import SMALLER_NETWORK, fitting
from lmflow.training.schedule import Schedule, steps
from lmflow.training.stepper import Stepper, strategy

_SHOWN_DOCUMENTS: Final = 5
#: An evaluation is progress when its loss is lower by this share than that of the last one that was (rnnlm asks
#: 0.3 % of the likelihood's log). What it is held against stays put meanwhile: many small gains make a large one.
_PROGRESS: Final = 1e-3
CHECKPOINT_MINUTES: Final = 10.0


@dataclass(frozen=True)
class Point:
    """What is known after a step: training loss in nats a token, and validation loss where it was measured."""

    step: int
    loss: float
    valid_loss: float | None


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        steps: optimizer steps taken, over all runs of it.
        tokens_per_second: trained, over all runs of it, evaluations left out.
        points: the evaluations.
        interrupted: a signal ended it before its schedule, or the pause that was asked for, did.
        input_share: share of the training time that went into making batches.
    """

    steps: int
    tokens_per_second: float
    points: list[Point]
    interrupted: bool
    input_share: float


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number; says at which step, what is still good, and what to change."""


@dataclass
class _Progress:
    """What evaluations have decided so far; part of every checkpoint."""

    step: int = 0
    loss: float = math.nan
    evaluated: int = -1  # the step that was evaluated last
    best: float = math.inf  # the lowest validation loss, that of the weights kept as the best
    reference: float = math.inf  # the validation loss that last counted as progress
    worse: int = 0  # evaluations in a row that were no progress
    plateau: float = 1.0
    averaging_from: int = -1  # the step after which NT-ASGD averages
    tokens: int = 0  # trained on
    seconds: float = 0.0  # of training, evaluations left out
    waited: float = 0.0  # of these, for batches
    points: list[dict[str, Any]] = field(default_factory=list)
    reported: list[tuple[int, float]] = field(default_factory=list)  # steps and losses since `keep` was called


def train(
    build: Callable[[], NeuralModel],
    batches: Batches,
    validate: Callable[[NeuralModel], float],
    schedule: Schedule,
    checkpoints: Checkpoints,
    replicas: int = 1,
    report: Callable[[Point, int], None] = lambda point, total: None,
    pause_after: int | None = None,
    keep: Callable[[], None] = lambda: None,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
) -> tuple[Any, Outcome]:
    """Train until the schedule ends, going on from the newest of `checkpoints` if there is one.

    Args:
        build: makes the model; called inside the strategy's scope.
        batches: the training text.
        validate: validation loss in nats a token.
        schedule: how to train.
        checkpoints: of this training alone.
        replicas: GPUs, or logical CPU devices where there is none, to spread each batch over.
        report: called after every step with what is known and the number of steps in all; again, where training goes
            on, with the steps that its checkpoint holds and `keep` was not called after.
        pause_after: the step after which to stop with a checkpoint; a later call that asks for more goes on there, and
            ends in the weights of a training that never paused.
        keep: called now and then; what was reported before is not reported again. Not where a signal ends the
            training, which must not wait for it: the checkpoint holds those reports.
        checkpoint_minutes: after which a checkpoint is due where `checkpoint_every` steps take longer; without
            influence on what is trained.

    Returns:
        The model with its final (best, averaged) weights, or at a pause with its last (averaged) ones, and how the
        training went. SIGTERM ends it early, after a checkpoint.

    Raises:
        ValueError: the batch cannot be split over the replicas.
        ServiceError: another process trains from these checkpoints.
        TrainingDiverged: the loss is not a number.
        OutOfMemory: the network, a step or an evaluation does not fit.
    """
    spread = strategy(replicas)
    with spread.scope(), fitting("the network with its optimizer", SMALLER_NETWORK):
        model = build()
        model.plan(steps(schedule.epochs, batches.per_epoch))
        stepper = Stepper(spread, model, schedule)
    with checkpoints.locked(), _StopOnSignal() as stop:
        training = _Training(model, stepper, batches, validate, schedule, checkpoints, report, pause_after, keep)
        with fitting("the newest checkpoint", SMALLER_NETWORK):
            training.restore()
        training.go_on(stop, checkpoint_minutes * 60)
        return model, training.outcome()


class _Training:
    def __init__(
        self,
        model: NeuralModel,
        stepper: Stepper,
        batches: Batches,
        validate: Callable[[NeuralModel], float],
        schedule: Schedule,
        checkpoints: Checkpoints,
        report: Callable[[Point, int], None],
        pause_after: int | None,
        keep: Callable[[], None],
    ) -> None:
        self._model, self._stepper, self._batches, self._validate = model, stepper, batches, validate
        self._schedule, self._checkpoints, self._report, self._keep = schedule, checkpoints, report, keep
        self._total = steps(schedule.epochs, batches.per_epoch)
        self._evaluate_every = schedule.evaluate_every or batches.per_epoch
        self._pause_after = self._total if pause_after is None else pause_after
        self._progress = _Progress()
        self._ended = self._paused = False
        self._saved_at = time.monotonic()

    def go_on(self, stop: _StopOnSignal, longest: float) -> None:
        """Step by step to the end, or to a signal; with a checkpoint every `longest` seconds at least."""
        progress = self._progress
        while not stop.asked:
            if self._due() and progress.evaluated != progress.step:
                try:
                    self._evaluate(stop)
                except _Stopped:
                    break
                # With a plateau, what is kept as the best is never ahead of the newest checkpoint, to go back to it.
                if self._schedule.decay == "plateau" or self._overdue(longest):
                    self._save_kept()
            if progress.step >= self._total or (self._schedule.patience and progress.worse >= self._schedule.patience):
                self._ended = True
                break
            if progress.step >= self._pause_after:
                self._paused = True
                break
            self._step()
            # Before the checkpoint, so that what a killed run has lost is computed, and reported, once it goes on.
            progress.reported.append((progress.step, progress.loss))
            self._report(Point(progress.step, progress.loss, None), self._total)
            due = progress.step % self._schedule.checkpoint_every == 0 or progress.step == self._total
            if due or self._overdue(longest):
                self._save_kept()
        if not self._ended:
            self._save()
        if self._ended or self._paused:
            self._keep_best()

    def _overdue(self, longest: float) -> bool:
        return time.monotonic() - self._saved_at >= longest

    def _due(self) -> bool:
        step = self._progress.step
        return step > 0 and (step % self._evaluate_every == 0 or step == self._total)

    def _step(self) -> None:
        progress, schedule, started = self._progress, self._schedule, time.perf_counter()
        remedy = (
            f"lower --batch-size ({schedule.batch_size}) or --sequence-length ({schedule.sequence_length}), "
            f"or raise --accumulate ({schedule.accumulate})"
        )
        with fitting(f"the batch of step {progress.step + 1}", remedy):
            batch = self._batches.batch(progress.step)
        ready = time.perf_counter()
        rate = schedule.rate(progress.step, self._total, self._batches.per_epoch, progress.plateau)
        if schedule.random_lengths:
            rate *= batch.tokens.shape[1] / schedule.sequence_length
        with fitting(f"step {progress.step + 1}", remedy):
            progress.loss, norm = self._stepper.step(batch, progress.step, rate, self._kept())
        if not (math.isfinite(progress.loss) and math.isfinite(norm)):
            raise TrainingDiverged(self._diverged(norm))
        progress.step += 1
        progress.tokens += int(batch.weights.sum())
        progress.waited += ready - started
        progress.seconds += time.perf_counter() - started

    def _kept(self) -> float:
        """The share of the averaged weights that stays at this step."""
        since = self._progress.step - self._progress.averaging_from
        if self._schedule.average == "asgd":
            return since / (since + 1) if self._progress.averaging_from >= 0 else 0.0
        step = self._progress.step  # the first weights are no step's: they count for nothing
        return min(self._schedule.ema_decay, step / (step + 1))

    def _diverged(self, norm: float) -> str:
        step = self._progress.step
        read = self._batches.documents(step)
        more = f" and {len(read) - _SHOWN_DOCUMENTS} more" if len(read) > _SHOWN_DOCUMENTS else ""
        named = f"; it read {', '.join(read[:_SHOWN_DOCUMENTS])}{more}" if read else ""
        return (
            f"the loss is {self._progress.loss} and the gradient's norm {norm} at step {step + 1} of {self._total}; "
            f"{self._last_good()}{named}; lower --learning-rate ({self._schedule.learning_rate})"
        )

    def _last_good(self) -> str:
        found = self._checkpoints.latest()
        return f"the last good checkpoint is that of step {found.step}" if found else "there is no checkpoint yet"

    def _evaluate(self, stop: _StopOnSignal) -> None:
        progress, schedule = self._progress, self._schedule
        with self._stepper.averaged():
            # A signal ends the validation alone at once: weights are swapped whole, and all that follows is done.
            with fitting(f"the evaluation after step {progress.step}", SMALLER_NETWORK), stop.at_once():
                valid = self._validate(self._model)
            if not math.isfinite(valid):
                raise TrainingDiverged(
                    f"the validation loss is {valid} after step {progress.step} of {self._total}; "
                    f"{self._last_good()}; lower --learning-rate ({schedule.learning_rate})"
                )
            if valid < progress.best and (schedule.patience or schedule.decay == "plateau"):
                self._checkpoints.save_best(Checkpoint(progress.step, self._stepper.learned(), {}))
        progress.best = min(valid, progress.best)
        if valid < progress.reference * (1 - _PROGRESS):
            progress.reference, progress.worse = valid, 0
        else:
            progress.worse += 1
            progress.plateau *= schedule.decay_factor
            if schedule.decay == "plateau":
                self._stepper.go_back(dict(self._checkpoints.best().arrays))
        before = [point["valid_loss"] for point in progress.points[: -schedule.non_monotone]]
        if schedule.average == "asgd" and progress.averaging_from < 0 and before and valid > min(before):
            progress.averaging_from = progress.step
        progress.evaluated = progress.step
        point = Point(progress.step, progress.loss, valid)
        progress.points.append(asdict(point))
        self._report(point, self._total)

    def _keep_best(self) -> None:
        """What the trained model is: the best weights where training stops early, else the (averaged) last ones."""
        if self._ended and self._schedule.patience:
            found = self._checkpoints.best()
            self._stepper.go_back(dict(found.arrays))
        else:
            with self._stepper.averaged():
                kept = self._stepper.weights()
            self._stepper.set_weights(kept)

    def _save_kept(self) -> None:
        """Save, once what was reported is kept: it is not computed again."""
        self._keep()
        self._progress.reported.clear()
        self._save()

    def _save(self) -> None:
        facts = {"schedule": asdict(self._schedule), "progress": asdict(self._progress)}
        self._checkpoints.save(Checkpoint(self._progress.step, self._stepper.arrays(), facts))
        self._saved_at = time.monotonic()

    def restore(self) -> None:
        """Go on from the newest checkpoint, if there is one."""
        found = self._checkpoints.latest()
        if found is None:
            return
        if found.facts["schedule"] != asdict(self._schedule):
            raise ValueError(
                f"{self._checkpoints.root} holds checkpoints of another schedule; remove it, or use another folder"
            )
        self._stepper.restore(dict(found.arrays))
        self._progress = _Progress(**found.facts["progress"])
        for step, loss in self._progress.reported:
            self._report(Point(step, loss, None), self._total)

    def outcome(self) -> Outcome:
        """How it went."""
        return Outcome(
            steps=self._progress.step,
            tokens_per_second=self._progress.tokens / max(self._progress.seconds, 1e-9),
            points=[Point(**point) for point in self._progress.points],
            interrupted=not (self._ended or self._paused),
            input_share=self._progress.waited / max(self._progress.seconds, 1e-9),
        )


class _Stopped(Exception):
    """A signal came while it could be obeyed at once."""


class _StopOnSignal:
    """Notes a SIGTERM, so that the loop can end after a checkpoint: after the step, or at once in a validation."""

    def __init__(self) -> None:
        self.asked = self._now = False
        self._before: Any = None

    def __enter__(self) -> _StopOnSignal:
        try:
            self._before = signal.signal(signal.SIGTERM, self._note)
        except ValueError:  # not the main thread: nobody sends us signals
            self._before = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, a signal raises _Stopped."""
        self._now = True
        try:
            if self.asked:
                raise _Stopped
            yield
        finally:
            self._now = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._now:
            self._now = False  # a second signal must not disturb what the first one ends
            raise _Stopped
