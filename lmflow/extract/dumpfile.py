"""A dump file as stored (bz2, plain, gz, xz, zst), cut into parts that can be read on their own.

Only bz2 and plain XML in UTF-8 can be entered in the middle; anything else is one part. What a file is, its first bytes
say, whatever its name.
"""

from __future__ import annotations

import codecs
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Final

import pyarrow as pa

from lmflow.extract.bzip2 import LONGEST_BLOCK, blocks
from lmflow.extract.wikidump import CANONICAL, CLOSING, Loss, Page, pages

#: Content of a part, in order; None stands where some of it is damaged.
Content = Iterator[bytes | None]

_CHUNK: Final = 1 << 20
_MAGIC: Final = {b"BZh": "bz2", b"\x1f\x8b": "gz", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zst"}
_BYTE_ORDER_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding=[\"']([A-Za-z0-9._-]+)[\"']")
_HEAD: Final = 200  # bytes in which the encoding is declared


@dataclass(frozen=True, slots=True)
class Part:
    """A range of bytes of a stored file; `pages` that an index names in it, -1 when there is none."""

    start: int
    end: int
    size: int  # of the whole file
    pages: int = -1

    @property
    def is_first(self) -> bool:
        """Whether it begins with the file's beginning."""
        return self.start == 0

    @property
    def is_last(self) -> bool:
        """Whether it reaches to the end of the file."""
        return self.end >= self.size


def parts(file: IO[bytes], length: Callable[[int], float], streams: Sequence[tuple[int, int]] = ()) -> list[Part]:
    """Cut a file into parts that hold every page exactly once between them.

    Args:
        file: the stored file, seekable.
        length: about how many bytes a part has, given how many of the file are left where it begins.
        streams: (offset, pages) of the streams of a multistream dump, from its index: parts then begin with a stream.
    """
    size = file.seek(0, 2)
    if streams:
        return _parts_of_streams(streams, length, size)
    if _kind(file) not in ("bz2", "") or _encoding(next(_stored(file), b"") or b""):
        return [Part(0, size, size)]
    found: list[Part] = []
    start = 0
    while start < size or not found:
        wanted = max(1, int(length(size - start)))
        end = start + wanted if 2 * (size - start) > 3 * wanted else size  # no crumb at the end
        found.append(Part(start, end, size))
        start = end
    return found


def index_streams(index: Iterable[bytes], size: int) -> list[tuple[int, int]]:
    """Streams of a multistream dump from its index (`offset:page id:title` lines).

    Args:
        index: lines of the decompressed index.
        size: size of the dump file in bytes.

    Returns:
        (offset, pages) of every stream that holds pages, in file order.

    Raises:
        ValueError: a line is not an index line, or an offset lies outside the file.
    """
    counts: dict[int, int] = {}
    for line in index:
        offset, colon, _ = line.partition(b":")
        if not line.strip():
            continue
        if not colon or not offset.strip().isdigit() or int(offset) >= size:
            raise ValueError(f"not a multistream index of this dump: {line[:80]!r}")
        counts[int(offset)] = counts.get(int(offset), 0) + 1
    return sorted(counts.items())


def _parts_of_streams(streams: Sequence[tuple[int, int]], length: Callable[[int], float], size: int) -> list[Part]:
    found: list[Part] = []
    start = pages = 0
    for place, (_, count) in enumerate(streams):
        pages += count
        following = streams[place + 1][0] if place + 1 < len(streams) else size
        if following - start >= length(size - start) or following == size:
            found.append(Part(start, following, size, pages))
            start, pages = following, 0
    return found


def pages_of(file: IO[bytes], part: Part, loss: Loss, namespaces: Mapping[str, int] = CANONICAL) -> Iterator[Page]:
    """The pages that begin in a part; each page of a file belongs to exactly one of its parts. See `pages`."""
    own, beyond = _stored(file, part.start, part.end), _stored(file, part.end, part.size)
    yield from pages(_in_utf8(own) if part.is_first else own, loss, beyond, part.is_last, namespaces)
    if part.is_last and not part.is_first and loss.truncated:
        # The block with the end may have begun in a part before.
        last = b"".join(chunk or b"" for chunk in _stored(file, max(0, part.size - 2 * LONGEST_BLOCK)))
        loss.truncated = CLOSING not in last


def head(file: IO[bytes], length: int = 1 << 16) -> bytes:
    """The first bytes of the content, in UTF-8 (more than `length` of them if a read gives more)."""
    found = b""
    for chunk in _in_utf8(_stored(file)):
        found += chunk or b""
        if chunk is None or len(found) >= length:
            break
    return found


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stored file, one after the other: the index of a large wiki has seven million.

    Raises:
        ValueError: the file is damaged.
    """
    rest = b""
    for chunk in _stored(file):
        if chunk is None:
            raise ValueError("a block of the file is damaged")
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _stored(file: IO[bytes], start: int = 0, end: int | None = None) -> Content:
    """The decompressed content of a range; all or nothing of a file that cannot be entered in the middle."""
    kind = _kind(file)
    end = file.seek(0, 2) if end is None else end
    if kind == "bz2":
        yield from blocks(file, start, end)
    elif not kind:
        yield from _bytes(file, start, end)
    elif start == 0:
        yield from _decompressed(file, kind)


def _kind(file: IO[bytes]) -> str:
    """How a file is compressed, empty when it is not."""
    file.seek(0)
    first = file.read(8)
    return next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), "")


def _bytes(file: IO[bytes], start: int, end: int) -> Content:
    file.seek(start)
    while start < end and (chunk := file.read(min(_CHUNK, end - start))):
        start += len(chunk)
        yield chunk


def _decompressed(file: IO[bytes], kind: str) -> Content:
    """The whole of a gz, xz or zst file, as far as it goes."""
    file.seek(0)
    opened: Any  # a view of a file that its owner closes
    if kind == "gz":
        opened = gzip.GzipFile(fileobj=file)
    elif kind == "xz":
        opened = lzma.LZMAFile(file)  # noqa: SIM115 - it leaves the file to its owner
    else:
        opened = pa.CompressedInputStream(file, "zstd")
    # What `read` had already when it meets damage is lost with it; `read1` gives it first, in small pieces.
    read = opened.read if kind == "zst" else opened.read1
    gathered = bytearray()
    with suppress(OSError, EOFError, lzma.LZMAError, zlib.error, pa.ArrowException):
        while piece := read(_CHUNK):
            gathered += piece
            if len(gathered) >= _CHUNK:
                yield bytes(gathered)
                gathered.clear()
    if gathered:
        yield bytes(gathered)


def _encoding(beginning: bytes) -> str:
    """The encoding of an export when it is not UTF-8, else empty."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if beginning.startswith(mark):
            return encoding
    declared = _DECLARED.match(beginning.removeprefix(codecs.BOM_UTF8)[:_HEAD])
    try:
        name = codecs.lookup(declared[1].decode()).name if declared else "utf-8"
    except LookupError:
        return ""
    return "" if name in ("utf-8", "ascii") else name


def _in_utf8(chunks: Iterable[bytes | None]) -> Content:
    iterator = iter(chunks)
    beginning: list[bytes | None] = []
    for chunk in iterator:
        beginning.append(chunk)
        if chunk is None or sum(map(len, filter(None, beginning))) >= _HEAD:
            break
    encoding = _encoding(b"".join(filter(None, beginning)))
    everything = chain(beginning, iterator)
    if not encoding:
        yield from everything
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    yield from (None if chunk is None else decoder.decode(chunk).encode() for chunk in everything)
