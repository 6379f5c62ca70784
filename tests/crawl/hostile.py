"""Sites that misbehave on purpose, one behaviour a host, each in bytes on a socket: see docs/crawling.md for the table.

`HOSTILE` names what each does and the state in which a fetch of its page must end. Every host also has a page that is
well (`/good`), so that a test can tell whether a behaviour harms more than itself.
"""

from __future__ import annotations

import gzip
import itertools
import random
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import brotli
import zstandard

from tests.crawl.authority import Authority

GOOD = b"<html><head><title>Good</title></head><body><p>This page is well.</p></body></html>"
GOOD_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
GOOD_ANSWER = GOOD_HEADERS + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD


@dataclass(frozen=True)
class Behaviour:
    """One way to misbehave."""

    name: str
    area: str  # dns, tls, headers, body, encoding, time, robots
    what: str
    state: str  # the error kind in which a fetch of its page ends, empty for a page that is stored
    act: Callable[[socket.socket, bytes], None] | None = None  # with the request's head; None: it is never asked
    body: bytes | None = None  # what is stored, where a page is
    good: bool = True  # whether the other page of the host can be had
    tls: str = ""  # which certificate, or how the handshake goes wrong
    alpn: str = ""
    host: str = "127.0.0.1"
    robots: bool = False  # whether it acts on robots.txt instead of the page


HOSTILE: list[Behaviour] = []


def behaves(area: str, what: str, state: str, **more: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def note(act: Callable[..., None]) -> Callable[..., None]:
        HOSTILE.append(Behaviour(act.__name__.replace("_", "-"), area, what, state, act, **more))  # type: ignore[arg-type]
        return act

    return note


def _answers(area: str, name: str, what: str, state: str, content: bytes, **more: object) -> None:
    """A behaviour that is one piece of bytes, after which the connection is closed."""

    def act(connection: socket.socket, head: bytes) -> None:
        connection.sendall(content)
        raise ConnectionAbortedError

    HOSTILE.append(Behaviour(name, area, what, state, act, **more))  # type: ignore[arg-type]


def _never_asked(area: str, name: str, what: str, state: str, **more: object) -> None:
    HOSTILE.append(Behaviour(name, area, what, state, None, good=False, **more))  # type: ignore[arg-type]


def _encoded(encoding: str, content: bytes) -> bytes:
    return GOOD_HEADERS + f"Content-Encoding: {encoding}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


# DNS ------------------------------------------------------------------------------------------------------------------

_never_asked("dns", "dns-silent", "the name server never answers", "dns", host="silent.test")
_never_asked("dns", "dns-nxdomain", "the name does not exist", "dns", host="nxdomain.test")
_never_asked("dns", "dns-servfail", "the name server fails", "dns", host="servfail.test")
_never_asked("dns", "dns-empty", "the name exists and has no address", "dns", host="empty.test")
_never_asked("dns", "dns-cname-loop", "two aliases name each other", "dns", host="loop.test")
_never_asked("dns", "dns-garbage", "the answer is no DNS message", "dns", host="garbage.test")
_never_asked("dns", "dns-other-id", "the answer is to another question, and points inside", "dns", host="spoofed.test")
_never_asked("dns", "dns-truncated", "the answer is truncated and TCP is closed", "dns", host="truncated.test")
_never_asked("dns", "dns-inside", "the name points to loopback", "address", host="inside.test")
_never_asked("dns", "dns-mixed", "one address is public, one is private", "address", host="mixed.test")
_never_asked("dns", "dns-dead-addresses", "thirty addresses, none listens", "connect", host="dead.test")
_never_asked("dns", "dns-long-label", "a label of 70 characters", "dns", host="a" * 70 + ".test")

# TLS ------------------------------------------------------------------------------------------------------------------

for _kind, _what in (
    ("self-signed", "a certificate that nobody vouches for"),
    ("expired", "a certificate of last year"),
    ("wrong-name", "a certificate of another host"),
    ("old-version", "TLS 1.1 at most"),
    ("plain", "plain HTTP on the TLS port"),
    ("cut", "the connection is closed within the handshake"),
    ("garbage", "random bytes in place of a handshake"),
):
    _never_asked("tls", f"tls-{_kind}", _what, "tls", tls=_kind)
_never_asked("tls", "tls-silent", "no answer to the handshake", "timeout", tls="silent")


@behaves("tls", "the connection is cut within the body, without a TLS close", "protocol", tls="good")
def tls_cut_body(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS + b"Content-Length: 100000\r\n\r\n" + b"x" * 1000)
    # The plain socket below is closed, so no close_notify goes out. Nothing may be read from `connection` after that:
    # its TLS still knows the number, which by then belongs to somebody else's connection.
    socket.close(connection.detach())
    raise ConnectionAbortedError


# HTTP/2 ---------------------------------------------------------------------------------------------------------------


def _h2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


_SETTINGS = _h2_frame(4, 0, 0, b"")


@behaves("headers", "HTTP/2: random bytes in place of frames", "protocol", tls="good", alpn="h2", good=False)
def h2_garbage(connection: socket.socket, head: bytes) -> None:
    connection.sendall(_SETTINGS + random.Random(7).randbytes(5000))
    time.sleep(0.2)


@behaves("headers", "HTTP/2: the stream is reset", "protocol", tls="good", alpn="h2", good=False)
def h2_reset(connection: socket.socket, head: bytes) -> None:
    connection.sendall(_SETTINGS + _h2_frame(3, 0, 1, struct.pack(">I", 2)))
    time.sleep(0.2)


@behaves("headers", "HTTP/2: the server goes away", "protocol", tls="good", alpn="h2", good=False)
def h2_goaway(connection: socket.socket, head: bytes) -> None:
    connection.sendall(_SETTINGS + _h2_frame(7, 0, 0, struct.pack(">II", 0, 11)))
    time.sleep(0.2)


@behaves("time", "HTTP/2: pings for ever, never a response", "timeout", tls="good", alpn="h2", good=False)
def h2_pings(connection: socket.socket, head: bytes) -> None:
    connection.sendall(_SETTINGS)
    while True:
        connection.sendall(_h2_frame(6, 0, 0, b"12345678"))
        time.sleep(0.01)


@behaves("headers", "HTTP/2: headers continued without end", "protocol", tls="good", alpn="h2", good=False)
def h2_continuation(connection: socket.socket, head: bytes) -> None:
    connection.sendall(_SETTINGS + _h2_frame(1, 0, 1, b"\x88"))
    for _ in range(100_000):
        connection.sendall(_h2_frame(9, 0, 1, b"\x00\x05x-abc" + b"\x7f\x81\x1f" + b"y" * 4096))


# Headers --------------------------------------------------------------------------------------------------------------


@behaves("headers", "20,000 headers", "protocol")
def header_flood(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS)
    for number in range(20_000):
        connection.sendall(b"X-%d: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" % number)


@behaves("headers", "one header without end", "protocol")
def header_endless(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS + b"X-Long: ")
    while True:
        connection.sendall(b"y" * 65536)


@behaves("headers", "100 Continue for ever", "timeout")
def continue_for_ever(connection: socket.socket, head: bytes) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.005)


_answers("headers", "no-http", "bytes that are no HTTP", "protocol", b"\x00\x01 not http\r\n\r\n")
_answers("headers", "http-0.9", "a page without status line", "protocol", GOOD)
_answers("headers", "status-999", "a status that does not exist", "protocol", b"HTTP/1.1 9999 Odd\r\n\r\n")
_answers(
    "headers",
    "two-lengths",
    "two lengths that differ",
    "protocol",
    GOOD_HEADERS + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n" + GOOD,
)
_answers(
    "headers", "negative-length", "a negative length", "protocol", GOOD_HEADERS + b"Content-Length: -1\r\n\r\n" + GOOD
)
_answers("headers", "nul-in-header", "a NUL in a header", "protocol", GOOD_HEADERS + b"X: a\0b\r\n\r\n")
_answers(
    "headers",
    "redirect-loop",
    "a redirect to itself",
    "redirects",
    b"HTTP/1.1 301 M\r\nLocation: /page\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "redirect-to-file",
    "a redirect to file:///etc/passwd",
    "url",
    b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "redirect-to-script",
    "a redirect to javascript:",
    "url",
    b"HTTP/1.1 302 F\r\nLocation: javascript:alert(1)\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "redirect-malformed",
    "a redirect to http://[",
    "url",
    b"HTTP/1.1 302 F\r\nLocation: http://[bad/\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "redirect-huge",
    "a redirect to an address of 60,000 characters",
    "url",
    b"HTTP/1.1 302 F\r\nLocation: /" + b"a" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "redirect-binary",
    "a redirect to bytes that are no text",
    "http_404",
    b"HTTP/1.1 302 F\r\nLocation: /\xff\xfe\xc3\x28\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "redirect-inside",
    "a redirect to the metadata address of clouds",
    "address",
    b"HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n",
)
_answers(
    "headers",
    "etag-hostile",
    "an ETag that cannot be sent back",
    "",
    GOOD_HEADERS + b'ETag: "\xff\xfe' + b"e" * 40_000 + b'"\r\nContent-Length: %d\r\n\r\n' % len(GOOD) + GOOD,
    body=GOOD,
)
_answers(
    "headers",
    "cookie-flood",
    "a thousand cookies",
    "",
    GOOD_HEADERS
    + b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"z" * 40) for n in range(1000))
    + b"Content-Length: %d\r\n\r\n" % len(GOOD)
    + GOOD,
    body=GOOD,
)


@behaves("headers", "a redirect to a new address every time", "redirects")
def redirect_for_ever(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 302 F\r\nLocation: /page?%d\r\nContent-Length: 0\r\n\r\n" % random.randrange(10**9))


# Body -----------------------------------------------------------------------------------------------------------------


@behaves("body", "chunks without end", "too_large")
def body_endless(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


_answers(
    "body",
    "body-announced-huge",
    "99 GB announced",
    "too_large",
    GOOD_HEADERS + b"Content-Length: 99999999999\r\n\r\nx",
)
_answers(
    "body",
    "body-short",
    "fewer bytes than announced",
    "protocol",
    GOOD_HEADERS + b"Content-Length: 5000\r\n\r\n" + GOOD,
)
_answers(
    "body",
    "chunk-bad-size",
    "a chunk whose size is no number",
    "protocol",
    GOOD_HEADERS + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
)
_answers(
    "body",
    "chunk-cut",
    "the last chunk never comes",
    "protocol",
    GOOD_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
)
_answers(
    "body",
    "chunk-extension",
    "a chunk extension of 200 KB",
    "protocol",
    GOOD_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"e" * 200_000 + b"\r\nhello\r\n0\r\n\r\n",
)
_answers(
    "body",
    "trailer-flood",
    "trailers of 200 KB",
    "protocol",
    GOOD_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + b"X-T: " + b"t" * 200_000 + b"\r\n\r\n",
)
_answers(
    "body",
    "wrong-type",
    "a film where a page was promised",
    "content_type",
    b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 90000000\r\n\r\n" + b"\0" * 1000,
)
_answers(
    "body",
    "binary-page",
    "random bytes called text/html",
    "",
    GOOD_HEADERS + b"Content-Length: 3000\r\n\r\n" + random.Random(3).randbytes(3000),
    body=random.Random(3).randbytes(3000),
)
_answers("body", "empty-page", "nothing, with status 200", "", GOOD_HEADERS + b"Content-Length: 0\r\n\r\n", body=b"")
_answers(
    "body",
    "charset-unknown",
    "a charset that does not exist",
    "",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=klingon\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD,
    body=GOOD,
)


@behaves("body", "a second response behind the first, in the hope that it answers the next request", "", body=GOOD)
def smuggled_response(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_ANSWER + GOOD_HEADERS + b"Content-Length: 4\r\n\r\nevil")


@behaves("body", "half a response behind the first, to swallow the next one's head", "", body=GOOD)
def smuggled_head(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_ANSWER + b"HTTP/1.1 200 OK\r\nX-Swallow: ")


# Encoding -------------------------------------------------------------------------------------------------------------

_PLAIN = b"text " * 5000
_answers(
    "encoding",
    "gzip-bomb",
    "50 MB in 50 KB of gzip",
    "too_large",
    _encoded("gzip", gzip.compress(b"\0" * 50_000_000, 9)),
)
_answers(
    "encoding",
    "deflate-bomb",
    "50 MB of raw deflate",
    "too_large",
    _encoded("deflate", zlib.compress(b"\0" * 50_000_000, 9)[2:-4]),
)
_answers(
    "encoding",
    "brotli-bomb",
    "300 MB in 400 bytes of brotli",
    "too_large",
    _encoded("br", brotli.compress(b"\0" * 300_000_000, quality=1)),
)
_answers(
    "encoding",
    "zstd-bomb",
    "300 MB in 9 KB of zstd",
    "too_large",
    _encoded("zstd", zstandard.ZstdCompressor().compress(b"\0" * 300_000_000)),
)
_answers("encoding", "gzip-cut", "gzip that breaks off", "encoding", _encoded("gzip", gzip.compress(_PLAIN)[:-20]))
_answers("encoding", "brotli-cut", "brotli that breaks off", "encoding", _encoded("br", brotli.compress(_PLAIN)[:-4]))
_answers(
    "encoding",
    "zstd-cut",
    "zstd that breaks off",
    "encoding",
    _encoded("zstd", zstandard.ZstdCompressor().compress(_PLAIN)[:-4]),
)
_answers("encoding", "not-gzip", "plain text called gzip", "encoding", _encoded("gzip", b"<html>" + GOOD))
_answers(
    "encoding", "gzip-twice", "gzip within gzip", "encoding", _encoded("gzip, gzip", gzip.compress(gzip.compress(GOOD)))
)
_answers("encoding", "unknown-encoding", "an encoding that was not asked for", "encoding", _encoded("x-secret", GOOD))


def _wide_window() -> bytes:
    stream = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    return stream.compress(GOOD) + stream.flush()


_answers("encoding", "zstd-window", "zstd that wants 128 MB to be read", "encoding", _encoded("zstd", _wide_window()))


@behaves("encoding", "empty gzip members for ever: bytes come, the page never grows", "too_large")
def gzip_empty_members(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    members = gzip.compress(b"") * 3000
    while True:
        connection.sendall(b"%x\r\n" % len(members) + members + b"\r\n")


# Time -----------------------------------------------------------------------------------------------------------------


@behaves("time", "a byte of the head every 50 ms", "timeout")
def slow_head(connection: socket.socket, head: bytes) -> None:
    for byte in GOOD_HEADERS + b"X: " + b"y" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


@behaves("time", "a byte of the body every 50 ms", "timeout")
def slow_body(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS + b"Content-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


@behaves("time", "no answer at all", "timeout")
def silent(connection: socket.socket, head: bytes) -> None:
    time.sleep(30)


@behaves("time", "the head comes, the body never", "timeout")
def stalled_body(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_HEADERS + b"Content-Length: 1000\r\n\r\n")
    time.sleep(30)


@behaves("time", "the connection is reset as soon as it is asked", "protocol")
def reset(connection: socket.socket, head: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError


@behaves("time", "the connection is closed as soon as it is asked", "protocol")
def hang_up(connection: socket.socket, head: bytes) -> None:
    raise ConnectionAbortedError


@behaves("time", "an idle connection is closed just before it is used again", "", body=GOOD)
def closes_idle(connection: socket.socket, head: bytes) -> None:
    connection.sendall(GOOD_ANSWER)
    raise ConnectionAbortedError


_BUSY = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nRetry-After: %s\r\n\r\n"
_answers("time", "busy-for-ever", "503 whenever it is asked", "http_503", _BUSY % (b"503 Busy", b"0"))
_answers(
    "time",
    "retry-after-hours",
    "429, to be asked again in two hours",
    "http_429",
    _BUSY % (b"429 Slow", b"7200"),
    good=False,
)
_answers(
    "time",
    "retry-after-absurd",
    "429 until a date beyond the calendar",
    "http_429",
    _BUSY % (b"429 Slow", b"Fri, 31 Dec 9999 23:59:59 -1200"),
    good=False,
)
_answers(
    "time",
    "retry-after-digits",
    "429 for as many seconds as forty digits say",
    "http_429",
    _BUSY % (b"429 Slow", b"9" * 40),
    good=False,
)

# robots.txt -----------------------------------------------------------------------------------------------------------

_answers(
    "robots",
    "robots-broken",
    "500 for robots.txt: the site is closed",
    "robots",
    _BUSY % (b"500 Oops", b"0"),
    good=False,
    robots=True,
)
_answers(
    "robots",
    "robots-loop",
    "robots.txt redirects to itself",
    "redirects",
    b"HTTP/1.1 301 M\r\nLocation: /robots.txt\r\nContent-Length: 0\r\n\r\n",
    good=False,
    robots=True,
)
_answers(
    "robots",
    "robots-binary",
    "robots.txt is random bytes: no rule in it",
    "",
    GOOD_HEADERS + b"Content-Length: 4000\r\n\r\n" + random.Random(5).randbytes(4000),
    body=GOOD,
    robots=True,
)
_answers(
    "robots",
    "robots-delay-nan",
    "a crawl delay that is no number",
    "",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 32\r\n\r\nUser-agent: *\nCrawl-delay: nan\n\n",
    body=GOOD,
    robots=True,
)


@behaves("robots", "robots.txt without end: its beginning counts", "", body=GOOD, robots=True)
def robots_endless(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        connection.sendall(b"User-agent: *\nDisallow: /x\n" * 1000)


# The servers ----------------------------------------------------------------------------------------------------------


@dataclass
class Host:
    """A behaviour that listens."""

    behaviour: Behaviour
    url: str  # of the page that misbehaves
    good_url: str
    asked: list[str] = field(default_factory=list)  # paths, in order


@contextmanager
def hostile_hosts(certificates: Authority) -> Iterator[list[Host]]:
    """All behaviours, each on a port of its own."""
    over = threading.Event()
    listeners, hosts = [], []
    for behaviour in HOSTILE:
        listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        port = listener.getsockname()[1]
        scheme = "https" if behaviour.tls else "http"
        base = f"{scheme}://{behaviour.host}:{port}"
        host = Host(behaviour, base + "/page", base + "/good")
        context = certificates.context(behaviour.tls, behaviour.alpn)
        listeners.append(listener)
        hosts.append(host)
        threading.Thread(target=_serve, args=(listener, host, context, over), daemon=True).start()
    try:
        yield hosts
    finally:
        over.set()
        for listener in listeners:
            listener.close()


def _serve(listener: socket.socket, host: Host, context: ssl.SSLContext | None, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(connection, host, context), daemon=True).start()


def _talk(plain: socket.socket, host: Host, context: ssl.SSLContext | None) -> None:
    plain.settimeout(20)
    connection: socket.socket = plain
    with suppress(OSError, ssl.SSLError):
        try:
            match host.behaviour.tls:
                case "silent":
                    time.sleep(15)
                    return
                case "cut":
                    plain.recv(100)
                    return
                case "plain":
                    plain.recv(100)
                    plain.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    return
                case "garbage":
                    plain.recv(100)
                    plain.sendall(random.Random(1).randbytes(3000))
                    return
            if context is not None:
                connection = context.wrap_socket(plain, server_side=True)
            if host.behaviour.alpn == "h2":
                connection.recv(4096)
                _act(host, connection, b"")
                return
            for head in _heads(connection):
                path = head.split(b" ")[1].decode("latin-1")
                host.asked.append(path)
                if path == "/robots.txt":
                    if host.behaviour.robots:
                        _act(host, connection, head)
                    else:
                        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                elif path == "/good" or (host.behaviour.robots and path == "/page"):
                    connection.sendall(GOOD_ANSWER)
                elif path.startswith("/page"):
                    _act(host, connection, head)
                else:
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        finally:
            with suppress(OSError):
                connection.close()
            plain.close()


def _act(host: Host, connection: socket.socket, head: bytes) -> None:
    if host.behaviour.act is not None:
        host.behaviour.act(connection, head)


def _heads(connection: socket.socket) -> Iterator[bytes]:
    """Heads of the requests that come over a connection."""
    held = b""
    for _ in itertools.count():
        while b"\r\n\r\n" not in held:
            piece = connection.recv(65536)
            if not piece:
                return
            held += piece
        head, _, held = held.partition(b"\r\n\r\n")
        yield head
