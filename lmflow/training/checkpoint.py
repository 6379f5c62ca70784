"""Checkpoints of a training run in the lake, on file:// or s3://: whole or absent, the newest few kept."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.errors import ServiceError
from lmflow.lake import faults
from lmflow.lake.lease import lease
from lmflow.lake.objects import Objects
from lmflow.settings import settings

_KEPT: Final = 2  # beside the best
_BEST: Final = "best.npz"


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on as if it had not stopped: arrays by name, and small facts."""

    step: int
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training.

    Args:
        root: URI of the folder that they lie in, file:// or s3://, theirs alone.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._objects = Objects(root)
        digest = hashlib.sha256(root.encode()).hexdigest()[:32]
        self._lock = settings().home / "locks" / f"checkpoints-{digest}.lock"

    def save(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint in one step, then remove all but the newest."""
        self._put(f"step-{checkpoint.step:09d}.npz", checkpoint)
        for old in sorted(self._objects.list("step-"))[:-_KEPT]:
            self._objects.delete(old)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint, None if there is none."""
        names = sorted(self._objects.list("step-"))
        return _read(self._objects.local(names[-1])) if names else None

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Store the best so far, in place of the one before."""
        self._put(_BEST, checkpoint)

    def best(self) -> Checkpoint:
        """What `save_best` stored last."""
        return _read(
            io.BytesIO(self._objects.fresh(_BEST))
        )  # under one name: another host may have stored a better one

    def note(self, name: str, text: str) -> None:
        """Keep a few words beside the checkpoints."""
        self._objects.put(name, text.encode())

    def noted(self, name: str) -> str | None:
        """What `note` kept, None if there is nothing."""
        return self._objects.get(name).decode() if self._objects.exists(name) else None

    def remove(self) -> None:
        """Remove them all."""
        self._objects.sweep("")
        for name in list(self._objects.list("")):
            self._objects.delete(name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One trainer at a time, on this host or another. A process that dies holds nothing (a host: for a minute).

        Raises:
            ServiceError: another process trains from here.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ServiceError(
                    f"another process trains from {self.root}; wait for it to end, then try again"
                ) from None
            with lease(self._objects, "trainer.json"):
                self._objects.sweep("")  # what a killed trainer left half-written
                yield

    def _put(self, name: str, checkpoint: Checkpoint) -> None:
        facts = np.frombuffer(json.dumps(dict(checkpoint.facts)).encode(), np.uint8)
        named = {**checkpoint.arrays, "facts": facts, "step": np.array(checkpoint.step)}
        with self._objects.writing(name) as path:
            with path.open("wb") as file:
                np.savez(file, allow_pickle=False, **named)
            faults.point("checkpoint:before_commit")


def _read(file: Path | IO[bytes]) -> Checkpoint:
    with np.load(file, allow_pickle=False) as arrays:
        return Checkpoint(
            step=int(arrays["step"]),
            arrays={name: arrays[name] for name in arrays.files if name not in ("facts", "step")},
            facts=json.loads(arrays["facts"].tobytes()),
        )


def in_folder(folder: Path) -> Checkpoints:
    """Checkpoints in a local folder."""
    return Checkpoints(f"file://{os.path.abspath(folder)}")
