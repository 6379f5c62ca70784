"""AWD-LSTM language model (Merity et al. 2017, https://arxiv.org/abs/1708.02182): the LSTM of lstm.py, regularised.

With V tokens, an embedding E [V, e] that is tied to the output, and layers of width w, the last one of width e:

- weight drop: each step masks the recurrent matrices U [w, 4 w] (DropConnect), alike at all times and in all rows;
- variational dropout (Gal & Ghahramani 2016): one mask for all times on inputs, between layers and on the output, and
  whole words of E dropped by row;
- penalties on the last layer h_t [batch, e]: a mean(dropped(h_t)^2) and b mean((h_t - h_{t-1})^2) (AR and TAR).

Their averaged SGD is in the schedule (`average="asgd"`), as are segments of random length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models import recurrence
from lmflow.models.neural import NeuralModel, States
from lmflow.models.noise import Noise


@dataclass(frozen=True)
class AwdLstmPreset:
    """The shape of an AWD-LSTM, in the names of the paper.

    Attributes:
        layers: LSTM layers; all but the last have `width` units.
        width: units of the inner layers.
        embedding: numbers of a token's vector, and units of the last layer.
        dropout: share dropped of the last layer's output.
        input_dropout: of the embedded words.
        hidden_dropout: between layers.
        embedding_dropout: share of the vocabulary's vectors dropped whole.
        weight_drop: share of the recurrent weights dropped.
        activation_penalty: a, of AR.
        change_penalty: b, of TAR.
    """

    layers: int
    width: int
    embedding: int
    dropout: float = 0.4
    input_dropout: float = 0.4
    hidden_dropout: float = 0.25
    embedding_dropout: float = 0.1
    weight_drop: float = 0.5
    activation_penalty: float = 2.0
    change_penalty: float = 1.0


#: By name. `merity` is the paper's Penn Treebank model (24 M parameters there); `nano` trains on two cores.
PRESETS: Final[dict[str, AwdLstmPreset]] = {
    "awd-lstm-nano": AwdLstmPreset(1, 192, 192, 0.1, 0.1, 0.1, 0.02, 0.2, 0.5, 0.5),
    "awd-lstm-merity": AwdLstmPreset(layers=3, width=1150, embedding=400),
}


class AwdLstm(NeuralModel):
    """An AWD-LSTM over a vocabulary of V tokens."""

    preset: AwdLstmPreset
    preset_type = AwdLstmPreset
    stem = "awd_lstm"

    def _build(self) -> None:
        import keras

        preset = self.preset
        self._embedding = self._weight("embedding", (self.vocabulary, preset.embedding), 0.1)
        self._bias = self._weight("output_bias", (self.vocabulary,), 0.0)
        self._widths = [preset.width] * (preset.layers - 1) + [preset.embedding]
        self._layers = []
        for number, (before, width) in enumerate(zip([preset.embedding, *self._widths], self._widths, strict=False)):
            spread, seed = 1 / math.sqrt(width), self._seed * 1000 + 10 * number
            starts: dict[str, Any] = {
                kind: keras.initializers.RandomUniform(-spread, spread, seed=seed + place)
                for place, kind in enumerate(("kernel_initializer", "recurrent_initializer", "bias_initializer"))
            }
            layer = keras.layers.LSTM(
                width,
                return_sequences=True,
                return_state=True,
                unit_forget_bias=False,
                dtype="mixed_bfloat16" if self.precision == "bfloat16" else "float32",
                **starts,
            )
            layer.build((None, None, before))
            self.variables += layer.trainable_variables
            self._layers.append(layer)

    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """Units h and cells c of each layer. Shapes [batch, units]."""
        return tuple(np.zeros((batch, width), np.float32) for width in self._widths for _ in "hc")

    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """What the last layer says at each token, its dropout applied [batch, time, e], and the states after."""
        flow, _, after = self._through_layers(tokens, states, noise)
        return flow, after

    def objective(
        self, tokens: Any, following: Any, weights: Any, states: States, noise: Noise, step: Any
    ) -> tuple[Any, Any, States]:
        """Nats of each token, AR and TAR over all of them, and the states after."""
        import keras

        ops, preset = keras.ops, self.preset
        dropped, raw, after = self._through_layers(tokens, states, noise)
        dropped_wide, raw_wide = ops.cast(dropped, "float32"), ops.cast(raw, "float32")
        count = ops.cast(ops.size(tokens), "float32")
        penalty = preset.activation_penalty * ops.mean(ops.square(dropped_wide))
        penalty += preset.change_penalty * ops.mean(ops.square(raw_wide[:, 1:] - raw_wide[:, :-1]))
        return self.training_nats(dropped, following, noise), penalty * count, after

    def output(self) -> tuple[Any, Any]:
        """The embedding, tied, and the bias."""
        return self._embedding, self._bias

    def _through_layers(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, Any, States]:
        """The last layer's output with and without its dropout, and the states after."""
        import keras

        preset, words = self.preset, self._use(self._embedding)
        if noise is not None:
            words = noise.drop_weights(words, preset.embedding_dropout, rows=True)
        flow = self._dropped(keras.ops.take(words, tokens, axis=0), preset.input_dropout, noise)
        weights = [[variable.value for variable in layer.trainable_variables] for layer in self._layers]
        scales: list[Any] | None = None
        if noise is not None:
            rates, scales = [preset.hidden_dropout] * (preset.layers - 1) + [preset.dropout], []
            for width, rate, of_layer in zip(self._widths, rates, weights, strict=True):
                of_layer[1] = noise.drop_weights(keras.ops.convert_to_tensor(of_layer[1]), preset.weight_drop)
                scales.append(noise.scale(flow, width, rate, through_time=True))
        before = [keras.ops.cast(state, self.precision) for state in states]
        return recurrence.through_layers(self._layers, weights, flow, before, scales)

    def _dropped(self, flow: Any, rate: float, noise: Noise | None) -> Any:
        return flow if noise is None else noise.drop(flow, rate, through_time=True)
