"""A registered language model, as `mlflow.pyfunc.load_model` runs it. Shipped with it: no lmflow need be installed.

Input: a column `prompt`. With the parameter `task` at `generate` (default) each row is a prompt and the answer is what
the model writes after it; at `score` the answer is the bits per byte of each text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np

from lmflow.dataset.tokenizer import TextTokenizer
from lmflow.models import families


class LanguageModelPyfunc(mlflow.pyfunc.PythonModel):  # type: ignore[misc, unused-ignore]
    """A language model with its tokenizer."""

    def load_context(self, context: Any) -> None:
        """Read the model's folder."""
        folder = Path(context.artifacts["model"])
        self.tokenizer = TextTokenizer.load(folder)
        self.model = families.load(folder)

    # No type hints: MLflow would read them as the model's signature, which we state ourselves.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Texts that follow prompts, or bits per byte of texts."""
        options = {"task": "generate", "max_tokens": 60, "temperature": 0.8, "seed": 0, **(params or {})}
        texts = [str(text) for text in model_input["prompt"]]
        tokens = self.tokenizer.encode(texts)
        if options["task"] == "score":
            n_bytes = np.array([max(1, len(text.encode())) for text in texts])
            return [float(bits) for bits in self.model.score(tokens) / np.log(2) / n_bytes]
        if options["task"] != "generate":
            raise ValueError(f"task {options['task']!r}: choose generate or score")
        return [self._continue(prompt, options) for prompt in tokens]

    def _continue(self, prompt: Any, options: dict[str, Any]) -> str:
        length, temperature, seed = int(options["max_tokens"]), float(options["temperature"]), int(options["seed"])
        written = self.model.generate(prompt, length, temperature, seed, self.tokenizer.whole_characters())
        return self.tokenizer.decode_written(written)


mlflow.models.set_model(LanguageModelPyfunc())
