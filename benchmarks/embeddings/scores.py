"""Every word test in place, for every algorithm and for gensim called by hand, on one file.

    LMFLOW_EVALUATION_DIR=../shared/data/embeddings python -m benchmarks.embeddings.scores --lang en --file en.txt

The file has a sentence a line (`benchmarks.embeddings.corpus` writes one). Settings are the job's defaults, for gensim
too: what its own code reaches with them on this text, ours must reach. English vectors also rate texts (Lee et al.):
Pearson's correlation of the cosines of 50 news stories with the means of people's ratings (gensim's wheel has both).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.cooccurrence import count_pairs, frequent_words, write_records
from lmflow.embeddings.documents import DocumentVectors
from lmflow.embeddings.glove import POWER, GloveConfig, default_x_max, train_glove
from lmflow.embeddings.sentences import Sentences, copy_sentences
from lmflow.embeddings.training import Training, default_epochs, default_workers
from lmflow.embeddings.vectors import WordVectors
from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, train_word2vec
from lmflow.evaluation.catalogue import gensim_test_data
from lmflow.evaluation.word_report import WordTests


def shared_settings(n_words: int) -> dict[str, Any]:
    """What the job chooses by default."""
    return {
        "dim": 100, "window": 5, "negative": 5, "sample": 1e-4, "min_count": 3, "seed": 1, "workers": default_workers(),
        "epochs": default_epochs(n_words),
    }  # fmt: skip


def trainings(sentences: Sentences, folder: Path) -> Iterator[tuple[str, WordVectors, Sequence[int], float]]:
    """One of each kind: name, vectors, counts, seconds."""
    shared = shared_settings(sentences.words)
    for name, config in {
        "word2vec skip-gram": Word2VecConfig(sg=True, **shared),
        "word2vec cbow": Word2VecConfig(sg=False, **shared),
        "fasttext skip-gram": FastTextConfig(sg=True, **shared),
    }.items():
        trained = train_word2vec(sentences, config, lambda *_: None)
        yield name, trained.vectors, trained.counts, trained.seconds
        if isinstance(config, FastTextConfig):
            continue
        yield f"gensim by hand, {name.split()[-1]}", *by_hand(sentences.path, config)
    trained = glove(sentences, folder)
    yield "glove", trained.vectors, trained.counts, trained.seconds


def by_hand(file: Path, config: Word2VecConfig) -> tuple[WordVectors, Sequence[int], float]:
    """Gensim as its documentation has it, with the same settings."""
    from gensim.models import Word2Vec

    started = time.perf_counter()
    model = Word2Vec(
        corpus_file=str(file), vector_size=config.dim, sg=int(config.sg), window=config.window,
        negative=config.negative, sample=config.sample, min_count=config.min_count, workers=config.workers,
        seed=config.seed, epochs=config.epochs,
    )  # fmt: skip
    counts = [int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key]
    return WordVectors(tuple(model.wv.index_to_key), model.wv.vectors), counts, time.perf_counter() - started


def glove(sentences: Sentences, folder: Path) -> Training:
    """GloVe with the job's default settings, counted in memory."""
    vocabulary = frequent_words(sentences, 3)
    index = {word: row for row, word in enumerate(vocabulary.words)}
    x_max = default_x_max(sentences.words)
    with sentences.path.open(encoding="utf-8") as lines:
        blocks = list(count_pairs((line.split() for line in lines), index, 10, at_once=200_000_000))
    assert len(blocks) == 1, "this counts in memory: give a smaller file"
    records = write_records(blocks, len(index), folder, x_max, POWER, 1)
    return train_glove(
        records, vocabulary, GloveConfig(100, 10, 3, 25, 1, default_workers(), x_max=x_max), lambda *_: None
    )


def lee(vectors: WordVectors, counts: Sequence[int]) -> str:
    """Pearson's correlation with people over the 1,225 pairs of stories."""
    texts = (gensim_test_data() / "lee.cor").read_text(encoding="cp1252").splitlines()
    human = np.loadtxt(gensim_test_data() / "similarities0-1.txt")
    documents = DocumentVectors(Embedding(vectors, np.array(counts, np.int64), "en"))
    matrix = np.stack([documents.vector(text) for text in texts])
    upper = np.triu_indices(len(texts), 1)
    return f"{np.corrcoef((matrix @ matrix.T)[upper], human[upper])[0, 1]:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--lang", default="en")
    given = parser.parse_args()
    tests = WordTests.of(given.lang)
    with tempfile.TemporaryDirectory() as folder:
        sentences = copy_sentences(given.file, Path(folder) / "s.txt")
        print(f"{sentences.words:,} words; test | figure | 95 % interval | known | all, unknown as 0")
        for name, vectors, counts, seconds in trainings(sentences, Path(folder)):
            report = tests.judge(vectors)
            print(f"{name}: {len(vectors.words):,} words, {seconds:.0f} s")
            for row in report.rows():
                product = report.metrics().get(f"{row[0]}_3cosmul")
                print("   " + " | ".join(row) + ("" if product is None else f" | 3CosMul {product:.3f}"), flush=True)
            if given.lang == "en":
                print(f"   lee document similarity, Pearson {lee(vectors, counts)}", flush=True)


if __name__ == "__main__":
    main()
