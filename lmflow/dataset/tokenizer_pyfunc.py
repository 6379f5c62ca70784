"""A registered tokenizer, as `mlflow.pyfunc.load_model` runs it. Shipped with it: no lmflow need be installed.

Input: a column `text`. The answer is the token ids of each text; with the parameter `task` at `decode` a text is ids
separated by blanks, and the answer is what they spell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow

from lmflow.dataset.tokenizer import TextTokenizer


class TokenizerPyfunc(mlflow.pyfunc.PythonModel):  # type: ignore[misc, unused-ignore]
    """A tokenizer of bytes, BPE or unigram."""

    def load_context(self, context: Any) -> None:
        """Read the tokenizer."""
        self.tokenizer = TextTokenizer.load(Path(context.artifacts["tokenizer"]).parent)

    # No type hints: MLflow would read them as the model's signature, which we state ourselves.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Token ids of texts, or texts of token ids."""
        texts = [str(text) for text in model_input["text"]]
        if (params or {}).get("task", "encode") == "decode":
            return [self.tokenizer.decode(map(int, ids.split())) for ids in texts]
        return [ids.tolist() for ids in self.tokenizer.encode(texts)]


mlflow.models.set_model(TokenizerPyfunc())
