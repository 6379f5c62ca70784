"""Which new documents are copies of earlier ones, and which documents form a cluster.

Keep policy `earliest`: documents are taken in one total order, earliest first, stored ones before new ones. A document
is dropped when a document that is kept, and comes before it, has the same folded text (exact duplicate) or shares a
band with it and at least half of its shingles by the signatures' estimate (near duplicate). So no two kept documents
are near duplicates, every dropped one names a kept one, and the answer depends on the order alone: not on partitions,
engines, or how the documents were divided into batches.

A cluster is a connected component of all such pairs, dropped documents included. It decides the split, so that two
kept documents with a common near duplicate stay on one side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.corpus.fingerprint import HASHES, Fingerprints

#: Estimated Jaccard similarity from which two documents are near duplicates. Bands alone let through one pair in 20 at
#: similarity 0.5; below it, sharing a band is chance.
NEAR: Final = 0.5
#: Dropped documents that a bucket remembers, to join clusters; more would only repeat what these show.
_MOST_DROPPED: Final = 16


@dataclass(frozen=True)
class Stored:
    """Documents already decided on, earliest first.

    Attributes:
        doc_ids, kept, cluster_ids: one entry a document.
        fingerprints: in the same order.
    """

    doc_ids: Sequence[str]
    kept: Sequence[bool]
    cluster_ids: Sequence[str]
    fingerprints: Fingerprints


@dataclass(frozen=True)
class Match:
    """Why a document is a duplicate: of which kept one, and how alike (estimated Jaccard; 1 and exact: same text)."""

    duplicate_of: str
    similarity: float
    exact: bool


@dataclass(frozen=True)
class Clustering:
    """What deduplication found.

    Attributes:
        duplicates: the new documents to drop.
        clusters: cluster id of every new document. A new cluster is named after its earliest document; clusters that
            are joined take the name of the one whose member is the earliest of those compared.
        merged: stored clusters that a new document joined to another, with the cluster they are part of now.
    """

    duplicates: dict[str, Match]
    clusters: dict[str, str]
    merged: dict[str, str]


def cluster(doc_ids: Sequence[str], fingerprints: Fingerprints, stored: Stored) -> Clustering:
    """Compare new documents, earliest first, with the stored ones and with each other.

    Args:
        doc_ids: of the new documents; distinct, and none of them stored.
        fingerprints: theirs, in the same order.
        stored: at least every stored document that shares a key with a new one (others change nothing).
    """
    first_new = len(stored.doc_ids)
    names = [*stored.doc_ids, *doc_ids]
    keys = np.concatenate([stored.fingerprints.keys, fingerprints.keys])
    signatures = np.concatenate([stored.fingerprints.signatures, fingerprints.signatures])
    kept = [*stored.kept, *[True] * len(doc_ids)]
    parts = _Components(len(names))
    parts.join_equal(stored.cluster_ids)
    buckets = _Buckets(keys)
    texts: dict[int, int] = {}  # key of the folded text -> the kept document that has it
    duplicates: dict[str, Match] = {}
    for node, shared in buckets.walk():
        text = int(keys[node, 0])
        if node >= first_new:
            if text in texts:  # its twin stands in every bucket already: a million copies cost a million look-ups
                parts.join(node, texts[text])
                duplicates[names[node]] = Match(names[texts[text]], 1.0, exact=True)
                continue
            near = _near(node, buckets.candidates(shared), keys, signatures)
            for other, _ in near:
                parts.join(node, other)
            best = max(((similarity, -other) for other, similarity in near if kept[other]), default=None)
            if best is not None:
                duplicates[names[node]] = Match(names[-best[1]], best[0], exact=False)
                kept[node] = False
        if kept[node]:
            texts.setdefault(text, node)
        buckets.add(node, shared, kept[node])
    labels = [*stored.cluster_ids, *doc_ids]
    return Clustering(
        duplicates,
        {names[node]: labels[parts.root(node)] for node in range(first_new, len(names))},
        {
            labels[node]: labels[parts.root(node)]
            for node in range(first_new)
            if labels[node] != labels[parts.root(node)]
        },
    )


def _near(
    node: int, candidates: Sequence[int], keys: NDArray[np.int64], signatures: NDArray[np.uint32]
) -> list[tuple[int, float]]:
    """The candidates that are duplicates of a node, with their similarity; 1.0 only for the same folded text."""
    if not candidates:
        return []
    same_text = keys[candidates, 0] == keys[node, 0]
    # Equal signatures of unequal texts: as alike as a signature can tell, and not exactly the same.
    estimated = np.minimum((signatures[candidates] == signatures[node]).mean(axis=1), 1 - 1 / (2 * HASHES))
    alike = np.where(same_text, 1.0, estimated)
    return [(other, value) for other, value in zip(candidates, alike.tolist(), strict=True) if value >= NEAR]


class _Buckets:
    """Documents by key, for the keys that occur more than once (the others cannot make a pair)."""

    def __init__(self, keys: NDArray[np.int64]) -> None:
        distinct, counts = np.unique(keys, return_counts=True)
        repeated = distinct[(counts > 1) & (distinct != 0)]
        self._keys = keys
        self._shared = np.isin(keys, repeated)
        self._kept: dict[int, list[int]] = {}
        self._dropped: dict[int, list[int]] = {}

    def walk(self) -> Iterator[tuple[int, list[int]]]:
        """Every document that shares a key with another, in order, with those keys."""
        for row in np.flatnonzero(self._shared.any(axis=1)).tolist():
            yield row, self._keys[row, self._shared[row]].tolist()

    def candidates(self, shared: Sequence[int]) -> list[int]:
        """Documents added before under any of these keys, in order."""
        found: set[int] = set()
        for key in shared:
            found.update(self._kept.get(key, ()))
            found.update(self._dropped.get(key, ()))
        return sorted(found)

    def add(self, node: int, shared: Sequence[int], kept: bool) -> None:
        for key in shared:
            bucket = (self._kept if kept else self._dropped).setdefault(key, [])
            if kept or len(bucket) < _MOST_DROPPED:
                bucket.append(node)


class _Components:
    """Union-find in which the earliest member is the root."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first

    def join_equal(self, labels: Sequence[str]) -> None:
        first: dict[str, int] = {}
        for node, label in enumerate(labels):
            self.join(first.setdefault(label, node), node)
