"""How often one host is asked: a queue with its own rate and concurrency, which the host itself can slow down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class HostQueue:
    """Requests to one host, at most `concurrency` at once and `rate` a second, evenly spaced."""

    def __init__(self, rate: float, concurrency: int) -> None:
        self._interval = 1 / rate
        self._places = threading.BoundedSemaphore(concurrency)
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place and a moment, hold the place for the length of the with-block."""
        with self._places:
            while True:
                with self._lock:
                    now = time.monotonic()
                    wait = self._next - now
                    if wait <= 0:
                        self._next = now + self._interval
                        break
                time.sleep(min(wait, 1.0))
            yield

    def pause(self, seconds: float) -> None:
        """Ask nothing for a while."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def slow_to(self, interval_s: float) -> None:
        """Leave at least this many seconds between requests (robots.txt Crawl-delay)."""
        with self._lock:
            self._interval = max(self._interval, interval_s)


def retry_after(header: str) -> float | None:
    """Seconds of a Retry-After header (a number, or an HTTP date); None when it is absent or nonsense."""
    header = header.strip()
    if header.isdigit() and len(header) <= 9:
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
