"""A neural model and an n-gram model mixed: p(w | h) = a p_neural(w | h) + (1 - a) p_ngram(w | h).

Linear interpolation (Jelinek & Mercer 1980), which Mikolov et al. 2010 report beside the networks alone: counts know
rare phrases, a network generalises. The weight is fitted on the validation split, never on what is scored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np

from lmflow.models.contract import Floats, LanguageModel, Reader, Tokens
from lmflow.models.lstm import Lstm
from lmflow.models.ngram import KneserNey

_LEAST: Final = 1e-6  # share of each
_HALVINGS: Final = 40


class Mixture(LanguageModel):
    """An LSTM and a Kneser-Ney model over the same vocabulary.

    Args:
        neural: the LSTM.
        ngram: the n-gram model.
        weight: share of the LSTM, a in [0, 1].

    Raises:
        ValueError: the two have different vocabularies.
    """

    def __init__(self, neural: Lstm, ngram: KneserNey, weight: float) -> None:
        if neural.vocabulary != ngram.vocabulary:
            raise ValueError(f"vocabularies of {neural.vocabulary} and {ngram.vocabulary} tokens do not mix")
        self.vocabulary = neural.vocabulary
        self.weight = weight
        self.neural = neural
        self.ngram = ngram

    @classmethod
    def fit(cls, neural: Lstm, ngram: KneserNey, documents: Sequence[Tokens], running: bool = False) -> Self:
        """Choose the weight under which held-out documents (`running`: read as one text) are likeliest."""
        nats = [model.running_nats(documents) if running else model.token_nats(documents) for model in (neural, ngram)]
        return cls(neural, ngram, best_weight(*nats))

    @property
    def n_parameters(self) -> int:
        """Numbers of both, and the weight."""
        return self.neural.n_parameters + self.ngram.n_parameters + 1

    def token_nats(self, documents: Sequence[Tokens]) -> Floats:
        """Negative log probability of every token. Shape [tokens]."""
        return self._mixed(self.neural.token_nats(documents), self.ngram.token_nats(documents))

    def running_nats(self, documents: Sequence[Tokens]) -> Floats:
        """The same, each part reading the documents as one running text in its own way. Shape [tokens]."""
        return self._mixed(self.neural.running_nats(documents), self.ngram.running_nats(documents))

    def _mixed(self, neural: Floats, ngram: Floats) -> Floats:
        nats: Floats = -np.logaddexp(np.log(self.weight) - neural, np.log1p(-self.weight) - ngram)
        return nats

    def reader(self, prompt: Tokens) -> Reader:
        """Both models after `prompt`."""
        return _Readers(self.neural.reader(prompt), self.ngram.reader(prompt), self.weight)

    def save(self, folder: Path) -> None:
        """Write `mixture.json` and the files of both."""
        (folder / "mixture.json").write_text(json.dumps({"weight": self.weight}), encoding="utf-8")
        self.neural.save(folder)
        self.ngram.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        weight = json.loads((folder / "mixture.json").read_text(encoding="utf-8"))["weight"]
        return cls(Lstm.load(folder), KneserNey.load(folder), weight)


class _Readers:
    def __init__(self, neural: Reader, ngram: Reader, weight: float) -> None:
        self._neural, self._ngram, self._weight = neural, ngram, weight

    def distribution(self) -> Floats:
        return self._weight * self._neural.distribution() + (1 - self._weight) * self._ngram.distribution()

    def read(self, token: int) -> None:
        self._neural.read(token)
        self._ngram.read(token)


def best_weight(first: Floats, second: Floats) -> float:
    """The share of the first model in the likeliest mixture of two.

    The log likelihood, the mean of log(a r + 1 - a) with r = p_first / p_second, is concave in the share a: its slope
    falls from 0 to 1, and halving finds where it crosses zero. (Expectation-maximisation finds the same, but creeps
    where one model is of no use.)

    Args:
        first: negative log probabilities of the same tokens under one model, in nats. Shape [tokens].
        second: under the other. Shape [tokens].

    Returns:
        A share strictly between 0 and 1, so that no token becomes impossible.
    """
    gain = np.expm1(np.clip(second - first, -700, 700))  # r - 1
    low, high = _LEAST, 1 - _LEAST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(np.mean(gain / (1 + middle * gain))) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
