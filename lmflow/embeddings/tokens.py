"""Vectors of words as a start for a language model's tokens, which are pieces of words.

A token's vector is the mean of the vectors (at length 1) of the words that are written with it, each weighing as often
as it occurs and the less the more tokens it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.vectors import Matrix

_WORDS: Final = 50_000  # the most frequent: rarer words say little about a token
#: Uniform in ±0.05 is how the models start; the vectors are scaled to the same spread.
_SPREAD: Final = 0.05

Encode = Callable[[Sequence[str]], Sequence[NDArray[np.integer]]]


def token_vectors(embedding: Embedding, encode: Encode, n_tokens: int, width: int, seed: int = 0) -> Matrix:
    """A first embedding matrix for a model.

    Args:
        embedding: of words.
        encode: texts to token ids, as the model's tokenizer does.
        n_tokens: size of its vocabulary.
        width: of the model's embedding. A wider one gets random columns beside, a narrower one the vectors' principal
            components.
        seed: of what is random: tokens that no known word is written with, and columns beside.

    Returns:
        shape [n_tokens, width], with the spread of numbers that are uniform in ±0.05.
    """
    words = embedding.vectors.words[:_WORDS]
    vectors = _narrowed(embedding.vectors.unit[: len(words)], width)
    sums = np.zeros((n_tokens, vectors.shape[1]))
    weights = np.zeros(n_tokens)
    for spelling in (list(words), [f" {word}" for word in words]):
        for row, tokens in enumerate(encode(spelling)):
            weight = float(embedding.counts[row]) / max(len(tokens), 1)
            np.add.at(sums, tokens, weight * vectors[row])
            np.add.at(weights, tokens, weight)
    start = np.random.default_rng(seed).uniform(-_SPREAD, _SPREAD, (n_tokens, width))
    met = weights > 0
    if met.any():
        means = sums[met] / weights[met, None]
        means -= means.mean(axis=0)  # what all words share tells no token from another
        start[met, : means.shape[1]] = means * (_SPREAD / np.sqrt(3) / max(float(means.std()), 1e-12))
    return start.astype(np.float32)


def _narrowed(vectors: Matrix, width: int) -> Matrix:
    if vectors.shape[1] <= width:
        return vectors
    _, axes = np.linalg.eigh(vectors.T @ vectors)  # ascending
    narrow: Matrix = vectors @ axes[:, ::-1][:, :width]
    return narrow
