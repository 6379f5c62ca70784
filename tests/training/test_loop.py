"""A kill at any step changes nothing, and two replicas train what one would."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmflow.models.lstm import Lstm
from lmflow.training import checkpoint
from lmflow.training.loop import Schedule, TrainingDiverged, train

PROJECT = Path(__file__).resolve().parents[2]


def trained(
    folder: Path, replicas: int = 1, dropout: float = 0.3, kill_at: int = -1, kill_with: str = "SIGKILL"
) -> subprocess.CompletedProcess[str]:
    words = [str(folder), str(replicas), str(dropout), str(kill_at), kill_with]
    return subprocess.run(
        [sys.executable, "-m", "tests.training.trainer", *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=200,
    )


def weights(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "final" / "lstm.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    done = trained(folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_a_run_killed_between_checkpoints_ends_in_the_same_weights_bit_for_bit(
    uninterrupted: Path, tmp_path: Path
) -> None:
    killed = trained(tmp_path, kill_at=60)
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint.latest(tmp_path / "checkpoints").step == 56
    again = trained(tmp_path)
    assert again.returncode == 0, again.stderr[-2000:]
    assert again.stdout == "steps 92 points 5\n"
    whole, resumed = weights(uninterrupted), weights(tmp_path)
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_sigterm_checkpoints_the_step_it_was_at(tmp_path: Path) -> None:
    stopped = trained(tmp_path, kill_at=24, kill_with="SIGTERM")
    assert stopped.returncode == 0
    found = checkpoint.latest(tmp_path / "checkpoints")
    assert found.step in (24, 25)
    assert len(list((tmp_path / "checkpoints").glob("*"))) <= 2


def test_two_replicas_with_the_same_global_batch_train_what_one_would(tmp_path: Path) -> None:
    for replicas in (1, 2):
        (tmp_path / str(replicas)).mkdir()
        done = trained(tmp_path / str(replicas), replicas, dropout=0.0)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    assert max(float(np.abs(one[name] - two[name]).max()) for name in one) < 1e-4


def test_a_text_shorter_than_a_step_and_a_loss_that_is_no_number_say_what_to_change(tmp_path: Path) -> None:
    from lmflow.models.lstm import LstmPreset

    def build() -> Lstm:
        return Lstm(8, LstmPreset(1, 4, 0.0))

    with pytest.raises(ValueError, match="lower --batch-size or --sequence-length"):
        train(build, np.arange(8), lambda model: 0.0, Schedule(), tmp_path / "short")
    hot = Schedule(batch_size=2, sequence_length=4, learning_rate=float("nan"), warmup_steps=1)
    with pytest.raises(TrainingDiverged, match=r"loss is nan at step \d+ of"):
        train(build, np.arange(400) % 8, lambda model: 0.0, hot, tmp_path / "hot")


def test_a_checkpoint_is_whole_or_absent_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoint.save(tmp_path, checkpoint.Checkpoint(step, {"a": np.full(3, step)}, {"步": step}))
    (tmp_path / ".step-9.1.partial").write_bytes(b"half")
    found = checkpoint.latest(tmp_path)
    assert (found.step, found.facts["步"], found.arrays["a"].tolist()) == (5, 5, [5, 5, 5])
    assert len(list(tmp_path.glob("step-*.npz"))) == 2
