"""A kill at any moment changes nothing, and two replicas train what one would."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmflow.errors import ServiceError
from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.training.batches import StreamBatches
from lmflow.training.checkpoint import Checkpoint, Checkpoints, in_folder
from lmflow.training.loop import TrainingDiverged, train
from lmflow.training.memory import OutOfMemory
from lmflow.training.schedule import Schedule

PROJECT = Path(__file__).resolve().parents[2]
IN_PARTS = {"accumulate": 2}


def start(folder: Path, family: str, **options: Any) -> subprocess.Popen[str]:
    folder.mkdir(parents=True, exist_ok=True)
    words = json.dumps({"folder": str(folder), "family": family, **options})
    command = [sys.executable, "-m", "tests.training.trainer", words]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], status: int = 0) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == status, err[-2000:]
    return out


def weights(folder: Path, family: str, replicas: int = 1) -> dict[str, np.ndarray]:
    with np.load(folder / "final" / str(replicas) / f"{family}.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_a_run_killed_in_an_evaluation_a_step_and_a_checkpoint_ends_in_the_same_weights_bit_for_bit(
    tmp_path: Path,
) -> None:
    # Checkpoints are due every 7 steps and evaluations every 20; an epoch has 44 steps.
    uninterrupted = start(tmp_path / "whole", "lstm", schedule=IN_PARTS)
    for kill_in, kill_at, left in (("evaluation", 40, 35), ("step", 60, 56), ("checkpoint", 63, 56)):
        finish(start(tmp_path, "lstm", kill_at=kill_at, kill_in=kill_in, schedule=IN_PARTS), -signal.SIGKILL)
        assert in_folder(tmp_path / "checkpoints" / "1").latest().step == left
    for process in (uninterrupted, start(tmp_path, "lstm", schedule=IN_PARTS)):
        assert finish(process) == "steps 88 points [20, 40, 60, 80, 88]\n"
    whole, again = weights(tmp_path / "whole", "lstm"), weights(tmp_path, "lstm")
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    assert not list((tmp_path / "checkpoints" / "1").glob(".*"))


def test_sigterm_checkpoints_the_step_it_was_at_within_seconds(tmp_path: Path) -> None:
    stopped = start(tmp_path, "lstm", kill_at=24, kill_with="SIGTERM")
    assert "points [20]" in finish(stopped)
    found = in_folder(tmp_path / "checkpoints" / "1").latest()
    assert found.step in (24, 25)
    assert len(list((tmp_path / "checkpoints" / "1").glob("*.npz"))) <= 3


def test_a_sigterm_in_an_evaluation_leaves_the_last_weights_in_the_checkpoint_and_not_the_averaged_ones(
    tmp_path: Path,
) -> None:
    averaged = {"average": "ema", "ema_decay": 0.9, "decay": "plateau", "epochs": 1}
    uninterrupted = start(tmp_path / "whole", "mlp", schedule=averaged)
    for kill_in, kill_at in (("swap", 20), ("evaluation", 40)):
        finish(start(tmp_path, "mlp", kill_in=kill_in, kill_at=kill_at, kill_with="SIGTERM", schedule=averaged))
    for process in (uninterrupted, start(tmp_path, "mlp", schedule=averaged)):
        assert finish(process) == "steps 44 points [20, 40, 44]\n"
    whole, again = weights(tmp_path / "whole", "mlp"), weights(tmp_path, "mlp")
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def test_sigterm_from_outside_ends_a_long_training_with_a_checkpoint_in_ten_seconds(tmp_path: Path) -> None:
    process, folder = start(tmp_path, "lstm", schedule={"epochs": 100_000}), tmp_path / "checkpoints" / "1"
    deadline = time.monotonic() + 120
    try:
        while not list(folder.glob("step-*.npz")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        steps = int(finish(process).split()[1])
        assert time.monotonic() - asked < 10
    finally:
        process.kill()  # it would go on for days
    assert in_folder(folder).latest().step == steps


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits its memory by what /proc says")
def test_a_step_that_does_not_fit_into_memory_says_which_settings_to_lower(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.training.short_of_memory", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    last = done.stderr.splitlines()[-1]
    assert "OutOfMemory: step 1 does not fit into memory (" in last
    assert "OOM when allocating tensor" in last
    assert "lower --batch-size (2000) or --sequence-length (40), or raise --accumulate (1)" in last


@pytest.mark.parametrize("family", ["lstm", "transformer"])
def test_two_replicas_with_dropout_and_an_uneven_batch_train_what_one_would(family: str, tmp_path: Path) -> None:
    finish(start(tmp_path, family, replicas=[2, 1]))
    one, two = weights(tmp_path, family), weights(tmp_path, family, replicas=2)
    assert max(float(np.abs(one[name] - two[name]).max()) for name in one) < 1e-3


def test_one_process_trains_in_a_folder(tmp_path: Path) -> None:
    schedule = Schedule(batch_size=2, sequence_length=4)
    with in_folder(tmp_path).locked(), pytest.raises(ServiceError, match="another process trains from file://"):
        train(build, StreamBatches(np.arange(99) % 8, schedule), lambda model: 0.0, schedule, in_folder(tmp_path))


def test_a_text_shorter_than_a_step_and_a_loss_that_is_no_number_say_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lower --batch-size or --sequence-length"):
        StreamBatches(np.arange(8), Schedule())
    fine = Schedule(batch_size=2, sequence_length=4, warmup_steps=0, checkpoint_every=2, decay="epochs", decay_after=1)
    hot = replace(fine, decay_factor=float("nan"))  # from the second epoch on
    text, ends = np.arange(40) % 8, np.arange(10, 41, 10)
    batches = StreamBatches(text, hot, ends, ["a", "b", "c", "d"])
    assert batches.documents(0) == ["a", "c"]
    with pytest.raises(
        TrainingDiverged, match=r"at step 7 of 10; the last good checkpoint is that of step 6; it read a"
    ):
        train(build, batches, lambda model: 0.0, hot, in_folder(tmp_path / "hot"))


def test_memory_that_python_cannot_get_is_answered_like_tensorflows(tmp_path: Path) -> None:
    schedule = Schedule(batch_size=2, sequence_length=4)

    class Hungry(StreamBatches):
        def batch(self, step: int) -> Any:
            return np.zeros((1 << 60,), np.uint8)  # NumPy's MemoryError, and Python's

    hungry = Hungry(np.arange(99) % 8, schedule)
    advice = r"the batch of step 1 does not fit into memory \(.*lower --batch-size \(2\) or --sequence-length \(4\)"
    with pytest.raises(OutOfMemory, match=advice):
        train(build, hungry, lambda model: 0.0, schedule, in_folder(tmp_path))


def test_an_evaluation_or_a_network_that_does_not_fit_says_what_to_lower_too(tmp_path: Path) -> None:
    schedule = Schedule(batch_size=2, sequence_length=4, epochs=1)
    batches, advice = StreamBatches(np.arange(99) % 8, schedule), r"\(.*\); choose a smaller --preset, or lower --dim"
    with pytest.raises(OutOfMemory, match="the evaluation after step 12 does not fit into memory " + advice):
        train(build, batches, lambda model: float(np.zeros(1 << 60, np.uint8).sum()), schedule, in_folder(tmp_path))
    with pytest.raises(OutOfMemory, match="the network with its optimizer does not fit into memory " + advice):
        train(lambda: np.zeros(1 << 60, np.uint8), batches, lambda model: 0.0, schedule, in_folder(tmp_path))  # type: ignore


def test_a_checkpoint_is_whole_or_absent_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    keep_five(in_folder(tmp_path / "here"))
    assert len(list((tmp_path / "here").glob("step-*.npz"))) == 2
    (tmp_path / "here" / ".step-000000009.npz.1").write_bytes(b"half")
    with in_folder(tmp_path / "here").locked():
        assert not (tmp_path / "here" / ".step-000000009.npz.1").exists()
    in_folder(tmp_path / "here").remove()
    assert not list((tmp_path / "here").iterdir())


def keep_five(checkpoints: Checkpoints) -> None:
    assert checkpoints.latest() is None and checkpoints.noted("run_id") is None
    for step in range(1, 6):
        checkpoints.save(Checkpoint(step, {"a": np.full(3, step)}, {"步": step}))
        checkpoints.save_best(Checkpoint(step, {"a": np.full(3, step)}, {}))
    checkpoints.note("run_id", "abc")
    found = checkpoints.latest()
    assert found is not None
    assert (found.step, found.facts["步"], found.arrays["a"].tolist()) == (5, 5, [5, 5, 5])
    assert (checkpoints.best().step, checkpoints.noted("run_id")) == (5, "abc")


def test_every_step_reads_the_next_tokens_of_every_stream_and_starts_each_epoch_afresh() -> None:
    schedule = Schedule(batch_size=2, sequence_length=3, reset_share=0.0)
    batches = StreamBatches(np.arange(1, 18), schedule)  # two streams of 8: 1 to 8, 9 to 16; 17 is left over
    assert batches.per_epoch == 2
    first, second, third = (batches.batch(step) for step in range(3))
    assert first.tokens.tolist() == [[0, 1, 2], [8, 9, 10]]
    assert first.following.tolist() == [[1, 2, 3], [9, 10, 11]]
    assert second.tokens.tolist() == [[3, 4, 5], [11, 12, 13]]
    assert (first.carried.tolist(), second.carried.tolist(), third.carried.tolist()) == ([0, 0], [1, 1], [0, 0])


def build() -> Lstm:
    return Lstm(8, LstmPreset(1, 4, 0.0))
