"""A text classifier: the vector of a text, one linear layer, a softmax. NumPy alone; shipped in models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.documents import DocumentVectors
from lmflow.embeddings.vectors import Matrix

_FORMAT: Final = "lmflow-task-head-1"


@dataclass(frozen=True)
class Head:
    """Multinomial logistic regression: p(label | v) = softmax(weights · v + bias), v the vector of a text.

    Args:
        labels: the classes.
        weights: float32, shape [labels, dimensions].
        bias: float32, shape [labels].
        shares: of each class among the texts it learnt from, shape [labels]: the answer where a text has no vector.
    """

    labels: tuple[str, ...]
    weights: Matrix
    bias: Matrix
    shares: Matrix

    def probabilities(self, vectors: Matrix, known: NDArray[np.bool_]) -> Matrix:
        """Of each class, shape [texts, labels].

        Args:
            vectors: of the texts, shape [texts, dimensions].
            known: which texts have one, shape [texts].
        """
        logits = vectors @ self.weights.T + self.bias
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: Matrix = exponents / exponents.sum(axis=1, keepdims=True)
        found[~known] = self.shares
        return found

    def save(self, path: Path) -> None:
        """Write tensors `weights`, `bias`, `shares` (safetensors); the labels, as JSON, are metadata."""
        from safetensors.numpy import save_file

        tensors = {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in _TENSORS}
        save_file(tensors, path, {"format": _FORMAT, "labels": json.dumps(self.labels, ensure_ascii=False)})

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is not a task head.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                facts = file.metadata() or {}
                if facts.get("format") != _FORMAT:
                    raise ValueError(f"{path} is not a task head (format {facts.get('format')!r})")
                return cls(tuple(json.loads(facts["labels"])), *(file.get_tensor(name) for name in _TENSORS))
        except SafetensorError as error:
            raise ValueError(f"{path} is not in the safetensors format ({error})") from None


_TENSORS: Final = ("weights", "bias", "shares")


class TextClassifier:
    """Texts to classes, by the word vectors and the head that learnt from them."""

    def __init__(self, embedding: Embedding, head: Head) -> None:
        self.head, self._documents = head, DocumentVectors(embedding)

    def probabilities(self, texts: Sequence[str]) -> Matrix:
        """Of each class, shape [texts, labels]; of a text without a known word, the classes' shares in training."""
        return self.head.probabilities(*self._documents.matrix(texts))
