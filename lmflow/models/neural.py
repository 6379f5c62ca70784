"""What all networks share: embeddings, scoring in batches, reading token by token, and their files.

A family says how states and tokens become hidden vectors; it is written in `keras.ops` and Keras layers, so that the
same definition runs on another Keras backend. Scoring and training are compiled with TensorFlow.

States are explicit: a tuple of arrays, batch first, zeros at the start of a text. They go in and come out, so that
training carries them from one segment to the next, a checkpoint holds them, and a reader goes on from them.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lmflow.models.contract import END_OF_DOCUMENT, Floats, LanguageModel, Tokens
from lmflow.models.noise import Noise
from lmflow.models.sampled import sampled_nats
from lmflow.models.softmax import softmax_nats

States = tuple[Any, ...]

_SCORE_LENGTH: Final = 64
_SCORE_BATCH: Final = 64
_SCORE_NUMBERS: Final = 60_000_000  # of logits, and of states, at a time, to bound memory


class NeuralModel(LanguageModel):
    """A network over a vocabulary of V tokens.

    Args:
        vocabulary: V.
        preset: the shape of the network, a dataclass of the family.
        seed: of the initial weights.
        precision: what it computes in, float32 or bfloat16; weights and losses are float32 either way.

    Attributes:
        variables: every trainable variable, in a fixed order.
        softmax_sample: how many tokens training compares with the next one, in place of all (`sampled`); 0: all.
    """

    #: The family's dataclass of shapes, and the stem of its files.
    preset_type: ClassVar[type[Any]]
    stem: ClassVar[str]
    #: What it trains on: streams of running text, or pieces of documents, each by itself.
    reads: ClassVar[Literal["streams", "pieces"]] = "streams"
    softmax_sample: int = 0

    def __init__(self, vocabulary: int, preset: Any, seed: int = 0, precision: str = "float32") -> None:
        self.vocabulary = vocabulary
        self.preset = preset
        self.precision = precision
        self._seed = seed
        self.variables: list[Any] = []
        self._build()

    @abstractmethod
    def _build(self) -> None:
        """Make the variables."""

    @abstractmethod
    def zero_states(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """The states at the start of a text; each has shape [batch, ...]."""

    @abstractmethod
    def hidden(self, tokens: Any, states: States, noise: Noise | None) -> tuple[Any, States]:
        """Hidden vectors from which the next tokens are predicted, and the states after the last token.

        Args:
            tokens: ids. Shape [batch, time].
            states: from `zero_states` or an earlier call.
            noise: dropout masks; None when not training.

        Returns:
            Vectors [batch, time, width] and states.
        """

    def output(self) -> tuple[Any, Any]:
        """The output layer: a row of each token [V, width], and a bias [V] or None."""
        raise NotImplementedError(f"{type(self).__name__} has no output layer of one row a token")

    def logits(self, hidden: Any) -> Any:
        """Unnormalised log probabilities of the next token. [batch, time, width] to [batch, time, V], float32."""
        import keras

        matrix, bias = self.output()
        scores = keras.ops.matmul(hidden, keras.ops.transpose(self._use(matrix)))
        scores = keras.ops.cast(scores, "float32")
        return scores if bias is None else scores + bias

    @property
    def token_width(self) -> int:
        """Numbers of a token's vector; the table of these vectors is every family's first variable."""
        return int(self.variables[0].shape[1])

    def start_from(self, vectors: NDArray[np.float32]) -> None:
        """Take these as the tokens' vectors, before training, as widely spread as the table is now.

        Args:
            vectors: shape [V, token_width].
        """
        table = self.variables[0]
        table.assign(vectors * (np.std(np.array(table)) / max(float(np.std(vectors)), 1e-12)))

    def sample_softmax(self, sample: int, counts: NDArray[np.int64]) -> None:
        """Train on samples of the vocabulary, and start from unigram probabilities where there is an output bias.

        A rare token is hardly ever drawn: nothing would push it down if it started as high as the rest.

        Args:
            sample: S, tokens drawn a step (`sampled`).
            counts: how often each token is in the training text. Shape [V].
        """
        self.softmax_sample = sample
        _, bias = self.output()
        if bias is not None:
            bias.assign(np.log((counts + 1) / (counts.sum() + len(counts))))

    def forward(self, tokens: Any, states: States, noise: Noise | None = None) -> tuple[Any, States]:
        """Logits of what follows each token [batch, time, V], and the states after the last."""
        hidden, after = self.hidden(tokens, states, noise)
        return self.logits(hidden), after

    def objective(
        self, tokens: Any, following: Any, weights: Any, states: States, noise: Noise, step: Any
    ) -> tuple[Any, Any, States]:
        """What training minimises: a sum over tokens and a penalty.

        Args:
            tokens: ids. Shape [batch, time].
            following: the id after each. Shape [batch, time].
            weights: 1 where a prediction counts, 0 where there is padding. Shape [batch, time].
            states: before the first token.
            noise: this step's randomness.
            step: number of the step, for penalties that are annealed.

        Returns:
            Negative log probabilities in nats [batch, time], a penalty in nats over all of them, and the states after.
        """
        hidden, after = self.hidden(tokens, states, noise)
        return self.training_nats(hidden, following, noise), 0.0, after

    def training_nats(self, hidden: Any, following: Any, noise: Noise) -> Any:
        """Nats of each next token as training has them: hidden vectors and ids [batch, time] to [batch, time]."""
        matrix, bias = self.output()
        if self.softmax_sample:
            return sampled_nats(hidden, following, self._use(matrix), bias, self.softmax_sample, noise)
        return softmax_nats(hidden, self._use(matrix), bias, following)

    def continue_from(self, other: NeuralModel) -> None:
        """Take the weights of another network of the same shape, to train on from them.

        Raises:
            ValueError: the shapes differ.
        """
        shapes = [[tuple(variable.shape) for variable in each.variables] for each in (self, other)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{self.preset} has not the shape of {other.preset}; give the --preset and --dimension of that version"
            )
        for mine, its in zip(self.variables, other.variables, strict=True):
            mine.assign(np.asarray(its))

    def plan(self, steps: int) -> None:
        """Told before the first step how many steps a training has in all; for what follows from it."""

    @property
    def n_parameters(self) -> int:
        """Trainable numbers."""
        return int(sum(np.prod(variable.shape) for variable in self.variables))

    # --------------------------------------------------------------- weights

    def _weight(self, name: str, shape: Sequence[int], scale: float) -> Any:
        """A variable drawn uniformly from [-scale, scale]; the draw follows from the seed and the place in the list."""
        draw = np.random.default_rng([self._seed, len(self.variables)])
        return self._variable(name, draw.uniform(-scale, scale, tuple(shape)))

    def _variable(self, name: str, value: Any) -> Any:
        import keras

        made = keras.Variable(np.asarray(value, np.float32), name=name)
        self.variables.append(made)
        return made

    def _use(self, variable: Any) -> Any:
        """A variable's value in the precision of the computation."""
        import keras

        return keras.ops.cast(variable, self.precision)

    # ----------------------------------------------------------------- query

    def token_nats(self, documents: Sequence[Tokens]) -> Floats:
        """Negative log probability of every token, document after document, each with its end. Shape [tokens]."""
        import tensorflow as tf

        ends = np.cumsum([len(document) + 1 for document in documents])
        nats = np.zeros(int(ends[-1]) if len(ends) else 0)
        longest_first = np.argsort([-len(document) for document in documents], kind="stable")
        start, batch = 0, self._score_rows
        while start < len(longest_first):
            rows = longest_first[start : start + batch]
            try:
                found = self._score_batch([documents[row] for row in rows])
            except tf.errors.ResourceExhaustedError:
                if batch == 1:
                    raise
                batch //= 2
                continue
            for row, losses in zip(rows, found, strict=True):
                length = len(documents[row]) + 1
                nats[ends[row] - length : ends[row]] = losses[:length]
            start += len(rows)
        return nats

    @property
    def _score_rows(self) -> int:
        """Documents scored at a time, by what their logits and their states take; halved where it is too much."""
        states = sum(int(np.prod(state.shape)) for state in self.zero_states(1))
        return max(1, min(_SCORE_BATCH, _SCORE_NUMBERS // max(_SCORE_LENGTH * self.vocabulary, states)))

    def running_nats(self, documents: Sequence[Tokens]) -> Floats:
        """As `token_nats`, with the states carried from each document into the next. Shape [tokens]."""
        if not documents:
            return np.zeros(0)
        end = np.array([END_OF_DOCUMENT])
        text = np.concatenate([part for document in documents for part in (np.asarray(document), end)])
        return self.token_nats([text[:-1]])

    def _score_batch(self, documents: Sequence[Tokens]) -> Floats:
        """Nats by place of documents given longest first; one that has ended is computed no further."""
        lengths = np.array([len(document) + 1 for document in documents])
        time = -(-lengths.max() // _SCORE_LENGTH) * _SCORE_LENGTH
        text = np.full((len(documents), time + 1), END_OF_DOCUMENT, np.int32)
        for row, document in enumerate(documents):
            text[row, 1 : len(document) + 1] = document
        states: States = self.zero_states(len(documents))
        nats = np.zeros((len(documents), time))
        for start in range(0, time, _SCORE_LENGTH):
            active = int(np.count_nonzero(lengths > start))
            window = text[:active, start : start + _SCORE_LENGTH + 1]
            losses, states = self._losses(window[:, :-1], window[:, 1:], tuple(state[:active] for state in states))
            nats[:active, start : start + _SCORE_LENGTH] = losses.numpy()
        return nats

    @cached_property
    def _losses(self) -> Any:
        """Compiled: tokens and what follows each [batch, time] to nats [batch, time] and the states after."""
        import tensorflow as tf

        ids = tf.TensorSpec([None, _SCORE_LENGTH], tf.int32)

        @tf.function(input_signature=[ids, ids, self._state_specs()])  # type: ignore[untyped-decorator, unused-ignore]
        def losses(tokens: Any, following: Any, states: Any) -> Any:
            logits, after = self.forward(tokens, states)
            return cross_entropy(logits, following), after

        return losses

    def reader(self, prompt: Tokens) -> NeuralReader:
        """The model after the start of a document and `prompt`."""
        reader = NeuralReader(self._following, self.zero_states(1))
        reader.feed(np.concatenate([[END_OF_DOCUMENT], np.asarray(prompt, np.int64)]))
        return reader

    @cached_property
    def _following(self) -> Any:
        """Compiled: tokens [1, time] and states to the next token's logits [V] and the states after."""
        import tensorflow as tf

        ids = tf.TensorSpec([1, None], tf.int32)

        @tf.function(input_signature=[ids, self._state_specs()])  # type: ignore[untyped-decorator, unused-ignore]
        def following(tokens: Any, states: Any) -> Any:
            hidden, after = self.hidden(tokens, states, None)
            return self.logits(hidden[:, -1:])[0, 0], after

        return following

    def _state_specs(self) -> tuple[Any, ...]:
        import tensorflow as tf

        return tuple(tf.TensorSpec([None, *state.shape[1:]], tf.float32) for state in self.zero_states(1))

    # ------------------------------------------------------------------ disk

    def save(self, folder: Path) -> None:
        """Write `<family>.json` (the shape) and `<family>.npz` (the weights)."""
        shape = {"vocabulary": self.vocabulary, **asdict(self.preset)}
        (folder / f"{self.stem}.json").write_text(json.dumps(shape), encoding="utf-8")
        arrays = {f"v{i}": np.asarray(variable) for i, variable in enumerate(self.variables)}
        np.savez(folder / f"{self.stem}.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        shape = json.loads((folder / f"{cls.stem}.json").read_text(encoding="utf-8"))
        model = cls(shape.pop("vocabulary"), cls.preset_type(**shape))
        with np.load(folder / f"{cls.stem}.npz", allow_pickle=False) as arrays:
            for i, variable in enumerate(model.variables):
                variable.assign(arrays[f"v{i}"])
        return model


class NeuralReader:
    """A network part of the way through a document: its states, and the logits of what comes next."""

    def __init__(self, following: Any, states: States) -> None:
        self._following, self._states = following, states
        self._logits: Any = None

    def feed(self, tokens: Tokens) -> None:
        """Take several tokens."""
        self._logits, self._states = self._following(np.asarray(tokens, np.int32)[None, :], self._states)

    def read(self, token: int) -> None:
        """Take `token` as the next."""
        self.feed(np.array([token]))

    def distribution(self) -> Floats:
        """Probability of every token to be the next. Shape [V]."""
        logits = self._logits.numpy().astype(np.float64)
        weights = np.exp(logits - logits.max())
        found: Floats = weights / weights.sum()
        return found


def cross_entropy(logits: Any, following: Any) -> Any:
    """Nats of each token: [batch, time, V] and ids [batch, time] to [batch, time]."""
    import keras

    return keras.ops.sparse_categorical_crossentropy(following, logits, from_logits=True)
