"""How much of a text says the same thing again: n-grams of words that occur more than once, for many texts at a time.

Gopher's repetition measures (Rae et al. 2021, table A1) as datatrove's GopherRepetitionFilter has them: the commonest
2-, 3- and 4-gram, and every 5- to 10-gram that occurred before. An n-gram can only repeat where its first n-1 words do,
so that each length looks at the few places the one before has left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.corpus.characters import BASE, MIX, Runs

TOP_LENGTHS: Final = (2, 3, 4)
DUPLICATE_LENGTHS: Final = (5, 6, 7, 8, 9, 10)


@dataclass(frozen=True)
class Repetition:
    """Characters in repeated n-grams, by n, each an int64 [texts].

    Attributes:
        top: in all occurrences of the commonest n-gram (of several equally common the longest), 0 when none occurs
            twice. Overlapping occurrences count each.
        duplicate: in n-grams that occurred before, read from left to right; after one that did, reading goes on behind
            it. Spaces do not count.
    """

    top: Mapping[int, NDArray[np.int64]]
    duplicate: Mapping[int, NDArray[np.int64]]


def repetition(words: Runs, numbers: NDArray[np.uint64], joint: int) -> Repetition:
    """Measure texts given as their words.

    Args:
        words: of all texts.
        numbers: uint64 [words], equal for equal words.
        joint: how many characters stand between the words of a top n-gram (1; 0 in Chinese).
    """
    top = {n: np.zeros(len(words.sizes), np.int64) for n in TOP_LENGTHS}
    duplicate = {n: np.zeros(len(words.sizes), np.int64) for n in DUPLICATE_LENGTHS}
    text_of = words.text_of
    behind = np.repeat(np.cumsum(words.sizes), words.sizes)  # the first word of the next text
    chars_before = np.concatenate([[0], np.cumsum(words.lengths)])
    places = np.arange(len(numbers))
    # The text takes part in the hash: the same n-gram in two texts is no repetition.
    rolled = numbers * BASE + (text_of.astype(np.uint64) + np.uint64(1)) * MIX
    for n in range(2, DUPLICATE_LENGTHS[-1] + 1):
        fits = behind[places] - places >= n
        places, rolled = places[fits], rolled[fits]
        rolled = rolled * BASE + numbers[places + n - 1]
        repeated, groups = _repeated(rolled)
        places, rolled = places[repeated], rolled[repeated]
        if not len(places):
            break
        chars = chars_before[places + n] - chars_before[places]
        if n in top:
            spaced = chars + joint * (n - 1)
            _top(top[n], groups, text_of[places], spaced)
        else:
            _duplicates(duplicate[n], n, groups, places, text_of[places], chars)
    return Repetition(top, duplicate)


def _repeated(keys: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which keys occur more than once, and for those, in order, the number of their group."""
    order = np.argsort(keys)
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    in_group = np.zeros(len(keys), np.bool_)
    in_group[1:] |= same
    in_group[:-1] |= same
    starts = in_group.copy()
    starts[1:] &= ~same
    groups = np.zeros(len(keys), np.int64)
    groups[order] = np.cumsum(starts) - 1
    repeated = np.zeros(len(keys), np.bool_)
    repeated[order] = in_group
    return repeated, groups[repeated]


def _top(
    result: NDArray[np.int64], groups: NDArray[np.int64], text_of: NDArray[np.int64], chars: NDArray[np.int64]
) -> None:
    """Write the characters of each text's commonest group into `result`."""
    counts = np.bincount(groups)
    group_text, group_chars = np.zeros((2, len(counts)), np.int64)
    group_text[groups], group_chars[groups] = text_of, chars
    order = np.lexsort((group_chars, counts, group_text))
    last = np.append(group_text[order][1:] != group_text[order][:-1], True)
    best = order[last]
    result[group_text[best]] = counts[best] * group_chars[best]


def _duplicates(
    result: NDArray[np.int64],
    n: int,
    groups: NDArray[np.int64],
    places: NDArray[np.int64],
    text_of: NDArray[np.int64],
    chars: NDArray[np.int64],
) -> None:
    """Add the characters of n-grams that occurred before. An n-gram that was skipped over has not occurred."""
    seen, free = set[int](), 0
    for group, place, text, size in zip(
        groups.tolist(), places.tolist(), text_of.tolist(), chars.tolist(), strict=True
    ):
        if place < free:
            continue
        if group in seen:
            result[text] += size
            free = place + n
        else:
            seen.add(group)
