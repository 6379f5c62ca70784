"""A small site that misbehaves on purpose, for the crawler's tests. It counts and times what it is asked."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Made once: a server that takes its time to compress would end in a time-out instead.
BOMB = gzip.compress(b"\0" * 50_000_000)


class Site:
    """What the server was asked, and the switches a test may turn."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, str, dict[str, str]]] = []
        self.robots: tuple[int, bytes] = (404, b"")
        self.pages: dict[str, bytes] = {}
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
                else:
                    self.send(200, body, ETag=etag, Content_Type="text/html; charset=utf-8")
            elif path.startswith("/to/"):
                self.send(302, Location=path.removeprefix("/to/"))
            elif path == "/loop":
                self.send(301, Location="/loop")
            elif path == "/busy" and site.busy > 0:
                site.busy -= 1
                self.send(503, Retry_After="0")
            elif path == "/limited":
                self.send(429, Retry_After="7200")
            elif path == "/slow-body":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                for _ in range(1000):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            elif path == "/slow-head":
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            elif path == "/endless":
                self.send(200, Transfer_Encoding="chunked")
                while True:
                    self.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            elif path == "/announced":
                self.send(200, Content_Length="99999999999")
            elif path == "/bomb":
                self.send(200, BOMB, Content_Encoding="gzip")
            elif path == "/broken-gzip":
                self.send(200, gzip.compress(b"text" * 100)[:-20], Content_Encoding="gzip")
            elif path == "/brotli":
                self.send(200, b"???", Content_Encoding="br")
            elif path == "/gzip":
                self.send(200, gzip.compress(b"one ") + gzip.compress(b"two"), Content_Encoding="gzip")
            elif path == "/garbage":
                self.wfile.write(b"\x00\x01 not http\r\n\r\n")
                self.close_connection = True
            elif path == "/headers":
                self.send_response(200)
                for number in range(20_000):
                    self.send_header(f"X-{number}", "y" * 50)
                self.end_headers()
            elif path == "/short":
                self.send(200, b"abc", Content_Length="100")
                self.close_connection = True
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
