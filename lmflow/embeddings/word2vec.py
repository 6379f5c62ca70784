"""word2vec (Mikolov et al. 2013) and fastText (Bojanowski et al. 2017) through gensim's `corpus_file` path.

Threads read the file themselves, so that training is not held up by Python. Importing this module is cheap; gensim is
imported when training starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmflow.embeddings.objective import SampledObjective
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.subwords import Subwords
from lmflow.embeddings.training import OnEpoch, Training, check_vocabulary
from lmflow.embeddings.vectors import WordVectors

if TYPE_CHECKING:
    from gensim.models import FastText, Word2Vec


@dataclass(frozen=True)
class Word2VecConfig:
    """How to train.

    Args:
        sg: skip-gram; otherwise the continuous bag of words.
        dim: length of a vector.
        window: words to each side that count as context.
        negative: noise words for each true one.
        sample: threshold above which frequent words are thinned out.
        min_count: rarer words get no vector.
        epochs: passes over the corpus.
        seed: with one worker, decides every bit of the result.
        workers: threads.
        alpha: learning rate at the start; it falls in a line to 0.0001.
    """

    sg: bool
    dim: int
    window: int
    negative: int
    sample: float
    min_count: int
    epochs: int
    seed: int
    workers: int
    alpha: float = 0.025


@dataclass(frozen=True)
class FastTextConfig(Word2VecConfig):
    """How to train with character n-grams.

    Args:
        min_n: shortest n-gram, in characters.
        max_n: longest.
        bucket: rows that n-grams are hashed into; those that none falls into cost nothing.
    """

    min_n: int = 3
    max_n: int = 6
    bucket: int = 2_000_000


def train_word2vec(sentences: Sentences, config: Word2VecConfig, on_epoch: OnEpoch) -> Training:
    """Learn vectors from a file of sentences; with n-grams when the config is a `FastTextConfig`.

    With `workers=1` the same file, config and gensim give the same bytes.

    Raises:
        InputError: fewer than two words are frequent enough.
    """
    model = new_model(config)
    model.build_vocab(corpus_file=str(sentences.path), keep_raw_vocab=True)
    check_vocabulary(sentences.words, len(model.wv), config.min_count)
    rare = {word: count for word, count in model.raw_vocab.items() if count < config.min_count}
    return replace(fit(model, sentences, config, on_epoch), rare=rare)


def new_model(config: Word2VecConfig) -> Word2Vec | FastText:
    """A model of gensim, without a vocabulary yet."""
    from gensim.models import FastText, Word2Vec

    shared: dict[str, Any] = {
        "vector_size": config.dim,
        "sg": int(config.sg),
        "window": config.window,
        "negative": config.negative,
        "sample": config.sample,
        "min_count": config.min_count,
        "seed": config.seed,
        "workers": config.workers,
        "alpha": config.alpha,
    }
    if not isinstance(config, FastTextConfig):
        return Word2Vec(**shared)
    from lmflow.embeddings.ngram_rows import NgramRows

    model = FastText(**shared, min_n=config.min_n, max_n=config.max_n, bucket=config.bucket)
    model.wv = NgramRows(config.dim, config.min_n, config.max_n, model.wv.bucket)
    return model


def fit(model: Word2Vec | FastText, sentences: Sentences, config: Word2VecConfig, on_epoch: OnEpoch) -> Training:
    """Train a model that has its vocabulary, and take out what it learnt."""
    with_ngrams = isinstance(config, FastTextConfig)
    objective = SampledObjective.draw(sentences.path, model, config.sg)
    losses: list[float] = []

    def ended() -> None:
        rows = objective.inputs
        inputs = model.wv.composed(rows) if with_ngrams else model.wv.vectors[rows]
        losses.append(objective.loss(inputs, model.syn1neg))
        on_epoch(len(losses), losses[-1])

    started = time.perf_counter()
    _, words_seen = model.train(
        corpus_file=str(sentences.path),
        total_examples=sentences.sentences,
        total_words=sentences.words,
        epochs=config.epochs,
        callbacks=[_after_each_epoch(ended)],
    )
    seconds = time.perf_counter() - started
    subwords = None
    if isinstance(config, FastTextConfig):
        ngrams = model.wv.vectors_ngrams.astype(np.float16)
        subwords = Subwords(config.min_n, config.max_n, config.bucket, model.wv.buckets, ngrams)
    return Training(
        vectors=WordVectors(tuple(model.wv.index_to_key), model.wv.vectors, subwords),
        counts=tuple(int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key),
        losses=tuple(losses),
        loss_name="negative sampling on a fixed sample, nats a prediction",
        seconds=seconds,
        words_per_second=sentences.words * config.epochs / seconds,
        words_seen=int(words_seen),
        state={"outputs": model.syn1neg} | ({"own": model.wv.vectors_vocab} if subwords else {}),
    )


def _after_each_epoch(ended: Callable[[], None]) -> Any:
    from gensim.models.callbacks import CallbackAny2Vec

    class AfterEachEpoch(CallbackAny2Vec):  # type: ignore[misc,unused-ignore]
        def on_epoch_end(self, model: Word2Vec) -> None:
            ended()

    return AfterEachEpoch()
