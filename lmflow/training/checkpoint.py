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

_KEPT: Final = 2


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on as if it had not stopped: arrays by name, and small facts."""

    step: int
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in one step (a rename), then remove all but the newest."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".step-{checkpoint.step}.{os.getpid()}.partial"
    with partial.open("wb") as file:
        facts = np.frombuffer(json.dumps(dict(checkpoint.facts)).encode(), np.uint8)
        np.savez(file, allow_pickle=False, facts=facts, **dict(checkpoint.arrays))
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / f"step-{checkpoint.step:09d}.npz")
    for old in sorted(folder.glob("step-*.npz"))[:-_KEPT]:
        old.unlink()
    for abandoned in folder.glob(".step-*.partial"):
        abandoned.unlink()


def latest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint of a folder, None if there is none."""
    paths = sorted(folder.glob("step-*.npz"))
    if not paths:
        return None
    with np.load(paths[-1], allow_pickle=False) as arrays:
        facts = json.loads(arrays["facts"].tobytes())
        return Checkpoint(
            step=int(paths[-1].stem.removeprefix("step-")),
            arrays={name: arrays[name] for name in arrays.files if name != "facts"},
            facts=facts,
        )
