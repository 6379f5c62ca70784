"""Fitting a head: multinomial logistic regression with an L2 penalty, its strength chosen on validation texts.

scikit-learn minimises C · Σ log loss + ½‖W‖² by L-BFGS over vectors that were centred and scaled by the training texts'
mean and deviation; both are folded into the weights afterwards, so that the head takes vectors as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.vectors import Matrix
from lmflow.heads.classifier import Head

Ints = NDArray[np.int64]

#: Tried values of C, the inverse of the penalty's strength; the first of equals, the strongest penalty, is taken.
STRENGTHS: Final = tuple(10.0**power for power in range(-5, 3))
_STEPS: Final = 2_000
_LEAST: Final = 1e-7  # below it a deviation is none: that column is as good as constant


@dataclass(frozen=True)
class Fitted:
    """A head and how it was chosen.

    Args:
        head: fitted on training and validation texts together, with the chosen C.
        strength: the C.
        losses: log loss (nats a text) on the validation texts by C, fitted on the training texts alone.
    """

    head: Head
    strength: float
    losses: dict[float, float]


def fit(vectors: Matrix, classes: Ints, labels: tuple[str, ...], validation: NDArray[np.bool_]) -> Fitted:
    """Choose the strength on the validation texts, then fit on all.

    Args:
        vectors: of texts that have one, shape [texts, dimensions].
        classes: place of each text's class in `labels`, shape [texts]; every class is among those of either part.
        labels: the classes.
        validation: which texts choose the strength, shape [texts].

    Raises:
        ValueError: a class is missing among the training texts, or there is no validation text.
    """
    train = ~validation
    if not validation.any() or len(np.unique(classes[train])) < len(labels):
        raise ValueError("every class needs training texts, and there must be validation texts")
    losses = {}
    for strength in STRENGTHS:
        head = _head(vectors[train], classes[train], labels, strength)
        answers = head.probabilities(vectors[validation], np.ones(int(validation.sum()), np.bool_))
        right = answers[np.arange(len(answers)), classes[validation]].astype(np.float64)
        losses[strength] = float(-np.log(np.maximum(right, np.finfo(np.float32).tiny)).mean())
    strength = min(losses, key=lambda each: losses[each])
    return Fitted(_head(vectors, classes, labels, strength), strength, losses)


def _head(vectors: Matrix, classes: Ints, labels: tuple[str, ...], strength: float) -> Head:
    from sklearn.linear_model import LogisticRegression

    inputs = vectors.astype(np.float64)
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0)
    deviation = np.where(deviation > _LEAST, deviation, 1.0)
    model = LogisticRegression(C=strength, max_iter=_STEPS).fit((inputs - mean) / deviation, classes)
    weights, bias = model.coef_ / deviation, model.intercept_
    bias = bias - weights @ mean
    if len(labels) == 2:  # one row, for the second class: softmax over 0 and z is the logistic function of z
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, *bias])
    shares = np.bincount(classes, minlength=len(labels)) / len(classes)
    return Head(labels, *(np.asarray(values, np.float32) for values in (weights, bias, shares)))
