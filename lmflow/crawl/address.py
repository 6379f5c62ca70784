"""Which network addresses a crawl may reach, checked where the connection is made.

The name is resolved once, every address is judged, and the connection goes to a judged address: a second answer of the
name server cannot move it (DNS rebinding). Time limits live here too, because a server that sends a byte now and then
never trips a limit per read.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any, Final

import httpcore

from lmflow.crawl.resolve import MOST_ADDRESSES, Resolver

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
#: What IANA gives out; all else is reserved (RFC 4291, 2.4), such as fec0:: of the deprecated site-local addresses.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
#: RFC 9637, which Python 3.11 does not know.
_DOCUMENTATION: Final = ipaddress.IPv6Network("3fff::/20")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class ForbiddenAddressError(Exception):
    """A host that resolves to an address inside somebody's network."""


class TlsError(Exception):
    """The other side does not prove who it is, or speaks no TLS."""


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
        if ip not in _GLOBAL_UNICAST or ip in _DOCUMENTATION:
            return False
    return ip.is_global and not ip.is_multicast


class RequestLimits:
    """What the request that runs in each thread may do: until when, and whether it may go inside."""

    def __init__(self) -> None:
        self._local = threading.local()

    def start(self, seconds: float, may_go_inside: bool) -> None:
        """A request begins in this thread and has `seconds` from now."""
        self._local.at = time.monotonic() + seconds
        self._local.inside = may_go_inside
        self._local.stream = None
        self._local.connected = False

    def left(self, timeout: float | None) -> float:
        """Seconds a network operation may take.

        Raises:
            httpcore.ReadTimeout: none are left.
        """
        seconds: float = getattr(self._local, "at", float("inf")) - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("total time limit reached")
        return seconds if timeout is None else min(timeout, seconds)

    @property
    def may_go_inside(self) -> bool:
        """Whether a person named the host of this request as one that may be private."""
        return bool(getattr(self._local, "inside", False))

    @property
    def has_connected(self) -> bool:
        """Whether this request made its own connection (else it took one that was open)."""
        return bool(getattr(self._local, "connected", False))

    def touch(self, stream: httpcore.NetworkStream, connected: bool = False) -> None:
        """The request of this thread runs on `stream`."""
        self._local.stream = stream
        self._local.connected = self.has_connected or connected

    def abandon(self) -> None:
        """Close the connection of this thread's request: after a failure nothing more may be read from it."""
        stream = getattr(self._local, "stream", None)
        if stream is not None:
            stream.close()


class GuardedBackend(httpcore.NetworkBackend):
    """Connections to public addresses, and to private ones for requests that may go inside.

    Args:
        limits: of the running requests.
        resolver: names to addresses.
        wire: makes the connections, after an address was judged.
    """

    def __init__(self, limits: RequestLimits, resolver: Resolver, wire: httpcore.NetworkBackend | None = None) -> None:
        self._limits, self._resolver = limits, resolver
        self._wire = wire or httpcore.SyncBackend()

    def resolve(self, host: str, port: int, timeout_s: float) -> list[str]:
        """Addresses of a host, all of them allowed.

        Raises:
            ForbiddenAddressError: one of them is private, loopback, link-local, reserved or multicast.
            ResolutionError: the name does not resolve.
        """
        addresses = self._resolver.addresses(host, port, timeout_s)
        if not self._limits.may_go_inside:
            for address in addresses:
                if not is_public(address):
                    raise ForbiddenAddressError(f"{host} is {address}, which is not a public address")
        return addresses[:MOST_ADDRESSES]

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
        for address in self.resolve(host, port, self._limits.left(timeout)):
            try:
                stream = self._wire.connect_tcp(
                    address, port, self._limits.left(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _LimitedStream(stream, self._limits)
        raise failure

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        """Never: a crawl has no business with local sockets."""
        raise ForbiddenAddressError("unix sockets are not fetched")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class _LimitedStream(httpcore.NetworkStream):
    """A stream whose every operation ends by the deadline of the request that runs on it."""

    def __init__(self, stream: httpcore.NetworkStream, limits: RequestLimits) -> None:
        self._stream, self._limits = stream, limits
        limits.touch(self, connected=True)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._limits.touch(self)
        return self._stream.read(max_bytes, self._limits.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._limits.touch(self)
        self._stream.write(buffer, self._limits.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            secured = self._stream.start_tls(ssl_context, server_hostname, self._limits.left(timeout))
        except (httpcore.ConnectError, ValueError) as error:
            raise TlsError(str(error)[:200] or "the connection was closed") from None
        return _LimitedStream(secured, self._limits)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
