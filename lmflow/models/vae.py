"""Variational autoencoder of sentences (Bowman et al. 2016, https://arxiv.org/abs/1511.06349), with GRUs.

An encoder reads a sentence x [time] into q(z | x) = N(mu, diag(s^2)), mu and log s^2 [latent]; a decoder that starts
from tanh(z W), and sees z beside each word where the preset says so, gives p(x | z) = prod_t p(x_t | x_<t, z). Trained
on the evidence lower bound

    log p(x) >= E_q[log p(x | z)] - a KL(q(z | x) || N(0, I)),    KL = 1/2 sum(mu^2 + s^2 - log s^2 - 1)

with one sample of z, the weight a rising from 0 to 1 along a sigmoid (their section 3.1), and a share of the decoder's
input words dropped (their 3.1 too), both against a posterior that collapses into the prior. A training shorter than the
rise has all of it in its length; one that goes on from another model has it behind it: a = 1 throughout.

A document longer than `longest` tokens is read in pieces of that length, each by itself. What is scored is the
importance-weighted bound (Burda et al. 2016, equation 8), log p(x) >= E log 1/K sum_k p(x, z_k) / q(z_k | x), over
the same K draws for every piece, so that a score does not depend on what it is scored with. It is a bound: the true
perplexity is no higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from lmflow.models.contract import END_OF_DOCUMENT, Floats, LanguageModel, Tokens
from lmflow.models.neural import NeuralModel, NeuralReader, States, cross_entropy
from lmflow.models.noise import Noise

_SCORE_ROWS: Final = 256  # pieces times draws at a time
_ACTIVE: Final = 0.01  # variance over sentences of a unit's mean from which it is active (Burda et al. 2016, section 5)
_COLLAPSED: Final = 0.1  # nats of KL a piece below which the latent says nothing


@dataclass(frozen=True)
class VaePreset:
    """The shape of a sentence VAE.

    Attributes:
        width: units of encoder and decoder.
        latent: numbers of z.
        longest: tokens of the longest piece of text.
        anneal_steps: steps over which the weight of the KL term rises from 0 to 1, 1/2 in their middle.
        word_dropout: share of the decoder's input words that it does not see while training.
        dropout: share of activations dropped before the decoder while training.
        draws: K of the importance-weighted bound.
        embedding: numbers of a word's vector; None: `width`.
        output_dropout: share of activations dropped after the decoder while training; None: `dropout`.
        beside_words: the decoder sees z beside each word too, not in its first state alone.
    """

    width: int
    latent: int
    longest: int
    anneal_steps: int
    word_dropout: float
    dropout: float
    draws: int = 16
    embedding: int | None = None
    output_dropout: float | None = None
    beside_words: bool = True


#: By name. `bowman` has the paper's sizes of its Penn Treebank model (latent 13, one layer), a GRU for its LSTM.
#: `timbmg` has those of https://github.com/timbmg/Sentence-VAE, whose README reports the Penn Treebank test figures
#: NLL 103.97 (reconstruction alone) and KL 7.27. Its weight of the KL term rises with slope 0.0025 around step 2,500,
#: ours with 0.002; it has no tanh in the decoder's first state, and cuts sentences at 60 words.
PRESETS: Final[dict[str, VaePreset]] = {
    "vae-nano": VaePreset(width=192, latent=16, longest=64, anneal_steps=400, word_dropout=0.25, dropout=0.1),
    "vae-bowman": VaePreset(width=191, latent=13, longest=100, anneal_steps=8000, word_dropout=0.38, dropout=0.0),
    "vae-timbmg": VaePreset(
        width=256,
        latent=16,
        longest=100,
        anneal_steps=5000,
        word_dropout=0.0,
        dropout=0.5,
        embedding=300,
        output_dropout=0.0,
        beside_words=False,
    ),
}


@dataclass(frozen=True)
class LatentReport:
    """What the latent variable does, in nats a piece (a sentence, where each line is one).

    Attributes:
        reconstruction: -log p(x | z), mean over z of the posterior; what code such as timbmg's prints as "NLL".
        negative_elbo: reconstruction plus KL: the bound on -log p(x) that Bowman et al. report as NLL.
        kl: of the posterior from the prior.
        importance_weighted: the tighter bound that is scored.
        active_units: of z, those whose mean varies with the text.
        collapsed: the posterior is (nearly) the prior: the decoder ignores z.
    """

    reconstruction: float
    negative_elbo: float
    kl: float
    importance_weighted: float
    active_units: int
    collapsed: bool


class Vae(NeuralModel):
    """A sentence VAE over a vocabulary of V tokens. Its states are the decoder's: units and z."""

    preset: VaePreset
    preset_type = VaePreset
    stem = "vae"
    reads: ClassVar = "pieces"

    def _build(self) -> None:
        import keras

        width, latent = self.preset.width, self.preset.latent
        embedding = self.preset.embedding or width
        self._anneal_steps = self.preset.anneal_steps
        self._embedding = self._weight("embedding", (self.vocabulary, embedding), 0.1)
        self._posterior = self._weight("posterior", (width, 2 * latent), 0.1)
        self._posterior_bias = self._variable("posterior_bias", np.zeros(2 * latent))
        self._start = self._weight("start", (latent, width), 0.1)
        self._output = self._weight("output", (self.vocabulary, width), 0.1)
        self._bias = self._variable("output_bias", np.zeros(self.vocabulary))
        layers = []
        for number, inputs in enumerate((embedding, embedding + latent * self.preset.beside_words)):
            layer = keras.layers.GRU(
                width,
                return_sequences=True,
                return_state=True,
                kernel_initializer=keras.initializers.GlorotUniform(self._seed * 10 + 2 * number),
                recurrent_initializer=keras.initializers.Orthogonal(seed=self._seed * 10 + 2 * number + 1),
                dtype="mixed_bfloat16" if self.precision == "bfloat16" else "float32",
            )
            layer.build((None, None, inputs))
            self.variables += layer.trainable_variables
            layers.append(layer)
        self._encoder, self._decoder = layers

    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """The decoder's units [batch, width] and z [batch, latent] at the prior's mean."""
        return tuple(np.zeros((batch, size), np.float32) for size in (self.preset.width, self.preset.latent))

    def encode(self, text: Any, weights: Any) -> tuple[Any, Any]:
        """Mean and log variance of q(z | text). Ids and weights (0: padding) [batch, time] to [batch, latent] each."""
        import keras

        ops = keras.ops
        words, read = ops.take(self._use(self._embedding), text, axis=0), ops.cast(weights, "bool")
        # A row that holds no piece reads one token for nothing: cuDNN refuses a mask that hides all of a row.
        read = ops.concatenate([ops.ones_like(read[:, :1]), read[:, 1:]], axis=1)
        _, last = self._encoder(words, mask=read)
        found = ops.cast(ops.matmul(last, self._use(self._posterior)), "float32") + self._posterior_bias
        mean, log_variance = ops.split(found, 2, axis=-1)
        return mean, log_variance

    def states_of(self, z: Any) -> States:
        """The decoder's states at the start of a text whose latent is z [batch, latent]."""
        import keras

        return keras.ops.tanh(keras.ops.matmul(z, self._start)), z

    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """The decoder's units at each token [batch, time, width], and the states after the last."""
        import keras

        ops, preset, (units, z) = keras.ops, self.preset, states
        words = ops.take(self._use(self._embedding), tokens, axis=0)
        if noise is not None:
            shape = ops.shape(words)
            seen = noise.uniform(shape[0], [shape[1], 1]) >= preset.word_dropout
            words = noise.drop(words * ops.cast(seen, words.dtype), preset.dropout)
        if preset.beside_words:
            rows, time = ops.shape(words)[:2]
            beside = ops.broadcast_to(ops.cast(z, self.precision)[:, None, :], (rows, time, preset.latent))
            words = ops.concatenate([words, beside], axis=-1)
        flow, after = self._decoder(words, initial_state=ops.cast(units, self.precision))
        if noise is not None:
            flow = noise.drop(flow, preset.dropout if preset.output_dropout is None else preset.output_dropout)
        return flow, (ops.cast(after, "float32"), z)

    def output(self) -> tuple[Any, Any]:
        """The output layer's rows and bias."""
        return self._output, self._bias

    def objective(
        self, tokens: Any, following: Any, weights: Any, states: States, noise: Noise, step: Any
    ) -> tuple[Any, Any, States]:
        """Reconstruction in nats [batch, time], the annealed KL over all pieces, and the states as they came."""
        import keras

        ops = keras.ops
        mean, log_variance = self.encode(following, weights)
        z = mean + ops.exp(log_variance / 2) * noise.normal(ops.shape(mean)[0], [self.preset.latent])
        hidden, _ = self.hidden(tokens, self.states_of(z), noise)
        pieces = ops.cast(ops.any(weights > 0, axis=1), "float32")
        penalty = self._divergence_weight(step) * ops.sum(divergence(mean, log_variance) * pieces)
        return self.training_nats(hidden, following, noise), penalty, states

    def _divergence_weight(self, step: Any) -> Any:
        """The weight a of the KL term at a step: a sigmoid over `anneal_steps`, from 0.007 to 0.993."""
        import keras

        ops = keras.ops
        return ops.sigmoid(10 * ops.cast(step, "float32") / self._anneal_steps - 5) if self._anneal_steps else 1.0

    def plan(self, steps: int) -> None:
        """A training shorter than `anneal_steps` has the whole rise of the KL term's weight in its `steps`."""
        self._anneal_steps = min(self._anneal_steps, steps)

    def continue_from(self, other: NeuralModel) -> None:
        """As every network, and the KL term keeps its full weight: its rise is behind `other`."""
        super().continue_from(other)
        self._anneal_steps = 0

    # ----------------------------------------------------------------- query

    def token_nats(self, documents: Sequence[Tokens]) -> Floats:
        """The bound on each piece: the mean reconstruction of each token, and what is left on the piece's last one."""
        pieces, parts = self._pieces(documents), []
        for tokens, _, _, bound in self._bounds(pieces):
            for row, total in zip(tokens, bound, strict=True):
                nats = row[~np.isnan(row)]
                nats[-1] += total - nats.sum()
                parts.append(nats)
        return np.concatenate(parts) if parts else np.zeros(0)

    def running_nats(self, documents: Sequence[Tokens]) -> Floats:
        """The same as `token_nats`: sentences are independent of each other."""
        return LanguageModel.running_nats(self, documents)

    def latent_report(self, documents: Sequence[Tokens]) -> LatentReport:
        """What the latent variable does on held-out documents."""
        found = list(self._bounds(self._pieces(documents)))
        reconstruction = np.concatenate([np.nansum(tokens, axis=1) for tokens, _, _, _ in found])
        kl = np.concatenate([kl for _, kl, _, _ in found])
        means = np.concatenate([mean for _, _, mean, _ in found])
        bound = np.concatenate([bound for _, _, _, bound in found])
        return LatentReport(
            reconstruction=float(reconstruction.mean()),
            negative_elbo=float((reconstruction + kl).mean()),
            kl=float(kl.mean()),
            importance_weighted=float(bound.mean()),
            active_units=int(np.count_nonzero(means.var(axis=0) > _ACTIVE)),
            collapsed=bool(kl.mean() < _COLLAPSED),
        )

    def reader(self, prompt: Tokens) -> NeuralReader:
        """The decoder after `prompt`, z at the posterior's mean (the prior's for an empty prompt)."""
        states: States = self.zero_states(1)
        if len(prompt):
            ids = np.asarray(prompt, np.int32)[None, : self.preset.longest]
            mean, _ = self.encode(ids, np.ones(ids.shape, np.float32))
            states = tuple(np.asarray(state) for state in self.states_of(mean))
        reader = NeuralReader(self._following, states)
        reader.feed(np.concatenate([[END_OF_DOCUMENT], np.asarray(prompt, np.int64)]))
        return reader

    def _pieces(self, documents: Sequence[Tokens]) -> list[Tokens]:
        longest = self.preset.longest
        ended = (np.append(np.asarray(document, np.int32), END_OF_DOCUMENT) for document in documents)
        return [text[start : start + longest] for text in ended for start in range(0, len(text), longest)]

    def _bounds(self, pieces: Sequence[Tokens]) -> Any:
        """For groups of pieces, in order: nats of tokens (NaN: padding), KL, means of z, and the weighted bound."""
        at_once = max(1, _SCORE_ROWS // self.preset.draws)
        for start in range(0, len(pieces), at_once):
            group = pieces[start : start + at_once]
            text = np.zeros((len(group), self.preset.longest), np.int32)
            weights = np.zeros(text.shape, np.float32)
            for row, piece in enumerate(group):
                text[row, : len(piece)], weights[row, : len(piece)] = piece, 1
            time = max(map(len, group))
            found = self._bound(text[:, :time], weights[:, :time], self._draws)
            tokens, kl, mean, bound = (np.asarray(each, np.float64) for each in found)
            yield np.where(weights[:, :time] > 0, tokens, np.nan), kl, mean, bound

    @cached_property
    def _draws(self) -> NDArray[np.float32]:
        """Standard normal numbers [draws, latent], each with its mirror image, the same for every piece."""
        half = np.random.default_rng(0).standard_normal((-(-self.preset.draws // 2), self.preset.latent))
        return np.concatenate([half, -half])[: self.preset.draws].astype(np.float32)

    @cached_property
    def _bound(self) -> Any:
        """Compiled: text and weights [batch, time], draws [K, latent] to what `_bounds` yields."""
        import tensorflow as tf

        ids, floats = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32)

        @tf.function(input_signature=[ids, floats, floats])  # type: ignore[untyped-decorator, unused-ignore]
        def bound(text: Any, weights: Any, draws: Any) -> Any:
            mean, log_variance = self.encode(text, weights)
            rows, time, k = tf.shape(text)[0], tf.shape(text)[1], tf.shape(draws)[0]
            z = mean[:, None] + tf.exp(log_variance / 2)[:, None] * draws[None]  # [batch, K, latent]
            before = tf.pad(text[:, :-1], [[0, 0], [1, 0]], constant_values=END_OF_DOCUMENT)
            states = self.states_of(tf.reshape(z, [-1, self.preset.latent]))
            logits, _ = self.forward(tf.repeat(before, k, axis=0), states)
            nats = cross_entropy(logits, tf.repeat(text, k, axis=0)) * tf.repeat(weights, k, axis=0)
            nats = tf.reshape(nats, [rows, k, time])
            log_prior = -0.5 * tf.reduce_sum(z**2, -1)
            log_posterior = -0.5 * tf.reduce_sum(draws**2, -1)[None] - 0.5 * tf.reduce_sum(log_variance, -1)[:, None]
            weighed = -tf.reduce_sum(nats, -1) + log_prior - log_posterior
            best = tf.math.log(tf.cast(k, tf.float32)) - tf.reduce_logsumexp(weighed, 1)
            return tf.reduce_mean(nats, 1), divergence(mean, log_variance), mean, best

        return bound


def divergence(mean: Any, log_variance: Any) -> Any:
    """KL of N(mean, exp(log_variance)) from N(0, I) in nats. [batch, latent] to [batch]."""
    import keras

    ops = keras.ops
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=-1)
