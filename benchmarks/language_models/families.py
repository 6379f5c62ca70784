"""Every family on the embedded sample: parameters, speed, perplexity and bits a byte, next to Kneser-Ney 5.

The text is the sample corpus's English news (Lee et al. 2005, 350 stories, shipped with gensim): every tenth story
tests, the one after it validates, the others train. Byte-level BPE of 1,000 pieces: all perplexities are of these.
Each network trains in a process of its own by the recipe of its preset, but for the same number of epochs.

Takes about ten minutes on two quiet cores. Usage: python -m benchmarks.language_models.families [epochs [preset ...]]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lmflow.dataset import shards
from lmflow.dataset.shards import Dataset, Document
from lmflow.evaluation.compression import bits_per_byte, perplexity
from lmflow.evaluation.scores import document_nats
from lmflow.models.contract import LanguageModel
from lmflow.models.families import NEURAL, PRESETS


def sample(folder: Path) -> Dataset:
    """The dataset, made anew."""
    from lmflow.samples.corpus import lee_articles

    splits: dict[str, list[Document]] = {"train": [], "valid": [], "test": []}
    for number, article in enumerate(lee_articles()):
        split = {0: "test", 1: "valid"}.get(number % 10, "train")
        splits[split].append(Document(f"lee:{number}", article.text))
    folder.mkdir()
    shards.write(folder, splits, 1000, {"source": "lee"})
    return Dataset(folder)


def figures(model: LanguageModel, dataset: Dataset, tokens_per_second: float) -> dict[str, Any]:
    """One row of the table."""
    test, nats = dataset.split("test"), document_nats(model, dataset, "test")
    estimate = bits_per_byte(nats, test.n_bytes)
    return {
        "parameters": model.n_parameters,
        "tokens_per_second": round(tokens_per_second),
        "perplexity": round(perplexity(nats, len(test.tokens)), 2),
        "bits_per_byte": [round(value, 3) for value in (estimate.value, estimate.low, estimate.high)],
    }


def train_one(family: str, preset_name: str, folder: Path, epochs: float) -> dict[str, Any]:
    """Train one network and score it."""
    from lmflow.training.batches import batches_of
    from lmflow.training.checkpoint import in_folder
    from lmflow.training.loop import train
    from lmflow.training.recipes import RECIPES

    dataset, preset = Dataset(folder), PRESETS[family][preset_name]
    schedule = replace(RECIPES[preset_name], epochs=epochs)
    n_valid = len(dataset.split("valid").tokens)
    with tempfile.TemporaryDirectory() as checkpoints:
        model, outcome = train(
            lambda: NEURAL[family](dataset.manifest["vocabulary"], preset, schedule.seed),
            batches_of(NEURAL[family], preset, dataset.split("train"), schedule),
            lambda model: float(document_nats(model, dataset, "valid").sum() / n_valid),
            schedule,
            in_folder(Path(checkpoints)),
        )
    return {
        **figures(model, dataset, outcome.tokens_per_second),
        "input_share": round(outcome.input_share, 4),
        "valid": [round(float(np.exp(point.valid_loss or 0)), 1) for point in outcome.points],
    }


def main() -> None:
    """Print one JSON line for each family."""
    from lmflow.models.ngram import KneserNey

    epochs, chosen = (sys.argv[1] if len(sys.argv) > 1 else "6"), sys.argv[2:]
    with tempfile.TemporaryDirectory() as scratch:
        dataset = sample(Path(scratch) / "dataset")
        print(json.dumps(dataset.manifest["splits"]), flush=True)
        started, train = time.perf_counter(), dataset.split("train")
        model = KneserNey.fit(train.documents(), dataset.manifest["vocabulary"], 5)
        speed = len(train.tokens) / (time.perf_counter() - started)
        print(json.dumps({"preset": "Kneser-Ney 5", **figures(model, dataset, speed)}), flush=True)
        for family, presets in PRESETS.items():
            preset = next(iter(presets))
            if chosen and preset not in chosen:
                continue
            command = [sys.executable, "-m", __spec__.name, "--one", family, preset, str(dataset.folder), epochs]
            quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = subprocess.run(command, env=quiet, capture_output=True, text=True)
            print(done.stdout.strip() or done.stderr[-2000:], flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        row = train_one(sys.argv[2], sys.argv[3], Path(sys.argv[4]), float(sys.argv[5]))
        print(json.dumps({"preset": sys.argv[3], **row}))
    else:
        main()
