"""A small site for the crawler's tests, with switches. It counts and times what it is asked."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
import zstandard

ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


class Site:
    """What the server was asked, and the switches a test may turn."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, str, dict[str, str]]] = []
        self.robots: tuple[int, bytes] = (404, b"")
        self.pages: dict[str, bytes] = {}
        self.headers: dict[str, list[tuple[str, str]]] = {}  # by path, beside the usual ones
        self.busy = 0
        self.url = ""
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def asked(self, path: str) -> int:
        return sum(1 for _, found, _ in self.requests if found == path)


@contextmanager
def running_site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def send(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
                self.send_header("Content-Length", str(len(body)))
            for name, value in site.headers.get(self.path.partition("?")[0], ()):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            with site.lock:
                site.requests.append((time.monotonic(), self.path, dict(self.headers)))
                site.at_once += 1
                site.most_at_once = max(site.most_at_once, site.at_once)
            try:
                self.answer(self.path.partition("?")[0])
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with site.lock:
                    site.at_once -= 1

        def answer(self, path: str) -> None:
            if path == "/robots.txt":
                self.send(site.robots[0], site.robots[1])
            elif path in site.pages:
                body = site.pages[path]
                etag = f'"{len(body)}"'
                if self.headers.get("If-None-Match") == etag:
                    self.send(304, ETag=etag)
                elif "?encoding=" in self.path:
                    encoding = self.path.partition("?encoding=")[2]
                    self.send(200, ENCODERS[encoding](body), Content_Type="text/html", Content_Encoding=encoding)
                else:
                    self.send(200, body, ETag=etag, Content_Type="text/html; charset=utf-8")
            elif path.startswith("/to/"):
                self.send(302, Location=path.removeprefix("/to/"))
            elif path == "/loop":
                self.send(301, Location="/loop")
            elif path == "/busy" and site.busy > 0:
                site.busy -= 1
                self.send(503, Retry_After="0")
            elif path == "/broken":
                self.send(500, Retry_After="0")
            elif path == "/limited":
                self.send(429, Retry_After="7200")
            elif path == "/gzip":
                self.send(200, gzip.compress(b"one ") + gzip.compress(b"two"), Content_Encoding="gzip")
            elif path == "/ok" or path == "/busy":
                self.send(200, b"fine")
            else:
                self.send(404, b"no such page")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
