"""Whether a model does worse on fresh documents than on those it was judged by, source against the same source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmflow.evaluation.compression import Estimate, Floats, Ints, bits_per_byte, resampled_sums


@dataclass(frozen=True)
class Drift:
    """How fresh documents compare.

    Attributes:
        fresh: bits per byte of all fresh documents.
        difference: fresh minus judged bits per byte, each source against itself, weighted by its share of the fresh
            bytes; None when no source is in both.
        unknown: sources of which nothing was judged.
    """

    fresh: Estimate
    difference: Estimate | None
    unknown: tuple[str, ...]


def compare_fresh(
    fresh: tuple[Floats, Ints, Sequence[str]], judged: tuple[Floats, Ints, Sequence[str]], seed: int = 0
) -> Drift:
    """Fresh documents against those that a model was judged by; the interval is a bootstrap within each source.

    A change in how much of each source there is does not count: only how well the model does on each.

    Args:
        fresh: nats, UTF-8 bytes and source of each document.
        judged: the same of the held-out documents.
        seed: of the resampling.

    Raises:
        ValueError: no fresh documents.
    """
    nats, n_bytes, _ = fresh
    sources, known = _sources(fresh), _sources(judged)
    both = [source for source in sources if source in known]
    unknown = tuple(source for source in sources if source not in known)
    estimate = bits_per_byte(nats, n_bytes, seed)
    if not both:
        return Drift(estimate, None, unknown)
    weight = np.array([float(sources[source][1].sum()) for source in both])
    weight /= weight.sum()
    gaps = np.stack([_gap(sources[source], known[source], seed + place) for place, source in enumerate(both)])
    values = [_rate(*sources[source]) - _rate(*known[source]) for source in both]
    low, high = np.percentile(weight @ gaps, [2.5, 97.5])
    return Drift(estimate, Estimate(float(weight @ np.array(values)), float(low), float(high)), unknown)


def divergence(first: Ints, second: Ints) -> float:
    """Jensen-Shannon divergence of two counts of the same tokens, in bits: 0 the same text, 1 nothing in common."""
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2

    def half(part: NDArray[np.float64]) -> float:
        there = part > 0
        return float((part[there] * np.log2(part[there] / middle[there])).sum()) / 2

    return half(p) + half(q)


def _sources(documents: tuple[Floats, Ints, Sequence[str]]) -> dict[str, tuple[Floats, Ints]]:
    nats, n_bytes, names = documents
    named = np.array(names, dtype=str)
    return {str(name): (nats[named == name], n_bytes[named == name]) for name in np.unique(named)}


def _rate(nats: Floats, n_bytes: Ints) -> float:
    return float(nats.sum() / np.log(2) / n_bytes.sum())


def _gap(fresh: tuple[Floats, Ints], judged: tuple[Floats, Ints], seed: int) -> Floats:
    """Resampled differences in bits per byte. Shape [resamples]."""
    rates = []
    for number, (nats, n_bytes) in enumerate((fresh, judged)):
        sums = resampled_sums(np.stack([nats / np.log(2), n_bytes.astype(np.float64)]), 2 * seed + number)
        rates.append(sums[0] / sums[1])
    return np.asarray(rates[0] - rates[1])
