"""A tiny training run as a process of its own, for tests that kill it or give it two replicas."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.training.loop import Point, Schedule, train


def main(folder: Path, replicas: int, dropout: float, kill_at: int, kill_with: int) -> None:
    tokens = np.random.default_rng(3).integers(0, 40, 6000)

    def report(point: Point, total: int) -> None:
        if point.step == kill_at:
            os.kill(os.getpid(), kill_with)

    model, outcome = train(
        lambda: Lstm(40, LstmPreset(layers=2, width=16, dropout=dropout), seed=5),
        tokens,
        lambda model: float(model.score([tokens[:50]])[0] / 51),
        Schedule(epochs=2, batch_size=8, sequence_length=16, warmup_steps=5, evaluate_every=20, checkpoint_every=7),
        folder / "checkpoints",
        replicas,
        report,
    )
    if not outcome.interrupted:
        (folder / "final").mkdir()
        model.save(folder / "final")
    print("steps", outcome.steps, "points", len(outcome.points))


if __name__ == "__main__":
    place, replicas, dropout, kill_at, kill_with = sys.argv[1:]
    main(Path(place), int(replicas), float(dropout), int(kill_at), signal.Signals[kill_with])
