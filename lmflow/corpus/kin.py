"""Which documents are too alike to stand on two sides of the split, though deduplication keeps them both.

Bands find 92 of 100 pairs whose shingle sets have Jaccard similarity 0.8, half of those at 0.67 and one in twenty at
0.5: enough to drop copies, too few to say that nothing a model is judged on has a near copy in what it learns. Here
two documents are kin when they share two of 56 keys of 2 hashes (all but two of a million pairs do at 0.5, 99 of 100 at
a third: binomial, 1-(1-s^2)^56-56*s^2*(1-s^2)^55) and a third of their shingles by the signatures' estimate. Of pairs
whose true similarity is 0.5 that takes all but 2 in 10,000 (binomial, 112 hashes); of those at 0.6 all but one of ten
million.

A kin group is a connected component of such pairs among kept documents and of duplicate clusters. It has one split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lmflow.corpus.fingerprint import HASHES, Fingerprints

#: Estimated Jaccard similarity from which two documents are kin.
KIN: Final = 1 / 3
ROWS: Final = 2
KEYS: Final = HASHES // ROWS
_SHARED: Final = 2
#: Of the documents that share a key, each is compared with so many before it. Pages that share a template, and little
#: else, would all be compared with all; groups do not depend on batches where no key has more documents than this.
_MOST_COMPARED: Final = 300

_ODD: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_CHUNK: Final = 1 << 16
_PAIRS: Final = 1 << 20


def keys_of(signatures: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Keys by which kin are found: int32 [n, 56], a hash of every two rows of signatures [n, 112]."""
    one, other = (signatures[:, row::ROWS].astype(np.uint64) for row in range(ROWS))
    mixed = one * _ODD[0] + other * _ODD[1]
    mixed ^= mixed >> np.uint64(29)
    mixed *= _ODD[0]
    return (mixed >> np.uint64(32)).astype(np.uint32).view(np.int32)


def sharing(stored: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which stored documents may be kin to a new one, for two of their keys are keys of new ones: bool [n].

    Args:
        stored: keys of the stored documents, [n, 56].
        new: keys of the new ones, [m, 56].
    """
    wanted = np.unique(new)
    low_bits = np.int32((1 << min(len(wanted).bit_length() + 3, 30)) - 1)
    marked = np.zeros(low_bits + 1, np.bool_)
    marked[wanted & low_bits] = True
    found = np.zeros(len(stored), np.bool_)
    for start in range(0, len(stored), _CHUNK):
        chunk = stored[start : start + _CHUNK]
        rows, columns = np.nonzero(marked[chunk & low_bits])
        hits = rows[np.isin(chunk[rows, columns], wanted)]
        found[start : start + len(chunk)] = np.bincount(hits, minlength=len(chunk)) >= _SHARED
    return found


def join_groups(
    known: Sequence[str],
    clusters: Sequence[str],
    kept: NDArray[np.bool_],
    prints: Fingerprints,
    first_new: int,
) -> Mapping[str, str]:
    """Put documents into kin groups: every known group, with the one it is part of now.

    Args:
        known: the group that each document was in, or a name of its own; stored documents first, earliest first.
        clusters: the duplicate cluster of each as it is now.
        kept: which of them the corpus keeps: only those are compared.
        prints: their fingerprints.
        first_new: how many are stored: no two of these are compared.

    Returns:
        Groups that are joined take the name of the one whose member is the earliest of those given.
    """
    parts = _joined(_first_of(known), np.arange(len(known)), _first_of(clusters))
    rows = np.flatnonzero(kept & (prints.n_shingles > 0))
    signatures = prints.signatures[rows]
    for keys in keys_of(signatures).T:
        for one, other in _pairs(keys, int(np.searchsorted(rows, first_new))):
            apart = parts[rows[one]] != parts[rows[other]]
            one, other = one[apart], other[apart]
            kin = _are_kin(signatures, one, other)
            parts = _joined(parts, rows[one[kin]], rows[other[kin]])
    return {name: known[part] for name, part in zip(known, parts.tolist(), strict=True)}


def _pairs(keys: NDArray[np.int32], first_new: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of documents that share a key, the later one new, as places in `keys`: a million or so at once."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    at = np.arange(len(ranked))
    ones, others, pending = [at[:0]], [at[:0]], 0
    for distance in range(1, _MOST_COMPARED + 1):
        at = at[at < len(ranked) - distance]
        at = at[ranked[at] == ranked[at + distance]]
        if not len(at):
            break
        later = order[at + distance]
        is_new = later >= first_new
        ones.append(order[at[is_new]])
        others.append(later[is_new])
        pending += len(ones[-1])
        if pending > _PAIRS:
            yield np.concatenate(ones), np.concatenate(others)
            ones, others, pending = [at[:0]], [at[:0]], 0
    yield np.concatenate(ones), np.concatenate(others)


def _first_of(names: Sequence[str]) -> NDArray[np.int64]:
    """For each entry the place of the first one with the same name."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(name, at) for at, name in enumerate(names)], np.int64)


def _joined(parts: NDArray[np.int64], ones: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """The parts of n documents, each named after its first one, when these pairs are joined."""
    if not len(ones):
        return parts
    size = len(parts)
    edges = coo_array((np.ones(len(ones), np.bool_), (parts[ones], parts[others])), (size, size))
    number, component = connected_components(edges, directed=False)
    first = np.full(number, size, np.int64)
    np.minimum.at(first, component, np.arange(size))
    return np.asarray(first[component[parts]])


def _are_kin(signatures: NDArray[np.uint32], ones: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs share two keys and are alike enough: bool [pairs]."""
    found = np.zeros(len(ones), np.bool_)
    for start in range(0, len(ones), _CHUNK):
        same = signatures[ones[start : start + _CHUNK]] == signatures[others[start : start + _CHUNK]]
        alike = np.flatnonzero(np.count_nonzero(same, axis=1) >= KIN * HASHES)
        shared = np.count_nonzero(same[alike, ::ROWS] & same[alike, 1::ROWS], axis=1)
        found[start + alike[shared >= _SHARED]] = True
    return found
