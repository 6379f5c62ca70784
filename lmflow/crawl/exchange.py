"""One request and its response over the wire (HTTP/1.1 and 2 by httpcore), every failure named by its kind.

No cookies, no proxies from the environment, no redirects, no decoding: those are decisions of the rooms above.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import certifi
import h2.exceptions
import httpcore
import httpx

from lmflow.crawl.address import ForbiddenAddressError, GuardedBackend, RequestLimits, TlsError
from lmflow.crawl.refusals import join_field
from lmflow.crawl.resolve import ResolutionError

_LONGEST_URL: Final = 8000
#: A small body of a response that is not wanted (a redirect, an error) is read, so that its connection can go on.
_DRAIN_BYTES: Final = 1 << 16


class FetchError(Exception):
    """A request that cannot be made or did not end well, by kind. Only this room and its downloads see it."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.detail = kind, detail


class Address:
    """A web address, read once: what is judged is what is asked.

    Raises:
        FetchError: of kind `url`; it is none that may be asked.
    """

    def __init__(self, url: str) -> None:
        try:
            if len(url) > _LONGEST_URL:
                raise ValueError("longer than 8,000 characters")
            parsed = httpx.URL(url.strip())
            self.scheme, self.host = parsed.scheme, parsed.raw_host.decode()
            self.port = parsed.port or {"http": 80, "https": 443}.get(self.scheme, 0)
            if self.scheme not in ("http", "https") or not self.host or parsed.userinfo or not 0 < self.port < 65536:
                raise ValueError(url)
            self.target = parsed.raw_path
            self.text = str(parsed)
            self.text.encode()
            # IPv6 in brackets for the Host header, bare for the name service.
            self.netloc = parsed.netloc
        except (httpx.InvalidURL, ValueError) as error:  # UnicodeError is one
            raise FetchError("url", str(error)[:200]) from None

    @property
    def authority(self) -> str:
        """`host:port`, what a queue belongs to."""
        return f"{self.host.lower()}:{self.port}"


@dataclass(frozen=True, slots=True)
class Response:
    """Status and headers (names in lower case); the body is still to be read."""

    url: str
    status_code: int
    headers: Mapping[str, str]
    _answer: httpcore.Response

    def iter_raw(self, chunk_size: int = 0) -> Iterator[bytes]:
        """The body as it comes, in pieces of at least `chunk_size` bytes (the last one may be smaller)."""
        if not chunk_size:
            for piece in self._answer.iter_stream():
                yield piece
        else:
            held: list[bytes] = []
            size = 0
            for piece in self._answer.iter_stream():
                held.append(piece)
                size += len(piece)
                if size >= chunk_size:
                    yield b"".join(held)
                    held, size = [], 0
            if held:
                yield b"".join(held)
        self._check_end()

    def drain(self) -> None:
        """Read a small body to its end, and leave a large one."""
        length = self.headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) <= _DRAIN_BYTES:
            for _ in self.iter_raw():
                pass

    def _check_end(self) -> None:
        """Close a connection that holds more than its response: the rest would answer another request.

        httpcore keeps such bytes for the next response of the connection and has no public way to see them.
        """
        connection: Any = getattr(getattr(self._answer.stream, "_stream", None), "_connection", None)
        state: Any = getattr(connection, "_h11_state", None)
        if state is not None and state.trailing_data[0]:
            self._answer.extensions["network_stream"].close()


class Connections:
    """Open connections to hosts, safe to share between threads.

    Args:
        guard: makes them.
        limits: of the request that runs in each thread.
        ca_file: certificates to trust in place of the usual ones; empty for those.
        connect_s: seconds to connect, and again for TLS.
        read_s: seconds without a byte.
    """

    def __init__(
        self, guard: GuardedBackend, limits: RequestLimits, ca_file: str, connect_s: float, read_s: float
    ) -> None:
        self._limits = limits
        self._timeouts = {"connect": connect_s, "read": read_s, "write": read_s, "pool": read_s}
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls_context(ca_file),
            max_connections=64,
            keepalive_expiry=10.0,
            http2=True,
            network_backend=guard,
        )

    def close(self) -> None:
        """Close all of them."""
        self._pool.close()

    @contextmanager
    def request(
        self, address: Address, headers: Mapping[str, str], total_s: float, may_go_inside: bool
    ) -> Iterator[Response]:
        """Send a GET and give its response; a failure inside the with-block is named too.

        Raises:
            FetchError: `address`, `dns`, `connect`, `tls`, `timeout` or `protocol`.
        """
        try:
            with self._send(address, headers, total_s, may_go_inside) as answer:
                response = Response(address.text, answer.status, _headers(answer.headers), answer)
                yield response
        except BaseException as error:
            self._limits.abandon()
            kind = _kind(error)
            if kind is None:
                raise
            raise FetchError(kind, (str(error) or repr(error))[:200]) from None

    @contextmanager
    def _send(
        self, address: Address, headers: Mapping[str, str], total_s: float, may_go_inside: bool
    ) -> Iterator[httpcore.Response]:
        url = httpcore.URL(
            scheme=address.scheme.encode(),
            host=address.host.encode(),
            port=address.port,
            target=address.target,
        )
        fields = [
            (b"Host", address.netloc),
            *((name.encode(), value.encode("latin-1")) for name, value in headers.items()),
        ]
        request = httpcore.Request(b"GET", url, headers=fields, extensions={"timeout": self._timeouts})
        self._limits.start(total_s, may_go_inside)
        try:
            answer = self._pool.handle_request(request)
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
            # A server may close an idle connection just when it is used again; that says nothing about the page.
            if self._limits.has_connected:
                raise
            self._limits.abandon()
            answer = self._pool.handle_request(
                httpcore.Request(b"GET", url, headers=fields, extensions=request.extensions)
            )
        try:
            yield answer
        finally:
            answer.close()


@cache
def _tls_context(ca_file: str) -> ssl.SSLContext:
    """Made once a process: reading the certificates takes longer than a request."""
    return ssl.create_default_context(cafile=ca_file or certifi.where())


def _kind(error: BaseException) -> str | None:
    """The kind of a failure on the wire, None for what is no such thing."""
    if isinstance(error, ForbiddenAddressError):
        return "address"
    if isinstance(error, ResolutionError):
        return "dns"
    if isinstance(error, TlsError) or isinstance(error.__cause__, ssl.SSLError):
        return "tls"
    if isinstance(error, httpcore.TimeoutException):
        return "timeout"
    if isinstance(error, httpcore.ConnectError):
        return "connect"
    if isinstance(error, (httpcore.NetworkError, httpcore.ProtocolError, h2.exceptions.H2Error)):
        return "protocol"
    return None


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names in lower case; a repeated header is joined by commas (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name = name_bytes.decode("latin-1").lower()
        try:
            value = value_bytes.decode()
        except UnicodeDecodeError:
            value = value_bytes.decode("latin-1")
        found[name] = join_field(name, found[name], value) if name in found else value
    return found
