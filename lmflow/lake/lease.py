"""One owner at a time of a place in the lake, whichever host it is on: what a lock on one host cannot see.

It spares double work, no more: two hosts that ask in the same instant may both get it. What is written under it must
therefore be the same whoever writes it, or committed once (`Table.commit`).
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lmflow.errors import InputError, ServiceError
from lmflow.lake.objects import Objects

_RENEWED_EVERY_S: Final = 20.0
#: An owner that has not renewed for so long is dead. Clocks of hosts may differ by less than this.
_EXPIRES_S: Final = 60.0


@contextmanager
def lease(objects: Objects, key: str) -> Iterator[None]:
    """Hold `key` for the length of a with-block. A process of this host takes over from one of this host at once.

    The caller holds a lock of this host (flock): that is what keeps two processes of one host apart.

    Raises:
        ServiceError: another host holds it, and renewed it less than a minute ago.
    """
    host = platform.node()
    found = _read(objects, key)
    if found is not None and found[0] != host and time.time() - found[1] < _EXPIRES_S:
        raise ServiceError(f"host {found[0]} works at {objects.uri(key)}; wait for it to end, then try again")

    def renew() -> None:
        objects.put(key, json.dumps({"host": host, "pid": os.getpid(), "renewed": time.time()}).encode())

    over = threading.Event()

    def keep() -> None:
        while not over.wait(_RENEWED_EVERY_S):
            renew()

    renew()
    keeper = threading.Thread(target=keep, daemon=True, name=f"lease {key}")
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        objects.delete(key)


def _read(objects: Objects, key: str) -> tuple[str, float] | None:
    """Who holds it, and when they renewed it last."""
    try:
        held = json.loads(objects.fresh(key))
    except InputError:
        return None
    return str(held["host"]), float(held["renewed"])
