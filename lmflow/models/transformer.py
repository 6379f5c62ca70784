"""Transformer decoder language model (Vaswani et al. 2017) in today's form, with a sliding window and a cache.

Pre-norm (Xiong et al. 2020), no biases, E [V, width] tied to the output. For each layer, with x [batch, time, width]:

    x <- x + Attention(N(x)) W_o,    x <- x + (silu(N(x) W_g) * (N(x) W_u)) W_d        (SwiGLU, Shazeer 2020)
    N(x) = g x / sqrt(mean(x^2) + 1e-6)                                               (RMSNorm, Zhang & Sennrich 2019)
    Attention = softmax(R_i q_i . R_j k_j / sqrt(d)) v_j over i - memory <= j <= i     (rotary R, Su et al. 2021)

Queries, keys and values are N(x) times [width, 3 width], in heads of d = width / heads. Keys and values of the last
`memory` tokens are the state that is carried (Dai et al. 2019; no gradient flows into them), so a token sees the same
window however the text is cut into segments: trained, scored, or read token by token. Rotary positions are relative, so
the cache keeps keys unrotated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models.neural import NeuralModel, States
from lmflow.models.noise import Noise

_ROTARY_BASE: Final = 10_000.0
_EPSILON: Final = 1e-6


@dataclass(frozen=True)
class TransformerPreset:
    """The shape of a Transformer.

    Attributes:
        layers: one above the other.
        width: numbers of each token's vector.
        heads: of attention; they divide the width into parts of even size.
        inner: units of the feed-forward part; 8/3 of the width keeps the size of a part with 4 times without gates.
        memory: how many tokens before it a token sees in each layer.
        dropout: share dropped of embeddings and of what each part adds, while training.
    """

    layers: int
    width: int
    heads: int
    inner: int
    memory: int
    dropout: float


#: By name. `nano` trains in minutes on two cores; `small` and `base` want a GPU.
PRESETS: Final[dict[str, TransformerPreset]] = {
    "transformer-nano": TransformerPreset(layers=4, width=128, heads=4, inner=344, memory=64, dropout=0.1),
    "transformer-small": TransformerPreset(layers=6, width=384, heads=6, inner=1024, memory=256, dropout=0.1),
    "transformer-base": TransformerPreset(layers=12, width=768, heads=12, inner=2048, memory=512, dropout=0.1),
}


class Transformer(NeuralModel):
    """A Transformer decoder over a vocabulary of V tokens."""

    preset: TransformerPreset
    preset_type = TransformerPreset
    stem = "transformer"

    def _build(self) -> None:
        preset = self.preset
        if preset.width % (2 * preset.heads):
            raise ValueError(f"a width of {preset.width} does not divide into {preset.heads} heads of even size")
        width, inner = preset.width, preset.inner
        # Variance of GPT-2 (0.02^2) where it matters; what adds to the stream is scaled down by its depth.
        spread = math.sqrt(3) * 0.02
        self._embedding = self._weight("embedding", (self.vocabulary, width), spread)
        self._blocks = []
        for number in range(preset.layers):
            within, out = math.sqrt(3 / width), 1 / math.sqrt(2 * preset.layers)
            self._blocks.append(
                (
                    self._variable(f"attention_norm{number}", np.ones(width)),
                    self._weight(f"qkv{number}", (width, 3 * width), within),
                    self._weight(f"attention_out{number}", (width, width), within * out),
                    self._variable(f"feed_norm{number}", np.ones(width)),
                    self._weight(f"gate_and_up{number}", (width, 2 * inner), within),
                    self._weight(f"down{number}", (inner, width), math.sqrt(3 / inner) * out),
                )
            )
        self._last_norm = self._variable("last_norm", np.ones(width))

    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """Keys and values [batch, layers, memory, width], and which of the memory is text [batch, memory]."""
        preset = self.preset
        cache = (batch, preset.layers, preset.memory, preset.width)
        return np.zeros(cache, np.float32), np.zeros(cache, np.float32), np.zeros((batch, preset.memory), np.float32)

    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """The last layer's vectors, normalised [batch, time, width], and the memory after the last token."""
        import keras

        ops, memory = keras.ops, self.preset.memory
        old_keys, old_values, valid = states
        time = ops.shape(tokens)[1]
        seen = ops.concatenate([valid, ops.ones_like(tokens, dtype="float32")], axis=1)
        mask, rotation = _window(seen, time, memory), _rotation(time + memory, self.preset.width // self.preset.heads)
        # As large as what the layers add, so that the first ones are heard.
        flow = ops.take(self._use(self._embedding), tokens, axis=0) * math.sqrt(self.preset.width)
        flow = self._dropped(flow, noise)
        keys, values = [], []
        for number, (norm, qkv, out, feed_norm, gate_and_up, down) in enumerate(self._blocks):
            query, key, value = ops.split(ops.matmul(self._normal(flow, norm), self._use(qkv)), 3, axis=-1)
            key = ops.concatenate([ops.cast(old_keys[:, number], self.precision), key], axis=1)
            value = ops.concatenate([ops.cast(old_values[:, number], self.precision), value], axis=1)
            added = ops.matmul(self._attention(query, key, value, mask, rotation), self._use(out))
            flow = flow + self._dropped(added, noise)
            gate, up = ops.split(ops.matmul(self._normal(flow, feed_norm), self._use(gate_and_up)), 2, axis=-1)
            flow = flow + self._dropped(ops.matmul(ops.silu(gate) * up, self._use(down)), noise)
            keys.append(key[:, time:])
            values.append(value[:, time:])
        after = tuple(ops.cast(ops.stack(part, axis=1), "float32") for part in (keys, values))
        return self._normal(flow, self._last_norm), (*after, seen[:, time:])

    def output(self) -> tuple[Any, Any]:
        """The embedding, tied; there is no bias."""
        return self._embedding, None

    def _attention(self, query: Any, key: Any, value: Any, mask: Any, rotation: tuple[Any, Any]) -> Any:
        """Queries [batch, time, width] over keys and values [batch, m+t, width]; mask [batch, 1, time, m+t]."""
        import keras

        ops, heads = keras.ops, self.preset.heads
        each = self.preset.width // heads

        def in_heads(flow: Any) -> Any:
            return ops.transpose(ops.reshape(flow, (-1, ops.shape(flow)[1], heads, each)), (0, 2, 1, 3))

        cosine, sine = (ops.cast(part, self.precision) for part in rotation)
        start = self.preset.memory
        query = _rotated(in_heads(query), cosine[start:], sine[start:])
        key = _rotated(in_heads(key), cosine, sine)
        scores = ops.cast(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))), "float32") / math.sqrt(each)
        shares = ops.cast(ops.softmax(scores + mask, axis=-1), self.precision)
        mixed = ops.transpose(ops.matmul(shares, in_heads(value)), (0, 2, 1, 3))
        return ops.reshape(mixed, (-1, ops.shape(mixed)[1], heads * each))

    def _normal(self, flow: Any, gain: Any) -> Any:
        import keras

        ops = keras.ops
        wide = ops.cast(flow, "float32")
        normal = wide * ops.rsqrt(ops.mean(ops.square(wide), axis=-1, keepdims=True) + _EPSILON) * gain
        return ops.cast(normal, self.precision)

    def _dropped(self, flow: Any, noise: Noise | None) -> Any:
        return flow if noise is None else noise.drop(flow, self.preset.dropout)


def _window(seen: Any, time: Any, memory: int) -> Any:
    """0 where a token sees another, very negative elsewhere. `seen` [batch, m+t] to [batch, 1, time, m+t]."""
    import keras

    ops = keras.ops
    query = ops.expand_dims(ops.arange(time), 1)
    key = ops.expand_dims(ops.arange(time + memory), 0)
    near = ops.cast(ops.logical_and(key >= query, key <= query + memory), "float32")
    return (near[None, None] * seen[:, None, None, :] - 1.0) * 1e9


def _rotation(length: Any, size: int) -> tuple[Any, Any]:
    """Cosines and sines of position times frequency. Shapes [length, size / 2]."""
    import keras

    ops = keras.ops
    frequency = _ROTARY_BASE ** (-np.arange(0, size, 2, dtype=np.float32) / size)
    angle = ops.expand_dims(ops.cast(ops.arange(length), "float32"), 1) * frequency[None, :]
    return ops.cos(angle), ops.sin(angle)


def _rotated(flow: Any, cosine: Any, sine: Any) -> Any:
    """Each pair (first half, second half) of [batch, heads, length, size] turned by its angle."""
    import keras

    first, second = keras.ops.split(flow, 2, axis=-1)
    return keras.ops.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
