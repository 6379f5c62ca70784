"""Archives are read from disk, the web and S3, past broken connections; what cannot be an article is left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lmflow.crawl.archives import Selection, open_archive, select_pages
from lmflow.crawl.http import Fetcher
from lmflow.crawl.pages import Visit
from lmflow.crawl.warc import Place, WarcWriter, read_response
from lmflow.errors import InputError, ServiceError
from lmflow.lake import Objects

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAGE = b"<html lang=en-GB><body><p>One.</p><p>Two.</p><p>Three.</p></body></html>"


@cache
def archive() -> bytes:
    writer = WarcWriter("test")

    def add(url: str, body: bytes, status: int = 200, kind: str = "text/html; charset=utf-8") -> None:
        writer.add_response(url, status, {"content-type": kind, "etag": '"1"'}, body, NOW)

    add("https://x.org/a?utm_source=1", PAGE)
    add("https://x.org/b", PAGE.replace(b"en-GB", b"de"))
    add("https://x.org/", PAGE)
    add("https://x.org/c.png", b"\x89PNG", kind="image/png")
    add("https://x.org/d", PAGE, status=404)
    add("https://x.org/e", b"<html><body>menu</body></html>")
    add("https://x.org/f", PAGE.replace(b" lang=en-GB", b""))
    return writer.content


@contextmanager
def storage(content: bytes, breaks_after: int = 0) -> Iterator[tuple[str, list[str]]]:
    """What S3 and any web server do with HEAD, GET and Range; answers break off after so many bytes, if asked to."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
            self.close_connection = True
            if not self.path.endswith("/news.warc.gz"):
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            body = content[int(wanted[1]) if wanted else 0 :]
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[:breaks_after] if breaks_after else body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


def content_of(uri: str, fetcher: Fetcher) -> bytes:
    with open_archive(uri, fetcher) as stream:
        return b"".join(iter(lambda: stream.read(777), b""))


def test_only_what_may_be_an_article_is_kept_and_the_rest_is_counted(tmp_path: Path, fetcher: Fetcher) -> None:
    path = tmp_path / "news.warc.gz"
    path.write_bytes(archive())
    objects = Objects(f"file://{tmp_path}/objects")
    *visits, selection = select_pages(str(path), fetcher, ("en", "zh"), objects, "raw/x", "warc-news")
    assert isinstance(selection, Selection)
    assert selection.responses == 7 and selection.bytes_read == path.stat().st_size
    assert selection.outcomes == {
        "skipped:language": 1,
        "skipped:front_page": 1,
        "skipped:not_html": 1,
        "skipped:status": 1,
        "skipped:no_paragraphs": 1,
    }
    found = [visit for visit in visits if isinstance(visit, Visit)]
    assert [visit.url for visit in found] == ["https://x.org/a", "https://x.org/f"]
    assert {(visit.fetched_at, visit.charset, visit.etag) for visit in found} == {(NOW, "utf-8", '"1"')}
    with objects.open(found[0].raw_key) as file:
        assert read_response(file, Place(found[0].offset, found[0].length)) == PAGE


def test_a_connection_that_breaks_is_taken_up_where_it_broke(fetcher: Fetcher) -> None:
    with storage(archive(), breaks_after=600) as (url, seen):
        assert content_of(f"{url}/news.warc.gz", fetcher) == archive()
    assert len(seen) > 2 and all("bytes=" in request for request in seen[2:] if "robots" not in request)


def test_an_archive_on_s3_is_read_with_signed_requests(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with storage(archive(), breaks_after=900) as (url, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        assert content_of("s3://bucket/cc/news.warc.gz", fetcher) == archive()
        assert "HEAD /bucket/cc/news.warc.gz" in seen[0]
        with pytest.raises(InputError, match="s3://bucket/none cannot be read"):
            content_of("s3://bucket/none", fetcher)


def test_what_is_no_archive_is_named(tmp_path: Path, fetcher: Fetcher) -> None:
    (tmp_path / "a.warc").write_bytes(b"http://x.org 1.2.3.4 20000101 text/html 5\nhello\n")
    objects = Objects(f"file://{tmp_path}/objects")
    with pytest.raises(InputError, match="holds no WARC record"):
        list(select_pages(str(tmp_path / "a.warc"), fetcher, (), objects, "raw/x", "s"))
    with pytest.raises(InputError, match="No such file"):
        list(select_pages(str(tmp_path / "b.warc"), fetcher, (), objects, "raw/x", "s"))
    with storage(b"x" * 10_000, breaks_after=-1) as (url, _):
        with pytest.raises(InputError, match="http_404"):
            content_of(f"{url}/none", fetcher)
        with pytest.raises(ServiceError, match="cannot be read on"):
            content_of(f"{url}/news.warc.gz", fetcher)
