"""LSTM language model (Zaremba et al. 2014, https://arxiv.org/abs/1409.2329).

For layer l at time t, with s the sigmoid, x [batch, width of the layer below] and h, c [batch, width]:

    i, f, o = s(x W + h U + b),    c_t = f c_{t-1} + i tanh(x W_c + h U_c + b_c),    h_t = o tanh(c_t)

The x of the first layer is the token's row of the embedding matrix E [V, width], of the next it is h_t. Logits are
h_t O^T + b with O [V, width]; tied, O is E (Press & Wolf 2017). Dropout is on what goes up, never on what goes right
(Zaremba's section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models import recurrence
from lmflow.models.neural import NeuralModel, States
from lmflow.models.noise import Noise


@dataclass(frozen=True)
class LstmPreset:
    """The shape of an LSTM language model.

    Attributes:
        layers: LSTM layers, one above the other.
        width: units of each layer, and of the embedding.
        dropout: share of activations dropped between layers while training.
        tied: the output layer's weights are the embedding.
        spread: every weight starts uniform in plus and minus this, as in the paper; 0: Glorot, orthogonal, forget
            biases of one, embeddings in plus and minus 0.05.
    """

    layers: int
    width: int
    dropout: float
    tied: bool = True
    spread: float = 0.0


#: By name. `nano` trains in minutes on two cores; the others are Zaremba et al.'s small, medium and large.
PRESETS: Final[dict[str, LstmPreset]] = {
    "lstm-nano": LstmPreset(layers=1, width=192, dropout=0.1),
    "lstm-zaremba-small": LstmPreset(layers=2, width=200, dropout=0.0, tied=False, spread=0.1),
    "lstm-zaremba-medium": LstmPreset(layers=2, width=650, dropout=0.5, tied=False, spread=0.05),
    "lstm-zaremba-large": LstmPreset(layers=2, width=1500, dropout=0.65, tied=False, spread=0.04),
}


class Lstm(NeuralModel):
    """An LSTM language model over a vocabulary of V tokens."""

    preset: LstmPreset
    preset_type = LstmPreset
    stem = "lstm"

    def _build(self) -> None:
        width, spread = self.preset.width, self.preset.spread
        self._embedding = self._weight("embedding", (self.vocabulary, width), spread or 0.05)
        self._bias = self._weight("output_bias", (self.vocabulary,), spread)
        self._output = self._embedding
        if not self.preset.tied:
            self._output = self._weight("output", (self.vocabulary, width), spread or 0.05)
        self._layers = [self._layer(number) for number in range(self.preset.layers)]

    def _layer(self, number: int) -> Any:
        import keras

        width, spread, seed = self.preset.width, self.preset.spread, self._seed * 1000 + 10 * number
        starts: dict[str, Any] = {
            "kernel_initializer": keras.initializers.GlorotUniform(seed),
            "recurrent_initializer": keras.initializers.Orthogonal(seed=seed + 1),
        }
        if spread:
            kinds = ("kernel_initializer", "recurrent_initializer", "bias_initializer")
            starts = {
                kind: keras.initializers.RandomUniform(-spread, spread, seed=seed + place)
                for place, kind in enumerate(kinds)
            }
        layer = keras.layers.LSTM(
            width,
            return_sequences=True,
            return_state=True,
            unit_forget_bias=not spread,
            dtype="mixed_bfloat16" if self.precision == "bfloat16" else "float32",
            **starts,
        )
        layer.build((None, None, width))
        self.variables += layer.trainable_variables
        return layer

    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """H and c of each layer. Shapes [batch, width]."""
        return tuple(np.zeros((batch, self.preset.width), np.float32) for _ in range(2 * self.preset.layers))

    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """What the last layer says at each token [batch, time, width], and h and c of each layer after the last."""
        import keras

        flow = self._dropped(keras.ops.take(self._use(self._embedding), tokens, axis=0), noise)
        scales = None
        if noise is not None:
            scales = [noise.scale(flow, self.preset.width, self.preset.dropout) for _ in self._layers]
        weights = [[variable.value for variable in layer.trainable_variables] for layer in self._layers]
        before = [keras.ops.cast(state, self.precision) for state in states]
        flow, _, after = recurrence.through_layers(self._layers, weights, flow, before, scales)
        return flow, after

    def output(self) -> tuple[Any, Any]:
        """The output layer's rows and bias."""
        return self._output, self._bias

    def _dropped(self, flow: Any, noise: Noise | None) -> Any:
        return flow if noise is None else noise.drop(flow, self.preset.dropout)
