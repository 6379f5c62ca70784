"""Checkpoints of a training run: whole or absent, the newest few kept."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_KEPT: Final = 2  # beside `best.npz`


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on as if it had not stopped: arrays by name, and small facts."""

    step: int
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in one step (a rename), then remove all but the newest."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"step-{checkpoint.step:09d}.npz", checkpoint)
    for old in sorted(folder.glob("step-*.npz"))[:-_KEPT]:
        old.unlink()
    for abandoned in folder.glob(".*.partial"):
        abandoned.unlink()


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write one file, whole or not at all."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        facts = np.frombuffer(json.dumps(dict(checkpoint.facts)).encode(), np.uint8)
        step = np.array(checkpoint.step)
        np.savez(file, allow_pickle=False, facts=facts, step=step, **dict(checkpoint.arrays))
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def latest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint of a folder, None if there is none."""
    paths = sorted(folder.glob("step-*.npz"))
    return read(paths[-1]) if paths else None


def read(path: Path) -> Checkpoint:
    """Read what `write` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Checkpoint(
            step=int(arrays["step"]),
            arrays={name: arrays[name] for name in arrays.files if name not in ("facts", "step")},
            facts=json.loads(arrays["facts"].tobytes()),
        )
