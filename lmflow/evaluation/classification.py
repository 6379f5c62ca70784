"""Classifiers on held-out documents: accuracy, macro-F1, figures by class, and one against another.

Intervals are percentile bootstraps over documents (Efron & Tibshirani 1993, chapter 13). These figures depend on the
documents only through how many of them fall into each cell of the confusion matrix, so drawing n documents with
replacement is drawing the cells' counts from a multinomial distribution: the same draw, at the cost of the cells alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.evaluation.compression import RESAMPLES, Comparison, Estimate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Right = NDArray[np.bool_]

_NUMBERS_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Args:
        label: its name.
        documents: held-out documents of it.
        precision: of the documents that were given it, the share that has it; 0 where none was.
        recall: of the documents that have it, the share that was given it.
        f1: harmonic mean of the two.
    """

    label: str
    documents: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Classified:
    """A classifier's answers.

    Args:
        labels: the classes.
        confusion: documents by true class (row) and answer (column), shape [labels, labels].
        accuracy: share of right answers.
        macro_f1: mean over classes of F1.
    """

    labels: tuple[str, ...]
    confusion: Ints
    accuracy: Estimate
    macro_f1: Estimate

    def by_class(self) -> list[ClassScore]:
        """Figures of every class."""
        right, given, there = np.diag(self.confusion), self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        f1 = _f1(right, given, there)
        return [
            ClassScore(
                label,
                int(there[row]),
                float(right[row] / max(given[row], 1)),
                float(right[row] / max(there[row], 1)),
                float(f1[row]),
            )
            for row, label in enumerate(self.labels)
        ]


def classified(true: Sequence[str], answers: Sequence[str], labels: tuple[str, ...], seed: int = 0) -> Classified:
    """Score answers.

    Args:
        true: class of each document.
        answers: what the classifier said of each.
        labels: all classes, those of both among them.
        seed: of the resampling.

    Raises:
        ValueError: there is no document.
    """
    if not true or len(true) != len(answers):
        raise ValueError(f"{len(answers)} answers for {len(true)} documents")
    place = {label: row for row, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, ([place[label] for label in true], [place[label] for label in answers]), 1)
    rows, columns = np.nonzero(confusion)
    counts = confusion[rows, columns]
    draws = chain([counts[None]], _resampled(counts, seed))
    figures = [np.stack(_figures(block, rows, columns, len(labels))) for block in draws]
    accuracy, macro_f1 = np.concatenate(figures, axis=1)
    return Classified(labels, confusion, _estimate(accuracy), _estimate(macro_f1))


def compare_accuracy(first: Right, second: Right, seed: int = 0) -> Comparison:
    """Paired bootstrap over documents (Koehn 2004): both classifiers on the same resampled documents each time.

    Args:
        first: which documents the first got right, shape [documents].
        second: the same of the second.
        seed: of the resampling.

    Returns:
        the difference in accuracy, first - second (positive: the first is better), and the one-sided p-value of `the
        first is not better`: one is added to both counts (Davison & Hinkley 1997, 4.2.3), so that it is never zero.

    Raises:
        ValueError: the arrays differ in length, or are empty.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} answers against {len(second)}")
    counts = np.array([np.sum(first & ~second), np.sum(~first & second), np.sum(first == second)])
    better, worse, _ = np.concatenate(list(_resampled(counts, seed))).T
    differences = (better - worse) / len(first)
    low, high = np.percentile(differences, [2.5, 97.5])
    p_value = (1 + np.count_nonzero(differences <= 0)) / (RESAMPLES + 1)
    return Comparison(Estimate(float((counts[0] - counts[1]) / len(first)), float(low), float(high)), float(p_value))


def share_right(right: Right, seed: int = 0) -> Estimate:
    """Accuracy with its interval, from which documents were answered rightly. Shape [documents], at least one."""
    counts = np.array([np.sum(right), np.sum(~right)])
    return _estimate(np.concatenate([counts[None], *_resampled(counts, seed)])[:, 0] / len(right))


def _resampled(counts: Ints, seed: int) -> Iterator[Ints]:
    """Counts of the cells in documents drawn with replacement: RESAMPLES of shape [cells], in blocks [draws, cells]."""
    n, generator = int(counts.sum()), np.random.default_rng(seed)
    at_once = max(1, _NUMBERS_AT_ONCE // len(counts))
    for start in range(0, RESAMPLES, at_once):
        yield generator.multinomial(n, counts / n, size=min(at_once, RESAMPLES - start))


def _figures(counts: Ints, rows: Ints, columns: Ints, n_labels: int) -> tuple[Floats, Floats]:
    """Accuracy and macro-F1 of each draw; `counts` [draws, cells] of the cells (rows, columns)."""
    cells = np.arange(len(rows))
    as_true, as_answer = np.zeros((2, len(rows), n_labels))
    as_true[cells, rows] = as_answer[cells, columns] = 1
    there, given, right = counts @ as_true, counts @ as_answer, counts @ (as_true * as_answer)
    return right.sum(axis=1) / counts.sum(axis=1), _f1(right, given, there).mean(axis=1)


def _f1(right: NDArray[np.generic], given: NDArray[np.generic], there: NDArray[np.generic]) -> Floats:
    """2 · right / (given + there), 0 for a class that neither occurs nor is given."""
    twice: Floats = 2 * np.asarray(right, np.float64)
    return twice / np.maximum(np.asarray(given, np.float64) + np.asarray(there, np.float64), 1)


def _estimate(drawn: Floats) -> Estimate:
    """The first is the figure itself, the others are resampled."""
    low, high = np.percentile(drawn[1:], [2.5, 97.5])
    return Estimate(float(drawn[0]), float(low), float(high))
