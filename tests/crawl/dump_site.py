"""A dump site on loopback that is as troublesome as real ones: unfinished, busy, cut off, wrong, or deaf to Range."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class DumpSite:
    """Dumps by (wiki, date), and the switches a test may turn."""

    def __init__(self) -> None:
        self.url = ""
        self.below = ""  # a path that the site lies below, like a mirror's
        self.dumps: dict[tuple[str, str], dict[str, bytes]] = {}  # files by name
        self.unfinished = 0  # so many questions for a status are still answered with `in-progress`
        self.in_progress: set[str] = set()  # dates of dumps that are never finished
        self.state = "in-progress"  # of what is not finished
        self.busy = 0  # so many downloads are refused, with this status
        self.busy_status = 503
        self.retry_after = "0"
        self.cut_after = 0  # bytes of a body after which the connection breaks
        self.cuts: Iterator[int] = iter(())  # or, one after the other, of each answer with a file
        self.heeds_range = True
        self.etag_prefix = ""  # `W/` for weak ones
        self.wrong_sha1 = False
        self.status_less: set[str] = set()  # dates whose dumps come without a status, as on some mirrors
        self.slow_s = 0.0
        self.bytes_a_second = 0  # of every connection; 0: as fast as it goes
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def downloads(self) -> list[dict[str, str]]:
        """Headers of the requests for files."""
        return [headers for path, headers in self.asked if not path.endswith(("/", ".json"))]

    def status(self, wiki: str, date: str) -> bytes:
        files = {
            name: {
                "size": len(body),
                "url": f"/{wiki}/{date}/{name}",
                "sha1": "0" * 40 if self.wrong_sha1 else hashlib.sha1(body).hexdigest(),
            }
            for name, body in self.dumps[wiki, date].items()
        }
        self.unfinished -= 1
        is_done = self.unfinished < 0 and date not in self.in_progress
        state = {"status": "done", "files": files} if is_done else {"status": self.state}
        return json.dumps({"jobs": {"articlesdump": state}}).encode()


@contextmanager
def running_dump_site() -> Iterator[DumpSite]:
    """Serve on a free port for the length of a with-block."""
    site = DumpSite()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut_after = next(site.cuts, site.cut_after) if "/20" in self.path and not self.path.endswith(".json") else 0
            if cut_after and len(body) > cut_after:
                self.wfile.write(body[:cut_after])
                self.close_connection = True
            elif site.bytes_a_second:
                self.trickle(body)
            else:
                self.wfile.write(body)

        def trickle(self, body: bytes) -> None:
            step = max(site.bytes_a_second // 20, 1)
            due = time.monotonic()
            for start in range(0, len(body), step):
                due += step / site.bytes_a_second
                time.sleep(max(due - time.monotonic(), 0))
                self.wfile.write(body[start : start + step])

        def do_GET(self) -> None:
            with site.lock:
                site.asked.append((self.path, dict(self.headers)))
                site.at_once += 1
                site.most_at_once = max(site.most_at_once, site.at_once)
            try:
                self.route()
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with site.lock:
                    site.at_once -= 1

        def route(self) -> None:
            match self.path.removeprefix(site.below).strip("/").split("/"):
                case [wiki]:
                    dates = sorted(date for found, date in site.dumps if found == wiki)
                    links = "".join(f'<a href="{date}/">{date}/</a>' for date in dates)
                    return self.answer(200, links.encode()) if dates else self.answer(404)
                case [wiki, date, "dumpstatus.json"] if (wiki, date) in site.dumps and date not in site.status_less:
                    return self.answer(200, site.status(wiki, date))
                case [wiki, date, name] if name in site.dumps.get((wiki, date), {}):
                    return self.file(site.dumps[wiki, date][name])
            self.answer(404)

        def file(self, body: bytes) -> None:
            if site.busy > 0:
                site.busy -= 1
                return self.answer(site.busy_status, Retry_After=site.retry_after)
            threading.Event().wait(site.slow_s)
            wanted = self.headers.get("Range", "")
            etag = f'{site.etag_prefix}"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
            if wanted and site.heeds_range and self.headers.get("If-Range", etag) == etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    return self.answer(416, Content_Range=f"bytes */{len(body)}")
                rest = body[start:]
                return self.answer(206, rest, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}", ETag=etag)
            self.answer(200, body, ETag=etag)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
