"""Every network learns, and a training that crashed and went on ends where one that did not crash ends."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmflow.dataset.shards import Split
from lmflow.models import families
from lmflow.training.batches import StreamBatches, batches_of
from lmflow.training.checkpoint import in_folder
from lmflow.training.loop import Point, TrainingDiverged, train
from lmflow.training.schedule import Schedule
from tests.training.trainer import SHAPES

V = 12
TEXT = np.tile([3, 1, 4, 1, 5, 9, 2, 6, 0], 200)
ENDS = np.flatnonzero(TEXT == 0) + 1
SPLIT = Split(TEXT, ENDS, np.full(len(ENDS), 8), tuple(map(str, ENDS)))
PLAIN = Schedule(epochs=6, batch_size=6, sequence_length=10, learning_rate=0.02, warmup_steps=2, checkpoint_every=9)


class Crash(Exception):
    pass


def fit(
    family: str,
    folder: Path,
    schedule: Schedule,
    crash_at: int = -1,
    sign: int = 1,
    pause_after: int | None = None,
    checkpoint_minutes: float = 10.0,
) -> Any:
    def report(point: Point, total: int) -> None:
        if point.step == crash_at:
            raise Crash

    return train(
        lambda: families.NEURAL[family](V, SHAPES[family], 5, schedule.precision),
        batches_of(families.NEURAL[family], SHAPES[family], SPLIT, schedule),
        lambda model: sign * float(model.token_nats([TEXT[:8], TEXT[:89]]).mean()),
        schedule,
        in_folder(folder),
        report=report,
        pause_after=pause_after,
        checkpoint_minutes=checkpoint_minutes,
    )


@pytest.mark.parametrize("family", sorted(families.NEURAL))
def test_it_learns_and_resumes_where_it_was(family: str, tmp_path: Path) -> None:
    model, outcome = fit(family, tmp_path / "whole", PLAIN)
    assert outcome.points[-1].valid_loss < 0.75 * math.log(V)
    with pytest.raises(Crash):
        fit(family, tmp_path / "crashed", PLAIN, crash_at=40)
    resumed, _ = fit(family, tmp_path / "crashed", PLAIN)
    for one, other in zip(model.variables, resumed.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_with_everything_on_at_once_a_crash_costs_no_more_than_the_minutes_given(tmp_path: Path) -> None:
    averaged = replace(PLAIN, epochs=2, average="ema", ema_decay=0.9, decay="plateau", patience=2)
    everything = replace(averaged, accumulate=2, reset_share=0.2, evaluate_every=7, checkpoint_every=100_000)
    model, outcome = fit("rnn", tmp_path / "whole", everything)
    with pytest.raises(Crash):
        fit("rnn", tmp_path / "crashed", everything, crash_at=24, checkpoint_minutes=1e-9)
    newest = in_folder(tmp_path / "crashed").latest()
    assert newest is not None and newest.step == 23
    resumed, again = fit("rnn", tmp_path / "crashed", everything)
    assert again.points == outcome.points
    for one, other in zip(model.variables, resumed.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
    best = min(point.valid_loss for point in outcome.points)
    assert float(model.token_nats([TEXT[:8], TEXT[:89]]).mean()) == pytest.approx(best, rel=1e-6)


def test_what_a_stopped_training_reported_is_kept_once_whenever_its_process_died(tmp_path: Path) -> None:
    schedule = replace(PLAIN, checkpoint_every=10, evaluate_every=1000, epochs=2)
    kept, unsent = list[int](), list[int]()

    def report(point: Point, total: int) -> None:
        if point.valid_loss is None and point.step > max(kept, default=0):
            unsent.append(point.step)
        if point.step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def keep() -> None:
        kept.extend(unsent)
        unsent.clear()

    for stop_at in (4, 25, 27, 0):
        _, outcome = train(
            lambda: families.NEURAL["mlp"](V, SHAPES["mlp"], 5),
            batches_of(families.NEURAL["mlp"], SHAPES["mlp"], SPLIT, schedule),
            lambda model: 1.0,
            schedule,
            in_folder(tmp_path),
            report=report,
            keep=keep,
        )
        assert outcome.interrupted == bool(stop_at)
        unsent.clear()  # its process died before it could send them
    assert kept == list(range(1, 61))


def test_many_small_gains_are_progress_and_the_last_of_them_is_what_is_kept(tmp_path: Path) -> None:
    schedule = replace(PLAIN, decay="plateau", patience=3, evaluate_every=7)
    losses = iter(2 * 0.9995**number for number in range(100))  # three of them make the 0.1 % that counts
    _, outcome = train(
        lambda: families.NEURAL["mlp"](V, SHAPES["mlp"], 5),
        batches_of(families.NEURAL["mlp"], SHAPES["mlp"], SPLIT, schedule),
        lambda model: next(losses),
        schedule,
        in_folder(tmp_path),
    )
    assert outcome.steps == 180 and len(outcome.points) == 26  # to the end of the schedule
    assert in_folder(tmp_path).best().step == 180


def test_a_plateau_lowers_the_rate_from_the_best_weights_on(tmp_path: Path) -> None:
    schedule = replace(PLAIN, decay="plateau", patience=3, evaluate_every=7)
    losses, made, differ = iter([2.0, 1.5, 3.0, 4.0, 5.0]), list[Any](), list[bool]()

    def build() -> Any:
        made.append(families.NEURAL["mlp"](V, SHAPES["mlp"], 5))
        return made[0]

    def report(point: Point, total: int) -> None:
        if point.step == 20 or (point.step == 21 and point.valid_loss):  # before and after the evaluation that is worse
            best = in_folder(tmp_path).best()
            assert best.step == 14
            weights = [np.asarray(variable) for variable in made[0].variables]
            differ.append(any(not np.array_equal(v, best.arrays[f"model{i}"]) for i, v in enumerate(weights)))

    batches = batches_of(families.NEURAL["mlp"], SHAPES["mlp"], SPLIT, schedule)
    train(build, batches, lambda model: next(losses), schedule, in_folder(tmp_path), report=report)
    assert differ == [True, False]


def test_a_step_is_reported_before_the_checkpoint_and_the_evaluation_that_follow_it(tmp_path: Path) -> None:
    schedule, reported = replace(PLAIN, checkpoint_every=7, evaluate_every=7), list[Point]()

    def validate(model: Any) -> float:
        raise Crash

    with pytest.raises(Crash):
        train(
            lambda: families.NEURAL["mlp"](V, SHAPES["mlp"], 5),
            batches_of(families.NEURAL["mlp"], SHAPES["mlp"], SPLIT, schedule),
            validate,
            schedule,
            in_folder(tmp_path),
            report=lambda point, total: reported.append(point),
        )
    assert [point.step for point in reported] == [1, 2, 3, 4, 5, 6, 7]
    newest = in_folder(tmp_path).latest()
    assert newest is not None and newest.step == 7


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_validation_loss_that_is_no_number_ends_the_training_with_the_last_good_checkpoint(
    tmp_path: Path, lost: float
) -> None:
    schedule, losses = replace(PLAIN, decay="plateau", patience=3, evaluate_every=7), iter([2.0, lost])
    with pytest.raises(
        TrainingDiverged, match=r"validation loss is (nan|inf) after step 14 .* checkpoint is that of step"
    ):
        train(
            lambda: families.NEURAL["mlp"](V, SHAPES["mlp"], 5),
            batches_of(families.NEURAL["mlp"], SHAPES["mlp"], SPLIT, schedule),
            lambda model: next(losses),
            schedule,
            in_folder(tmp_path),
        )
    assert in_folder(tmp_path).best().step == 7


def test_a_young_average_is_the_mean_of_the_steps_so_far_and_not_of_the_first_weights(tmp_path: Path) -> None:
    def weights(average: str) -> list[Any]:
        schedule = replace(PLAIN, epochs=1, evaluate_every=1, average=average, ema_decay=0.999)
        seen: list[Any] = []

        def validate(model: Any) -> float:
            seen.append(np.concatenate([np.ravel(variable) for variable in model.variables]))
            return 1.0

        train(
            lambda: families.NEURAL["mlp"](V, SHAPES["mlp"], 5),
            batches_of(families.NEURAL["mlp"], SHAPES["mlp"], SPLIT, schedule),
            validate,
            schedule,
            in_folder(tmp_path / average),
        )
        return seen

    plain, averaged = weights("none"), weights("ema")
    assert len(plain) == len(averaged) > 20
    for step in (1, 2, 20):
        assert averaged[step - 1] == pytest.approx(np.mean(plain[:step], axis=0), abs=1e-5)


def test_a_batch_in_parts_trains_what_the_whole_batch_does(tmp_path: Path) -> None:
    whole, _ = fit("lstm", tmp_path / "whole", PLAIN)
    parts, _ = fit("lstm", tmp_path / "parts", replace(PLAIN, accumulate=4))
    for one, other in zip(whole.variables, parts.variables, strict=True):
        assert np.asarray(other) == pytest.approx(np.asarray(one), abs=1e-3)


def test_averaging_starts_when_validation_stops_improving_and_survives_a_crash(tmp_path: Path) -> None:
    merity = replace(PLAIN, optimizer="sgd", learning_rate=4.0, decay="none", clip_norm=0.25, weight_decay=1e-6)
    schedule = replace(merity, average="asgd", non_monotone=1, checkpoint_every=30, evaluate_every=8, epochs=2)
    # Validation on the negative loss gets worse as the model gets better.
    model, _ = fit("awd-lstm", tmp_path / "whole", schedule, sign=-1)
    with pytest.raises(Crash):
        fit("awd-lstm", tmp_path / "crashed", schedule, 40, sign=-1)
    assert in_folder(tmp_path / "whole").latest().facts["progress"]["averaging_from"] > 0
    resumed, _ = fit("awd-lstm", tmp_path / "crashed", schedule, sign=-1)
    for one, other in zip(model.variables, resumed.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_random_lengths_read_every_stream_once_an_epoch() -> None:
    schedule = replace(PLAIN, random_lengths=True, sequence_length=20, batch_size=4)
    batches = StreamBatches(np.arange(1, 2001), schedule)
    windows = [batches.batch(step).following[1] for step in range(batches.per_epoch)]
    assert np.concatenate(windows).tolist() == list(range(501, 1001))
    assert len({len(window) for window in windows}) > 3


def test_segments_of_random_length_have_five_tokens_or_more_as_in_the_reference() -> None:
    schedule = replace(PLAIN, random_lengths=True, sequence_length=12, batch_size=4)
    batches = StreamBatches(np.arange(1, 40_001) % V, schedule)
    lengths = [batches.batch(step).tokens.shape[1] for step in range(batches.per_epoch)]
    assert 4 <= min(lengths) < 8  # 5, before rounding and scaling to the text's length


@pytest.mark.parametrize("family", ["lstm", "transformer"])
def test_it_learns_in_bfloat16_with_weights_in_float32(family: str, tmp_path: Path) -> None:
    model, outcome = fit(family, tmp_path, replace(PLAIN, precision="bfloat16"))
    assert outcome.points[-1].valid_loss < 0.85 * math.log(V)
    assert {str(variable.dtype) for variable in model.variables} == {"float32"}


def test_a_training_that_pauses_twice_ends_in_the_weights_of_one_that_did_not(tmp_path: Path) -> None:
    kept = replace(PLAIN, average="ema", ema_decay=0.9, decay="plateau", patience=3, evaluate_every=7)
    model, outcome = fit("mlp", tmp_path / "whole", kept)
    for pause in (10, 10, 25):  # between checkpoints and evaluations; the second finds its work done
        _, paused = fit("mlp", tmp_path / "paused", kept, pause_after=pause)
        assert (paused.steps, paused.interrupted) == (pause, False)
    resumed, again = fit("mlp", tmp_path / "paused", kept, pause_after=10_000)
    assert [point.valid_loss for point in again.points] == [point.valid_loss for point in outcome.points]
    for one, other in zip(model.variables, resumed.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
    assert again.tokens_per_second > 0


def test_another_width_takes_along_what_hangs_on_it() -> None:
    wide = families.resized(families.PRESETS["transformer"]["transformer-nano"], 192, 0.2)
    assert (wide.width, wide.inner, wide.dropout) == (192, 512, 0.2)
    assert families.resized(families.PRESETS["awd-lstm"]["awd-lstm-merity"], 575, None).embedding == 200
    with pytest.raises(ValueError, match="choose a multiple of 8"):
        families.resized(families.PRESETS["transformer"]["transformer-nano"], 100, None)
