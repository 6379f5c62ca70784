"""How much of the corpus is public yet: the one way in which the sample sites grow between two crawls."""

from __future__ import annotations

import threading


class Release:
    """The oldest documents of every site are public; the newest `held_back` percent appear as `advance` is called."""

    def __init__(self, held_back: int) -> None:
        self._percent = 100 - held_back
        self._lock = threading.Lock()

    @property
    def percent(self) -> int:
        """The share of each site's documents that is public, 0 to 100."""
        return self._percent

    def advance(self, percent: int) -> None:
        """Make `percent` more of each site's documents public, up to all of them."""
        with self._lock:
            self._percent = min(100, self._percent + percent)

    def public(self, total: int) -> int:
        """How many of a site's `total` documents, oldest first, are public."""
        return total * self._percent // 100
