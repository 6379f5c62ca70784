"""Taking single pages and posts out of stored raw files, so that every other record stays where documents point to.

A WARC record is overwritten by a gzip member of the same length that says it was erased; a line of JSON is left out.
"""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from lmflow.crawl.warc import Place
from lmflow.crawl.warc_reader import WarcReader

#: ID1 ID2, deflate, FCOMMENT, no time, no flags, unknown system (RFC 1952).
_HEADER: Final = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"
_ERASED: Final = (
    b"WARC/1.1\r\nWARC-Type: metadata\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nerased\r\n\r\n"
)


def erase_pages(content: bytes, doomed: Callable[[str], bool], places: Collection[Place] = ()) -> tuple[bytes, int]:
    """A WARC file (one gzip member a record) without the records of some pages.

    Args:
        content: the file.
        doomed: whether the page of an address must go.
        places: records that must go whatever their address.

    Returns:
        The file, of the same length, every other record at the same place; and how many records were overwritten.
    """
    pieces, count = bytearray(content), 0
    known = {(place.offset, place.length) for place in places}
    for place, member in _members(content):
        record = next(iter(WarcReader(_once(member))), None)
        if record is None or record.kind not in ("response", "request", "revisit", "resource", "conversion"):
            continue
        if doomed(record.url) or (place.offset, place.length) in known:
            pieces[place.offset : place.offset + place.length] = _filler(place.length)
            count += 1
    return bytes(pieces), count


def erase_posts(content: bytes, doomed: Collection[str]) -> tuple[bytes, int]:
    """A gzip'd file of JSON lines without those whose `id` is doomed; and how many there were."""
    lines = gzip.decompress(content).decode().split("\n")
    kept = [line for line in lines if not line or _post_id(line) not in doomed]
    return (
        (gzip.compress("\n".join(kept).encode(), 6), len(lines) - len(kept)) if len(kept) < len(lines) else (content, 0)
    )


def _post_id(line: str) -> str:
    value: Any = json.loads(line)
    return str(value.get("id", "")) if isinstance(value, dict) else ""


def _members(content: bytes) -> Iterator[tuple[Place, bytes]]:
    offset = 0
    while offset < len(content):
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        member = stream.decompress(content[offset:] if not offset else memoryview(content)[offset:])
        if not stream.eof:
            return
        length = len(content) - offset - len(stream.unused_data)
        yield Place(offset, length), member
        offset += length


def _filler(length: int) -> bytes:
    """A gzip member of exactly `length` bytes: what does not fit the note, a comment in its header fills up."""
    for note in (_ERASED, b""):
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = packer.compress(note) + packer.flush() + struct.pack("<II", zlib.crc32(note), len(note))
        padding = length - len(_HEADER) - 1 - len(body)
        if padding >= 0:
            return _HEADER + b" " * padding + b"\x00" + body
    raise ValueError(f"no gzip member has {length} bytes")


def _once(content: bytes) -> Callable[[int], bytes]:
    """A `read` over bytes that are there already."""
    left = [content]

    def read(_: int) -> bytes:
        return left.pop() if left else b""

    return read
