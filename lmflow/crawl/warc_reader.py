"""Reading WARC files of others (ISO 28500:2017, 0.17 to 1.1) as a stream: damaged records are counted and passed over.

Nothing is held but one record. A gzip member that does not decompress, a head that is none, a length that is no number
or a record that breaks off costs that record; reading goes on at the next member, or the next line that starts one.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from isal import isal_zlib

from lmflow.crawl.body import EncodingError, TooLargeError, read_body
from lmflow.crawl.refusals import is_kept_apart, join_field

_READ: Final = 1 << 18
_STEP: Final = 1 << 20
_LONGEST_HEAD: Final = 1 << 16
#: A record larger than this is passed over; news pages are a thousand times smaller.
MOST_RECORD_BYTES: Final = 64_000_000
_MOST_HELD: Final = 32_000_000
_MEMBER: Final = b"\x1f\x8b\x08"
_START = re.compile(rb"WARC/\d")
_NEXT_START = re.compile(rb"\r?\n(?=WARC/\d\.\d+\r?\n)")
_LONGEST_START: Final = 64  # more than a line end and a line such as WARC/1.1
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `fields` are its named fields in lower case, its block lies in `content` from `start` to `end`."""

    fields: dict[str, str]
    content: bytes
    start: int = 0
    end: int | None = None

    @property
    def kind(self) -> str:
        """WARC-Type: `response`, `request`, `warcinfo` and others."""
        return self.fields.get("warc-type", "").lower()

    @property
    def block(self) -> bytes:
        """What the record holds."""
        return self.content[self.start : self.end]

    @property
    def url(self) -> str:
        """WARC-Target-URI; some writers put it in angle brackets."""
        return self.fields.get("warc-target-uri", "").strip("<> ").replace(" ", "%20")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The HTTP message of a response record, its body decoded; a view of the record where there was nothing to undo."""

    status: int
    headers: dict[str, str]
    body: bytes | memoryview

    @property
    def content_type(self) -> str:
        """The media type alone, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class WarcReader:
    """Iterate over it for the records; `damages` then counts what was passed over, by kind.

    Kinds: `gzip` (a member that does not decompress), `head` (no record head where one must be), `length` (none, or not
    a number), `truncated` (the file ends within a record), `too_large`.

    Example:
        >>> with open("a.warc.gz", "rb") as file:
        ...     for record in (reader := WarcReader(file.read)):
        ...         print(record.kind, record.url)
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.damages: Counter[str] = Counter()
        self.records = 0
        self._rest = b""
        self._lost = False  # between a place where a record head must be and is not, and the next one found

    def __iter__(self) -> Iterator[Record]:
        for piece in self._pieces():
            if piece is None:  # damage: what is left over will not be completed
                yield from self._parsed(self._rest, at_end=True)
            else:
                yield from self._parsed(self._rest + piece if self._rest else piece, at_end=False)
        yield from self._parsed(self._rest, at_end=True)

    # ----------------------------------------------------------------- bytes

    def _pieces(self) -> Iterator[bytes | None]:
        """The file decompressed; None where a damaged member was passed over."""
        data = self._read(_READ)
        if not data.startswith(_MEMBER):
            while data:
                yield data
                data = self._read(_READ)
            return
        while data:
            stream = isal_zlib.decompressobj(zlib.MAX_WBITS | 16)
            first, broken = data[:3], False
            held, size = list[bytes](), 0  # a member is believed when its checksum was right
            while not stream.eof:
                try:
                    piece = stream.decompress(data, _STEP)
                except (isal_zlib.error, zlib.error):  # type: ignore[misc]
                    broken = True
                    break
                data = stream.unconsumed_tail
                held.append(piece)
                size += len(piece)
                del piece  # its memory is used again for the next one
                if size > _MOST_HELD:  # a whole file in one member
                    yield b"".join(held)
                    held, size = [], 0
                if not data and not stream.eof:
                    data = self._read(_READ)
                    if not data:
                        break
            if stream.eof:
                yield b"".join(held)
                held.clear()
                data = stream.unused_data or self._read(_READ)
                if data.startswith(_MEMBER):
                    continue
                data = data.lstrip(b"\x00\r\n") or self._read(_READ)
                if not data:
                    return
                broken = not data.startswith(_MEMBER)
                if not broken:
                    continue
            if not broken:  # the file ends within a member: the record that breaks off is counted where it is parsed
                self.damages["truncated"] += not size
                yield b"".join(held)
                return
            self.damages["gzip"] += 1
            yield None
            data = self._next_member(data, first)

    def _next_member(self, data: bytes, first: bytes) -> bytes:
        """Bytes from the next gzip member on, empty when there is none."""
        data = data[1:] if data.startswith(first) else data
        while True:
            at = data.find(_MEMBER)
            if at >= 0:
                return data[at:]
            more = self._read(_READ)
            if not more:
                return b""
            data = data[-2:] + more

    # --------------------------------------------------------------- records

    def _parsed(self, buffer: bytes, at_end: bool) -> Iterator[Record]:
        """The complete records at the front of a buffer; what is behind them is kept for the next piece."""
        start = 0
        while True:
            while start < len(buffer) and buffer[start] in b"\r\n\x00":
                start += 1
            if start >= len(buffer):
                break
            if not _START.match(buffer, start) and (at_end or len(buffer) - start >= 6):
                self.damages["head"] += not self._lost
                found = _NEXT_START.search(buffer, start)
                self._lost = found is None
                if found is None:  # what was searched is not searched again with the next piece, but for its last line
                    start = len(buffer) if at_end else max(start, len(buffer) - _LONGEST_START)
                    break
                start = found.end()
                continue
            self._lost = False
            end = _HEAD_END.search(buffer, start, start + _LONGEST_HEAD)
            if end is None:
                if at_end:
                    self.damages["truncated"] += 1
                    start = len(buffer)
                elif len(buffer) - start > _LONGEST_HEAD:
                    self.damages["head"] += 1
                    start += 1
                    continue
                break
            fields = _fields(buffer[start : end.start()])
            stated = fields.get("content-length", "")
            if not stated.isdigit() or len(stated) > 15:
                self.damages["length"] += 1
                start = end.end()
                continue
            size = int(stated)
            if size > MOST_RECORD_BYTES:
                self.damages["too_large"] += 1
                start = end.end()
                continue
            if len(buffer) - end.end() < size:
                if at_end:
                    self.damages["truncated"] += 1
                    start = len(buffer)
                break
            start = end.end() + size
            self.records += 1
            yield Record(fields, buffer, end.end(), start)
        self._rest = b"" if at_end else buffer[start:]
        self._lost = self._lost and not at_end


def http_response(record: Record, most_bytes: int = MOST_RECORD_BYTES) -> HttpResponse | None:
    """The HTTP response in a record's block, transfer and content encodings undone; None when it is none.

    A body that is not in the encoding it names is taken as it is: archives often store it decoded already.
    """
    content, start = record.content, record.start
    stop = len(content) if record.end is None else record.end
    end = _HEAD_END.search(content, start, min(stop, start + _LONGEST_HEAD))
    if end is None:
        return None
    head = content[start : end.start()]
    line = head.partition(b"\n")[0].split(None, 2)
    if len(line) < 2 or not line[0].startswith(b"HTTP/") or not line[1][:3].isdigit():
        return None
    headers = _fields(head)
    body: bytes | memoryview = memoryview(content)[end.end() : stop]
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _dechunked(bytes(body))
    encoding = headers.get("content-encoding", "")
    if encoding:
        try:
            body = read_body([bytes(body)], encoding, most_bytes)
        except TooLargeError:
            return None
        except EncodingError:
            pass
    return HttpResponse(int(line[1][:3]), headers, body)


def _fields(head: bytes) -> dict[str, str]:
    """Named fields after the first line, names in lower case; a line that starts with a space goes on with the last."""
    fields: dict[str, str] = {}
    name = ""
    for line in head.decode("utf-8", "replace").splitlines()[1:]:
        if line[:1] in (" ", "\t") and name in fields:
            fields[name] += " " + line.strip()
            continue
        name, found, value = line.partition(":")
        name = name.strip().lower()
        if found and name in fields and is_kept_apart(name):
            fields[name] = join_field(name, fields[name], value.strip())
        elif found and name:
            fields.setdefault(name, value.strip())
    return fields


def _dechunked(body: bytes) -> bytes:
    """RFC 9112, section 7.1; a body that does not follow it is returned as it is, one that breaks off in part."""
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        line, found, _ = body[at : at + 1024].partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0].strip() or b"x", 16)
        except ValueError:
            return b"".join(pieces) if pieces else body
        at += len(line) + 2
        if size <= 0 or not found:
            break
        pieces.append(body[at : at + size])
        at += size + 2
    return b"".join(pieces) if pieces else body


def responses(records: Iterable[Record]) -> Iterator[tuple[Record, HttpResponse]]:
    """The records that hold an HTTP response, with it."""
    for record in records:
        if record.kind == "response":
            response = http_response(record)
            if response is not None:
                yield record, response
