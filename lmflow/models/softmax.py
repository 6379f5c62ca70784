"""The loss of a softmax over the whole vocabulary, with its gradient written out: for training.

With logits s = x O^T + b of a row x, e_k = exp(s_k - max s), Z = sum e_k and w the next token, the loss is
log Z + max s - s_w. Its gradient at the logits, d (e / Z - onehot(w)), is never made: [rows, V] is the largest array of
a training, and each pass over it counts. The row's d / Z goes into its x, one-hot rows are taken off afterwards:

    dx = (d / Z) e O - d O_w,    dO = e^T (x d / Z) - d x added up at w,    db = e^T (d / Z) - d added up at w
"""

from __future__ import annotations

from typing import Any


def softmax_nats(hidden: Any, matrix: Any, bias: Any, following: Any) -> Any:
    """Negative log probability of each next token.

    Args:
        hidden: x. Shape [batch, time, width].
        matrix: O, the output layer's row of each token, in the precision of `hidden`. Shape [V, width].
        bias: b; None where there is none. Shape [V], float32.
        following: ids of the next tokens. Shape [batch, time].

    Returns:
        Nats, float32. Shape [batch, time].
    """
    import tensorflow as tf

    rows, words = tf.reshape(hidden, (-1, hidden.shape[-1])), tf.reshape(following, (-1,))
    weights = [tf.convert_to_tensor(matrix), *([] if bias is None else [tf.convert_to_tensor(bias)])]

    def nats(rows: Any, matrix: Any, *bias: Any) -> Any:
        # Where memory does not suffice this fails in words; oneDNN's product would take the process with it.
        room = tf.raw_ops.Empty(shape=[tf.shape(rows)[0], matrix.shape[0]], dtype=rows.dtype)
        with tf.control_dependencies([room]):
            rows = tf.identity(rows)
        scores = tf.cast(tf.matmul(rows, matrix, transpose_b=True), tf.float32)
        scores = tf.nn.bias_add(scores, bias[0]) if bias else scores  # in one pass with the product, where it can
        top = tf.reduce_max(scores, axis=1, keepdims=True)
        raised = tf.exp(scores - top)
        total = tf.reduce_sum(raised, axis=1)

        def back(d: Any) -> tuple[Any, ...]:
            share, places, powers = d / total, words[:, None], tf.cast(raised, rows.dtype)
            narrow = tf.cast(tf.stack([share, d]), rows.dtype)[:, :, None]
            d_rows = tf.matmul(powers, matrix) * narrow[0] - tf.gather(matrix, words) * narrow[1]
            d_matrix = tf.matmul(powers, rows * narrow[0], transpose_a=True)
            d_matrix = tf.tensor_scatter_nd_sub(d_matrix, places, rows * narrow[1])
            if not bias:
                return d_rows, d_matrix
            d_bias = tf.matmul(share[None], raised)[0]  # a row from the left takes half of a column from the right
            return d_rows, d_matrix, tf.tensor_scatter_nd_sub(d_bias, places, d)

        return tf.math.log(total) + top[:, 0] - tf.gather(scores, words, batch_dims=1), back

    return tf.reshape(tf.custom_gradient(nats)(rows, *weights), tf.shape(following))
