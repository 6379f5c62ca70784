"""Language models compared in bits per byte of the original text, with bootstrap intervals over documents.

Bits per byte = total negative log2 probability of the documents / total UTF-8 bytes of their text. Every model pays for
every byte, whatever its tokenizer, so models with different vocabularies can be compared on the same documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.text.segment import UNSPACED_LANGUAGES, words_and_marks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES: Final = 10_000
_AT_ONCE: Final = 4_000_000  # document weights drawn at a time, to bound memory


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Bits per byte of some of the documents, with its 95 % interval; of one document the interval is a point."""

    documents: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One model against another on the same documents.

    Attributes:
        difference: bits per byte of the first minus the second, with its interval; negative: the first is better.
        p_value: one-sided, for the hypothesis that the first is not better.
    """

    difference: Estimate
    p_value: float


def bits_per_byte(nats: Floats, n_bytes: Ints, seed: int = 0) -> Estimate:
    """Bits per byte over documents, with a percentile bootstrap interval (Efron & Tibshirani 1993, chapter 13).

    Args:
        nats: negative log probability of each document. Shape [documents].
        n_bytes: UTF-8 bytes of each document. Shape [documents].
        seed: of the resampling.

    Raises:
        ValueError: no documents, or no bytes.
    """
    _check(nats, n_bytes)
    bits = nats / np.log(2)
    sums = resampled_sums(np.stack([bits, n_bytes.astype(np.float64)]), seed)
    low, high = np.percentile(sums[0] / sums[1], [2.5, 97.5])
    return Estimate(float(bits.sum() / n_bytes.sum()), float(low), float(high))


def by_group(nats: Floats, n_bytes: Ints, groups: Sequence[str], seed: int = 0) -> dict[str, Group]:
    """Bits per byte of the documents of each group (a source, a language), each with its own interval.

    Args:
        nats: negative log probability of each document. Shape [documents].
        n_bytes: UTF-8 bytes of each document.
        groups: the group of each document.
        seed: of the resampling.
    """
    names, number = np.unique(np.array(groups, dtype=str), return_inverse=True)
    found = {}
    for index, name in enumerate(names.tolist()):
        mine = number == index
        found[name] = Group(int(mine.sum()), **asdict(bits_per_byte(nats[mine], n_bytes[mine], seed)))
    return found


def compare(first: Floats, second: Floats, n_bytes: Ints, seed: int = 0) -> Comparison:
    """Paired bootstrap over documents (Koehn 2004): both models on the same resampled documents each time.

    The p-value is the share of resamples in which the first is not better, with one added to both counts (Davison &
    Hinkley 1997, 4.2.3), so that it is never zero.

    Args:
        first: nats of each document under the first model. Shape [documents].
        second: the same under the second.
        n_bytes: UTF-8 bytes of each document.
        seed: of the resampling.

    Raises:
        ValueError: the arrays differ in length, or are empty.
    """
    _check(first, n_bytes)
    _check(second, n_bytes)
    gap = (first - second) / np.log(2)
    sums = resampled_sums(np.stack([gap, n_bytes.astype(np.float64)]), seed)
    differences = sums[0] / sums[1]
    low, high = np.percentile(differences, [2.5, 97.5])
    p_value = (1 + np.count_nonzero(differences >= 0)) / (RESAMPLES + 1)
    return Comparison(Estimate(float(gap.sum() / n_bytes.sum()), float(low), float(high)), float(p_value))


def perplexity(nats: Floats, n_tokens: int) -> float:
    """exp(mean negative log probability of a token). Only comparable between models with the same tokens.

    Args:
        nats: negative log probability of each document. Shape [documents].
        n_tokens: tokens of all documents, their ends included; or words, for the perplexity of a word.
    """
    return float(np.exp(nats.sum() / n_tokens))


def count_words(texts: Sequence[str], langs: Sequence[str]) -> int:
    """What the perplexity of a word divides by, whatever the tokens are: words of all texts, and one end each.

    A word is what stands between blanks, as in published benchmarks; where a language puts none, what segmentation
    finds, marks counted.

    Args:
        texts: the documents.
        langs: the language of each, ISO 639 codes.
    """
    counts = (
        len(words_and_marks(text, lang) if lang in UNSPACED_LANGUAGES else text.split()) + 1
        for text, lang in zip(texts, langs, strict=True)
    )
    return sum(counts)


def resampled_sums(rows: Floats, seed: int) -> Floats:
    """Sums of each row over documents drawn with replacement. `rows` [rows, documents] -> [rows, RESAMPLES]."""
    draw = np.random.default_rng(seed)
    n = rows.shape[1]
    chunk = max(1, _AT_ONCE // n)
    parts = []
    for start in range(0, RESAMPLES, chunk):
        times = draw.multinomial(n, np.full(n, 1 / n), size=min(chunk, RESAMPLES - start))
        parts.append(rows @ times.T)
    return np.concatenate(parts, axis=1)


def _check(nats: Floats, n_bytes: Ints) -> None:
    if len(nats) == 0 or len(nats) != len(n_bytes) or n_bytes.sum() <= 0:
        raise ValueError(f"{len(nats)} scores for {len(n_bytes)} documents of {int(n_bytes.sum())} bytes")
