"""How a language model writes and how sure it is: variety of its texts, next-token accuracy, calibration."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models.contract import END_OF_DOCUMENT, LanguageModel, Tokens

_LONGEST: Final = 4  # n of BLEU-4, and of the n-grams that count as repetition
_BINS: Final = 10
_TEXTS: Final = 8  # texts whose variety is measured, and the most tokens of each
_TOKENS: Final = 60


@dataclass(frozen=True)
class NextToken:
    """What a model thinks of the next token.

    Attributes:
        accuracy: share of tokens that were its first choice.
        calibration_error: mean distance between its confidence in its first choice and how often that is right, over
            ten bins of confidence weighted by their size (ECE; Guo et al. 2017, equation 3).
        tokens: how many were asked for.
    """

    accuracy: float
    calibration_error: float
    tokens: int


def next_token(model: LanguageModel, documents: Sequence[Tokens], most: int = 1000) -> NextToken:
    """Read documents token by token, up to `most` tokens, and compare each with the model's first choice.

    Raises:
        ValueError: there are no documents.
    """
    confidence: list[float] = []
    right: list[bool] = []
    for document in documents:
        reader = model.reader(np.zeros(0, np.int64))
        for token in [*np.asarray(document).tolist(), END_OF_DOCUMENT][: most - len(right)]:
            probability = reader.distribution()
            first = int(probability.argmax())
            confidence.append(float(probability[first]))
            right.append(first == token)
            reader.read(token)
        if len(right) >= most:
            break
    if not right:
        raise ValueError("there is no token to predict")
    return NextToken(float(np.mean(right)), calibration_error(np.array(confidence), np.array(right)), len(right))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten equal bins of confidence. Both have shape [predictions]."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, confidence - right.astype(float), minlength=_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def variety(model: LanguageModel) -> dict[str, float]:
    """How varied a few texts are that a model writes from nothing: the figures below, by name."""
    empty = np.zeros(0, np.int64)
    texts = [model.generate(empty, _TOKENS, seed=seed).tolist() for seed in range(_TEXTS)]
    return {
        "distinct_1": distinct(texts, 1),
        "distinct_2": distinct(texts, 2),
        "repetition": repetition(texts),
        "self_bleu": self_bleu(texts),
    }


def distinct(texts: Sequence[Sequence[int]], n: int) -> float:
    """Different n-grams over all n-grams of all texts (Li et al. 2016); 0 where there are none."""
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repetition(texts: Sequence[Sequence[int]]) -> float:
    """Share of 4-grams that occurred before in the same text (Welleck et al. 2020, seq-rep-4), over all texts."""
    counts = [Counter(_grams(text, _LONGEST)) for text in texts]
    total = sum(sum(count.values()) for count in counts)
    return 1 - sum(len(count) for count in counts) / total if total else 0.0


def self_bleu(texts: Sequence[Sequence[int]]) -> float:
    """Mean BLEU-4 of each text against all others (Zhu et al. 2018): 1 where all are the same. Needs two texts.

    Smoothed by adding one to both counts of each order above one (Lin & Och 2004).

    Raises:
        ValueError: fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError("self-BLEU compares at least two texts")
    return float(np.mean([_bleu(text, [*texts[:i], *texts[i + 1 :]]) for i, text in enumerate(texts)]))


def _bleu(text: Sequence[int], references: Sequence[Sequence[int]]) -> float:
    logs = 0.0
    for n in range(1, _LONGEST + 1):
        counts, most = Counter(_grams(text, n)), Counter[tuple[int, ...]]()
        for reference in references:
            most |= Counter(_grams(reference, n))
        found, total = sum((counts & most).values()), sum(counts.values())
        if n > 1:
            found, total = found + 1, total + 1
        if not found:
            return 0.0
        logs += math.log(found / total) / _LONGEST
    nearest = min((abs(len(reference) - len(text)), len(reference)) for reference in references)[1]
    return math.exp(logs + min(0.0, 1 - nearest / len(text)))


def _grams(text: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
