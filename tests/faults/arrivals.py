"""Judging a crawl by what arrived at its servers."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable


def by_host(log: Iterable[tuple[float, str, str]]) -> dict[str, list[float]]:
    """Arrival times of each host, sorted."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for at, host, _ in log:
        found[host].append(at)
    return {host: sorted(times) for host, times in found.items()}


def most_within(times: list[float], seconds: float) -> int:
    """The largest number of arrivals in any window of so many seconds."""
    return max((bisect.bisect_left(times, at + seconds) - number for number, at in enumerate(times)), default=0)


def excess(times: list[float], rate: float, windows: Iterable[float] = (0.2, 0.5, 1.0, 2.0, 5.0)) -> float:
    """By how many arrivals the rate was exceeded at worst, beyond the one that a window may begin with."""
    return max(most_within(times, window) - (rate * window + 1) for window in windows)
