"""gensim's fastText vectors with a row for each n-gram that occurs, instead of one for every bucket.

Of two million buckets the words of a corpus fill a few ten thousand; gensim draws, keeps and jumps about in all of
them. Training reads `buckets_word` and `vectors_ngrams` alone, so rows may be numbered as we like. Imports gensim.
"""

from __future__ import annotations

import numpy as np
from gensim.models.fasttext import FastTextKeyedVectors
from gensim.models.keyedvectors import prep_vectors
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from lmflow.embeddings.vectors import Matrix


class NgramRows(FastTextKeyedVectors):  # type: ignore[misc,unused-ignore]
    """As its base, with `buckets`: the bucket of each row of `vectors_ngrams`, ascending, shape [rows]."""

    def __init__(self, vector_size: int, min_n: int, max_n: int, bucket: int) -> None:
        super().__init__(vector_size, min_n, max_n, bucket)
        self.buckets_word: list[NDArray[np.uint32]]
        # gensim's FastText gives its own vectors these two: every row may learn.
        self.vectors_vocab_lockf = np.ones(1, np.float32)
        self.vectors_ngrams_lockf = np.ones(1, np.float32)

    def resize_vectors(self, seed: int = 0) -> None:
        """Draw a vector for each word and each n-gram; gensim calls this once the vocabulary is known."""
        self.allocate_vecattrs()
        self.norms = None
        self.recalc_char_ngram_buckets()
        hashes = self.buckets_word
        lengths = [len(each) for each in hashes]
        buckets, rows = np.unique(np.concatenate(hashes), return_inverse=True)
        self.buckets: NDArray[np.int64] = buckets.astype(np.int64)
        ends = np.cumsum([0, *lengths])
        self.buckets_word = np.split(rows.astype(np.uint32), ends[1:-1])
        self._has = csr_matrix((np.ones(len(rows), np.float32), rows, ends), (len(lengths), len(buckets)))
        self.vectors_vocab = prep_vectors((len(lengths), self.vector_size), seed=seed)
        self.vectors_ngrams = prep_vectors((len(buckets), self.vector_size), seed=seed + 1)
        self.adjust_vectors()

    def adjust_vectors(self) -> None:
        """Set the words' vectors from their own and their n-grams'; gensim calls this after training too."""
        self.vectors = self.composed(np.arange(len(self.vectors_vocab)))

    def composed(self, words: NDArray[np.int64]) -> Matrix:
        """The mean of a word's own vector and its n-grams', as they are now, for each word: [words, dimensions]."""
        has = self._has[words]
        mean: Matrix = (self.vectors_vocab[words] + has @ self.vectors_ngrams) / (np.diff(has.indptr)[:, None] + 1)
        return mean.astype(np.float32, copy=False)
