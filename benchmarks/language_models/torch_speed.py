"""Tokens a second of training an LSTM 2x200 and a Transformer 4x128, beside the same networks in PyTorch.

PyTorch (CPU build, BSD-3; benchmark only) lives in an environment of its own that this makes. Both train the same
shapes on the same random tokens: LSTM 20 streams of 35, Transformer 16 of 64 with a memory of 64; vocabulary 10,000,
SGD and clipping, states carried. Runs of both alternate in processes of their own; the best of each counts. Also
shown: the share of a 2,048 matrix product's rate, and what our loop costs over its bare `tf.function` step.

Takes about four minutes on two quiet cores. Usage: python -m benchmarks.language_models.torch_speed [rounds]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

TORCH: Final = "torch==2.13.0"
VOCABULARY, STEPS, WARM_UP = 10_000, 40, 8
READS: Final = {"lstm": (20, 35), "transformer": (16, 64)}
_WORKER: Final = Path(__file__).with_name("_torch_worker.py")


def ours(family: str) -> dict[str, float]:
    """Tokens a second through the loop and of the bare step, the share that batches took, and the matrix rate."""
    from dataclasses import replace

    from lmflow.models.families import NEURAL
    from lmflow.models.lstm import LstmPreset
    from lmflow.models.transformer import TransformerPreset
    from lmflow.training.batches import StreamBatches
    from lmflow.training.checkpoint import in_folder
    from lmflow.training.loop import train
    from lmflow.training.schedule import Schedule
    from lmflow.training.stepper import Stepper, strategy

    presets: dict[str, Any] = {
        "lstm": LstmPreset(layers=2, width=200, dropout=0.0, tied=False),
        "transformer": TransformerPreset(layers=4, width=128, heads=4, inner=344, memory=64, dropout=0.0),
    }
    batch, length = READS[family]
    schedule = Schedule(epochs=1, batch_size=batch, sequence_length=length, optimizer="sgd", checkpoint_every=10**9)
    schedule = replace(schedule, learning_rate=0.1, decay="none", warmup_steps=0, evaluate_every=10**9)
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, batch * length * STEPS)
    batches, ends = StreamBatches(tokens, schedule), []
    with tempfile.TemporaryDirectory() as folder:
        _, outcome = train(
            lambda: NEURAL[family](VOCABULARY, presets[family], 1),
            batches,
            lambda model: 0.0,
            schedule,
            in_folder(Path(folder)),
            report=lambda point, total: ends.append(time.perf_counter()),
        )
    loop = float(np.median(np.diff(ends)[WARM_UP:-1]))
    spread = strategy(1)
    with spread.scope():
        stepper = Stepper(spread, NEURAL[family](VOCABULARY, presets[family], 1), schedule)
    return {
        "tokens_per_second": batch * length / loop,
        "overhead": loop / bare_step(stepper, batches) - 1,
        "input_share": outcome.input_share,
        "matrix_rate": matrix_rate(),
    }


def bare_step(stepper: Any, batches: Any) -> float:
    """Median seconds of the compiled step alone, its inputs already tensors."""
    import tensorflow as tf

    batch, spent = batches.batch(0), []
    rows = np.arange(len(batch.tokens), dtype=np.int32)
    inputs = stepper._parts((batch.tokens, batch.following, batch.weights, batch.carried, rows))
    counted = tf.constant(float(batch.weights.sum()))
    states = stepper._states
    numbers = (tf.constant(0), counted, counted, tf.constant(0.1), tf.constant(0.0))
    for _ in range(STEPS):
        started = time.perf_counter()
        loss, _, states = stepper._run(inputs, states, numbers)
        float(loss)
        spent.append(time.perf_counter() - started)
    return float(np.median(spent[WARM_UP:]))


def matrix_rate(size: int = 2048) -> float:
    """Operations a second of a square float32 matrix product, best of five."""
    import tensorflow as tf

    a, spent = tf.random.normal((size, size)), []
    for _ in range(6):
        started = time.perf_counter()
        tf.matmul(a, a).numpy()
        spent.append(time.perf_counter() - started)
    return float(2 * size**3 / min(spent))


#: Multiplications and additions of a token, forward and back (3 times forward): layers and the softmax.
OPERATIONS: Final = {
    "lstm": 6 * (2 * 2 * 200 * 800 + 200 * VOCABULARY),
    "transformer": 6 * (4 * (4 * 128 * 128 + 3 * 128 * 344) + 128 * VOCABULARY + 4 * 2 * 128 * 96),
}


def main() -> None:
    """Alternate both and print the best of each."""
    from benchmarks.language_models.kneser_ney import environment

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    python = environment("torch", TORCH, "numpy")
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for family, (batch, length) in READS.items():
        mine: list[dict[str, float]] = []
        theirs: list[float] = []
        for _ in range(rounds):
            command = [sys.executable, "-m", __spec__.name, "--ours", family]
            done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True)
            mine.append(json.loads(done.stdout.splitlines()[-1]))
            words = [family, str(batch), str(length), str(VOCABULARY), str(STEPS), str(WARM_UP)]
            done = subprocess.run([python, _WORKER, *words], capture_output=True, text=True, check=True)
            theirs.append(float(done.stdout))
        best = max(mine, key=lambda row: row["tokens_per_second"])
        ratios = [row["tokens_per_second"] / speed for row, speed in zip(mine, theirs, strict=True)]
        share = OPERATIONS[family] * best["tokens_per_second"] / max(row["matrix_rate"] for row in mine)
        print(
            f"{family}: ours {best['tokens_per_second']:,.0f} tokens/s, PyTorch {max(theirs):,.0f}; ratio of best "
            f"{best['tokens_per_second'] / max(theirs):.2f}, by round {', '.join(f'{ratio:.2f}' for ratio in ratios)}; "
            f"{share:.0%} of the matrix rate; loop over bare step {min(row['overhead'] for row in mine):+.1%}; input "
            f"{max(row['input_share'] for row in mine):.2%}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        print(json.dumps(ours(sys.argv[2])))
    else:
        main()
