"""Dump files as stored: any cut into parts gives every page exactly once, and damage is counted, never passed on."""

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmflow.extract.bzip2 import blocks
from lmflow.extract.dumpfile import head, index_streams, lines, pages_of, parts
from lmflow.extract.wikidump import Loss
from tests.extract.exports import HEAD, TAIL, page_xml


def numbers(
    stored: bytes, length: int, streams: tuple[tuple[int, int], ...] = (), loss: Loss | None = None
) -> list[int]:
    """Ids of all pages, in the order of the file, read part by part."""
    file, found = io.BytesIO(stored), []
    for part in parts(file, lambda left: max(length, left // 4), streams):
        found += [page.page_id for page in pages_of(file, part, loss if loss is not None else Loss())]
    return found


def noise(seed: int, length: int) -> str:
    """Text that does not compress well, so that a few pages make several blocks."""
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz é中", k=length))


#: Sizes of the pages of every stream: tiny ones, and some that span blocks (100 kB at level 1), reads and parts.
STREAMS = st.lists(st.lists(st.sampled_from([0, 5, 300, 20_000, 150_000]), max_size=5), max_size=5)


@given(STREAMS, st.integers(1, 200_000), st.sampled_from([1, 9]))
@example([[]], 10, 1)
@example([[150_000, 0, 5], [], [20_000]], 1, 1)
@settings(max_examples=40, deadline=None)
def test_every_page_comes_once_whatever_the_streams_and_the_parts(
    streams: list[list[int]], length: int, level: int
) -> None:
    stored, index, number = bz2.compress(HEAD.encode(), level), [], 0
    for sizes in streams:
        xml = ""
        for size in sizes:
            number += 1
            xml += page_xml(number, noise(number, size))
            index.append(f"{len(stored)}:{number}:T{number}\n".encode())
        stored += bz2.compress(xml.encode(), level)  # of an empty list: a stream without blocks
    stored += bz2.compress(TAIL.encode(), level)
    expected = list(range(1, number + 1))

    length = max(length, len(stored) // 40)
    loss = Loss()
    assert numbers(stored, length, loss=loss) == expected
    found = tuple(index_streams(index, len(stored)))
    assert numbers(stored, length, found, loss) == expected
    single = bz2.compress(bz2.decompress(stored), level)
    assert numbers(single, length, loss=loss) == expected
    assert numbers(bz2.decompress(stored), 10 * length, loss=loss) == expected
    assert loss == Loss()
    assert sum(max(part.pages, 0) for part in parts(io.BytesIO(stored), lambda left: length, found)) == number


@given(st.integers(1, 10_000), st.integers(1, 500), st.integers(1, 8), st.booleans())
def test_parts_get_shorter_towards_the_end_and_none_is_a_crumb(
    size: int, shortest: int, share: int, has_streams: bool
) -> None:
    streams = tuple((offset, 1) for offset in range(0, size, 10)) if has_streams else ()
    found = parts(io.BytesIO(b" " * size), lambda left: max(left / share, shortest), streams)
    assert [part.start for part in found] == [0, *(part.end for part in found[:-1])]
    assert found[-1].end == size
    lengths = [part.end - part.start for part in found]
    assert all(after <= before + 10 for before, after in pairwise(lengths[:-1]))
    if not has_streams and len(found) > 1:
        assert min(lengths) >= shortest / 2


@given(st.integers(0, 2**31), st.floats(0, 1), st.integers(1, 10))
@settings(max_examples=25, deadline=None)
def test_a_truncated_dump_gives_all_that_is_whole_and_says_that_it_is_truncated(
    seed: int, share: float, count: int
) -> None:
    xml = (HEAD + "".join(page_xml(n, noise(seed + n, 30_000)) for n in range(1, 9)) + TAIL).encode()
    whole = bz2.compress(xml, 1)
    stored = whole[: int(share * (len(whole) - 12))]
    loss = Loss()
    found = numbers(stored, max(1, len(stored) // count), loss=loss)
    kept = b"".join(filter(None, blocks(io.BytesIO(stored), 0)))
    assert xml.startswith(kept)
    assert len(xml) - len(kept) < (1 - share) * len(xml) + 200_000  # at most the block that was cut, 100 kB at level 1
    assert found == list(range(1, kept.count(b"</page>") + 1))
    assert loss.truncated


@given(st.integers(0, 2**31), st.integers(1, 10))
@settings(max_examples=25, deadline=None)
def test_a_damaged_block_costs_the_pages_in_it_and_no_other(seed: int, count: int) -> None:
    xml = (HEAD + "".join(page_xml(n, noise(seed + n, 30_000)) for n in range(1, 20)) + TAIL).encode()
    stored = bytearray(bz2.compress(xml, 1))
    stored[len(stored) // 2] ^= 0x55
    loss = Loss()
    found = numbers(bytes(stored), len(stored) // count, loss=loss)
    assert loss.damaged_blocks == 1
    assert not loss.truncated
    assert found == sorted(set(found))
    assert 19 - 6 <= len(found) < 19  # a block holds three pages, and touches two more


def test_a_block_number_inside_a_block_is_no_block() -> None:
    # The bytes that occur in a block are listed in it bit by bit: these spell the 48 bits that begin a block.
    groups = ((4, 0x3141), (5, 0x5926), (6, 0x5359))
    odd = bytes(16 * group + bit for group, bits in groups for bit in range(16) if bits >> (15 - bit) & 1) * 50
    stored = bz2.compress(b"before") + bz2.compress(odd) + bz2.compress(b"behind")
    for cut in range(len(stored) + 1):
        found = [*blocks(io.BytesIO(stored), 0, cut), *blocks(io.BytesIO(stored), cut)]
        assert found == [b"before", odd, b"behind"]


@pytest.mark.parametrize("window", [1, 5, 6, 7, 8, 64, 4000])
def test_every_block_comes_once_wherever_a_read_ends(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmflow.extract.bzip2._WINDOW", window)
    pieces = [random.Random(seed).randbytes(size) for seed, size in enumerate((300, 1, 900, 40, 700))]
    stored = b"".join(map(bz2.compress, pieces))
    for cut in range(0, len(stored) + 1, 37):
        file = io.BytesIO(stored)
        assert [*blocks(file, 0, cut), *blocks(file, cut)] == pieces


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "iso-8859-1"])
@pytest.mark.parametrize("kind", ["plain", "bz2", "gz", "xz", "zst"])
def test_any_encoding_and_compression_is_read(kind: str, encoding: str) -> None:
    declared = encoding.removesuffix("-le-bom").removesuffix("-sig")
    xml = (
        f'<?xml version="1.0" encoding="{declared}"?>\n{HEAD}'
        + "".join(page_xml(n, "é" * 999) for n in range(1, 9))
        + TAIL
    )
    raw = b"\xff\xfe" + xml.encode("utf-16-le") if encoding == "utf-16-le-bom" else xml.encode(encoding)
    pack = {
        "plain": bytes,
        "bz2": bz2.compress,
        "gz": gzip.compress,
        "xz": lzma.compress,
        "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    }[kind]
    stored = pack(raw)
    loss = Loss()
    assert numbers(stored, 100, loss=loss) == list(range(1, 9))
    assert loss == Loss()
    assert "<siteinfo/>" in head(io.BytesIO(stored)).decode()
    cut = Loss()
    assert numbers(stored[: len(stored) // 2], 10_000, loss=cut) == list(
        range(1, len(numbers(stored[: len(stored) // 2], 10_000)) + 1)
    )
    assert cut.truncated


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_what_stands_before_the_damage_is_read(pack: Callable[[bytes], bytes]) -> None:
    content = "".join(page_xml(n, noise(n, 3_000)) for n in range(1, 101))
    stored = pack(f"{HEAD}{content}{TAIL}".encode())
    loss = Loss()
    assert numbers(stored + b"and something behind it", 1, loss=loss) == list(range(1, 101)) and loss == Loss()
    found = numbers(stored[: len(stored) // 2], 1, loss=loss)
    assert found == list(range(1, len(found) + 1)) and len(found) > 40
    assert loss.truncated


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress])
@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line), max_size=30))
@settings(max_examples=30, deadline=None)
def test_an_index_is_read_line_by_line_however_it_is_stored(pack: Callable[[bytes], bytes], found: list[bytes]) -> None:
    content = b"\n".join([b"1:2:T", *found])
    expected = content.removesuffix(b"\n").split(b"\n")
    assert list(lines(io.BytesIO(pack(content)))) == expected


def test_a_damaged_index_is_refused() -> None:
    stored = bytearray(bz2.compress(random.Random(1).randbytes(300_000), 1))
    stored[len(stored) // 2] ^= 0xFF
    with pytest.raises(ValueError, match="damaged"):
        list(lines(io.BytesIO(bytes(stored))))


def test_an_index_of_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a multistream index"):
        index_streams([b"600:1:T\n"], 500)
