"""What MLflow runs as `embeddings-<lang>`: questions in, answers out. Shipped with the few modules it imports.

A question is a row: `task`, and the columns that the task reads:

    most_similar  word                 -> [{"word": …, "score": …}, …]
    similarity    word, other          -> cosine
    vector        word                 -> numbers
    analogy       word, other, like    -> [{"word": …, "score": …}, …]   athens, greece, oslo -> norway
    doc_similar  text, other          -> cosine of two texts
    related      text                 -> [{"doc_id": …, "title": …, "url": …, "score": …}, …]   articles of the corpus

fastText models answer for words outside the vocabulary too, from their n-grams; such a word has no rank of its own.
A question that cannot be answered gives {"error": reason}; the other rows of the batch are answered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.documents import DocumentVectors, NoKnownWordError
from lmflow.embeddings.vectors import Neighbours, UnknownWordError


class EmbeddingModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc,unused-ignore]
    """Word vectors as an MLflow model."""

    def load_context(self, context: Any) -> None:
        """Read the vectors."""
        embedding = Embedding.load(Path(context.artifacts["embedding"]))
        self.vectors, self.documents = embedding.vectors, DocumentVectors(embedding)
        self.related = None
        if "related" in context.artifacts:
            from lmflow.embeddings.related import RelatedDocuments

            self.related = RelatedDocuments.load(Path(context.artifacts["related"]))

    # MLflow takes the type hints of `predict` for a schema; the signature says it better.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Answer each row of a data frame (columns task, word, other, like, text); `params` may hold topn."""
        topn = int((params or {}).get("topn", 10))
        return [self._answer({**row}, topn) for row in model_input.to_dict("records")]

    def _answer(self, question: dict[str, Any], topn: int) -> Any:
        task = question.get("task")
        try:
            words = [_word(question, name) for name in _TASKS[str(task)]]
        except KeyError:
            return {"error": f"unknown task {task!r}: there are {', '.join(_TASKS)}"}
        except ValueError as error:
            return {"error": f"task {task} needs {error}"}
        try:
            if task == "vector":
                return self.vectors.vector(words[0]).tolist()
            if task == "similarity":
                return self.vectors.similarity(words[0], words[1])
            if task == "doc_similar":
                return self.documents.similarity(words[0], words[1])
            if task == "related":
                if self.related is None:
                    return {"error": "this model has no index of articles: it was not trained on the corpus"}
                return self.related.nearest(self.documents.vector(words[0]), topn)
            if task == "analogy":
                return _named(self.vectors.analogy(words[0], words[1], words[2], topn))
            return _named(self.vectors.most_similar(words[0], topn))
        except (UnknownWordError, NoKnownWordError) as error:
            return {"error": str(error)}


#: Which columns each task reads.
_TASKS = {
    "most_similar": ("word",),
    "similarity": ("word", "other"),
    "vector": ("word",),
    "analogy": ("word", "other", "like"),
    "doc_similar": ("text", "other"),
    "related": ("text",),
}


def _word(question: dict[str, Any], column: str) -> str:
    value = question.get(column)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(column)
    return value.strip()


def _named(neighbours: Neighbours) -> list[dict[str, Any]]:
    return [{"word": word, "score": round(score, 6)} for word, score in neighbours]


mlflow.models.set_model(EmbeddingModel())
