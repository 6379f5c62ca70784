"""Kneser-Ney as KenLM sees it: our model of WikiText-2's files, exported as ARPA, scored by both.

KenLM (https://github.com/kpu/kenlm, LGPL-2.1) lives in an environment of its own that this makes. WikiText-2's test
file trains (its training file is not among the data), the first half of the validation file's lines validates, the rest
tests; words between blanks, `<eos>` after each line, all words of the training part, no count cut-offs.

Takes about half a minute on two cores. Usage: python -m benchmarks.language_models.kneser_ney [folder of valid.txt and
test.txt]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.language_models._split import wikitext_2

KENLM: Final = "kenlm==0.3.0"
_SCORER: Final = """
import json, sys, kenlm
model = kenlm.Model(sys.argv[1])
print(json.dumps([model.score(line.rstrip("\\n"), bos=True, eos=True) for line in open(sys.argv[2], encoding="utf-8")]))
"""


def main() -> None:
    """Print both perplexities for orders 2 to 5."""
    from lmflow.evaluation.compression import perplexity
    from lmflow.models.ngram import KneserNey

    peer = environment("kenlm", KENLM)
    with tempfile.TemporaryDirectory() as scratch:
        dataset, files = wikitext_2(Path(scratch))
        documents, test = dataset.split("train").documents(), dataset.split("test")
        words, known = dataset.tokenizer.words(), set(dataset.tokenizer.words())
        lines = Path(scratch) / "test.known.txt"
        lines.write_text(
            "".join(
                " ".join(word if word in known else "<unk>" for word in line.split()) + "\n"
                for line in files["test"].read_text(encoding="utf-8").removesuffix("\n").split("\n")
            ),
            encoding="utf-8",
        )
        for order in range(2, 6):
            started = time.perf_counter()
            model = KneserNey.fit(documents, dataset.tokenizer.size, order)
            fitted = time.perf_counter()
            nats = model.score(test.documents())
            scored = time.perf_counter()
            arpa = Path(scratch) / f"order{order}.arpa"
            model.to_arpa(arpa, words)
            command = [str(peer), "-c", _SCORER, str(arpa), str(lines)]
            logs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            theirs = -np.array(logs) * np.log(10)
            print(
                f"order {order}: perplexity {perplexity(nats, len(test.tokens)):.3f}, KenLM on our ARPA file "
                f"{perplexity(theirs, len(test.tokens)):.3f}; largest difference of a line "
                f"{np.abs(nats - theirs).max():.1e} nats; fitted in {fitted - started:.1f} s, scored in "
                f"{scored - fitted:.1f} s",
                flush=True,
            )


def environment(name: str, *packages: str) -> Path:
    """The Python of a peer's environment, made on first use with pip in the temp directory."""
    folder = Path(os.environ.get("LMFLOW_PEERS", tempfile.gettempdir())) / f"lmflow-{name}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "complete").touch()
    return python


if __name__ == "__main__":
    main()
