"""The rows that need a GPU: tokens a second, share of the matrix rate, bfloat16 against float32; `make bench-gpu`.

With a folder of ptb.train.txt, ptb.valid.txt and ptb.test.txt (`make bench-gpu ARGS=FOLDER`) it then trains every
published preset on them beside the figure of its paper (benchmarks/language_models/published.py); that takes hours.

Without a GPU it says so and ends with status 2. Each shape trains 60 steps on random tokens in a process of its own;
the first ten do not count. The share is model arithmetic (6 operations a parameter and token, embeddings looked up left
out) a second over what a 8,192 matrix product of the same precision reaches in the same process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.language_models.published import table

SHAPES: Final = (
    ("lstm", "lstm-zaremba-medium", 10_000),
    ("lstm", "lstm-zaremba-large", 10_000),
    ("transformer", "transformer-small", 32_000),
    ("transformer", "transformer-base", 32_000),
)
STEPS, WARM_UP = 60, 10


def measure(family: str, preset_name: str, vocabulary: int, precision: str) -> dict[str, float]:
    """Tokens a second of one preset, and its share of the matrix rate."""
    from lmflow.models.families import NEURAL, PRESETS
    from lmflow.training.batches import StreamBatches
    from lmflow.training.checkpoint import in_folder
    from lmflow.training.loop import train
    from lmflow.training.recipes import RECIPES

    schedule = replace(RECIPES[preset_name], epochs=1, precision=precision, checkpoint_every=10**9, patience=0)
    read = schedule.batch_size * schedule.sequence_length
    tokens = np.random.default_rng(0).integers(0, vocabulary, read * STEPS)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        model, _ = train(
            lambda: NEURAL[family](vocabulary, PRESETS[family][preset_name], 1, precision),
            StreamBatches(tokens, schedule),
            lambda model: 0.0,
            schedule,
            in_folder(Path(folder)),
            report=lambda point, total: ends.append(time.perf_counter()),
        )
    speed = read * (len(ends) - WARM_UP) / (ends[-1] - ends[WARM_UP - 1])
    looked_up = 0 if getattr(model.preset, "tied", True) else vocabulary * model.preset.width
    return {"tokens_per_second": speed, "share": 6 * (model.n_parameters - looked_up) * speed / matrix_rate(precision)}


def matrix_rate(precision: str, size: int = 8192) -> float:
    """Operations a second of a square matrix product."""
    import tensorflow as tf

    a = tf.cast(tf.random.normal((size, size)), precision)
    product = tf.function(lambda x: tf.reduce_sum(tf.cast(x @ x, tf.float32)))
    float(product(a))
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        float(product(a))
        spent.append(time.perf_counter() - started)
    return float(2 * size**3 / min(spent))


def main() -> None:
    """One JSON line a shape and precision, then the published presets where there is a text to train them on."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        print("error: TensorFlow sees no GPU here; nothing was measured", file=sys.stderr)
        sys.exit(2)
    for family, preset, vocabulary in SHAPES:
        for precision in ("float32", "bfloat16"):
            command = [sys.executable, "-m", __spec__.name, "--one", family, preset, str(vocabulary), precision]
            done = subprocess.run(command, capture_output=True, text=True)
            print(done.stdout.strip() or done.stderr[-2000:], flush=True)
    if len(sys.argv) > 1:
        table(Path(sys.argv[1]), sys.argv[2:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        family, preset, vocabulary, precision = sys.argv[2:]
        found = measure(family, preset, int(vocabulary), precision)
        print(json.dumps({"preset": preset, "precision": precision, **found}))
    else:
        main()
