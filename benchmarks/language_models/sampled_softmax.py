"""A sampled softmax beside the full one: tokens a second in training, and the exact score after the same steps.

The text is the sample corpus's English news (Lee et al. 2005) in words between blanks, every word that occurs: a large
vocabulary for its size. One process for each, one after the other, the same batches and seeds.

Takes about five minutes on two quiet cores. Usage: python -m benchmarks.language_models.sampled_softmax [samples ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lmflow.dataset import shards
from lmflow.dataset.shards import Dataset, Document
from lmflow.evaluation.compression import bits_per_byte, perplexity
from lmflow.evaluation.scores import document_nats
from lmflow.models.lstm import PRESETS, Lstm

_EVERY_WORD = 1_000_000


def train_one(folder: Path, sample: int) -> dict[str, Any]:
    """Train on samples (0: the full softmax) and score exactly."""
    from lmflow.training.batches import StreamBatches
    from lmflow.training.checkpoint import in_folder
    from lmflow.training.loop import train
    from lmflow.training.recipes import RECIPES

    dataset, preset = Dataset(folder), PRESETS["lstm-nano"]
    schedule = replace(RECIPES["lstm-nano"], epochs=2, batch_size=32, checkpoint_every=10**9)

    def build() -> Lstm:
        model = Lstm(dataset.manifest["vocabulary"], preset, 1)
        if sample:
            counts = np.bincount(dataset.split("train").tokens, minlength=dataset.manifest["vocabulary"])
            model.sample_softmax(sample, counts)
        return model

    with tempfile.TemporaryDirectory() as checkpoints:
        batches = StreamBatches(dataset.split("train").tokens, schedule)
        model, outcome = train(build, batches, lambda model: 0.0, schedule, in_folder(Path(checkpoints)))
    test, nats = dataset.split("test"), document_nats(model, dataset, "test")
    estimate = bits_per_byte(nats, test.n_bytes)
    return {
        "softmax": f"{sample} samples" if sample else "full",
        "vocabulary": dataset.manifest["vocabulary"],
        "steps": outcome.steps,
        "tokens_per_second": round(outcome.tokens_per_second),
        "perplexity": round(perplexity(nats, len(test.tokens)), 1),
        "bits_per_byte": [round(value, 3) for value in (estimate.value, estimate.low, estimate.high)],
    }


def main() -> None:
    """Print one JSON line for each softmax."""
    from lmflow.samples.corpus import lee_articles

    splits: dict[str, list[Document]] = {"train": [], "valid": [], "test": []}
    for number, article in enumerate(lee_articles()):
        split = {0: "test", 1: "valid"}.get(number % 10, "train")
        splits[split].append(Document(f"lee:{number}", article.text))
    with tempfile.TemporaryDirectory() as folder:
        shards.write(Path(folder), splits, _EVERY_WORD, {"lang": "en"}, "whitespace")
        for sample in (0, *(map(int, sys.argv[1:]) or (500,))):
            command = [sys.executable, "-m", __spec__.name, "--one", folder, str(sample)]
            quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = subprocess.run(command, env=quiet, capture_output=True, text=True)
            print(done.stdout.strip() or done.stderr[-2000:], flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(train_one(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
