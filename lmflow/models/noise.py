"""The randomness of one training step: dropout masks and latent samples, drawn for the whole global batch.

Each part of a batch (a replica's, or one of an accumulation's) takes its own rows of what was drawn. So an example
meets the same mask however the batch is split, and a step that is repeated after a kill draws what it drew before.
Weights are masked alike everywhere.
"""

from __future__ import annotations

from typing import Any


class Noise:
    """Draws that follow from a seed and the order in which they are asked for.

    Args:
        seed: two integers. Shape [2], int32.
        first: number of the first example of this part in the global batch.
        total: examples of the global batch.
    """

    def __init__(self, seed: Any, first: Any, total: int) -> None:
        self._seed, self._first, self._total = seed, first, total
        self._drawn = 0

    def drop(self, values: Any, rate: float, through_time: bool = False) -> Any:
        """Zero a share of `values` [rows, time, width] and scale up the rest (Srivastava et al. 2014).

        Args:
            values: this part's rows.
            rate: share to drop.
            through_time: one mask for all of a row's time steps (Gal & Ghahramani 2016).
        """
        scale = self.scale(values, values.shape[-1], rate, through_time)
        return values if scale is None else values * scale

    def scale(self, like: Any, width: int, rate: float, through_time: bool = False) -> Any:
        """What `drop` multiplies values [rows, time, width] by; None where nothing is dropped.

        Args:
            like: an array with the rows, the time steps and the precision of the values.
            width: of the values.
            rate: share to drop.
            through_time: one mask for all of a row's time steps; the shape is [rows, 1, width] then.
        """
        if not rate:
            return None
        import tensorflow as tf

        shape = tf.shape(like)
        rows = shape[0] if like.shape[0] is None else like.shape[0]
        drawn = self.uniform(rows, [1 if through_time else shape[1], width])
        return tf.cast(drawn >= rate, like.dtype) / (1 - rate)

    def drop_weights(self, weights: Any, rate: float, rows: bool = False) -> Any:
        """Zero a share of a weight matrix (or of its rows) and scale up the rest, alike on every replica."""
        if not rate:
            return weights
        import tensorflow as tf

        shape = [weights.shape[0], 1] if rows else weights.shape
        drawn = tf.random.stateless_uniform(shape, self._next())
        return weights * tf.cast(drawn >= rate, weights.dtype) / (1 - rate)

    def alike(self, shape: Any) -> Any:
        """Numbers in [0, 1), the same for every part of the batch."""
        import tensorflow as tf

        return tf.random.stateless_uniform(shape, self._next())

    def uniform(self, rows: Any, shape: Any) -> Any:
        """Numbers in [0, 1) for this part's rows. Shape [rows, *shape]."""
        import tensorflow as tf

        whole = tf.random.stateless_uniform(tf.concat([[self._total], shape], 0), self._next())
        return self._rows(whole, rows)

    def normal(self, rows: Any, shape: Any) -> Any:
        """Standard normal numbers for this part's rows. Shape [rows, *shape]."""
        import tensorflow as tf

        whole = tf.random.stateless_normal(tf.concat([[self._total], shape], 0), self._next())
        return self._rows(whole, rows)

    def _rows(self, whole: Any, rows: Any) -> Any:
        part = whole[self._first : self._first + rows]
        if isinstance(rows, int):  # the slice has forgotten it
            part.set_shape([rows, *part.shape[1:]])
        return part

    def _next(self) -> Any:
        self._drawn += 1
        import tensorflow as tf

        return self._seed + tf.constant([self._drawn, 0])
