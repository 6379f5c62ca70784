"""What every language model family can do, whatever it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.integer]
Floats = NDArray[np.float64]
#: The token that starts every document as context and ends it as a prediction.
END_OF_DOCUMENT = 0


class Reader(Protocol):
    """A model part of the way through a document."""

    def distribution(self) -> Floats:
        """Probability of every token to be the next. Shape [V]."""

    def read(self, token: int) -> None:
        """Take `token` as the next."""


class Continuations(Protocol):
    """Which tokens may follow in a text that is written."""

    def allowed(self) -> NDArray[np.bool_]:
        """Whether each token may be the next. Shape [V]."""

    def read(self, token: int) -> None:
        """Take `token` as the next."""


class LanguageModel(ABC):
    """A model of documents as sequences of token ids, each starting after, and ending with, END_OF_DOCUMENT.

    Attributes:
        vocabulary: tokens it knows, V.
    """

    vocabulary: int

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """How many numbers the model holds."""

    @abstractmethod
    def token_nats(self, documents: Sequence[Tokens]) -> Floats:
        """Negative log probability of every token, document after document, each with its end. Shape [tokens]."""

    def running_nats(self, documents: Sequence[Tokens]) -> Floats:
        """As `token_nats`, with the documents read as one running text, as published benchmarks score networks.

        What a model remembers goes on from one document into the next. A model that remembers nothing across documents
        scores them as it always does. Shape [tokens].
        """
        return self.token_nats(documents)

    @abstractmethod
    def reader(self, prompt: Tokens) -> Reader:
        """The model after the start of a document and `prompt`."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into an empty folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""

    def score(self, documents: Sequence[Tokens]) -> Floats:
        """Negative log probability of each document, its end included, in nats. Shape [documents]."""
        return by_document(self.token_nats(documents), documents)

    def generate(
        self,
        prompt: Tokens,
        max_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        within: Continuations | None = None,
    ) -> NDArray[np.int64]:
        """Sample what follows `prompt`, up to `max_tokens` or END_OF_DOCUMENT. Shape [tokens].

        Args:
            prompt: token ids; may be empty.
            max_tokens: most tokens to write.
            temperature: probabilities are raised to its inverse; 0 takes the likeliest token.
            seed: the same seed writes the same.
            within: draws only what it allows, while the model thinks any of that possible.
        """
        draw = np.random.default_rng(seed)
        reader = self.reader(prompt)
        words: list[int] = []
        while len(words) < max_tokens:
            probability = reader.distribution()
            if within is not None and (allowed := probability * within.allowed()).any():
                probability = allowed
            word = _draw(probability, temperature, draw)
            if word == END_OF_DOCUMENT:
                break
            words.append(word)
            if within is not None:
                within.read(word)
            if len(words) < max_tokens:
                reader.read(word)
        return np.array(words, np.int64)


def by_document(token_nats: Floats, documents: Sequence[Tokens]) -> Floats:
    """Sums over the tokens of each document and its end. [tokens] to [documents]."""
    lengths = [len(document) + 1 for document in documents]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return np.add.reduceat(token_nats, starts) if lengths else np.zeros(0)


def _draw(probability: Floats, temperature: float, draw: np.random.Generator) -> int:
    if temperature <= 0:
        return int(probability.argmax())
    # Relative to the likeliest, so that a low temperature does not underflow to nothing.
    weights = (probability / probability.max()) ** (1.0 / temperature)
    return int(draw.choice(len(weights), p=weights / weights.sum()))
