"""Reading a response's body under a size cap: what is counted is what comes out of decompression.

Every decoder works a bounded step at a time, so that a bomb is found out before it is held.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import brotli
import zstandard

#: What we ask for; anything else that comes back is an error.
ACCEPT_ENCODING: Final = "gzip, deflate, br, zstd"
#: What servers write in Content-Encoding that names no coding (RFC 9110, 8.4.1): nothing was done to the body.
_NO_CODING: Final = frozenset(
    {"", "identity", "none", "binary", "7bit", "8bit", "utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1251"}
)
_GZIP: Final = b"\x1f\x8b"
_STEP: Final = 1 << 16
#: RFC 9659: content-coding zstd must not need a larger window.
_ZSTD_WINDOW: Final = 8 << 20
_ZSTD_STEP: Final = 256


class TooLargeError(Exception):
    """The body is larger than the cap."""


class EncodingError(Exception):
    """The body is in an encoding we did not ask for, or is damaged."""


def read_body(chunks: Iterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """The decoded body.

    Args:
        chunks: the body as it comes from the wire.
        encoding: the Content-Encoding header, empty for none.
        max_bytes: cap of the decoded size, and of what the wire may carry for it; no more than this (and one step) is
            ever held.

    Raises:
        TooLargeError: it is larger.
        EncodingError: unknown or damaged encoding.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in _decoded(_capped(chunks, max_bytes), encoding.strip().lower()):
        size += len(piece)
        if size > max_bytes:
            raise TooLargeError(f"more than {max_bytes:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def read_start(chunks: Iterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """The beginning of the decoded body, to the end of a line where it is cut; arguments as of `read_body`.

    Raises:
        TooLargeError: the wire brought twice the cap and nothing came out of it.
        EncodingError: unknown or damaged encoding.
    """
    pieces: list[bytes] = []
    size, is_cut = 0, False
    try:
        for piece in _decoded(_capped(chunks, 2 * max_bytes), encoding.strip().lower()):
            size += len(piece)
            pieces.append(piece)
            if size > max_bytes:
                is_cut = True
                break
    except TooLargeError:
        if not size:
            raise
        is_cut = True
    start = b"".join(pieces)[:max_bytes]
    end = 1 + max(start.rfind(b"\n"), start.rfind(b"\r"))
    return start[:end] if is_cut and end else start  # one line without end is better than none


def _capped(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Empty members can be sent for ever and decode to nothing: what comes in is counted too."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise TooLargeError(f"more than {max_bytes:,} bytes on the wire")
        yield chunk


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    # A list without what names no coding; its empty elements count for nothing (RFC 9110, 5.6.1).
    encoding = ", ".join(token for name in encoding.split(",") if (token := name.strip()) not in _NO_CODING)
    if not encoding:
        return chunks
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _inflated(chunks)
    if encoding == "br":
        return _unbrotlied(chunks)
    if encoding == "zstd":
        return _unzstded(chunks)
    raise EncodingError(f"content-encoding {encoding[:40]!r}")


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip (one or several members), zlib, or raw deflate, a bounded step at a time.

    What stands behind a complete stream and begins no further member of gzip (a line end, a comment that says how long
    the page took) is ignored, as gzip itself ignores it.
    """
    stream = None
    held = b""  # a byte that may begin a further member
    for piece in chunks:
        chunk, held = held + piece, b""
        while chunk:
            if stream is not None and stream.eof:
                if not _GZIP.startswith(chunk[:2]):
                    for _ in chunks:  # read to its end, so that the connection can go on
                        pass
                    return
                if len(chunk) == 1:
                    held = chunk
                    break
            if stream is None or stream.eof:
                # A zlib or gzip header starts so; servers that say deflate also send it without any.
                raw = chunk[0] != 0x1F and (chunk[0] & 0x0F) != 8
                stream = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
            try:
                inflated = stream.decompress(chunk, _STEP)
            except zlib.error as error:
                raise EncodingError(str(error)) from None
            if inflated:
                yield inflated
            chunk = stream.unused_data if stream.eof else stream.unconsumed_tail
            if not inflated and chunk and not stream.eof:
                raise EncodingError("no progress")
    if stream is not None and not stream.eof:
        raise EncodingError("the compressed body breaks off")


def _unbrotlied(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    began = False
    try:
        for chunk in chunks:
            began = began or bool(chunk)
            if stream.is_finished():
                raise EncodingError("bytes after the end of the brotli stream")
            piece = stream.process(chunk, output_buffer_limit=_STEP)
            while piece or not stream.can_accept_more_data():
                yield piece
                piece = stream.process(b"", output_buffer_limit=_STEP)
    except brotli.error as error:
        raise EncodingError(str(error) or "damaged brotli stream") from None
    if began and not stream.is_finished():
        raise EncodingError("the compressed body breaks off")


def _unzstded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One frame or several. The library has no limit on output, so little goes in: a block of 4 bytes gives 128 KiB."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    stream = None
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _ZSTD_STEP):
                piece = chunk[start : start + _ZSTD_STEP]
                while piece:
                    stream = decompressor.decompressobj() if stream is None or stream.eof else stream
                    yield stream.decompress(piece)
                    piece = stream.unused_data if stream.eof else b""
    except zstandard.ZstdError as error:
        raise EncodingError(str(error)[:200]) from None
    if stream is not None and not stream.eof:
        raise EncodingError("the compressed body breaks off")
