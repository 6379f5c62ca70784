"""Which new documents are copies of earlier ones, and which documents form a cluster.

Keep policy `earliest`: documents are taken in one total order, earliest first, stored ones before new ones. A document
is dropped when a document that is kept, and comes before it, has the same folded text (exact duplicate) or shares a
band with it and nearly half of its shingles (`NEAR`) by the signatures' estimate (near duplicate). So no two kept
documents are near duplicates, every dropped one names a kept one, and the answer depends on the order alone: not on
partitions, engines, or how the documents were divided into batches.

A document that is like none of these is dropped too when one that is kept, and comes before it, has the same canonical
URL in another collection (`address`): the same page, worded anew. Only where one copy is kept: not with `drop_all`, nor
when one source is compared with another.

Other keep policies change that order or that rule, see `Keeping`. Whatever the policy, documents that the corpus holds
come before new ones, batch after batch: adding batches one by one is the same as replaying them in order.

A cluster is a connected component of all such pairs, dropped documents included. It stands on one side of the split, so
that two kept documents with a common near duplicate do; which clusters stand there together, `kin` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lmflow.corpus.address import collection
from lmflow.corpus.fingerprint import HASHES, Fingerprints

#: Estimated Jaccard similarity from which two documents that share a band are near duplicates. Of documents that share
#: a third of their shingles, a common template, bands bring together one pair in 470; the bound leaves one in 8,800. At
#: 10 % of words changed it loses 0.0033 of the copies that 1-(1-s^8)^14 promises (0.0055 at 0.48, 0.0074 at 0.5, by
#: exact binomials); a hundredth is allowed (benchmarks.cleaning.recall).
NEAR: Final = 0.45
#: Estimated similarity of unequal texts with equal signatures.
_NEARLY_SAME: Final = 1 - 1 / (2 * HASHES)
#: Dropped documents that a bucket remembers, to join clusters; more would only repeat what these show.
_MOST_DROPPED: Final = 16


#: Which of several copies survives.
Policy = Literal["earliest", "longest", "best_quality", "drop_all"]


@dataclass(frozen=True)
class Keeping:
    """What is kept of duplicates.

    Attributes:
        policy: of the copies that come in one batch, keep the earliest, the longest, or the one of best quality (see
            `admission.in_order`). A copy that the corpus holds already stays. `drop_all`: of documents that have a copy
            none is kept, and a stored one leaves the corpus when its first copy comes.
        against: kinds of source. If there are any, only copies of their documents are dropped (A against B), also those
            that are stored: copies among the other sources stay, and so do all documents of these.
    """

    policy: Policy = "earliest"
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """Documents already decided on, earliest first.

    Attributes:
        doc_ids, kept, cluster_ids: one entry a document.
        fingerprints: in the same order.
        sources: kind of source, needed only to deduplicate against some of them.
        addresses: of the kept ones, from `address.shared`; empty or left out: shared with nobody.
    """

    doc_ids: Sequence[str]
    kept: Sequence[bool]
    cluster_ids: Sequence[str]
    fingerprints: Fingerprints
    sources: Sequence[str] = ()
    addresses: Sequence[str] = ()


@dataclass(frozen=True)
class Match:
    """Why a document is a duplicate: of which kept one, and how alike (estimated Jaccard; 1 and exact: same text).

    By address: another text, at the same canonical URL.
    """

    duplicate_of: str
    similarity: float
    exact: bool
    by_address: bool = False


@dataclass(frozen=True)
class Clustering:
    """What deduplication found.

    Attributes:
        duplicates: the new documents to drop.
        clusters: cluster id of every new document. A new cluster is named after its earliest document; clusters that
            are joined take the name of the one whose member is the earliest of those compared.
        merged: stored clusters that a new document joined to another, with the cluster they are part of now.
        withdrawn: stored kept documents that are kept no longer (policy `drop_all`, or a reference that came later).
    """

    duplicates: dict[str, Match]
    clusters: dict[str, str]
    merged: dict[str, str]
    withdrawn: dict[str, Match] = field(default_factory=dict)


def cluster(
    doc_ids: Sequence[str],
    fingerprints: Fingerprints,
    stored: Stored,
    keeping: Keeping | None = None,
    sources: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> Clustering:
    """Compare new documents, in the order of preference, with the stored ones and with each other.

    Args:
        doc_ids: of the new documents; distinct, and none of them stored.
        fingerprints: theirs, in the same order.
        stored: at least every stored document that shares a key with a new one (others change nothing).
        keeping: what is kept of duplicates; None: the earliest copy.
        sources: kinds of source of the new documents, needed only for `keeping.against`.
        addresses: theirs; empty or left out: shared with nobody.
    """
    keeping = keeping or Keeping()
    walk = _Walk(doc_ids, fingerprints, stored)
    if keeping.against:
        reference = [source in keeping.against for source in (*stored.sources, *sources)]
        walk.drop_copies_of(reference)
    elif keeping.policy == "drop_all":
        walk.drop_all()
    else:
        walk.keep_first([*(stored.addresses or [""] * len(stored.doc_ids)), *(addresses or [""] * len(doc_ids))])
    return walk.result()


class _Walk:
    """One pass over stored and new documents, in order, that finds pairs and decides who is dropped."""

    def __init__(self, doc_ids: Sequence[str], fingerprints: Fingerprints, stored: Stored) -> None:
        self._first_new = len(stored.doc_ids)
        self._names = [*stored.doc_ids, *doc_ids]
        self._labels = [*stored.cluster_ids, *doc_ids]
        self._keys = np.concatenate([stored.fingerprints.keys, fingerprints.keys])
        self._signatures = np.concatenate([stored.fingerprints.signatures, fingerprints.signatures])
        self._kept = [*stored.kept, *[True] * len(doc_ids)]
        self._parts = _Components(len(self._names))
        self._parts.join_equal(stored.cluster_ids)
        self._dropped: dict[int, Match] = {}

    def keep_first(self, addresses: Sequence[str]) -> None:
        """Drop a document when one that is kept comes before it and is like it, or is the same page."""
        buckets = _Buckets(self._keys)
        texts: dict[int, int] = {}  # key of the folded text -> the kept document that has it
        pages = _Pages(self._names, addresses)
        for node, shared in buckets.walk(pages.shared):
            text = int(self._keys[node, 0])
            if node >= self._first_new:
                if text in texts:  # its twin is in every bucket already: a million copies cost a million look-ups
                    self._join(node, texts[text])
                    self._drop(node, texts[text], 1.0)
                    continue
                near = self._pairs(node, buckets.candidates(shared))
                best = max(((similarity, -other) for other, similarity in near if self._kept[other]), default=None)
                page = pages.kept_before(node)
                if best is not None:
                    self._drop(node, -best[1], best[0])
                elif page is not None:
                    self._join(node, page)
                    self._kept[node] = False
                    self._dropped[node] = Match(self._names[page], 0.0, exact=False, by_address=True)
            if self._kept[node]:
                texts.setdefault(text, node)
                pages.keep(node)
            buckets.add(node, shared, self._kept[node])

    def drop_all(self) -> None:
        """Drop every document that is like another one, the first of them too."""
        buckets = _Buckets(self._keys)
        texts: dict[int, int] = {}
        for node, shared in buckets.walk():
            twin = texts.setdefault(int(self._keys[node, 0]), node)
            if node >= self._first_new:
                if twin != node:
                    self._join(node, twin)
                    near = [(twin, 1.0)]
                else:
                    near = self._pairs(node, buckets.candidates(shared))
                for other, similarity in near:
                    self._drop(other, node, similarity)
                    self._drop(node, other, similarity)
                if twin != node:
                    continue
            buckets.add(node, shared, self._kept[node])

    def drop_copies_of(self, reference: Sequence[bool]) -> None:
        """Drop documents that are like a reference document, whichever of the two came first; references stay.

        Copies among the others stay too, so every pair is looked at: the two must be in one cluster, and on one side.
        """
        buckets = _Buckets(self._keys)
        order = list(buckets.walk())
        prints = self._prints()
        references: dict[bytes, int] = {}  # a fingerprint -> the earliest reference that has it
        same_text: dict[int, int] = {}  # key of a folded text -> the same
        for node, _ in order:
            if reference[node]:
                references.setdefault(prints[node], node)
                same_text.setdefault(int(self._keys[node, 0]), node)
        matches: dict[bytes, tuple[float, int]] = {}  # a fingerprint -> how alike, and minus which reference

        def offer(its: bytes, similarity: float, like: bytes) -> None:
            if like in references:
                found = (min(similarity, _NEARLY_SAME), -references[like])
                matches[its] = max(matches.get(its, (0.0, 0)), found)

        seen: dict[bytes, int] = {}
        for node, shared in order:
            if node >= self._first_new:
                twin = seen.setdefault(prints[node], node)
                if twin != node:  # it is in every bucket already
                    self._join(node, twin)
                    continue
                offer(prints[node], 1.0, prints[node])
                for other, similarity in self._pairs(node, buckets.candidates(shared)):
                    offer(prints[node], similarity, prints[other])
                    offer(prints[other], similarity, prints[node])
            buckets.add(node, shared, self._kept[node])
        for node, _ in order:
            match = matches.get(prints[node])
            if not reference[node] and match is not None:
                same = same_text.get(int(self._keys[node, 0]))
                self._drop(node, -match[1], match[0]) if same is None else self._drop(node, same, 1.0)

    def _prints(self) -> list[bytes]:
        """What is equal for documents that are like the same others: the signature; of short texts the key."""
        banded: list[bool] = np.any(self._keys[:, 1:], axis=1).tolist()
        rows = zip(banded, self._signatures, self._keys[:, 0], strict=True)
        return [signature.tobytes() if its else key.tobytes() for its, signature, key in rows]

    def result(self) -> Clustering:
        """What was found."""
        names, labels, roots = self._names, self._labels, [self._parts.root(node) for node in range(len(self._names))]
        old, new = range(self._first_new), range(self._first_new, len(names))
        return Clustering(
            {names[node]: match for node, match in self._dropped.items() if node >= self._first_new},
            {names[node]: labels[roots[node]] for node in new},
            {labels[node]: labels[roots[node]] for node in old if labels[node] != labels[roots[node]]},
            {names[node]: match for node, match in self._dropped.items() if node < self._first_new},
        )

    def _pairs(self, node: int, candidates: Sequence[int]) -> list[tuple[int, float]]:
        near = _near(node, candidates, self._keys, self._signatures)
        for other, _ in near:
            self._join(node, other)
        return near

    def _join(self, node: int, other: int) -> None:
        self._parts.join(node, other)

    def _drop(self, node: int, other: int, similarity: float) -> None:
        """Drop a kept document for its likeness to another one."""
        if self._kept[node]:
            self._kept[node] = False
            exact = bool(self._keys[node, 0] == self._keys[other, 0])
            self._dropped[node] = Match(self._names[other], similarity, exact)


def _near(
    node: int, candidates: Sequence[int], keys: NDArray[np.int64], signatures: NDArray[np.uint32]
) -> list[tuple[int, float]]:
    """The candidates that are duplicates of a node, with their similarity; 1.0 only for the same folded text."""
    if not candidates:
        return []
    same_text = keys[candidates, 0] == keys[node, 0]
    # Equal signatures of unequal texts: as alike as a signature can tell, and not exactly the same.
    estimated = np.minimum((signatures[candidates] == signatures[node]).mean(axis=1), _NEARLY_SAME)
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

    def walk(self, others: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, list[int]]]:
        """Every document that shares a key with another, and these others, in order, with the shared keys."""
        rows = self._shared.any(axis=1)
        for row in np.flatnonzero(rows if others is None else rows | others).tolist():
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


class _Pages:
    """Kept documents by their address."""

    def __init__(self, names: Sequence[str], addresses: Sequence[str]) -> None:
        self.shared: NDArray[np.bool_] = np.fromiter(map(bool, addresses), np.bool_, len(addresses))
        self._names, self._addresses = names, addresses
        self._kept: dict[str, dict[str, int]] = {}  # address -> the first of each collection

    def kept_before(self, node: int) -> int | None:
        """The earliest kept document of another collection at the same address."""
        if not self.shared[node]:
            return None
        others = self._kept.get(self._addresses[node], {})
        return min((other for name, other in others.items() if name != collection(self._names[node])), default=None)

    def keep(self, node: int) -> None:
        if self.shared[node]:
            self._kept.setdefault(self._addresses[node], {}).setdefault(collection(self._names[node]), node)


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
