"""Which network addresses a crawl may reach, checked where the connection is made.

The name is resolved once, every address is judged, and the connection goes to a judged address: a second answer of the
name server cannot move it (DNS rebinding). Time limits live here too, because a server that sends a byte now and then
never trips a limit per read.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any, Final

import httpcore

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class ForbiddenAddressError(Exception):
    """A host that resolves to an address inside somebody's network."""


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet, also when it carries an IPv4 address inside."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _LOCAL_NAT64:
            return False
        inner = (
            ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        )
        if ip.teredo or (int(ip) >> 32 == 0 and int(ip) > 1):  # Teredo; deprecated IPv4-compatible ::a.b.c.d
            return False
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class Deadline:
    """The moment by which the running request of each thread must have ended."""

    def __init__(self) -> None:
        self._local = threading.local()

    def start(self, seconds: float) -> None:
        """Give this thread's request `seconds` from now."""
        self._local.at = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """Seconds a network operation may take.

        Raises:
            httpcore.ReadTimeout: none are left.
        """
        seconds: float = getattr(self._local, "at", float("inf")) - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("total time limit reached")
        return seconds if timeout is None else min(timeout, seconds)


class GuardedBackend(httpcore.NetworkBackend):
    """Connections to public addresses, and to the private hosts that the settings allow by name."""

    def __init__(self, private_hosts: Iterable[str], deadline: Deadline) -> None:
        self._private_hosts = frozenset(host.lower() for host in private_hosts)
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def is_private_host(self, host: str) -> bool:
        """Whether the settings name this host as one that may be private."""
        return host.lower().strip("[]") in self._private_hosts

    def resolve(self, host: str, port: int) -> list[str]:
        """Addresses of a host, all of them allowed.

        Raises:
            ForbiddenAddressError: one of them is private, loopback, link-local, reserved or multicast.
            httpcore.ConnectError: the name does not resolve.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"name resolution: {error}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self.is_private_host(host):
            for address in addresses:
                if not is_public(address):
                    raise ForbiddenAddressError(f"{host} resolves to {address}, which is not a public address")
        return addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first judged address that answers."""
        failure: Exception = httpcore.ConnectError(f"no address for {host}")
        for address in self.resolve(host, port):
            try:
                stream = self._backend.connect_tcp(
                    address, port, self._deadline.left(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _TimedStream(stream, self._deadline)
        raise failure

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        """Never: a crawl has no business with local sockets."""
        raise ForbiddenAddressError("unix sockets are not fetched")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every operation ends by the deadline of the request that runs on it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
