"""LSTM layers: Keras' own, or through a segment of known length with the gradient written out, to train on CPUs.

Equations as in lstm.py (gates i, f, g, o side by side, as Keras has them). What does not wait for the step before is
one product for all steps: x W + b on the way forth; on the way back, with dz_t the gradient at the gates,

    dh_t = dH_t + dz_{t+1} U^T,    dc_t = dh_t o (1 - tanh(c_t)^2) + dc_{t+1} f_{t+1}
    dz_t = [dc_t g i (1-i), dc_t c_{t-1} f (1-f), dc_t i (1-g^2), dh_t tanh(c_t) o (1-o)]
    dx = dz W^T,    dW = x^T dz,    dU = h_{t-1}^T dz,    db = sum dz                          (each over all t at once)

(Werbos 1990's back-propagation through time of these equations.) Two products of [batch, width] a step remain, where
the loop of Keras' layer has six; docs/log.md has the times.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

_PIECES: Final = 4  # 5 % faster than one with two layers; more are smaller products (docs/benchmarks.md)


def through_layers(
    layers: Sequence[Any], weights: Sequence[list[Any]], flow: Any, before: Sequence[Any], scales: Sequence[Any] | None
) -> tuple[Any, Any, tuple[Any, ...]]:
    """LSTM layers, each on what the one below it says.

    In training on a CPU all layers read a piece of the segment before any reads the next: while one reads its second
    piece, the one above it reads the first on another core. The steps of one layer follow each other and cannot share.

    Args:
        layers: `keras.layers.LSTM` that return sequences and states.
        weights: of each layer: kernel, recurrent kernel and bias; shapes as in `lstm_through_time`.
        flow: inputs. Shape [batch, time, inputs].
        before: units and cells of each layer before the first step. Shapes [batch, width].
        scales: in training what each layer's output is multiplied by, [batch, time or 1, width] or None; else None.

    Returns:
        The last layer's output [batch, time, width] scaled and as it was, and units and cells of each layer after the
        last step, float32.
    """
    import keras

    written = scales is not None and fits(flow)
    dropped, raw, states = list[Any](), list[Any](), list(before)
    for start, end in _pieces(flow.shape[1]) if written and len(layers) > 1 else [(0, None)]:
        piece = said = flow[:, start:end]
        for number, layer in enumerate(layers):
            place = slice(2 * number, 2 * number + 2)
            if written:
                said, *states[place] = lstm_through_time(piece, *states[place], *weights[number])
            else:
                fixed = layer.non_trainable_variables
                (said, *states[place]), _ = layer.stateless_call(
                    weights[number], fixed, piece, initial_state=states[place]
                )
            scale = scales[number] if scales is not None else None
            piece = said if scale is None else said * (scale if scale.shape[1] == 1 else scale[:, start:end])
        dropped.append(piece)
        raw.append(said)
    after = tuple(keras.ops.cast(state, "float32") for state in states)
    return _joined(dropped), _joined(raw), after


def _pieces(time: int) -> list[tuple[int, int]]:
    """Where the pieces of a segment begin and end; steps too few for the pieces are one each."""
    count = min(_PIECES, time)
    edges = [time * number // count for number in range(count + 1)]
    return list(pairwise(edges))


def _joined(pieces: list[Any]) -> Any:
    import keras

    return pieces[0] if len(pieces) == 1 else keras.ops.concatenate(pieces, axis=1)


def fits(flow: Any) -> bool:
    """Whether to train on `flow` [batch, time, width] here: a known length, float32, and no GPU, which has cuDNN."""
    import tensorflow as tf

    known = flow.shape[1] is not None and flow.dtype == tf.float32
    return known and not tf.config.list_physical_devices("GPU")


def lstm_through_time(flow: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> tuple[Any, Any, Any]:
    """What the layer says at every step, and its state after the last.

    Args:
        flow: inputs. Shape [batch, time, inputs].
        h: units before the first step. Shape [batch, width].
        c: cells before the first step. Shape [batch, width].
        kernel: W. Shape [inputs, 4 width].
        recurrent: U. Shape [width, 4 width].
        bias: b. Shape [4 width].

    Returns:
        Units at every step [batch, time, width], units and cells after the last [batch, width].
    """
    import tensorflow as tf

    weights = map(tf.convert_to_tensor, (kernel, recurrent, bias))
    said, h, c = tf.custom_gradient(_forth)(flow, h, c, *weights)
    return said, h, c


def _forth(flow: Any, first_h: Any, first_c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """The values, and a function from their gradients to those of the arguments."""
    import tensorflow as tf

    time, inputs, width = flow.shape[1], flow.shape[2], recurrent.shape[0]
    rows = tf.reshape(tf.transpose(flow, (1, 0, 2)), (-1, inputs))  # step by step from here on
    entering = tf.reshape(tf.nn.bias_add(tf.matmul(rows, kernel), bias), (time, -1, 4 * width))
    before: list[Any] = []
    steps: list[tuple[Any, ...]] = []
    h, c = first_h, first_c
    for arriving in tf.unstack(entering):
        before.append(h)
        i, f, g, o = tf.split(arriving + tf.matmul(h, recurrent), 4, axis=1)
        i, f, g, o, last = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o), c
        c = f * last + i * g
        bent = tf.tanh(c)
        h = o * bent
        steps.append((i, f, g, o, last, bent))
    said = tf.transpose(tf.stack([*before[1:], h]), (1, 0, 2))

    def back(d_said: Any, d_h: Any, d_c: Any) -> tuple[Any, ...]:
        i, f, g, o, last, bent = (tf.stack(part) for part in zip(*steps, strict=True))
        gates = [g * i * (1 - i), last * f * (1 - f), i * (1 - g * g), bent * o * (1 - o)]
        slopes, into_cells = tf.unstack(tf.concat(gates, axis=2)), tf.unstack(o * (1 - bent * bent))
        arriving = tf.unstack(tf.transpose(d_said, (1, 0, 2)))
        found: list[Any] = []
        for step in reversed(range(time)):
            d_h = arriving[step] + d_h
            d_c = d_h * into_cells[step] + d_c
            found.append(tf.concat([d_c, d_c, d_c, d_h], axis=1) * slopes[step])
            d_h, d_c = tf.matmul(found[-1], recurrent, transpose_b=True), d_c * steps[step][1]
        d_gates = tf.reshape(tf.stack(found[::-1]), (-1, 4 * width))
        d_rows = tf.reshape(tf.matmul(d_gates, kernel, transpose_b=True), (time, -1, inputs))
        d_kernel = tf.matmul(rows, d_gates, transpose_a=True)
        d_recurrent = tf.matmul(tf.reshape(tf.stack(before), (-1, width)), d_gates, transpose_a=True)
        return tf.transpose(d_rows, (1, 0, 2)), d_h, d_c, d_kernel, d_recurrent, tf.reduce_sum(d_gates, axis=0)

    return (said, h, c), back
