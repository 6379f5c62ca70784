"""What every way to learn vectors shares: what it gives back, and sensible numbers of passes and threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from lmflow.embeddings.vectors import Matrix, WordVectors
from lmflow.errors import InputError

#: Passes over a corpus are chosen so that about this many words are seen, within the bounds below.
_WORDS_TO_SEE = 10_000_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 20

#: Told after each epoch: how many are done, and the loss.
OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class Training:
    """What training gave.

    Args:
        vectors: the result, most frequent word first.
        counts: occurrences of each word.
        losses: after each epoch; what it measures is the algorithm's (`loss_name`).
        loss_name: the loss and its unit, in words.
        seconds: wall time of all epochs, vocabulary scan not included.
        words_per_second: words of the corpus read a second, every epoch counted.
        words_seen: words read in all epochs, by the trainer's own count.
        state: further matrices that a later training starts from.
        rare: occurrences of the words that got no vector, for the same.
    """

    vectors: WordVectors
    counts: tuple[int, ...]
    losses: tuple[float, ...]
    loss_name: str
    seconds: float
    words_per_second: float
    words_seen: int
    state: dict[str, Matrix] = field(default_factory=dict)
    rare: dict[str, int] = field(default_factory=dict)


def default_epochs(n_words: int) -> int:
    """More passes over a small corpus: 20 up to half a million words, 5 from two million up."""
    return max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, round(_WORDS_TO_SEE / max(n_words, 1))))


def default_workers() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_vocabulary(n_words: int, n_frequent: int, min_count: int) -> None:
    """Refuse a vocabulary that nothing can be learnt from.

    Raises:
        InputError: fewer than two words are frequent enough.
    """
    if n_frequent < 2:
        raise InputError(
            f"the vocabulary has {n_frequent} word(s): of {n_words:,} words, too few occur "
            f"{min_count} times; lower --min-count or bring more text"
        )
