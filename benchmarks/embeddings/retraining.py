"""What an update with 5 % new text costs and is worth, against training again on everything.

    python -m benchmarks.embeddings.retraining --file corpus.txt [--algorithm fasttext] [--share 0.05] [--epochs 5]

The file has a sentence a line; every twentieth line is the new text. Seconds are those of writing the sentences,
counting and training; both ways read the same settings. Medians over rounds, the two taking turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lmflow.embeddings.align import drift, rotated, rotation
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.sentences import copy_sentences
from lmflow.embeddings.training import Training, default_epochs, default_workers
from lmflow.embeddings.update import REPLAY, State, update_word2vec
from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, train_word2vec
from lmflow.evaluation.word_report import WordTests


def embedding(training: Training) -> Embedding:
    return Embedding(training.vectors, np.array(training.counts, np.int64), "en")


def scores(training: Training) -> str:
    rows = dict(WordTests.of("en").judge(training.vectors).rows())
    return f"WordSim-353 {rows['wordsim353']}; SimLex-999 {rows['simlex999']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--algorithm", choices=("word2vec", "fasttext"), default="word2vec")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="by default the job's")
    given = parser.parse_args()
    lines = given.file.read_text().splitlines(keepends=True)
    step = round(1 / given.share)
    old, new = [line for n, line in enumerate(lines) if n % step], lines[::step]
    replay = [line for n, line in enumerate(old) if n % round(step / REPLAY) == 1]
    config = (FastTextConfig if given.algorithm == "fasttext" else Word2VecConfig)(
        sg=True, dim=100, window=5, negative=5, sample=1e-4, min_count=3, seed=1, workers=default_workers(),
        epochs=given.epochs or default_epochs(sum(len(line.split()) for line in lines)),
    )  # fmt: skip
    print(asdict(config))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, content in {"old": old, "new": new, "all": lines, "text": new + replay}.items():
            (folder / f"{part}.txt").write_text("".join(content))
        before = train_word2vec(copy_sentences(folder / "old.txt", folder / "s"), config, lambda *_: None)
        state = State(embedding(before), before.state["outputs"], before.rare, before.state.get("own"))
        fulls, updates = [], []
        for _ in range(given.rounds):
            started, used = time.perf_counter(), time.process_time()
            full = train_word2vec(copy_sentences(folder / "all.txt", folder / "s"), config, lambda *_: None)
            fulls.append((time.perf_counter() - started, time.process_time() - used))
            started, used = time.perf_counter(), time.process_time()
            fresh = copy_sentences(folder / "new.txt", folder / "n")
            text = copy_sentences(folder / "text.txt", folder / "t")
            update = update_word2vec(state, fresh, text, config, lambda *_: None)
            updates.append((time.perf_counter() - started, time.process_time() - used))
    for place, what in enumerate(("wall", "CPU")):
        full_s, update_s = ([each[place] for each in costs] for costs in (fulls, updates))
        ratio = statistics.median(u / f for u, f in zip(update_s, full_s, strict=True))
        print(
            f"{what}: full {statistics.median(full_s):.1f} s, update {statistics.median(update_s):.1f} s: {ratio:.1%}"
        )
    print(f"before {scores(before)}\nfull   {scores(full)}\nupdate {scores(update)}")
    for how, training in (("full", full), ("update", update)):
        for turned in (False, True):
            vectors = (
                rotated(training.vectors, rotation(before.vectors, training.vectors)) if turned else training.vectors
            )
            measured = drift(embedding(before), Embedding(vectors, np.array(training.counts), "en"))
            figures = {name: round(value, 3) for name, value in measured.metrics().items()}
            print(how, "aligned" if turned else "as it came", figures)


if __name__ == "__main__":
    main()
