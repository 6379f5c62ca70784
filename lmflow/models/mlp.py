"""Feed-forward neural language model with direct connections (Bengio et al. 2003, JMLR 3, equation 1).

    x = (C(w_t), C(w_{t-1}), ..., C(w_{t-n+2})),    y = b + x W + tanh(d + x H) U

with C [V, features], x [(n - 1) features], H [(n - 1) features, width], U [width, V], and W [(n - 1) features, V] the
direct connections from the words to the output. It predicts from the last n - 1 tokens; its state is the ids of all but
the newest, kept as float32 (exact below 2^24). Zeros are END_OF_DOCUMENT: a document's first words see that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models.neural import NeuralModel, States, cross_entropy
from lmflow.models.noise import Noise


@dataclass(frozen=True)
class MlpPreset:
    """The shape of a feed-forward language model.

    Attributes:
        order: n; it predicts from n - 1 tokens.
        features: numbers that describe a token.
        width: units of the hidden layer.
        direct: whether x is connected to the output directly.
        dropout: share of hidden units dropped while training.
    """

    order: int
    features: int
    width: int
    direct: bool = True
    dropout: float = 0.0


#: By name. `bengio` is the best of the paper's table 1 with direct connections (MLP5: n = 5, h = 50, m = 60).
PRESETS: Final[dict[str, MlpPreset]] = {
    "mlp-nano": MlpPreset(order=6, features=48, width=192, dropout=0.1),
    "mlp-bengio": MlpPreset(order=5, features=60, width=50),
}


class Mlp(NeuralModel):
    """A feed-forward language model over a vocabulary of V tokens."""

    preset: MlpPreset
    preset_type = MlpPreset
    stem = "mlp"

    def _build(self) -> None:
        preset = self.preset
        context = (preset.order - 1) * preset.features
        self._features = self._weight("features", (self.vocabulary, preset.features), 0.1)
        self._kernel = self._weight("hidden", (context, preset.width), math.sqrt(6 / (context + preset.width)))
        self._shift = self._weight("hidden_bias", (preset.width,), 0.0)
        # U, and above it W where there are direct connections: one product with (x, tanh).
        rows = preset.width + (context if preset.direct else 0)
        self._output = self._weight("output", (rows, self.vocabulary), 0.5 / math.sqrt(rows))
        self._bias = self._weight("output_bias", (self.vocabulary,), 0.0)

    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """Ids of the n - 2 tokens before. Shape [batch, n - 2]."""
        return (np.zeros((batch, self.preset.order - 2), np.float32),)

    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """X and tanh(d + x H) side by side (without direct connections: only the second), and the last n - 2 ids."""
        import keras

        ids = keras.ops.concatenate([keras.ops.cast(states[0], "int32"), keras.ops.cast(tokens, "int32")], axis=1)
        time, before = keras.ops.shape(tokens)[1], self.preset.order - 2
        features = keras.ops.take(self._use(self._features), ids, axis=0)
        words = [features[:, before - back : before - back + time] for back in range(before + 1)]
        context = keras.ops.concatenate(words, axis=-1)
        units = keras.ops.tanh(keras.ops.matmul(context, self._use(self._kernel)) + self._use(self._shift))
        units = units if noise is None else noise.drop(units, self.preset.dropout)
        flow = keras.ops.concatenate([context, units], axis=-1) if self.preset.direct else units
        return flow, (keras.ops.cast(ids[:, time:], "float32"),)

    def training_nats(self, hidden: Any, following: Any, noise: Noise) -> Any:
        """Nats of each next token; the output layer has a column of each token, not a row."""
        return cross_entropy(self.logits(hidden), following)

    def logits(self, hidden: Any) -> Any:
        """Unnormalised log probabilities of the next token. [batch, time, rows of U (and W)] to [batch, time, V]."""
        import keras

        return keras.ops.cast(keras.ops.matmul(hidden, self._use(self._output)), "float32") + self._bias
