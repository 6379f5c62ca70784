"""GloVe (Pennington et al. 2014): factorise the logarithm of co-occurrence counts by AdaGrad, asynchronously.

The arithmetic is that of the reference program (`glove.c`), in single precision, compiled by numba: a word's vector
times a context's, plus two biases, is to be the logarithm of their count; errors weigh min(1, (x / x_max)^0.75).
Threads update the same matrices without locks, as the reference does. In the end a word's vector is its own plus that
of the same word as context.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.cooccurrence import Records, Vocabulary
from lmflow.embeddings.training import OnEpoch, Training
from lmflow.embeddings.vectors import Matrix, WordVectors

#: Exponent of the weight, section 3.1 of the paper.
POWER: Final = 0.75
_FEWEST_PER_THREAD: Final = 1_000


@dataclass(frozen=True)
class GloveConfig:
    """How to train. Defaults are those of the reference program.

    Args:
        dim: length of a vector.
        window: words to each side that count as context.
        min_count: rarer words get no vector.
        epochs: passes over the co-occurrences.
        seed: of the start and of the order; with one worker, decides every bit of the result.
        workers: threads.
        alpha: learning rate, divided by the root of the sum of squared gradients.
        x_max: count from which a pair weighs fully.
    """

    dim: int
    window: int
    min_count: int
    epochs: int
    seed: int
    workers: int
    alpha: float = 0.05
    x_max: float = 100.0


def default_x_max(n_words: int) -> float:
    """10 below a hundred million words, as the reference program's demo on text8; 100 above, as the paper."""
    return 10.0 if n_words < 100_000_000 else 100.0


@dataclass(frozen=True)
class Parameters:
    """Vectors, biases and sums of squared gradients of words and of contexts.

    Args:
        words: shape [words, dimensions].
        contexts: the same.
        word_bias: shape [words].
        context_bias: the same.
        squares: of the four above, in that order.
    """

    words: Matrix
    contexts: Matrix
    word_bias: Matrix
    context_bias: Matrix
    squares: tuple[Matrix, Matrix, Matrix, Matrix]

    @classmethod
    def random(cls, n_words: int, dim: int, seed: int) -> Parameters:
        """Uniform in ±0.5 / (dim + 1) with squares of 1, as the reference starts."""
        draw = np.random.default_rng(seed)
        shapes = ((n_words, dim), (n_words, dim), (n_words,), (n_words,))
        start = [((draw.random(shape, np.float32) - 0.5) / (dim + 1)).astype(np.float32) for shape in shapes]
        ones = [np.ones(shape, np.float32) for shape in shapes]
        return cls(start[0], start[1], start[2], start[3], (ones[0], ones[1], ones[2], ones[3]))


def train_glove(records: Records, vocabulary: Vocabulary, config: GloveConfig, on_epoch: OnEpoch) -> Training:
    """Learn vectors from co-occurrences on disk.

    Args:
        records: co-occurrences; files are read one after the other, each by all threads.
        vocabulary: the words, by row.
        config: how to train.
        on_epoch: told after each pass.
    """
    parameters = Parameters.random(len(vocabulary.words), config.dim, config.seed)
    losses: list[float] = []
    started = time.perf_counter()
    for epoch in range(1, config.epochs + 1):
        losses.append(one_pass(records, parameters, config.alpha, config.workers))
        on_epoch(epoch, losses[-1])
    seconds = time.perf_counter() - started
    return Training(
        vectors=WordVectors(vocabulary.words, parameters.words + parameters.contexts),
        counts=vocabulary.counts,
        losses=tuple(losses),
        loss_name="weighted squared error of the log count, a pair",
        seconds=seconds,
        words_per_second=vocabulary.corpus_words * config.epochs / seconds,
        words_seen=vocabulary.corpus_words * config.epochs,
    )


def one_pass(records: Records, parameters: Parameters, alpha: float, workers: int) -> float:
    """One pass over all records, updating `parameters` in place; returns the mean cost met on the way."""
    step, rate = _compiled(), np.float32(alpha)
    arrays = (parameters.words, parameters.contexts, parameters.word_bias, parameters.context_bias, *parameters.squares)
    cost = 0.0
    with ThreadPoolExecutor(workers) as pool:
        for file in records.files:
            part = records.read(file)
            threads = max(1, min(workers, len(part) // _FEWEST_PER_THREAD))
            bounds = [len(part) * thread // threads for thread in range(threads + 1)]
            slices = [part[first:last] for first, last in pairwise(bounds)]
            cost += sum(pool.map(lambda records_of_one: step(records_of_one, *arrays, rate), slices))
    return cost / max(records.count, 1)


@cache
def _compiled() -> Callable[..., float]:
    """The loop of `glove_thread` in glove.c, compiled when first needed (a second); holds no lock while it runs."""
    import numba

    compiled: Callable[..., float] = numba.njit(nogil=True, fastmath=True, error_model="numpy")(_adagrad)
    return compiled


def _adagrad(  # pragma: no cover - numba compiles it
    records: NDArray[np.void], words: Any, contexts: Any, bias: Any, context_bias: Any,
    g_words: Any, g_contexts: Any, g_bias: Any, g_context_bias: Any, alpha: Any,
) -> float:  # fmt: skip
    cost = 0.0
    for n in range(len(records)):
        i, j, weight = records[n].word, records[n].context, records[n].weight
        word, context, g_word, g_context = words[i], contexts[j], g_words[i], g_contexts[j]
        error = bias[i] + context_bias[j] - records[n].log
        for d in range(len(word)):
            error += word[d] * context[d]
        cost += 0.5 * weight * error * error
        rate = weight * error * alpha
        for d in range(len(word)):
            to_word, to_context = rate * context[d], rate * word[d]
            word[d] -= to_word / np.sqrt(g_word[d])
            context[d] -= to_context / np.sqrt(g_context[d])
            g_word[d] += to_word * to_word
            g_context[d] += to_context * to_context
        bias[i] -= rate / np.sqrt(g_bias[i])
        context_bias[j] -= rate / np.sqrt(g_context_bias[j])
        g_bias[i] += rate * rate
        g_context_bias[j] += rate * rate
    return cost
