"""WARC files: standard records, each readable from its place alone."""

import gzip
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.crawl.warc import Place, WarcWriter, read_response

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_every_record_is_read_back_from_its_place() -> None:
    writer = WarcWriter("lmflow/0.1")
    bodies = [b"first", "第二".encode() * 1000, b"", b"ends with blank lines\r\n\r\n"]
    places = [
        writer.add_response(
            f"https://x.org/{n}", 200, {"content-type": "text/html", "content-encoding": "gzip"}, body, NOW
        )
        for n, body in enumerate(bodies)
    ]
    file = io.BytesIO(writer.content)
    assert [read_response(file, place) for place in places] == bodies
    assert places[-1].offset + places[-1].length == writer.size


def test_the_file_is_a_sequence_of_records_whose_lengths_add_up() -> None:
    writer = WarcWriter("lmflow/0.1")
    writer.add_response("https://x.org/", 200, {"a": "b\r\nInjected: yes", "content-encoding": "gzip"}, b"body", NOW)
    text = gzip.decompress(writer.content)
    kinds = []
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"Content-Length"])
        assert rest[length : length + 4] == b"\r\n\r\n"
        kinds.append(fields[b"WARC-Type"])
        block, text = rest[:length], rest[length + 4 :]
    assert kinds == [b"warcinfo", b"response"]
    assert fields[b"WARC-Target-URI"] == b"https://x.org/"
    assert fields[b"WARC-Date"] == b"2026-01-02T03:04:05.000000Z"
    assert block.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nX-Archive-Orig-content-encoding: gzip\r\n" in block and b"\r\nInjected" not in block


def test_a_wrong_place_is_an_error() -> None:
    writer = WarcWriter("lmflow/0.1")
    for place in (Place(3, 20), Place(0, 10), Place(0, writer.size)):
        with pytest.raises(ValueError, match="no WARC"):
            read_response(io.BytesIO(writer.content), place)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_record_is_an_error_or_the_page(at: int, change: int) -> None:
    writer = WarcWriter("lmflow/0.1")
    place = writer.add_response("https://x.org/", 200, {}, bytes(range(256)) * 8, NOW)
    content = bytearray(writer.content)
    content[place.offset + at % place.length] ^= change
    for damaged in (bytes(content), writer.content[: place.offset + at % place.length]):
        try:
            page = read_response(io.BytesIO(damaged), place)
        except ValueError as error:
            assert "no WARC" in str(error)
        else:
            assert page == bytes(range(256)) * 8
