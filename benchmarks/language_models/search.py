"""Successive halving beside training every combination in full: what each costs, and which setting each finds.

The text is the sample corpus's English news (Lee et al. 2005): every tenth story tests, the one after it validates, the
others train. Nine combinations of learning rate and width of an LSTM. Needs a running MLflow (`make up`), where both
studies can be looked at; what an earlier call trained is not trained again, so a second call measures nothing.

Takes about ten minutes on two quiet cores. Usage: python -m benchmarks.language_models.search [epochs]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jobs.command import Progress
from jobs.search_language_model import SearchLanguageModel, run


def sample(folder: Path) -> dict[str, Path]:
    """Plain files of the sample, documents divided by empty lines."""
    from lmflow.samples.corpus import lee_articles

    texts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for number, article in enumerate(lee_articles()):
        split = {0: "test", 1: "valid"}.get(number % 10, "train")
        texts[split].append(article.text.strip())
    for split, found in texts.items():
        (folder / f"lee.{split}.txt").write_text("\n\n".join(found), encoding="utf-8")
    return {f"{split}_file": folder / f"lee.{split}.txt" for split in texts}


def main() -> None:
    """Print one JSON line for each way."""
    epochs = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    with tempfile.TemporaryDirectory() as folder:
        files = sample(Path(folder))
        # Halving first: what it trained in full then counts as known to the other way, which trains the rest.
        for way, rungs in (("halving", 3), ("rest of the grid", 1)):
            options: dict[str, Any] = {
                **{"lang": "en", "architecture": "lstm", "epochs": epochs, "batch_size": (16,), "rungs": rungs},
                **{"learning_rate": (1e-3, 4e-3, 16e-3), "dimension": (48, 96, 192)},
            }
            begun, spent = time.perf_counter(), time.process_time()
            found = run(SearchLanguageModel(**options, **files), Progress())
            row = {
                "way": way,
                "rungs": found["rungs_at"],
                "passes": round(found["passes"], 2),
                "wall_s": round(time.perf_counter() - begun),
                "cpu_s": round(time.process_time() - spent),
                "winner": {name: found["winner"].get(name) for name in ("learning_rate", "dimension")},
                "valid_bits_per_byte": round(found["metrics"]["valid_bits_per_byte"], 4),
                "run_url": found["run_url"],
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
