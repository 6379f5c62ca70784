"""Names to addresses in bounded time: the system's resolver hangs as long as it likes, a crawl must not.

An address written as a number (`127.1`, `0x7f000001`, `[::1]`) is read as the system would read it, so that it is
judged as what it is.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.name
import dns.resolver

#: A host with more addresses than this is tried no further; real ones have a handful.
MOST_ADDRESSES = 8


class ResolutionError(Exception):
    """The name has no address, or nobody said so in time."""


class Resolver:
    """Looks names up through the system, or through the name servers it is given.

    Args:
        nameservers: `address` or `address:port` (IPv6 in brackets); none for the system's resolver with its hosts file.
    """

    def __init__(self, nameservers: Sequence[str] = ()) -> None:
        self._servers: dns.resolver.Resolver | None = None
        if nameservers:
            self._servers = dns.resolver.Resolver(configure=False)
            parts = [urlsplit(f"//{server}") for server in nameservers]
            self._servers.nameservers = [part.hostname or "" for part in parts]
            self._servers.nameserver_ports = {part.hostname or "": part.port or 53 for part in parts}

    def addresses(self, host: str, port: int, timeout_s: float) -> list[str]:
        """Addresses of a host, in the order they should be tried.

        Raises:
            ResolutionError: none, or no answer within `timeout_s`.
        """
        host = host.strip("[]")
        try:
            found = _numeric(host, port) or (
                _ask_system(host, port, timeout_s) if self._servers is None else self._ask(host, timeout_s)
            )
        except (OSError, UnicodeError, ValueError, dns.exception.DNSException) as error:
            raise ResolutionError(f"{host[:100]}: {str(error)[:200]}") from None
        if not found:
            raise ResolutionError(f"{host[:100]} has no address")
        return found

    def _ask(self, host: str, timeout_s: float) -> list[str]:
        assert self._servers is not None  # noqa: S101 - chosen by the caller
        name = dns.name.from_text(host)
        answers = self._servers.resolve_name(name, lifetime=timeout_s, search=False)
        return list(dict.fromkeys(answers.addresses()))


def _numeric(host: str, port: int) -> list[str]:
    try:
        return _unique(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return []


def _ask_system(host: str, port: int, timeout_s: float) -> list[str]:
    """`getaddrinfo` in a thread of its own: it takes no time limit, and one that hangs is left behind."""
    answer: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(_unique(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    threading.Thread(target=look_up, name=f"resolve {host[:40]}", daemon=True).start()
    try:
        found = answer.get(timeout=timeout_s)
    except queue.Empty:
        raise ResolutionError(f"{host[:100]}: no answer in {timeout_s:.0f} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _unique(entries: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))
