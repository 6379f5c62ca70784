"""Dumps are streamed whatever they are packed in; damage costs what is damaged, and is counted."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import quoteattr

import py7zr
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lmflow.crawl.http import Fetcher
from lmflow.crawl.post_dumps import json_lines, open_dump, xml_rows
from lmflow.errors import InputError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "social"
OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=40), max_size=4), max_size=8)


def packed(content: bytes, window_log: int = 20) -> bytes:
    """As Reddit's dumps are made (with `zstd --long=31`): a stream, its size not in the frame."""
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=window_log, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(content) + packer.flush()


@given(OBJECTS)
def test_json_lines_are_read_plain_gzipped_and_in_zstd(objects: list[dict[str, str]]) -> None:
    content = "".join(json.dumps(value) + "\n" for value in objects).encode()
    frames = packed(content[: len(content) // 2]) + packed(content[len(content) // 2 :])
    for form in (content, gzip.compress(content), packed(content), frames):
        damages: Counter[str] = Counter()
        assert list(json_lines(io.BytesIO(form), damages)) == objects
        assert not damages


def test_a_window_of_two_gibibytes_is_accepted() -> None:
    frame = packed(b'{"a": 1}\n', window_log=31)
    assert zstandard.get_frame_parameters(frame).window_size == 2**31
    assert list(json_lines(io.BytesIO(frame), Counter())) == [{"a": 1}]


def test_lines_that_are_no_objects_and_a_file_that_breaks_off_are_counted() -> None:
    damages: Counter[str] = Counter()
    assert list(json_lines(io.BytesIO(b'{"a": 1}\n[1]\n\n{"b"\n\xff\n{"c": 2}'), damages)) == [{"a": 1}, {"c": 2}]
    assert damages == {"json": 3}
    content = "".join(json.dumps({"n": n, "text": str(n) * 50}) + "\n" for n in range(20_000)).encode()
    for whole in (packed(content), gzip.compress(content)):
        damages = Counter()
        found = list(json_lines(io.BytesIO(whole[: len(whole) // 2]), damages))
        assert [value["n"] for value in found] == list(range(len(found))) and 0 < len(found) < 20_000
        assert damages == {"truncated": 1}
    at_a_line = packed(b'{"a": 1}\n' * 100)[:-3]  # the checksum's end, or the last block's
    damages = Counter()
    list(json_lines(io.BytesIO(at_a_line), damages))
    assert damages == {"truncated": 1}


@given(st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=30), max_size=8))
def test_rows_of_xml_come_with_their_attributes(texts: list[str]) -> None:
    texts = [text.replace("\ufffe", "").replace("\uffff", "") for text in texts]
    rows = "".join(f"<row Id='{n}' Text={quoteattr(text)} />\n" for n, text in enumerate(texts))
    damages: Counter[str] = Counter()
    content = f"\ufeff<?xml version='1.0' encoding='utf-8'?>\n<comments>\n{rows}</comments>".encode()
    found = [dict(row) for row in xml_rows(io.BytesIO(content), damages)]
    assert [(row["Id"], row["Text"]) for row in found] == [(str(n), text) for n, text in enumerate(texts)]
    assert not damages


def test_xml_that_breaks_off_gives_what_came_before_and_no_entity_is_expanded() -> None:
    damages: Counter[str] = Counter()
    assert len(list(xml_rows(io.BytesIO(b"<posts><row Id='1'/><row Id='2'/><row I"), damages))) == 2
    assert damages == {"xml": 1}
    bomb = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><posts><row Id="&e;"/></posts>'
    assert all("root" not in row.get("Id", "") for row in xml_rows(io.BytesIO(bomb), Counter()))


def test_an_archive_in_7z_is_streamed_and_a_damaged_one_is_counted(tmp_path: Path, fetcher: Fetcher) -> None:
    path = tmp_path / "x.stackexchange.com.7z"
    posts = "".join(f"<row Id='{n}' PostTypeId='1' Body='{'text ' * 50}{n}'/>" for n in range(3000))
    with py7zr.SevenZipFile(path, "w") as archive:
        archive.writestr("<users><row Id='9'/></users>", "Users.xml")
        archive.writestr("<comments><row Id='1' PostId='2' Text='Why?'/></comments>", "Comments.xml")
        archive.writestr(f"<posts>{posts}</posts>", "Posts.xml")
    damages: Counter[str] = Counter()
    with open_dump(str(path), "stackexchange", fetcher, damages) as rows:
        found = list(rows)
    assert (len(found), sum("Text" in row for row in found), damages) == (3001, 1, Counter())
    with open_dump(str(path), "stackexchange", fetcher, damages) as rows:
        next(rows)  # and no more: the thread that unpacks must end with the block
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    with open_dump(str(path), "stackexchange", fetcher, damages) as rows:
        assert len(list(rows)) < 3001
    assert sum(damages.values()) >= 1
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="is no 7z archive"), open_dump(str(path), "stackexchange", fetcher, damages):
        pass


@pytest.mark.skipif(not SHARED.is_dir(), reason="captured dumps are not here")
def test_captured_dumps_are_read_whole() -> None:
    for name, expected in (("data/Posts", 781), ("data/Comments", 1305), ("skelton/data/Posts", 672)):
        damages: Counter[str] = Counter()
        with (SHARED / "stackexchange" / f"{name}.xml").open("rb") as file:
            assert (len(list(xml_rows(file, damages))), damages) == (expected, Counter())
