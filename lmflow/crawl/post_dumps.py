"""Dumps of posts as streams: Reddit's JSON lines in zstd (a window of 2 GiB), Stack Exchange's XML, alone or in 7z.

Memory holds one post and the decompressor's window. What is damaged is counted: a line that is no JSON costs itself, a
file that breaks off costs its end.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import zstandard
from lxml import etree

from lmflow.crawl.archives import open_archive
from lmflow.crawl.http import Fetcher
from lmflow.crawl.seven_zip import Readable, members, on_disk

#: Reddit's dumps are made with `zstd --long=31`.
ZSTD_WINDOW: Final = 2**31
#: What is read of a Stack Exchange archive; the other tables say nothing.
SEVEN_ZIP_MEMBERS: Final = ("Posts.xml", "Comments.xml")
_READ: Final = 1 << 20
#: Bounds what one step may unpack to (128 KiB for every three bytes, at worst).
_ZSTD_STEP: Final = 4096
_LONGEST_LINE: Final = 64_000_000
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"


@contextmanager
def open_dump(uri: str, kind: str, fetcher: Fetcher, damages: Counter[str]) -> Iterator[Iterator[Mapping[str, Any]]]:
    """The entities of a dump, streamed from disk, the web or S3.

    Args:
        uri: where it lies.
        kind: `reddit` (JSON lines) or `stackexchange` (XML rows).
        fetcher: for dumps on the web.
        damages: counts what was passed over, as `json_lines` and `xml_rows` do.

    Raises:
        InputError: it cannot be opened.
    """
    with open_archive(uri, fetcher) as stream:
        if uri.endswith(".7z"):
            with on_disk(stream) as path, members(path, SEVEN_ZIP_MEMBERS) as found:
                yield _rows_of_all(found, damages)
        else:
            yield json_lines(stream, damages) if kind == "reddit" else xml_rows(stream, damages)


def _rows_of_all(found: Iterator[tuple[str, Readable]], damages: Counter[str]) -> Iterator[Mapping[str, str]]:
    try:
        for _, stream in found:
            yield from xml_rows(stream, damages)
    except OSError:
        damages["truncated"] += 1


def json_lines(stream: Readable, damages: Counter[str]) -> Iterator[Mapping[str, Any]]:
    """Objects of a file of JSON lines, plain, gzip'd or in zstd.

    Args:
        stream: the file.
        damages: counts `json` (a line that is no object), `too_large` (a line), `truncated` (the file breaks off).
    """
    for line in _lines(stream, damages):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            damages["json"] += 1
            continue
        if isinstance(value, dict):
            yield value
        else:
            damages["json"] += 1


def xml_rows(stream: Readable, damages: Counter[str]) -> Iterator[Mapping[str, str]]:
    """Attributes of the `row` elements of a file; no entity is resolved and nothing is loaded from elsewhere.

    Args:
        stream: the file, decompressed.
        damages: counts `xml` (what follows could not be read).
    """
    parser = etree.XMLPullParser(events=("end",), tag="row", resolve_entities=False, no_network=True, huge_tree=True)
    try:
        while piece := stream.read(_READ):
            parser.feed(piece)
            yield from _rows(parser)
        parser.close()
    except etree.XMLSyntaxError:
        damages["xml"] += 1
    yield from _rows(parser)


def _rows(parser: Any) -> Iterator[Mapping[str, str]]:
    for _, element in parser.read_events():
        yield dict(element.attrib)
        parent = element.getparent()
        element.clear()
        while parent is not None and element.getprevious() is not None:
            del parent[0]


def _lines(stream: Readable, damages: Counter[str]) -> Iterator[bytes]:
    source = _Peekable(stream)
    unpack = _zstd if source.head.startswith(_ZSTD) else _gzip if source.head.startswith(_GZIP) else _plain
    rest = b""
    try:
        for piece in unpack(source):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.strip())
            if len(rest) > _LONGEST_LINE:
                damages["too_large"] += 1
                rest = b""
    except (zstandard.ZstdError, EOFError, OSError, zlib.error):
        damages["truncated"] += 1
        return
    if rest.strip():
        yield rest


def _plain(source: Readable) -> Iterator[bytes]:
    return iter(lambda: source.read(_READ), b"")


def _gzip(source: _Peekable) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=source) as file:
        yield from iter(lambda: file.read(_READ), b"")


def _zstd(source: Readable) -> Iterator[bytes]:
    """Frame after frame, a little at a time: `stream_reader` would take a frame that breaks off for a whole one.

    Raises:
        EOFError: the file breaks off within a frame.
    """
    unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    frame = None
    while data := source.read(_ZSTD_STEP):
        while data:
            frame = frame or unpacker.decompressobj()
            piece = frame.decompress(data)
            data = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
            if piece:
                yield piece
    if frame is not None:
        raise EOFError


class _Peekable(io.RawIOBase):
    """A stream whose first bytes have been looked at."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.head = stream.read(_READ)
        self._left = self.head

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._left:
            size = len(self._left) if size < 0 else size
            piece, self._left = self._left[:size], self._left[size:]
            return piece
        return self._stream.read(size if size >= 0 else _READ)
