"""Reading a response's body under a size cap: what is counted is what comes out of decompression."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

#: What we ask for; anything else that comes back is an error.
ACCEPT_ENCODING: Final = "gzip, deflate"
_STEP: Final = 1 << 16


class TooLargeError(Exception):
    """The body is larger than the cap."""


class EncodingError(Exception):
    """The body is in an encoding we did not ask for, or is damaged."""


def read_body(chunks: Iterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """The decoded body.

    Args:
        chunks: the body as it comes from the wire.
        encoding: the Content-Encoding header, empty for none.
        max_bytes: cap of the decoded size; no more than this (and one step) is ever held.

    Raises:
        TooLargeError: it is larger.
        EncodingError: unknown or damaged encoding.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in _decoded(chunks, encoding.strip().lower()):
        size += len(piece)
        if size > max_bytes:
            raise TooLargeError(f"more than {max_bytes:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    if encoding in ("", "identity"):
        return chunks
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _inflated(chunks)
    raise EncodingError(f"content-encoding {encoding[:40]!r}")


def _inflated(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Gzip (one or several members), zlib, or raw deflate, a bounded step at a time."""
    stream = None
    for chunk in chunks:
        while chunk:
            if stream is None or stream.eof:
                # A zlib or gzip header starts so; servers that say deflate also send it without any.
                raw = chunk[0] != 0x1F and (chunk[0] & 0x0F) != 8
                stream = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
            try:
                piece = stream.decompress(chunk, _STEP)
            except zlib.error as error:
                raise EncodingError(str(error)) from None
            if piece:
                yield piece
            chunk = stream.unused_data if stream.eof else stream.unconsumed_tail
            if not piece and chunk and not stream.eof:
                raise EncodingError("no progress")
    if stream is not None and not stream.eof:
        raise EncodingError("the compressed body breaks off")
