"""A softmax over a few tokens in place of a large vocabulary, for training only: evaluation is always over all.

With s_k the score of token k, w the next token, and n_1 … n_S drawn with replacement from Q, the loss log Z - s_w has
its normaliser Z = sum_k exp(s_k) replaced by an unbiased estimate (importance sampling: Bengio & Senécal 2008, equation
7; Jean et al. 2015, section 3, train with such samples and translate with all):

    Z' = exp(s_w) + sum over n_i != w of exp(s_{n_i}) / (S Q(n_i)),    Q(k) = log((k + 2) / (k + 1)) / log(V + 1)

Q is the log-uniform distribution of TensorFlow's candidate samplers, which fits ids in the order of frequency: those
of a tokenizer of words are, those of BPE and unigram pieces nearly. log Z' is on average below log Z, ever less as S
grows.
"""

from __future__ import annotations

import math
from typing import Any, Final

from lmflow.models.noise import Noise

_NEVER: Final = -1e9


def sampled_nats(hidden: Any, following: Any, matrix: Any, bias: Any, sample: int, noise: Noise) -> Any:
    """Estimates of the negative log probability of each next token.

    Args:
        hidden: vectors. Shape [batch, time, width].
        following: ids of the next tokens. Shape [batch, time].
        matrix: the output layer's row of each token, in the precision of `hidden`. Shape [V, width].
        bias: of each token; None where there is none. Shape [V].
        sample: S, drawn once for the whole step.
        noise: the step's randomness.

    Returns:
        Nats, float32. Shape [batch, time].
    """
    import keras

    ops, vocabulary = keras.ops, matrix.shape[0]
    spread = math.log(vocabulary + 1)
    drawn = ops.cast(ops.floor(ops.exp(noise.alike([sample]) * spread)), "int32") - 1
    drawn = ops.clip(drawn, 0, vocabulary - 1)
    rank = ops.cast(drawn, "float32")
    log_count = ops.log(ops.log((rank + 2) / (rank + 1)) / spread * sample)
    scores = ops.cast(ops.matmul(hidden, ops.transpose(ops.take(matrix, drawn, axis=0))), "float32")
    right = ops.cast(ops.sum(hidden * ops.take(matrix, following, axis=0), axis=-1), "float32")
    if bias is not None:
        scores, right = scores + ops.take(bias, drawn), right + ops.take(bias, following)
    hit = ops.equal(ops.expand_dims(following, -1), drawn)
    scores = ops.where(hit, _NEVER, scores - log_count)
    return ops.logsumexp(ops.concatenate([ops.expand_dims(right, -1), scores], axis=-1), axis=-1) - right
