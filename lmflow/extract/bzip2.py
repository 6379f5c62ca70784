"""The content of any part of a bz2 file, block by block: one stream or many, no index needed, damage survived.

A bz2 stream is a row of independent blocks of up to 900 kB; each starts with a 48-bit number, at any *bit* of the file.
A part of a file is the blocks that start in a range of its bytes, so ranges that join give every block once. A block
becomes a stream of its own when it is shifted to a whole byte and closed with its own checksum, as bzip2recover
(bzip2 1.0.8) does to save what is left of a damaged file.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from typing import IO, Final

_BLOCK: Final = 0x314159265359  # a block starts; its checksum follows
_END: Final = 0x177245385090  # a stream ends; its checksum and padding follow
_NUMBER_BITS: Final = 48
_CHECKSUM_BITS: Final = 32
#: Bytes read at once, a few blocks: what is read behind the end of a part is searched for nothing.
_WINDOW: Final = 1 << 20
#: Bytes of the longest block: 900 kB that do not compress, with their tables, are about 1 % more.
LONGEST_BLOCK: Final = 1_200_000


def blocks(file: IO[bytes], start: int, end: int | None = None) -> Iterator[bytes | None]:
    """Contents of the blocks that start in a range of a bz2 file, in order.

    Args:
        file: seekable.
        start: first byte of the range.
        end: first byte behind it; None for the end of the file.

    Yields:
        The content of a block; None in place of one that is damaged. A last block that is cut off gives nothing.
    """
    for base, data, marks, is_last in _windows(file, start):
        stop = 8 * (end - base) if end is not None else 8 * len(data)
        limit = 8 * len(data) if is_last else None
        # The last two marks of a window come again with the next one: until then nobody knows where their blocks end.
        ready = marks if is_last else marks[:-2]
        skip = -1
        for place, mark in enumerate(ready):
            if mark >= stop:
                return
            if mark == skip:
                continue
            following = [*marks[place + 1 : place + 3], *([limit] if limit else [])][:2]
            content = _block(data, mark, following[0])
            if content is None and len(following) == 2:
                # The number can occur inside a block, by a chance of one in 2**48 a bit.
                content = _block(data, mark, following[1])
                skip = following[0] if content is not None else -1
            if content is not None:
                yield content
            elif following[0] != limit and not _is_inside_a_block(file, 8 * base + mark, 8 * base + following[0]):
                yield None


def _windows(file: IO[bytes], start: int) -> Iterator[tuple[int, bytes, list[int], bool]]:
    """The file from a byte on, in overlapping windows: (offset, bytes, bit offsets of block starts, is the last)."""
    file.seek(start)
    base, data = start, b""
    marks: list[int] = []
    while True:
        fresh = file.read(_WINDOW)
        unseen = max(0, len(data) - _NUMBER_BITS // 8)
        data += fresh
        marks = sorted({*marks, *_find(_BLOCK, data, unseen)})
        yield base, data, marks, not fresh
        if not fresh:
            return
        # Keep from the second last mark on; without marks, only what could be the beginning of one.
        keep = marks[-2:][0] // 8 if marks else max(0, len(data) - _NUMBER_BITS // 8)
        keep = max(keep, len(data) - 2 * LONGEST_BLOCK)
        base, data = base + keep, data[keep:]
        marks = [mark - 8 * keep for mark in marks if mark >= 8 * keep]


def _find(number: int, data: bytes, start: int = 0) -> list[int]:
    """Bit offsets in `data` at which a 48-bit number stands, from byte `start` on; sorted."""
    found = []
    for shift in range(8):
        # Of a number that starts `shift` bits into a byte, five or six bytes are whole: `bytes.find` is fast on those.
        whole = (number << (8 - shift)).to_bytes(7, "big")[1:6] if shift else number.to_bytes(6, "big")
        place = data.find(whole, start)
        while place >= 0:
            bit = 8 * (place - 1) + shift if shift else 8 * place
            if bit >= 8 * start and _bits(data, bit, bit + _NUMBER_BITS) == number:
                found.append(bit)
            place = data.find(whole, place + 1)
    return sorted(found)


def _bits(data: bytes, start: int, end: int) -> int:
    """Some bits of `data` as a number; -1 when they reach beyond it."""
    if end > 8 * len(data):
        return -1
    piece = int.from_bytes(data[start // 8 : (end + 7) // 8], "big")
    return (piece >> (-end % 8)) & ((1 << (end - start)) - 1)


def _block(data: bytes, start: int, end: int) -> bytes | None:
    """The content of the block between two bit offsets, None when it is none or damaged."""
    if end - start > 8 * LONGEST_BLOCK + 8 * 1024:
        end = start + 8 * LONGEST_BLOCK
    if end == 8 * len(data) or data[end // 8 - 4 : end // 8 - 1] == b"BZh":
        # The last block of its stream: the stream's end comes before the next block's number, or the file's end.
        first = start // 8
        ends = [8 * first + bit for bit in _find(_END, data[first : end // 8])]
        end = next((bit for bit in ends if bit > start), end)
    checksum = _bits(data, start + _NUMBER_BITS, start + _NUMBER_BITS + _CHECKSUM_BITS)
    if checksum < 0:
        return None
    # A stream of one block: its checksum is the block's.
    closed = (_bits(data, start, end) << _NUMBER_BITS | _END) << _CHECKSUM_BITS | checksum
    length = end - start + _NUMBER_BITS + _CHECKSUM_BITS
    try:
        return bz2.decompress(b"BZh9" + (closed << -length % 8).to_bytes((length + 7) // 8, "big"))
    except (OSError, ValueError):
        return None


def _is_inside_a_block(file: IO[bytes], mark: int, following: int) -> bool:
    """Whether a number that starts no block (bit offsets in the file) is part of the one before it."""
    place = file.tell()
    base = max(0, mark // 8 - LONGEST_BLOCK)
    file.seek(base)
    data = file.read(following // 8 + 1 - base)
    file.seek(place)
    before = [bit for bit in _find(_BLOCK, data) if bit < mark - 8 * base]
    return bool(before) and _block(data, before[-1], following - 8 * base) is not None
