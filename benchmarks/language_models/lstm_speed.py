"""Tokens a second of the training loop on this machine, by shape: layers x width at batch x sequence.

Each shape trains 61 steps on random tokens in a process of its own (one strategy a process); the first ten, in which
TensorFlow compiles, do not count. Takes about two minutes on two cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPES = ("1 256 32 32", "1 256 64 32", "1 256 128 32", "1 192 64 32", "2 200 20 35")
STEPS, WARM_UP = 61, 10


def measure(layers: int, width: int, batch: int, length: int) -> float:
    """Tokens a second of one shape."""
    from lmflow.models.lstm import Lstm, LstmPreset
    from lmflow.training.batches import StreamBatches
    from lmflow.training.checkpoint import in_folder
    from lmflow.training.loop import train
    from lmflow.training.schedule import Schedule

    tokens = np.random.default_rng(0).integers(0, 1000, batch * length * STEPS + batch)
    ends: list[float] = []
    schedule = Schedule(
        epochs=1, batch_size=batch, sequence_length=length, evaluate_every=10**9, checkpoint_every=10**9
    )
    with tempfile.TemporaryDirectory() as folder:
        train(
            lambda: Lstm(1000, LstmPreset(layers, width, 0.1), seed=1),
            StreamBatches(tokens, schedule),
            lambda model: 0.0,
            schedule,
            in_folder(Path(folder)),
            report=lambda point, total: ends.append(time.perf_counter()),
        )
    return batch * length * (len(ends) - WARM_UP) / (ends[-1] - ends[WARM_UP - 1])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(f"{measure(*map(int, sys.argv[1].split())):,.0f}")
        sys.exit()
    for shape in SHAPES:
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "benchmarks.language_models.lstm_speed", shape]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True)
        layers, width, batch, length = shape.split()
        print(f"{layers} x {width} at {batch} x {length}: {done.stdout.strip()} tokens/s", flush=True)
