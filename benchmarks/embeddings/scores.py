"""Every word test in place, for every algorithm, on one file; and texts against people's judgement (Lee et al.).

    LMFLOW_EVALUATION_DIR=../shared/data/embeddings python -m benchmarks.embeddings.scores --lang en --file s.txt

The file has a sentence a line. Settings are the job's defaults. The Lee test is English: Pearson's correlation of the
cosines of 50 news stories with the means of people's ratings (gensim's wheel has both).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.cooccurrence import count_pairs, frequent_words, write_records
from lmflow.embeddings.documents import DocumentVectors
from lmflow.embeddings.glove import POWER, GloveConfig, default_x_max, train_glove
from lmflow.embeddings.sentences import Sentences, copy_sentences
from lmflow.embeddings.training import Training, default_epochs, default_workers
from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, train_word2vec
from lmflow.evaluation.catalogue import gensim_test_data
from lmflow.evaluation.word_report import WordTests


def trainings(sentences: Sentences, folder: Path) -> dict[str, Training]:
    """One of each kind, with the job's default settings."""
    shared = {
        "dim": 100, "window": 5, "negative": 5, "sample": 1e-4, "min_count": 3, "seed": 1, "workers": default_workers(),
        "epochs": default_epochs(sentences.words),
    }  # fmt: skip
    found = {}
    for name, config in {
        "word2vec skip-gram": Word2VecConfig(sg=True, **shared),
        "word2vec cbow": Word2VecConfig(sg=False, **shared),
        "fasttext skip-gram": FastTextConfig(sg=True, **shared),
    }.items():
        found[name] = train_word2vec(sentences, config, lambda *_: None)
    vocabulary = frequent_words(sentences, 3)
    index = {word: row for row, word in enumerate(vocabulary.words)}
    x_max = default_x_max(sentences.words)
    with sentences.path.open(encoding="utf-8") as lines:
        blocks = list(count_pairs((line.split() for line in lines), index, 10, at_once=200_000_000))
    assert len(blocks) == 1, "this counts in memory: give a smaller file"
    records = write_records(blocks, len(index), folder, x_max, POWER, 1)
    config = GloveConfig(100, 10, 3, 25, 1, default_workers(), x_max=x_max)
    found["glove"] = train_glove(records, vocabulary, config, lambda *_: None)
    return found


def lee(training: Training) -> str:
    """Pearson's correlation with people over the 1,225 pairs of stories."""
    texts = (gensim_test_data() / "lee.cor").read_text(encoding="cp1252").splitlines()
    human = np.loadtxt(gensim_test_data() / "similarities0-1.txt")
    documents = DocumentVectors(Embedding(training.vectors, np.array(training.counts, np.int64), "en"))
    vectors = np.stack([documents.vector(text) for text in texts])
    upper = np.triu_indices(len(texts), 1)
    return f"{np.corrcoef((vectors @ vectors.T)[upper], human[upper])[0, 1]:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--lang", default="en")
    given = parser.parse_args()
    tests = WordTests.of(given.lang)
    with tempfile.TemporaryDirectory() as folder:
        sentences = copy_sentences(given.file, Path(folder) / "s.txt")
        print(f"{sentences.words:,} words; test | figure | 95 % interval | known | all, unknown as 0")
        for name, training in trainings(sentences, Path(folder)).items():
            report = tests.judge(training.vectors)
            print(f"{name}: {len(training.vectors.words):,} words, {training.seconds:.0f} s")
            for row in report.rows():
                product = report.metrics().get(f"{row[0]}_3cosmul")
                print("   " + " | ".join(row) + ("" if product is None else f" | 3CosMul {product:.3f}"))
            if given.lang == "en":
                print(f"   lee document similarity, Pearson {lee(training)}", flush=True)


if __name__ == "__main__":
    main()
