"""Simple recurrent network language model (Elman 1990; Mikolov et al. 2010, Interspeech, equations 1 to 4).

    h_t = s(x_t W + h_{t-1} U + b),    y_t = softmax(h_t O^T + d)

with s the sigmoid, x_t the token's row of E [V, width], W and U [width, width], O [V, width]. Mikolov's input matrix is
the product E W. Trained by truncated back-propagation through time over the segments of the training loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models.neural import NeuralModel, States
from lmflow.models.noise import Noise


@dataclass(frozen=True)
class RnnPreset:
    """The shape of a simple recurrent network.

    Attributes:
        width: units of the hidden layer, and of the embedding.
        dropout: share of activations dropped before and after the hidden layer while training.
    """

    width: int
    dropout: float = 0.0


#: By name. `mikolov` has the 300 units of Mikolov & Zweig 2012, whose Penn Treebank test perplexity is 124.7.
PRESETS: Final[dict[str, RnnPreset]] = {
    "rnn-nano": RnnPreset(width=192),
    "rnn-mikolov": RnnPreset(width=300),
}


class Rnn(NeuralModel):
    """A simple recurrent network over a vocabulary of V tokens."""

    preset: RnnPreset
    preset_type = RnnPreset
    stem = "rnn"

    def _build(self) -> None:
        import keras

        width = self.preset.width
        self._embedding = self._weight("embedding", (self.vocabulary, width), 0.1)
        self._output = self._weight("output", (self.vocabulary, width), 0.1)
        self._bias = self._weight("output_bias", (self.vocabulary,), 0.0)
        self._layer = keras.layers.SimpleRNN(
            width,
            activation="sigmoid",
            return_sequences=True,
            return_state=True,
            kernel_initializer=keras.initializers.GlorotUniform(self._seed),
            recurrent_initializer=keras.initializers.Orthogonal(seed=self._seed + 1),
            dtype="mixed_bfloat16" if self.precision == "bfloat16" else "float32",
        )
        self._layer.build((None, None, width))
        self.variables += self._layer.trainable_variables

    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """The hidden layer. Shape [batch, width]."""
        return (np.zeros((batch, self.preset.width), np.float32),)

    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """The hidden layer at each token [batch, time, width], and after the last."""
        import keras

        flow = keras.ops.take(self._use(self._embedding), tokens, axis=0)
        flow = flow if noise is None else noise.drop(flow, self.preset.dropout)
        flow, after = self._layer(flow, initial_state=keras.ops.cast(states[0], self.precision))
        flow = flow if noise is None else noise.drop(flow, self.preset.dropout)
        return flow, (keras.ops.cast(after, "float32"),)

    def output(self) -> tuple[Any, Any]:
        """The output layer's rows and bias."""
        return self._output, self._bias
