"""What a training step reads, as a function of its number alone, straight from the memory-mapped shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lmflow.dataset.shards import Split
from lmflow.models.contract import END_OF_DOCUMENT, Tokens
from lmflow.models.neural import NeuralModel
from lmflow.training.schedule import Schedule

#: Merity et al.'s segments of random length: this share is half as long; the standard deviation and the least, in
#: tokens (the least is in their code, `max(5, …)` in main.py of awd-lstm-lm; here at most half of the full length).
_SHORT_SHARE: Final = 0.05
_LENGTH_SPREAD: Final = 5.0
_LEAST_LENGTH: Final = 5
_PAD_TO: Final = 8  # lengths of pieces are rounded up to a multiple: few shapes, few compilations


@dataclass(frozen=True)
class Batch:
    """One step's examples.

    Attributes:
        tokens: ids that are read. Shape [batch, time].
        following: the id after each, to be predicted. Shape [batch, time].
        weights: 1 where a prediction counts, 0 where there is only padding. Shape [batch, time].
        carried: 1 where the states of the step before go on, 0 where they start from zero. Shape [batch].
    """

    tokens: NDArray[np.int32]
    following: NDArray[np.int32]
    weights: NDArray[np.float32]
    carried: NDArray[np.float32]


class Batches(Protocol):
    """A training text as numbered steps."""

    @property
    def per_epoch(self) -> int:
        """Steps of one pass over the text."""

    def batch(self, step: int) -> Batch:
        """What step number `step` (from 0, over all epochs) reads."""

    def documents(self, step: int) -> list[str]:
        """Ids of the documents that it reads from."""


class StreamBatches:
    """A text as `batch_size` parallel streams; each step reads the next `sequence_length` tokens of every one.

    Contiguous batching as in Zaremba et al. 2014: the text is cut into equal streams, what is left over is not read.
    States are carried from step to step and start from zero with each epoch, and at random by `reset_share`.

    Args:
        tokens: documents, each followed by END_OF_DOCUMENT. Shape [tokens].
        schedule: gives the sizes and the seed.
        ends: index after each document; only to name documents. Shape [documents].
        doc_ids: their ids.

    Raises:
        ValueError: the text is shorter than one step.
    """

    def __init__(
        self,
        tokens: Tokens,
        schedule: Schedule,
        ends: NDArray[np.int64] | None = None,
        doc_ids: Sequence[str] = (),
    ) -> None:
        self._tokens, self._schedule, self._ends, self._doc_ids = tokens, schedule, ends, doc_ids
        self._length = len(tokens) // schedule.batch_size
        self.per_epoch = self._length // schedule.sequence_length
        self._cuts = (-1, np.zeros(0, np.int64))
        if not self.per_epoch:
            raise ValueError(
                f"{len(tokens)} training tokens are too few for {schedule.batch_size} streams of "
                f"{schedule.sequence_length}; lower --batch-size or --sequence-length"
            )

    def batch(self, step: int) -> Batch:
        """What step number `step` reads."""
        schedule = self._schedule
        begin, time = self._segment(step)
        window = np.empty((schedule.batch_size, time + 1), np.int32)
        for row in range(schedule.batch_size):
            at = row * self._length + begin
            window[row, 1:] = self._tokens[at : at + time]
            window[row, 0] = self._tokens[at - 1] if at else END_OF_DOCUMENT
        draw = np.random.default_rng([schedule.seed, step])
        carried = (draw.random(schedule.batch_size) >= schedule.reset_share) & (begin > 0)
        return Batch(window[:, :-1], window[:, 1:], np.ones_like(window[:, 1:], np.float32), carried.astype(np.float32))

    def _segment(self, step: int) -> tuple[int, int]:
        """Where the step begins in every stream, and how many tokens it reads."""
        length, (epoch, place) = self._schedule.sequence_length, divmod(step, self.per_epoch)
        if not self._schedule.random_lengths:
            return place * length, length
        if self._cuts[0] != epoch:
            draw = np.random.default_rng([self._schedule.seed, epoch])
            means = np.where(draw.random(self.per_epoch) < _SHORT_SHARE, length / 2, length)
            drawn = np.maximum(draw.normal(means, _LENGTH_SPREAD), min(_LEAST_LENGTH, length // 2))
            cuts = np.round(np.cumsum(drawn) / drawn.sum() * self._length).astype(np.int64)
            self._cuts = (epoch, np.concatenate([[0], cuts]))
        begin, end = self._cuts[1][place : place + 2].tolist()
        return begin, max(end - begin, 1)

    def documents(self, step: int) -> list[str]:
        """Ids of the documents that the step reads from."""
        if self._ends is None:
            return []
        begin, time = self._segment(step)
        starts = np.arange(self._schedule.batch_size) * self._length + begin
        first = np.searchsorted(self._ends, starts, side="right")
        last = np.searchsorted(self._ends, starts + time - 1, side="right")
        numbers = sorted({number for low, high in zip(first, last, strict=True) for number in range(low, high + 1)})
        return [self._doc_ids[number] for number in numbers if number < len(self._doc_ids)]


class PieceBatches:
    """Pieces of documents in a new order each epoch, `batch_size` a step; each is read by itself, padded at its end.

    A document is cut into pieces of `longest` tokens, its end included. Pieces of similar length meet in a batch, so
    that little is padding. The last batch of an epoch may hold empty rows, which count for nothing.

    Args:
        tokens: documents, each followed by END_OF_DOCUMENT. Shape [tokens].
        ends: index after each document. Shape [documents].
        doc_ids: their ids.
        longest: tokens of the longest piece.
        schedule: gives the batch size and the seed.
    """

    def __init__(
        self, tokens: Tokens, ends: NDArray[np.int64], doc_ids: Sequence[str], longest: int, schedule: Schedule
    ) -> None:
        self._tokens, self._doc_ids, self._longest, self._schedule = tokens, doc_ids, longest, schedule
        lengths = np.diff(ends, prepend=0)
        counts = -(-lengths // longest)
        self._document = np.repeat(np.arange(len(ends)), counts)
        number = np.arange(len(self._document)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._start = np.repeat(ends - lengths, counts) + number * longest
        self._stop = np.minimum(self._start + longest, np.repeat(ends, counts))
        self.per_epoch = -(-len(self._start) // schedule.batch_size)
        self._order = (-1, np.zeros(0, np.int64))

    def batch(self, step: int) -> Batch:
        """What step number `step` reads."""
        rows = self._rows(step)
        longest = int((self._stop[rows] - self._start[rows]).max())
        time = min(-(-longest // _PAD_TO) * _PAD_TO, max(self._longest, longest))
        window = np.full((self._schedule.batch_size, time + 1), END_OF_DOCUMENT, np.int32)
        weights = np.zeros((self._schedule.batch_size, time), np.float32)
        for row, piece in enumerate(rows):
            start, stop = self._start[piece], self._stop[piece]
            window[row, 1 : stop - start + 1], weights[row, : stop - start] = self._tokens[start:stop], 1
        return Batch(window[:, :-1], window[:, 1:], weights, np.zeros(len(window), np.float32))

    def documents(self, step: int) -> list[str]:
        """Ids of the documents that the step reads from."""
        return [self._doc_ids[number] for number in sorted(set(self._document[self._rows(step)].tolist()))]

    def _rows(self, step: int) -> NDArray[np.int64]:
        epoch, place = divmod(step, self.per_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, self._shuffled(np.random.default_rng([self._schedule.seed, epoch])))
        size = self._schedule.batch_size
        return self._order[1][place * size : (place + 1) * size]

    def _shuffled(self, draw: np.random.Generator) -> NDArray[np.int64]:
        """All pieces, those of similar length near each other, batches in random order; the short batch stays last."""
        size, order = self._schedule.batch_size, draw.permutation(len(self._start))
        lengths = (self._stop - self._start)[order]
        whole = len(order) // size * size
        near = order[:whole][np.argsort(lengths[:whole] // _PAD_TO, kind="stable")].reshape(-1, size)
        return np.concatenate([near[draw.permutation(len(near))].ravel(), order[whole:]])


def batches_of(model: type[NeuralModel], preset: Any, text: Split, schedule: Schedule) -> Batches:
    """The training text in the way that a family reads it.

    Raises:
        ValueError: the text is shorter than one step.
    """
    if model.reads == "pieces":
        return PieceBatches(text.tokens, text.ends, text.doc_ids, preset.longest, schedule)
    return StreamBatches(text.tokens, schedule, text.ends, text.doc_ids)
