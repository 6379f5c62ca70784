"""Archives of other crawlers (CC-NEWS, any WARC), streamed from disk, the web or S3; pages worth extracting are kept.

The fast path before the slow extractor: what is no page, no success, in another language by its own word, or has no
paragraphs is counted and left behind at the speed of decompression. What remains is written to WARC files of the lake,
as a crawl writes it, so that everything after is the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lmflow.crawl.http import Fetcher, FetchError, charset_of
from lmflow.crawl.pages import Visit
from lmflow.crawl.refusals import refusal
from lmflow.crawl.urls import canonical_url
from lmflow.crawl.warc import WarcWriter
from lmflow.crawl.warc_reader import HttpResponse, Record, WarcReader, http_response
from lmflow.errors import InputError, ServiceError
from lmflow.lake import Objects

_TRIES: Final = 5
_SEGMENT_BYTES: Final = 32_000_000
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_LARGEST_PAGE: Final = 10_000_000
_LANGUAGE = re.compile(rb"<html[^>]{0,400}?\blang\s*=\s*[\"']?\s*([A-Za-z]{2,3})\b", re.I)
_PARAGRAPH = re.compile(rb"<p[\s>]|<br|articleBody", re.I)
_FEWEST_PARAGRAPHS: Final = 3


@dataclass
class Selection:
    """What came of one archive: `outcomes` of what was left behind, by kind; the rest are visits."""

    uri: str
    responses: int
    outcomes: dict[str, int]
    bytes_read: int


class _Stream:
    """`read(n)` over an archive that is opened again, from where it broke off, when the connection ends early."""

    def __init__(self, open_at: Callable[[int], Iterator[bytes]], size: int | None, uri: str) -> None:
        self._open_at, self._size, self._uri = open_at, size, uri
        self._chunks: Iterator[bytes] | None = None
        self._left = b""
        self.done = 0

    def read(self, amount: int) -> bytes:
        """At most so many bytes, empty at the end."""
        if not self._left:
            self._left = self._next()
        piece, self._left = self._left[:amount], self._left[amount:]
        self.done += len(piece)
        return piece

    def _next(self) -> bytes:
        failure: Exception | str = ""
        for _ in range(_TRIES):
            try:
                if self._chunks is None:
                    self._chunks = self._open_at(self.done)
                for chunk in self._chunks:
                    if chunk:
                        return chunk
                if self._size is None or self.done >= self._size:
                    return b""
                failure = f"{self.done:,} of {self._size:,} bytes came"
            except (FetchError, OSError) as error:
                failure = error
            self._chunks = None
        raise ServiceError(f"{self._uri} cannot be read on: {failure}; run the same command again")


@contextmanager
def open_archive(uri: str, fetcher: Fetcher) -> Iterator[_Stream]:
    """An archive as a stream: a path or file://, http(s):// (Range requests), s3:// through boto3 (signed).

    Raises:
        InputError: it cannot be opened.
        ServiceError: it broke off several times in the same place.
    """
    scheme = urlsplit(uri).scheme
    with ExitStack() as stack:
        if scheme in ("http", "https"):
            size = _size_over_http(uri, fetcher)
            yield _Stream(lambda at: _over_http(uri, fetcher, at), size, uri)
        elif scheme == "s3":
            client, where = _s3(uri)
            size = _size_on_s3(client, where, uri)
            yield _Stream(lambda at: _on_s3(client, where, at), size, uri)
        else:
            path = Path(uri.removeprefix("file://"))
            try:
                file = stack.enter_context(path.open("rb"))
            except OSError as error:
                raise InputError(f"{uri}: {error.strerror}") from None
            yield _Stream(lambda at: iter(lambda: file.read(1 << 20), b""), None, uri)


def select_pages(
    uri: str,
    fetcher: Fetcher,
    languages: Collection[str],
    objects: Objects,
    prefix: str,
    source: str,
    unwanted: Callable[[str], bool] = lambda _: False,
) -> Iterator[Visit | Selection]:
    """The pages of an archive that may be articles, stored as a crawl stores them; at last what was left behind.

    Args:
        uri: of the archive.
        fetcher: for archives on the web.
        languages: ISO 639 codes; a page that says it is in another is left behind. Empty for all.
        objects: where pages are kept.
        prefix: of the keys of their WARC files.
        source: name that the visits carry.
        unwanted: whether the page of a canonical address must be forgotten; it is not stored.

    Raises:
        InputError: there is no such archive, or it is none.
        ServiceError: it could not be read to its end.
    """
    outcomes: Counter[str] = Counter()
    seen = number = 0
    segment, waiting = WarcWriter("lmflow"), list[Visit]()
    with open_archive(uri, fetcher) as stream:
        reader = WarcReader(stream.read)
        for record in reader:
            if record.kind != "response":
                continue
            seen += 1
            response = http_response(record, _LARGEST_PAGE)
            reason = _reason_to_leave(record, response, languages)
            if not reason and response is not None:
                why = refusal(response.headers, response.body, fetcher.policy.user_agent, datetime.now(UTC))
                reason = f"skipped:{why}" if why else ""
            if not reason and unwanted(canonical_url(record.url)):
                reason = "skipped:forgotten"
            if reason or response is None:
                outcomes[reason] += 1
                continue
            key = f"{prefix}-{number:05d}.warc.gz"
            waiting.append(_stored(segment, key, record, response, source))
            if segment.size >= _SEGMENT_BYTES:
                objects.put(key, segment.content)
                yield from waiting
                segment, number, waiting = WarcWriter("lmflow"), number + 1, []
        if waiting:
            objects.put(f"{prefix}-{number:05d}.warc.gz", segment.content)
            yield from waiting
        if not reader.records:
            raise InputError(f"{uri}: holds no WARC record ({dict(reader.damages)}); is it a WARC file?")
        for kind, count in reader.damages.items():
            outcomes[f"failed:damaged_{kind}"] += count
            seen += count
        yield Selection(uri, seen, dict(outcomes), stream.done)


def _reason_to_leave(record: Record, response: HttpResponse | None, languages: Collection[str]) -> str:
    """Why a response cannot be an article that is wanted, cheapest question first; empty when it may be."""
    if response is None:
        return "failed:not_http"
    if response.status != 200:
        return "skipped:status"
    if response.content_type not in _HTML:
        return "skipped:not_html"
    try:
        path = urlsplit(canonical_url(record.url)).path
    except ValueError:
        return "failed:url"
    if path == "/":
        return "skipped:front_page"
    declared = _LANGUAGE.search(response.body[:4096])
    if languages and declared and declared[1].decode().lower() not in languages:
        return "skipped:language"
    found = _PARAGRAPH.finditer(response.body)
    return (
        ""
        if sum(1 for _ in zip(range(_FEWEST_PARAGRAPHS), found, strict=False)) >= _FEWEST_PARAGRAPHS
        else ("skipped:no_paragraphs")
    )


def _stored(segment: WarcWriter, key: str, record: Record, response: HttpResponse, source: str) -> Visit:
    moment = _captured_at(record)
    address = canonical_url(record.url)
    place = segment.add_response(address, response.status, response.headers, response.body, moment)
    return Visit(
        url=address,
        source=source,
        status=response.status,
        error="",
        detail="",
        attempts=1,
        etag=response.headers.get("etag", ""),
        last_modified=response.headers.get("last-modified", ""),
        fetched_at=moment,
        retry_at=None,
        final_url=address,
        charset=charset_of(response.headers.get("content-type", "")),
        raw_key=key,
        offset=place.offset,
        length=place.length,
    )


def _captured_at(record: Record) -> datetime:
    """WARC-Date, in UTC; now for a record that has none."""
    try:
        moment = datetime.fromisoformat(record.fields.get("warc-date", ""))
    except ValueError:
        return datetime.now(UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# Where archives lie ---------------------------------------------------------------------------------------------------


def _size_over_http(uri: str, fetcher: Fetcher) -> int | None:
    try:
        with fetcher.open(uri, {"Accept-Encoding": "identity"}, heed_robots=False) as response:
            if response.status_code != 200:
                raise FetchError(f"http_{response.status_code}")
            length = response.headers.get("content-length", "")
            return int(length) if length.isdigit() else None
    except FetchError as error:
        raise InputError(f"{uri} cannot be read ({error}); check the address") from None


def _over_http(uri: str, fetcher: Fetcher, at: int) -> Iterator[bytes]:
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={at}-"} if at else {})}
    with fetcher.open(uri, headers, heed_robots=False) as response:
        if response.status_code != (206 if at else 200):
            raise FetchError(f"http_{response.status_code}")
        yield from response.iter_raw()


def _s3(uri: str) -> tuple[Any, dict[str, str]]:
    import boto3

    parts = urlsplit(uri)
    return boto3.client("s3"), {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}


def _size_on_s3(client: Any, where: dict[str, str], uri: str) -> int:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return int(client.head_object(**where)["ContentLength"])
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"{uri} cannot be read ({error}); check the address and the AWS credentials") from None


def _on_s3(client: Any, where: dict[str, str], at: int) -> Iterator[bytes]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client.get_object(**where, **({"Range": f"bytes={at}-"} if at else {}))
        yield from answer["Body"].iter_chunks(1 << 18)
    except (BotoCoreError, ClientError) as error:
        raise OSError(str(error)) from None
