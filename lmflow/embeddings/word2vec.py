"""word2vec (Mikolov et al. 2013) through gensim's `corpus_file` path: threads that read the file themselves.

Importing this module is cheap; gensim is imported when training starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmflow.embeddings.objective import SampledObjective
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError

if TYPE_CHECKING:
    from gensim.models import Word2Vec

#: Passes over a corpus are chosen so that about this many words are seen, within the bounds below.
_WORDS_TO_SEE = 10_000_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 20

#: Told after each epoch: how many are done, and the loss.
OnEpoch = Callable[[int, float], None]


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


@dataclass(frozen=True)
class Training:
    """What training gave.

    Args:
        vectors: the result, most frequent word first.
        counts: occurrences of each word.
        losses: after each epoch, nats a prediction on a fixed sample (see `SampledObjective`).
        seconds: wall time of all epochs, vocabulary scan not included.
        words_per_second: words of the corpus read a second, every epoch counted.
    """

    vectors: WordVectors
    counts: tuple[int, ...]
    losses: tuple[float, ...]
    seconds: float
    words_per_second: float


def default_epochs(n_words: int) -> int:
    """More passes over a small corpus: 20 up to half a million words, 5 from two million up."""
    return max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, round(_WORDS_TO_SEE / max(n_words, 1))))


def default_workers() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def train_word2vec(sentences: Sentences, config: Word2VecConfig, on_epoch: OnEpoch) -> Training:
    """Learn vectors from a file of sentences.

    With `workers=1` the same file, config and gensim give the same bytes.

    Raises:
        InputError: fewer than two words are frequent enough.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=config.dim,
        sg=int(config.sg),
        window=config.window,
        negative=config.negative,
        sample=config.sample,
        min_count=config.min_count,
        seed=config.seed,
        workers=config.workers,
    )
    model.build_vocab(corpus_file=str(sentences.path))
    if len(model.wv) < 2:
        raise InputError(
            f"the vocabulary has {len(model.wv)} word(s): of {sentences.words:,} words, too few occur "
            f"{config.min_count} times; lower --min-count or bring more text"
        )
    objective = SampledObjective.draw(sentences.path, model, config.sg)
    losses: list[float] = []

    def ended() -> None:
        losses.append(objective.loss(model.wv.vectors, model.syn1neg))
        on_epoch(len(losses), losses[-1])

    started = time.perf_counter()
    model.train(
        corpus_file=str(sentences.path),
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=config.epochs,
        callbacks=[_after_each_epoch(ended)],
    )
    seconds = time.perf_counter() - started
    return Training(
        vectors=WordVectors(tuple(model.wv.index_to_key), model.wv.vectors),
        counts=tuple(int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key),
        losses=tuple(losses),
        seconds=seconds,
        words_per_second=sentences.words * config.epochs / seconds,
    )


def _after_each_epoch(ended: Callable[[], None]) -> Any:
    from gensim.models.callbacks import CallbackAny2Vec

    class AfterEachEpoch(CallbackAny2Vec):  # type: ignore[misc,unused-ignore]
        def on_epoch_end(self, model: Word2Vec) -> None:
            ended()

    return AfterEachEpoch()
