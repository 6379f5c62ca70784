"""One writer at a time on this host. Exactly-once does not rest on it (commits do that): it only spares double work."""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lmflow.errors import ServiceError
from lmflow.settings import settings


@contextmanager
def exclusive(name: str, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the lock `name` for the length of a with-block; the kernel frees it when the process dies.

    Raises:
        ServiceError: another process still holds it after `timeout_s` seconds.
    """
    folder = settings().home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w.-]+", "_", name) + ".lock")
    deadline = time.monotonic() + timeout_s
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ServiceError(
                        f"{name} is already running here (lock {path} is held); wait for it to end, then try again"
                    ) from None
                time.sleep(0.2)
        yield
