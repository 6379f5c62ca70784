"""What every language model family can do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.integer]
#: The token that starts every document as context and ends it as a prediction.
END_OF_DOCUMENT = 0


class LanguageModel(Protocol):
    """A model of documents as sequences of token ids, each starting after, and ending with, END_OF_DOCUMENT."""

    @property
    def n_parameters(self) -> int:
        """How many numbers the model holds."""

    def score(self, documents: Sequence[Tokens]) -> NDArray[np.float64]:
        """Negative log probability of each document, its end included, in nats. Shape [documents]."""

    def generate(self, prompt: Tokens, max_tokens: int, temperature: float = 1.0, seed: int = 0) -> NDArray[np.int64]:
        """Token ids that follow `prompt`, up to `max_tokens` or the end of the document. Shape [tokens]."""

    def save(self, folder: Path) -> None:
        """Write the model into an empty folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
