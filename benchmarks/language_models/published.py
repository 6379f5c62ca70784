"""Presets trained by the recipes of their papers through the job's file options, each beside the figure to reach.

The folder holds a train, a valid and a test file (`ptb.train.txt`, …), words between blanks, as in the papers. The
figures are those of the Penn Treebank (Mikolov's split, 10,000 words); on another text they say nothing. A training
that was stopped goes on when the command is given again; one that ended is scored again, not trained.

Takes hours on a GPU for all; `ngram` half a minute on two cores. WikiText-2's valid.txt and test.txt become such a
folder by `python -m benchmarks.language_models._split THEIR_FOLDER FOLDER`.

Usage: python -m benchmarks.language_models.published FOLDER [ngram | preset …]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from lmflow.models.families import PRESETS
from lmflow.settings import settings

#: Figures on the Penn Treebank's test text, and where they are from.
TARGETS: Final = {
    "ngram": "perplexity 141.2 (Mikolov & Zweig 2012, KN5; SRILM gives 142.5)",
    "rnn-mikolov": "perplexity 124.7 (Mikolov & Zweig 2012, RNN)",
    "lstm-zaremba-small": "perplexity about 115 (TensorFlow's tutorial of Zaremba et al. 2014: 114.5)",
    "lstm-zaremba-medium": "perplexity 82.7 (Zaremba et al. 2014, table 1)",
    "lstm-zaremba-large": "perplexity 78.4 (Zaremba et al. 2014, table 1)",
    "awd-lstm-merity": "perplexity 58.8 (Merity et al. 2017, table 3: without fine-tuning or pointer)",
    "vae-timbmg": "reconstruction 103.97, KL 7.27 nats a sentence (README of github.com/timbmg/Sentence-VAE)",
}
_SHOWN: Final = ("test_perplexity", "test_reconstruction", "test_kl", "test_negative_elbo", "tokens_per_second")


def files(folder: Path) -> dict[str, Path]:
    """The train, valid and test file of a folder."""
    found = {}
    for split in ("train", "valid", "test"):
        named = sorted([*folder.glob(f"*.{split}.txt"), *folder.glob(f"{split}.txt")])
        if len(named) != 1:
            sys.exit(f"error: {folder} holds {len(named)} files {split}.txt or *.{split}.txt; one is needed")
        found[split] = named[0].resolve()
    return found


def trained(preset: str, texts: dict[str, Path]) -> dict[str, Any]:
    """What the jobs say of one preset on these files."""
    family = next((family for family, presets in PRESETS.items() if preset in presets), "ngram")
    words = [f"--architecture={family}", "--lang=en", "--tokenizer=whitespace"]
    words += [f"--{split}-file={path}" for split, path in texts.items()]
    words += ["--order=5"] if family == "ngram" else [f"--preset={preset}"]
    result = _job("train_language_model", *words)
    if "metrics" not in result:
        result |= _job("evaluate_model", f"--model={result['model_uri']}", f"--test-file={texts['test']}")
    return result


def _job(name: str, *words: str) -> dict[str, Any]:
    home = settings().home / "published"
    home.mkdir(parents=True, exist_ok=True)
    place = {"LMFLOW_HOME": str(home), "LMFLOW_MLFLOW_URI": f"sqlite:///{home.resolve()}/mlflow.db"}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **place}
    done = subprocess.run([sys.executable, "-m", f"jobs.{name}", *words], env=environment, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)  # the job has said why
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(folder: Path, chosen: list[str]) -> None:
    """Train what was chosen, or all, and print a line for each."""
    texts = files(folder)
    for preset in chosen or TARGETS:
        metrics = trained(preset, texts)["metrics"]
        shown = ", ".join(f"{name} {metrics[name]:,.2f}" for name in _SHOWN if name in metrics)
        print(f"{preset}: {shown}; Penn Treebank's figure: {TARGETS.get(preset, 'none')}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("error: name the folder of the train, valid and test file")
    table(Path(sys.argv[1]), sys.argv[2:])
