"""One training in a process of its own, ours or a peer's; prints seconds as JSON. Run by benchmarks.embeddings.speed.

The peers' branches import nothing of lmflow: fastText runs in an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIM, WINDOW, NEGATIVE, SAMPLE, MIN_COUNT, BUCKET = 100, 5, 5, 1e-4, 5, 2_000_000


def ours(algorithm: str, file: Path, workers: int, epochs: int) -> dict[str, float]:
    from lmflow.embeddings.sentences import copy_sentences
    from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, train_word2vec

    config = (FastTextConfig if algorithm == "fasttext" else Word2VecConfig)(
        sg=True, dim=DIM, window=WINDOW, negative=NEGATIVE, sample=SAMPLE, min_count=MIN_COUNT, epochs=epochs, seed=1,
        workers=workers,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        sentences = copy_sentences(file, Path(folder) / "s.txt")
        started = time.perf_counter()
        training = train_word2vec(sentences, config, lambda epoch, loss: None)
    return {"train": training.seconds, "with vocabulary": time.perf_counter() - started}


def gensim(algorithm: str, file: Path, workers: int, epochs: int) -> dict[str, float]:
    from gensim.models import FastText, Word2Vec

    kind = FastText if algorithm == "fasttext" else Word2Vec
    extra = {"bucket": BUCKET} if algorithm == "fasttext" else {}
    model = kind(
        vector_size=DIM, sg=1, window=WINDOW, negative=NEGATIVE, sample=SAMPLE, min_count=MIN_COUNT, workers=workers,
        seed=1, **extra,
    )  # fmt: skip
    began = time.perf_counter()
    model.build_vocab(corpus_file=str(file))
    started = time.perf_counter()
    words, lines = model.corpus_total_words, model.corpus_count
    model.train(corpus_file=str(file), total_examples=lines, total_words=words, epochs=epochs)
    ended = time.perf_counter()
    return {"train": ended - started, "with vocabulary": ended - began}


def fasttext(algorithm: str, file: Path, workers: int, epochs: int) -> dict[str, float]:
    import fasttext as facebooks

    started = time.perf_counter()
    facebooks.train_unsupervised(
        str(file), model="skipgram", dim=DIM, ws=WINDOW, neg=NEGATIVE, t=SAMPLE, minCount=MIN_COUNT, epoch=epochs,
        minn=3, maxn=6, bucket=BUCKET, lr=0.025, thread=workers, verbose=0,
    )  # fmt: skip
    return {"with vocabulary": time.perf_counter() - started}


def glove(reference: str, file: Path, workers: int, epochs: int) -> dict[str, float]:
    """Seconds an epoch, ours and the reference program's, from the same start on the same shuffled counts."""
    import numpy as np

    from lmflow.embeddings.cooccurrence import Records, count_pairs, frequent_words, write_records
    from lmflow.embeddings.glove import GloveConfig, train_glove
    from lmflow.embeddings.sentences import copy_sentences

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sentences = copy_sentences(file, folder / "s.txt")
        vocabulary = frequent_words(sentences, MIN_COUNT)
        index = {word: row for row, word in enumerate(vocabulary.words)}
        with sentences.path.open() as lines:
            blocks = list(count_pairs((line.split() for line in lines), index, 10, at_once=200_000_000))
        assert len(blocks) == 1, "counts in several blocks are added up by Spark, not here: give a smaller file"
        records = write_records(blocks, len(index), folder, 10.0, 0.75, 1)
        train_glove(records, vocabulary, GloveConfig(DIM, 10, MIN_COUNT, 1, 1, workers), lambda *_: None)  # compiles
        config = GloveConfig(DIM, 10, MIN_COUNT, epochs, 1, workers, 0.05, 10.0)
        training = train_glove(records, vocabulary, config, lambda *_: None)
        found = {"records": float(records.count), "ours": training.seconds / epochs, "ours_cost": training.losses[-1]}
        if not reference:
            return found
        there = np.empty(records.count, [("word", "<i4"), ("context", "<i4"), ("value", "<f8")])
        mine = Records.read(records.files[0])
        there["word"], there["context"], there["value"] = mine["word"] + 1, mine["context"] + 1, np.exp(mine["log"])
        there.tofile(folder / "cooccurrence.shuf.bin")
        lines = [f"{word} {count}\n" for word, count in zip(vocabulary.words, vocabulary.counts, strict=True)]
        (folder / "vocab.txt").write_text("".join(lines))
        command = [
            reference, "-input-file", "cooccurrence.shuf.bin", "-vocab-file", "vocab.txt", "-save-file", "vectors",
            "-vector-size", str(DIM), "-threads", str(workers), "-iter", str(epochs), "-x-max", "10.0", "-binary", "1",
        ]  # fmt: skip
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        cost = float(done.stderr.rsplit("cost:", 1)[1].split()[0])
        return {**found, "reference": (time.perf_counter() - started) / epochs, "reference_cost": cost}


if __name__ == "__main__":
    who, algorithm, file, workers, epochs = sys.argv[1:]
    trainers = {"ours": ours, "gensim": gensim, "fasttext": fasttext, "glove": glove}
    print(json.dumps(trainers[who](algorithm, Path(file), int(workers), int(epochs))))
