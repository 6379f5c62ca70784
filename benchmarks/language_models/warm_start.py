"""A warm start beside a training from scratch on the same text: what each costs, and what it scores.

The text is the sample corpus's English news (Lee et al. 2005): every tenth story tests, the one after it validates. Of
the others a share is held back as what comes later (by a hash of the id). A champion is trained on the rest, with its
tokenizer; then the warm start reads the new stories and a replayed share of the old ones from the champion's weights,
and the peer is trained from scratch on everything, both in the champion's tokens. The same recipe, seeds and epochs;
bits per byte over the held-out stories, the difference paired.

Takes about five minutes on two quiet cores.
Usage: python -m benchmarks.language_models.warm_start [preset [epochs [share of new [rate ...]]]]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs.warm_start import RATE
from lmflow.dataset import replay, shards
from lmflow.dataset.mixture import uniform
from lmflow.dataset.shards import Dataset, Document
from lmflow.evaluation.compression import bits_per_byte, compare
from lmflow.evaluation.scores import document_nats
from lmflow.models.families import NEURAL, PRESETS
from lmflow.training.batches import batches_of
from lmflow.training.checkpoint import in_folder
from lmflow.training.loop import train
from lmflow.training.recipes import RECIPES

_REPLAY = 0.3


def splits(new_share: float) -> tuple[dict[str, list[Document]], list[bool]]:
    """The sample's documents by split, and which of the training split come later."""
    from lmflow.samples.corpus import lee_articles

    found: dict[str, list[Document]] = {"train": [], "valid": [], "test": []}
    for number, article in enumerate(lee_articles()):
        split = {0: "test", 1: "valid"}.get(number % 10, "train")
        found[split].append(Document(f"lee:{number}", article.text))
    return found, [uniform(document.doc_id, "later") < new_share for document in found["train"]]


def trained(
    dataset: Dataset, preset_name: str, epochs: float, rate: float, start: Any = None
) -> tuple[Any, dict[str, Any]]:
    """A network trained on a dataset, from `start`'s weights where given; with what it cost."""
    family = next(name for name, presets in PRESETS.items() if preset_name in presets)
    recipe = RECIPES[preset_name]
    schedule = replace(recipe, epochs=epochs, learning_rate=rate * recipe.learning_rate)
    n_valid = len(dataset.split("valid").tokens)

    def build() -> Any:
        model = NEURAL[family](dataset.manifest["vocabulary"], PRESETS[family][preset_name], schedule.seed)
        if start is not None:
            model.continue_from(start)
        return model

    validate: Callable[[Any], float] = lambda model: float(document_nats(model, dataset, "valid").sum() / n_valid)  # noqa: E731
    batches = batches_of(NEURAL[family], PRESETS[family][preset_name], dataset.split("train"), schedule)
    with tempfile.TemporaryDirectory() as folder:
        begun, spent = time.perf_counter(), time.process_time()
        model, outcome = train(build, batches, validate, schedule, in_folder(Path(folder)))
        cost = {"steps": outcome.steps, "wall_s": time.perf_counter() - begun, "cpu_s": time.process_time() - spent}
    return model, {name: round(value, 1) for name, value in cost.items()}


def main() -> None:
    """Print one JSON line for each training."""
    given = sys.argv[1:]
    preset, epochs, new_share = (given + [None] * 3)[:3] if given else (None, None, None)
    preset, epochs, new_share = str(preset or "lstm-nano"), float(epochs or 6), float(new_share or 0.07)
    rates = [float(rate) for rate in given[3:]] or [RATE]
    documents, later = splits(new_share)
    with tempfile.TemporaryDirectory() as scratch:

        def packed(name: str, read: list[bool], frozen: Any = None) -> Dataset:
            folder = Path(scratch) / name
            folder.mkdir()
            kept = [document for document, wanted in zip(documents["train"], read, strict=True) if wanted]
            shards.write(folder, {**documents, "train": kept}, 1000, {"lang": "en"}, frozen=frozen)
            return Dataset(folder)

        old = packed("old", [not new for new in later])
        sizes = np.array([len(document.text.encode()) for document in documents["train"]])
        ids = [document.doc_id for document in documents["train"]]
        mixed = packed("new", replay.select(ids, sizes, np.array(later), _REPLAY, "champion").tolist(), old.tokenizer)
        everything = packed("all", [True] * len(later), old.tokenizer)
        n_bytes = old.split("test").n_bytes
        champion, cost = trained(old, preset, epochs, 1.0)
        before = document_nats(champion, old, "test")

        def show(what: str, dataset: Dataset, nats: Any, cost: dict[str, Any]) -> None:
            estimate, gap = bits_per_byte(nats, n_bytes), compare(nats, before, n_bytes).difference
            tokens = dataset.manifest["splits"]["train"]["tokens"]
            row = {"training": what, "preset": preset, "epochs": epochs, "tokens": tokens, **cost}
            row["bits_per_byte"] = [round(value, 4) for value in (estimate.value, estimate.low, estimate.high)]
            row["against_champion"] = [round(value, 4) for value in (gap.value, gap.low, gap.high)]
            print(json.dumps(row), flush=True)

        show("champion, on the old text", old, before, cost)
        for rate in rates:
            model, cost = trained(mixed, preset, epochs, rate, champion)
            show(f"warm start, {rate:g} of the recipe's rate", mixed, document_nats(model, mixed, "test"), cost)
        model, cost = trained(everything, preset, epochs, 1.0)
        show("from scratch, on all text", everything, document_nats(model, everything, "test"), cost)


if __name__ == "__main__":
    main()
