"""What MLflow runs as `<task>-<lang>`: texts in, classes out. Shipped with the few modules it imports.

Input: a column `text`. Output, a row a text: `label`, the likeliest class, and `probability_<class>` of every class.
A text without one word of the vocabulary is given the shares that the classes have among the texts it learnt from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from lmflow.embeddings.container import Embedding
from lmflow.heads.classifier import Head, TextClassifier


class TaskHeadModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc,unused-ignore]
    """A text classifier as an MLflow model."""

    def load_context(self, context: Any) -> None:
        """Read the vectors and the head."""
        paths = {name: Path(path) for name, path in context.artifacts.items()}
        self.classifier = TextClassifier(Embedding.load(paths["embedding"]), Head.load(paths["head"]))

    # MLflow takes the type hints of `predict` for a schema; the signature says it better.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Classify each row of a data frame (column text)."""
        texts = [text if isinstance(text, str) else "" for text in model_input["text"]]
        labels = self.classifier.head.labels
        probabilities = self.classifier.probabilities(texts).astype(float)
        answers = pd.DataFrame(probabilities, columns=[f"probability_{label}" for label in labels])
        answers.insert(0, "label", [labels[best] for best in probabilities.argmax(axis=1)])
        return answers


mlflow.models.set_model(TaskHeadModel())
