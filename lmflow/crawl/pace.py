"""How often one host is asked: a queue with its own rate and concurrency, which the host itself can slow down or close.

The queue is a few small files in `<home>/hosts`, locked by the kernel, so that it is one queue for all threads and all
processes of a machine: two crawls at once, or a task that is tried again, together ask no faster than one. A process
that is killed leaves no lock behind. Between machines there is no shared queue: a crawl gives each host to one task.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from lmflow.settings import settings

_CLOCK: Final = struct.Struct("<dd")  # seconds since 1970: when the next request may go, until when the host is closed
_LONGEST_NAP_S: Final = 0.5
_PLACE_NAP_S: Final = 0.02
#: No host is left alone for longer on its own word, whatever its Retry-After says.
LONGEST_CLOSURE_S: Final = 86_400.0


class HostClosedError(Exception):
    """The host asked to be left alone, or failed so often that it is."""

    def __init__(self, until: float) -> None:
        self.until = datetime.fromtimestamp(until, UTC)
        super().__init__(f"left alone until {self.until:%Y-%m-%d %H:%M:%S} UTC")


class HostQueue:
    """Requests to one host, at most `concurrency` at once and `rate` a second, evenly spaced."""

    def __init__(self, authority: str, rate: float, concurrency: int) -> None:
        self._interval = 1 / rate
        self._concurrency = concurrency
        self._base = host_file(authority)
        self._failures = 0
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place and a moment, hold the place for the length of the with-block.

        Where there is one place, the interval to the next request counts from the end of this one: then no two arrive
        closer than that, however late this process or the network was with the first.

        Raises:
            HostClosedError: the host is closed.
        """
        place = self._take_place()
        try:
            self._await_moment()
            yield
        finally:
            if self._concurrency == 1:
                self.pause(self._interval)
            os.close(place)

    def pause(self, seconds: float) -> None:
        """Ask nothing for a while; those who wait, wait on."""
        self._change(lambda moment, closed: (max(moment, time.time() + seconds), closed))

    def close(self, seconds: float) -> float:
        """Ask nothing for so long that nobody should wait for it; returns the seconds it really is."""
        seconds = min(seconds, LONGEST_CLOSURE_S)
        self._change(lambda moment, closed: (moment, max(closed, time.time() + seconds)))
        return seconds

    def slow_to(self, interval_s: float) -> None:
        """Leave at least this many seconds between requests (robots.txt Crawl-delay)."""
        with self._lock:
            self._interval = max(self._interval, interval_s)

    def count_failure(self, failed: bool) -> int:
        """Note how a URL of this host ended; returns how many have failed in a row."""
        with self._lock:
            self._failures = self._failures + 1 if failed else 0
            return self._failures

    def _take_place(self) -> int:
        """A locked file that stands for one of the places; blocks while all are taken."""
        while True:
            for number in range(self._concurrency):
                file = os.open(f"{self._base}.{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(file)
                else:
                    return file
            time.sleep(_PLACE_NAP_S)

    def _await_moment(self) -> None:
        wait = self._book()
        while wait > 0:
            time.sleep(min(wait, _LONGEST_NAP_S))
            wait = self._book()

    def _book(self) -> float:
        """Take the next moment if it has come, else say how many seconds are left."""
        waits = [0.0]

        def book(moment: float, closed: float) -> tuple[float, float]:
            now = time.time()
            if closed > now:
                raise HostClosedError(closed)
            # A clock that was set back must not stop the crawl: nothing books further ahead than this.
            waits[0] = moment - now if moment - now <= LONGEST_CLOSURE_S else 0.0
            return (now + self._interval, closed) if waits[0] <= 0 else (moment, closed)

        self._change(book)
        return waits[0]

    def _change(self, change: Callable[[float, float], tuple[float, float]]) -> None:
        """Read and write the clock under its lock."""
        file = os.open(f"{self._base}.clock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = os.pread(file, _CLOCK.size, 0)
            before = _CLOCK.unpack(content) if len(content) == _CLOCK.size else (0.0, 0.0)
            after = change(*before)
            if after != before:
                os.pwrite(file, _CLOCK.pack(*after), 0)
        finally:
            os.close(file)


def host_file(authority: str) -> Path:
    """Where this machine keeps what it knows of a host; a suffix is to be added."""
    folder = settings().home / "hosts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / re.sub(r"[^\w.-]+", "_", authority)[:150]


def retry_after(header: str) -> float | None:
    """Seconds of a Retry-After header (a number, or an HTTP date); None when it is absent or nonsense."""
    header = header.strip()
    if header.isascii() and header.isdigit():
        return float(min(int(header[:9]), LONGEST_CLOSURE_S)) if len(header) <= 9 else LONGEST_CLOSURE_S
    try:
        moment = parsedate_to_datetime(header)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_CLOSURE_S)
