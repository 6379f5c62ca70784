"""The loopback HTTP server: all sample sites on one port, with an access log that shows every document served.

Beside the sites' own addresses there are a few of the server's, which no crawler asks for and the log leaves out:
`/_health`, `/_counts` (how many documents each site offers now), `/_log` (requests since the start, NDJSON) and
`POST /_advance?percent=5` (make the next part of the held-back documents public). State is in memory: a restart holds
the same documents back again.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from lmflow.errors import InputError
from lmflow.samples import corpus, newspaper, social
from lmflow.samples.dumps import DumpSite
from lmflow.samples.exchange import Response, deliver, json_response, not_found
from lmflow.samples.news import NewsSite
from lmflow.samples.release import Release
from lmflow.samples.social import SocialSite

HOST = "127.0.0.1"
DEFAULT_PORT = 8770
DEFAULT_HELD_BACK = 10
DEFAULT_STEP = 5
DEFAULT_RATE_LIMIT = 7500  # requests to a social site in five minutes
IDLE_TIMEOUT_S = 60

_DISALLOWED = ("/news-en/private/", "/news-zh/private/")


class Site(Protocol):
    """What the server asks of a site."""

    prefix: str

    def respond(self, path: str, query: Mapping[str, str]) -> Response:
        """Answer for the path below the prefix."""

    def counts(self) -> dict[str, int]:
        """How many documents it offers."""


class AccessLog:
    """Requests answered, one JSON object each: kept for `/_log` and appended to a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._file = None
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def add(self, **entry: str | int) -> None:
        """Note a request."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self._lock:
            self._lines.append(line)
            if self._file:
                self._file.write(line)

    def text(self) -> str:
        """Every line since the start."""
        with self._lock:
            return "".join(self._lines)


class Samples:
    """All sites and the server's own pages, for a given base URL such as http://127.0.0.1:8770."""

    def __init__(self, base: str, log: AccessLog, held_back: int, rate_limit: int) -> None:
        self._base, self._log = base, log
        self._release = Release(held_back)
        self._sites: tuple[Site, ...] = (
            DumpSite(),
            NewsSite(newspaper.ENGLISH, base, self._release),
            NewsSite(newspaper.CHINESE, base, self._release),
            SocialSite(social.ENGLISH, base, self._release, rate_limit),
            SocialSite(social.CHINESE, base, self._release, rate_limit),
        )

    def respond(self, method: str, target: str) -> Response:
        """Answer a request line's method and target."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/_advance":
            return self._advance(method, query)
        if method not in ("GET", "HEAD"):
            return Response(b"", status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        for site in self._sites:
            if parts.path.startswith(site.prefix):
                return site.respond(parts.path.removeprefix(site.prefix), query)
        match parts.path:
            case "/":
                return self._index()
            case "/robots.txt":
                return self._robots()
            case "/_health":
                return json_response({"status": "ok", "public_percent": self._release.percent})
            case "/_counts":
                return json_response(self._counts())
            case "/_log":
                return Response(self._log.text().encode(), "application/x-ndjson")
        return not_found()

    def _advance(self, method: str, query: Mapping[str, str]) -> Response:
        if method != "POST":
            return Response(b"", status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        percent = query.get("percent", str(DEFAULT_STEP))
        if not (percent.isascii() and percent.isdigit() and 1 <= int(percent) <= 100):
            return json_response({"error": "percent must be a whole number, 1 to 100"}, HTTPStatus.BAD_REQUEST)
        self._release.advance(int(percent))
        return json_response(self._counts())

    def _counts(self) -> dict[str, object]:
        sites = {site.prefix.strip("/"): site.counts() for site in self._sites}
        return {"public_percent": self._release.percent, "sites": sites}

    def _robots(self) -> Response:
        rules = "".join(f"Disallow: {path}\n" for path in _DISALLOWED)
        maps = "".join(f"Sitemap: {self._base}{edition.prefix}sitemap.xml\n" for edition in _EDITIONS)
        return Response(f"User-agent: *\n{rules}Allow: /\n\n{maps}".encode(), "text/plain; charset=utf-8")

    def _index(self) -> Response:
        links = "".join(f'<li><a href="{site.prefix}">{site.prefix}</a></li>' for site in self._sites)
        feeds = "".join(f'<li><a href="{edition.prefix}feed.xml">{edition.name}</a>, RSS</li>' for edition in _EDITIONS)
        own = "".join(f'<li><a href="{path}">{path}</a></li>' for path in ("/_counts", "/_log", "/_health"))
        body = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>lmflow sample sites</title></head>\n'
            "<body><h1>lmflow sample sites</h1><p>Real text from installed packages, served in the formats of real "
            f"sites.</p><ul>{links}{feeds}</ul><p>Of this server:</p><ul>{own}</ul>"
            f"<p>{self._release.percent} % of the documents are public. "
            f"<code>curl -X POST {self._base}/_advance</code> publishes {DEFAULT_STEP} % more.</p></body></html>\n"
        )
        return Response(body.encode())


_EDITIONS = (newspaper.ENGLISH, newspaper.CHINESE)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, asks `Samples`, logs, sends."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "lmflow-samples", ""
    timeout = IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer with headers and body."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer with headers only."""
        self._answer()

    def do_POST(self) -> None:
        """Answer after reading the request's body, so that the connection can be used again."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        response = self.server.samples.respond(self.command, self.path)
        if self.command in ("GET", "HEAD"):
            response = deliver(response, {name.title(): value for name, value in self.headers.items()})
        body = b"" if self.command == "HEAD" else response.body
        if not self.path.startswith("/_"):
            self._log(response, len(body))  # before sending: whoever has an answer finds it in the log
        self.wfile, connection = BytesIO(), self.wfile  # headers and body in one write
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        head, self.wfile = self.wfile.getvalue(), connection
        self.wfile.write(head + body)

    def _log(self, response: Response, sent: int) -> None:
        self.server.log.add(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            method=self.command,
            path=self.path,
            status=int(response.status),
            bytes=sent,
            user_agent=self.headers.get("User-Agent", ""),
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the access log has it."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, port: int, log_path: Path | None, held_back: int, rate_limit: int, host: str = HOST, url: str = ""
    ) -> None:
        super().__init__((host, port), _Handler)
        self.log = AccessLog(log_path)
        self.url = url.rstrip("/") or f"http://{host}:{self.server_address[1]}"
        self.samples = Samples(self.url, self.log, held_back, rate_limit)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; anything else keeps its traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def make_server(
    port: int = DEFAULT_PORT,
    log_path: Path | None = None,
    held_back: int = DEFAULT_HELD_BACK,
    rate_limit: int = DEFAULT_RATE_LIMIT,
    host: str = HOST,
    url: str = "",
) -> _Server:
    """A server that is ready for `serve_forever`, on loopback unless `host` says otherwise.

    Port 0 takes a free one, see its `url`; give `url` where crawlers reach the server under another address.

    Raises:
        InputError: the port is taken, the log cannot be written, or a package with text is missing.
    """
    corpus.check()
    try:
        return _Server(port, log_path, held_back, rate_limit, host, url)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES) and error.filename is None:
            raise InputError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from None
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise InputError(f"{host} is no address of this machine: choose another with --host") from None
        raise InputError(f"access log {log_path}: {error.strerror}; choose another with --log") from None


@contextmanager
def serving(
    held_back: int = DEFAULT_HELD_BACK, rate_limit: int = DEFAULT_RATE_LIMIT, log_path: Path | None = None
) -> Iterator[str]:
    """Serve on a free port in a background thread for the length of a with-block; gives the base URL."""
    server = make_server(0, log_path, held_back, rate_limit)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
