"""Word vectors against human judgement: Spearman's rank correlation on word-similarity tests, with an interval.

A test is a file of lines `word <tab> word <tab> score`; `lmflow.evaluation.catalogue` says which there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError
from lmflow.evaluation.compression import Comparison, Estimate

Floats = NDArray[np.float64]

_RESAMPLES: Final = 2_000
_FEWEST_PAIRS: Final = 3  # below this a rank correlation says nothing


@dataclass(frozen=True)
class WordPair:
    """Two words and how alike people find them."""

    first: str
    second: str
    human: float


@dataclass(frozen=True)
class SimilarityTest:
    """A named list of word pairs."""

    name: str
    pairs: tuple[WordPair, ...]


@dataclass(frozen=True)
class SimilarityResult:
    """What a model answered to a test.

    Args:
        test: the questions.
        cosines: the model's answers, not a number where it lacks a word. Shape [pairs].
        spearman: over the pairs whose words it knows; None when there are too few.
        spearman_oov_zero: over all pairs, an unknown word counting as cosine 0; comparable between vocabularies.
    """

    test: SimilarityTest
    cosines: Floats
    spearman: Estimate | None
    spearman_oov_zero: Estimate | None

    @property
    def coverage(self) -> float:
        """Share of the pairs whose two words are both known."""
        return float(np.mean(~np.isnan(self.cosines)))

    def metrics(self) -> dict[str, float]:
        """Named as everywhere: `<test>_spearman`, its interval, `<test>_coverage`, `<test>_spearman_oov_zero`."""
        name = self.test.name
        found = {f"{name}_coverage": self.coverage}
        if self.spearman is not None:
            found |= {
                f"{name}_spearman": self.spearman.value,
                f"{name}_spearman_low": self.spearman.low,
                f"{name}_spearman_high": self.spearman.high,
            }
        if self.spearman_oov_zero is not None:
            found[f"{name}_spearman_oov_zero"] = self.spearman_oov_zero.value
        return found

    def answers(self) -> list[list[Any]]:
        """Rows of word, word, human score, cosine or None: enough to compare two models later, pair by pair."""
        return [
            [pair.first, pair.second, pair.human, None if np.isnan(cosine) else round(float(cosine), 6)]
            for pair, cosine in zip(self.test.pairs, self.cosines, strict=True)
        ]


def read_test(name: str, text: str, path: Path) -> SimilarityTest:
    """A test from the text of its file. Lines starting with # are comments.

    Raises:
        InputError: a line is not two words and a number, or there is none.
    """
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        try:
            first, second, human = (field.strip() for field in fields)
            pairs.append(WordPair(first, second, float(human)))
        except ValueError:
            raise InputError(f"{path}:{number}: a line must be `word<TAB>word<TAB>score`, not {line!r}") from None
    if not pairs:
        raise InputError(f"{path} holds no word pairs; remove it or fill it")
    return SimilarityTest(name, tuple(pairs))


def score_similarity(vectors: WordVectors, test: SimilarityTest, seed: int = 0) -> SimilarityResult:
    """Ask a model how alike the pairs are and correlate with people."""
    human = np.array([pair.human for pair in test.pairs])
    cosines = np.array([_cosine(vectors, pair) for pair in test.pairs])
    known = ~np.isnan(cosines)
    enough = int(known.sum()) >= _FEWEST_PAIRS
    return SimilarityResult(
        test=test,
        cosines=cosines,
        spearman=spearman(human[known], cosines[known], seed) if enough else None,
        spearman_oov_zero=spearman(human, np.nan_to_num(cosines), seed) if enough else None,
    )


def spearman(human: Floats, answers: Floats, seed: int = 0) -> Estimate:
    """Rank correlation (ties share their mean rank) with a bootstrap interval over pairs. Shapes [pairs]."""
    draws = _draws(len(human), seed)
    resampled = _correlation(human[draws], answers[draws])
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return Estimate(float(_correlation(human[None], answers[None])[0]), float(low), float(high))


def compare_similarity(
    first: Mapping[str, Sequence[Sequence[Any]]], second: Mapping[str, Sequence[Sequence[Any]]], seed: int = 0
) -> Comparison | None:
    """One model's answers against another's, on the tests and pairs both have answered.

    The score is Spearman with unknown words as 0, the mean over tests; the bootstrap draws the same pairs for both.

    Args:
        first: test name -> rows as `SimilarityResult.answers` gives them.
        second: the same of the other model.
        seed: of the resampling.

    Returns:
        the difference first - second (positive: the first is better) and the p-value of `the first is not worse`;
        None when they share no test.
    """
    point, resampled = [], []
    for name in sorted(first.keys() & second.keys()):
        other = {(row[0], row[1]): row for row in second[name]}
        rows = [(row, other[row[0], row[1]]) for row in first[name] if (row[0], row[1]) in other]
        if len(rows) < _FEWEST_PAIRS:
            continue
        human = np.array([float(row[2]) for row, _ in rows])
        mine, theirs = (np.array([float(pair[side][3] or 0.0) for pair in rows]) for side in (0, 1))
        draws = _draws(len(rows), seed)
        point.append((_correlation(human[None], mine[None]) - _correlation(human[None], theirs[None]))[0])
        resampled.append(
            np.nan_to_num(_correlation(human[draws], mine[draws]) - _correlation(human[draws], theirs[draws]))
        )
    if not point:
        return None
    differences = np.mean(resampled, axis=0)
    low, high = np.percentile(differences, [2.5, 97.5])
    p_value = (1 + np.count_nonzero(differences >= 0)) / (_RESAMPLES + 1)
    return Comparison(Estimate(float(np.nan_to_num(np.mean(point))), float(low), float(high)), float(p_value))


def _cosine(vectors: WordVectors, pair: WordPair) -> float:
    known = all(word in vectors.index or word.lower() in vectors.index for word in (pair.first, pair.second))
    return vectors.similarity(pair.first, pair.second) if known else float("nan")


def _draws(n: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, n, size=(_RESAMPLES, n))


def _correlation(first: Floats, second: Floats) -> Floats:
    """Spearman of each row. Shapes [rows, pairs] -> [rows]; not a number where a row is constant."""
    from scipy.stats import rankdata

    one, two = (rankdata(values, axis=1) for values in (first, second))
    one, two = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (one, two))
    scale = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: Floats = (one * two).sum(axis=1) / scale
    return correlation
