"""How often words stand near each other, counted as the reference GloVe does, in blocks of bounded memory.

Within a line, words outside the vocabulary are taken out first; then each pair of words at a distance d of at most
`window` counts 1/d in both directions (`cooccur.c` of Pennington et al. 2014, symmetric, distance weighting on).

Sums are kept in whole multiples of 2^-32, so they are the same in whatever order blocks are added up. This module
counts blocks; jobs/cooccurrences.py lets Spark add them up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.sentences import Sentences

Ints = NDArray[np.int64]

#: What the weight 1 is in the sums.
ONE: Final = 1 << 32
#: Pairs counted before they are summed: 8 bytes each, sorted in place.
_PAIRS_AT_ONCE: Final = 16_000_000
_DISTANCE_BITS: Final = 7
_RECORD: Final = np.dtype([("word", "<i4"), ("context", "<i4"), ("log", "<f4"), ("weight", "<f4")])


@dataclass(frozen=True)
class Vocabulary:
    """Words by row, the most frequent first.

    Args:
        words: the words.
        counts: occurrences of each.
        corpus_words: words of the corpus, rare ones included.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    corpus_words: int


def frequent_words(sentences: Sentences, min_count: int) -> Vocabulary:
    """Words that occur `min_count` times or more; ties in alphabetical order."""
    counts: Counter[str] = Counter()
    with sentences.path.open(encoding="utf-8") as file:
        for line in file:
            counts.update(line.split())
    kept = sorted(((-count, word) for word, count in counts.items() if count >= min_count))
    return Vocabulary(tuple(word for _, word in kept), tuple(-count for count, _ in kept), sentences.words)


def count_pairs(
    lines: Iterable[Sequence[str]], index: Mapping[str, int], window: int, at_once: int = _PAIRS_AT_ONCE
) -> Iterator[tuple[Ints, Ints]]:
    """Sum the pairs of some lines, block by block.

    Args:
        lines: words of each line.
        index: row of each word of the vocabulary.
        window: words to each side, at most 127.
        at_once: pairs that are held before they are summed.

    Yields:
        pairs, as smaller row x vocabulary + larger row, each once and ascending, and their sums in units of 1/`ONE`.
        A pair may come again in a later block.
    """
    rows: list[int] = []
    ends: list[int] = []
    for line in lines:
        rows += [index[word] for word in line if word in index]
        ends.append(len(rows))
        if len(rows) * window >= at_once:
            yield _sum_pairs(np.array(rows, np.int64), np.array(ends, np.int64), len(index), window)
            rows, ends = [], []
    if rows:
        yield _sum_pairs(np.array(rows, np.int64), np.array(ends, np.int64), len(index), window)


def _sum_pairs(rows: Ints, ends: Ints, n_words: int, window: int) -> tuple[Ints, Ints]:
    line = np.searchsorted(ends, np.arange(len(rows)), side="right")
    found = []
    for distance in range(1, min(window, len(rows) - 1) + 1):
        same = line[distance:] == line[:-distance]
        one, other = rows[distance:][same], rows[:-distance][same]
        found.append((np.minimum(one, other) * n_words + np.maximum(one, other) << _DISTANCE_BITS) | distance)
    packed = np.concatenate(found) if found else np.empty(0, np.int64)
    packed.sort()  # a plain sort of whole numbers is several times faster than argsort
    pairs = packed >> _DISTANCE_BITS
    units = np.array([0, *(round(ONE / distance) for distance in range(1, window + 1))], np.int64)
    weights = units[packed & ((1 << _DISTANCE_BITS) - 1)]
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    return pairs[starts], np.add.reduceat(weights, starts) if len(starts) else weights


@dataclass(frozen=True)
class Records:
    """Co-occurrences on disk, in random order: what the factorisation reads, file by file.

    Args:
        files: each holds a random part of all records and fits in memory.
        count: records in all; a pair of two different words gives two, one in each direction.
    """

    files: tuple[Path, ...]
    count: int

    @staticmethod
    def read(file: Path) -> NDArray[np.void]:
        """Fields `word` and `context` (rows), `log` (of the count, natural), `weight` (GloVe's f); memory-mapped."""
        return np.memmap(file, _RECORD, mode="r")


def write_records(
    parts: Iterable[tuple[Ints, Ints]], n_words: int, folder: Path, x_max: float, power: float, seed: int
) -> Records:
    """Turn summed pairs into shuffled records, one file a part.

    Args:
        parts: pairs and sums as `count_pairs` gives them, but each pair once in all, and parts by hash of the pair.
        n_words: size of the vocabulary.
        folder: where to write.
        x_max: count above which GloVe's weight is 1.
        power: below, it is (count / x_max) ^ power.
        seed: of the order.
    """
    files, count = [], 0
    for number, (pairs, sums) in enumerate(parts):
        order = np.argsort(pairs)
        if not len(order):
            continue
        one, other = np.divmod(pairs[order], n_words)
        value = sums[order] / ONE
        value[one == other] *= 2  # met from the left and from the right
        apart = one != other
        records = np.empty(len(one) + int(apart.sum()), _RECORD)
        records["word"] = np.concatenate([one, other[apart]])
        records["context"] = np.concatenate([other, one[apart]])
        both = np.concatenate([value, value[apart]])
        records["log"] = np.log(both)
        records["weight"] = np.minimum(1.0, (both / x_max) ** power)
        np.random.default_rng([seed, number]).shuffle(records)
        files.append(folder / f"records-{number:05d}")
        records.tofile(files[-1])
        count += len(records)
    return Records(tuple(files), count)
