"""LSTM language model (Zaremba et al. 2014, https://arxiv.org/abs/1409.2329), input and output embeddings tied.

For layer l at time t, with s the sigmoid:  i, f, o = s(W x + U h + b),  c_t = f c_{t-1} + i tanh(W_c x + U_c h + b_c),
h_t = o tanh(c_t); x of the next layer is h_t. Logits are E h_t + b with E the embedding matrix (Press & Wolf 2017).
Dropout is on what goes up, never on what goes right (Zaremba's section 3.1). States are explicit: they go in and come
out, so that training can carry them from one segment to the next and a checkpoint can hold them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from lmflow.models.contract import END_OF_DOCUMENT, Floats, LanguageModel, Tokens

if TYPE_CHECKING:
    import tensorflow as tf

_SCORE_BATCH: Final = 64
_SCORE_LENGTH: Final = 64


@dataclass(frozen=True)
class LstmPreset:
    """The shape of an LSTM language model.

    Attributes:
        layers: LSTM layers, one above the other.
        width: units of each layer, and of the embedding.
        dropout: share of activations dropped between layers while training.
    """

    layers: int
    width: int
    dropout: float


#: By name. `nano` trains in minutes on two cores; the others are Zaremba et al.'s small, medium and large.
PRESETS: Final[dict[str, LstmPreset]] = {
    "lstm-nano": LstmPreset(layers=1, width=192, dropout=0.1),
    "lstm-zaremba-small": LstmPreset(layers=2, width=200, dropout=0.0),
    "lstm-zaremba-medium": LstmPreset(layers=2, width=650, dropout=0.5),
    "lstm-zaremba-large": LstmPreset(layers=2, width=1500, dropout=0.65),
}


class Lstm(LanguageModel):
    """An LSTM language model over a vocabulary of V tokens."""

    def __init__(self, vocabulary: int, preset: LstmPreset, seed: int = 0) -> None:
        import keras

        self.vocabulary = vocabulary
        self.preset = preset
        width = preset.width
        seeds = iter(range(seed * 1000, seed * 1000 + 100))
        self._embedding = keras.Variable(
            keras.random.uniform((vocabulary, width), -0.05, 0.05, seed=next(seeds)), name="embedding"
        )
        self._bias = keras.Variable(np.zeros(vocabulary, np.float32), name="output_bias")
        self._layers = [
            keras.layers.LSTM(
                width,
                return_sequences=True,
                return_state=True,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            )
            for _ in range(preset.layers)
        ]
        for layer in self._layers:
            layer.build((None, None, width))

    @property
    def variables(self) -> list[Any]:
        """Every trainable variable, in a fixed order."""
        return [self._embedding, self._bias, *(v for layer in self._layers for v in layer.trainable_variables)]

    @property
    def n_parameters(self) -> int:
        """Trainable numbers."""
        return int(sum(np.prod(variable.shape) for variable in self.variables))

    def zero_states(self, batch: int) -> NDArray[np.float32]:
        """The states at the start of a text. Shape [2 * layers, batch, width]: h and c of each layer."""
        return np.zeros((2 * self.preset.layers, batch, self.preset.width), np.float32)

    def forward(self, tokens: tf.Tensor, states: tf.Tensor, dropout_seed: tf.Tensor | None) -> Any:
        """Logits of what follows each token, and the states after the last.

        Args:
            tokens: ids. Shape [batch, time].
            states: from `zero_states` or an earlier call.
            dropout_seed: two integers that decide the dropout masks (shape [2]); None when not training.

        Returns:
            Logits [batch, time, V] and states [2 * layers, batch, width].
        """
        import tensorflow as tf

        hidden = self._dropped(tf.gather(self._embedding.value, tokens), dropout_seed, 0)
        after = []
        for number, layer in enumerate(self._layers):
            hidden, h, c = layer(hidden, initial_state=[states[2 * number], states[2 * number + 1]])
            hidden = self._dropped(hidden, dropout_seed, number + 1)
            after += [h, c]
        return tf.einsum("bth,vh->btv", hidden, self._embedding.value) + self._bias.value, tf.stack(after)

    def _dropped(self, hidden: tf.Tensor, seed: tf.Tensor | None, place: int) -> tf.Tensor:
        import tensorflow as tf

        if seed is None or not self.preset.dropout:
            return hidden
        return tf.nn.experimental.stateless_dropout(hidden, self.preset.dropout, seed=seed + tf.constant([place, 0]))

    # ----------------------------------------------------------------- query

    def token_nats(self, documents: Sequence[Tokens]) -> Floats:
        """Negative log probability of every token, document after document, each with its end. Shape [tokens]."""
        ends = np.cumsum([len(document) + 1 for document in documents])
        nats = np.zeros(int(ends[-1]) if len(ends) else 0)
        longest_first = np.argsort([-len(document) for document in documents], kind="stable")
        for start in range(0, len(longest_first), _SCORE_BATCH):
            rows = longest_first[start : start + _SCORE_BATCH]
            for row, losses in zip(rows, self._score_batch([documents[row] for row in rows]), strict=True):
                length = len(documents[row]) + 1
                nats[ends[row] - length : ends[row]] = losses[:length]
        return nats

    def _score_batch(self, documents: Sequence[Tokens]) -> Floats:
        """Nats by place of documents given longest first; one that has ended is computed no further."""
        lengths = np.array([len(document) + 1 for document in documents])
        time = -(-lengths.max() // _SCORE_LENGTH) * _SCORE_LENGTH
        text = np.full((len(documents), time + 1), END_OF_DOCUMENT, np.int32)
        for row, document in enumerate(documents):
            text[row, 1 : len(document) + 1] = document
        states: Any = self.zero_states(len(documents))
        nats = np.zeros((len(documents), time))
        for start in range(0, time, _SCORE_LENGTH):
            active = int(np.count_nonzero(lengths > start))
            window = text[:active, start : start + _SCORE_LENGTH + 1]
            losses, states = self._losses(window[:, :-1], window[:, 1:], states[:, :active])
            nats[:active, start : start + _SCORE_LENGTH] = losses.numpy()
        return nats

    @cached_property
    def _losses(self) -> Any:
        """Compiled: tokens and what follows each [batch, time] to nats [batch, time] and the states after."""
        import tensorflow as tf

        ids = tf.TensorSpec([None, _SCORE_LENGTH], tf.int32)
        carried = tf.TensorSpec([2 * self.preset.layers, None, self.preset.width], tf.float32)

        @tf.function(input_signature=[ids, ids, carried])  # type: ignore[untyped-decorator, unused-ignore]
        def losses(tokens: Any, following: Any, states: Any) -> Any:
            logits, after = self.forward(tokens, states, None)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=following, logits=logits), after

        return losses

    def reader(self, prompt: Tokens) -> _Reader:
        """The model after the start of a document and `prompt`."""
        reader = _Reader(self._following, self.zero_states(1))
        reader.feed(np.concatenate([[END_OF_DOCUMENT], np.asarray(prompt, np.int64)]))
        return reader

    @cached_property
    def _following(self) -> Any:
        """Compiled: tokens [1, time] and states to the next token's logits [V] and the states after."""
        import tensorflow as tf

        @tf.function(  # type: ignore[untyped-decorator, unused-ignore]
            input_signature=[tf.TensorSpec([1, None], tf.int32), tf.TensorSpec([None, 1, None], tf.float32)]
        )
        def following(tokens: Any, states: Any) -> Any:
            logits, after = self.forward(tokens, states, None)
            return logits[0, -1], after

        return following

    # ------------------------------------------------------------------ disk

    def save(self, folder: Path) -> None:
        """Write `lstm.json` (the shape) and `lstm.npz` (the weights)."""
        shape = {"vocabulary": self.vocabulary, **asdict(self.preset)}
        (folder / "lstm.json").write_text(json.dumps(shape), encoding="utf-8")
        arrays = {f"v{i}": np.asarray(variable) for i, variable in enumerate(self.variables)}
        np.savez(folder / "lstm.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        shape = json.loads((folder / "lstm.json").read_text(encoding="utf-8"))
        model = cls(shape.pop("vocabulary"), LstmPreset(**shape))
        with np.load(folder / "lstm.npz", allow_pickle=False) as arrays:
            for i, variable in enumerate(model.variables):
                variable.assign(arrays[f"v{i}"])
        return model


class _Reader:
    def __init__(self, following: Any, states: NDArray[np.float32]) -> None:
        self._following, self._states = following, states
        self._logits: Any = None

    def feed(self, tokens: Tokens) -> None:
        self._logits, self._states = self._following(np.asarray(tokens, np.int32)[None, :], self._states)

    def read(self, token: int) -> None:
        self.feed(np.array([token]))

    def distribution(self) -> Floats:
        logits = self._logits.numpy().astype(np.float64)
        weights = np.exp(logits - logits.max())
        found: Floats = weights / weights.sum()
        return found
