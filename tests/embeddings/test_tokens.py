"""Tokens start where the words that are written with them lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.tokens import token_vectors
from lmflow.embeddings.vectors import WordVectors

WORDS = ("cat", "cats", "car", "tree")
LETTERS = sorted(set("".join(WORDS)) | {" ", "z"})


def letters(texts: Sequence[str]) -> list[NDArray[np.int64]]:
    return [np.array([LETTERS.index(letter) for letter in text], np.int64) for text in texts]


def embedding(dim: int = 4) -> Embedding:
    matrix = np.random.default_rng(1).normal(size=(4, dim)).astype(np.float32)
    return Embedding(WordVectors(WORDS, matrix), np.array([8, 4, 2, 1]), "en")


def test_a_token_lies_at_the_weighted_mean_of_its_words() -> None:
    start = token_vectors(embedding(), letters, len(LETTERS), width=4)
    unit = embedding().vectors.unit
    # c: cat (8 / 3 tokens, and 8 / 4 with a space before), cats, car; s: cats alone; e: tree alone
    weights = np.array([8 / 3 + 8 / 4, 4 / 4 + 4 / 5, 2 / 3 + 2 / 4])
    difference = (weights @ unit[:3]) / weights.sum() - unit[1]
    found = start[LETTERS.index("c")] - start[LETTERS.index("s")]
    assert found / np.linalg.norm(found) == pytest.approx(difference / np.linalg.norm(difference), abs=1e-5)
    assert start.dtype == np.float32 and start.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.2)


def test_what_no_word_is_written_with_starts_at_random() -> None:
    one, other = (token_vectors(embedding(), letters, len(LETTERS), 4, seed) for seed in (1, 2))
    differ = np.flatnonzero((one != other).any(axis=1))
    assert [LETTERS[row] for row in differ] == ["z"]


@pytest.mark.parametrize("width", [2, 4, 9])
def test_any_width_will_do(width: int) -> None:
    start = token_vectors(embedding(), letters, len(LETTERS), width)
    assert start.shape == (len(LETTERS), width)
    assert np.isfinite(start).all()
