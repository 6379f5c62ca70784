"""Training, validation or test: chosen by duplicate cluster, so that no near copy of a held-out document is trained on.

A cluster has one split. It is chosen once, and sticks: a new member of a cluster goes where the cluster is, and a new
revision where the old one was. Only when a new document joins two clusters does one of them move, and then only away
from evaluation: to training if any part of it was trained on, else from test to validation, which has already been
used to choose models. Nothing ever moves into evaluation.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal

#: A document's split; earlier in this order wins when clusters join.
SPLITS: Final = ("train", "valid", "test")
#: Below this many documents a corpus is small: 2 % of it would be too little to measure anything on.
SMALL: Final = 50_000

Regime = Literal["small", "large"]
_SHARES: Final[Mapping[Regime, Mapping[str, float]]] = {
    "small": {"train": 0.8, "valid": 0.1, "test": 0.1},
    "large": {"train": 0.98, "valid": 0.01, "test": 0.01},
}
#: Documents whose shares are kept apart: language and kind of source.
Stratum = tuple[str, str]


def regime_of(documents: int) -> Regime:
    """Small or large, by how many documents the corpus will hold."""
    return "small" if documents < SMALL else "large"


def joined(splits: Iterable[str]) -> str:
    """The split of a cluster made of parts in these splits (at least one)."""
    return min(splits, key=SPLITS.index)


def choose(
    clusters: Mapping[str, Stratum],
    sizes: Mapping[str, int],
    counts: Mapping[Stratum, Mapping[str, int]],
    regime: Regime,
) -> dict[str, str]:
    """A split for every new cluster.

    Large corpora: by the hash of the cluster id alone, 98/1/1. Small ones: 80/10/10 within every stratum, clusters
    taken in the order of their hash and each given to the split that is furthest behind its share, so that a stratum of
    ten documents has held-out ones too.

    Args:
        clusters: ids of the new clusters, each with the stratum of its earliest kept document.
        sizes: how many kept documents each has.
        counts: how many documents of each stratum are in each split already.
        regime: from `regime_of`.
    """
    if regime == "large":
        return {cluster_id: _by_share(_position(cluster_id), _SHARES[regime]) for cluster_id in clusters}
    filled: defaultdict[Stratum, Counter[str]] = defaultdict(Counter, {key: Counter(n) for key, n in counts.items()})
    chosen = {}
    for cluster_id in sorted(clusters, key=lambda name: (_position(name), name)):
        count = filled[clusters[cluster_id]]
        total = count.total() + sizes[cluster_id]
        behind = {split: share * total - count[split] for split, share in _SHARES[regime].items()}
        chosen[cluster_id] = split = max(SPLITS, key=behind.__getitem__)
        count[split] += sizes[cluster_id]
    return chosen


def _position(cluster_id: str) -> float:
    """A cluster's place between 0 and 1, the same for ever."""
    digest = hashlib.blake2b(
        cluster_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"lmflow-split"
    ).digest()
    return int.from_bytes(digest, "big") / 2**64


def _by_share(position: float, shares: Mapping[str, float]) -> str:
    if position < shares["test"]:
        return "test"
    return "valid" if position < shares["test"] + shares["valid"] else "train"
