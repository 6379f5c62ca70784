"""Reading WARC files of others: every sound record, whatever lies between them, and a count of the rest."""

from __future__ import annotations

import gzip
import io
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.crawl.warc import WarcWriter
from lmflow.crawl.warc_reader import Record, WarcReader, http_response, responses

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "news" / "warc"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def archive(bodies: list[bytes]) -> list[bytes]:
    """One gzip member a record, the first one the warcinfo."""
    writer = WarcWriter("test")
    members = [writer.content]
    for number, body in enumerate(bodies):
        before = writer.size
        writer.add_response(f"https://x.org/{number}", 200, {"content-type": "text/html"}, body, NOW)
        members.append(writer.content[before:])
    return members


def read(content: bytes) -> tuple[list[bytes | memoryview], dict[str, int]]:
    reader = WarcReader(io.BytesIO(content).read)
    return [response.body for _, response in responses(reader)], dict(reader.damages)


@given(st.lists(st.binary(max_size=3000), max_size=6), st.booleans())
def test_what_was_written_is_read_back(bodies: list[bytes], compressed: bool) -> None:
    content = b"".join(archive(bodies))
    assert read(content if compressed else gzip.decompress(content)) == (bodies, {})
    assert read(gzip.compress(gzip.decompress(content))) == (bodies, {})  # one member: against the standard, but seen


@given(st.integers(1, 4), st.data())
def test_a_damaged_member_costs_its_record_only(doomed: int, data: st.DataObject) -> None:
    bodies = [bytes([65 + number]) * 5000 for number in range(5)]
    members = archive(bodies)
    member = bytearray(members[doomed])
    member[data.draw(st.integers(12, 150))] ^= data.draw(st.integers(1, 255))
    harmless = decompressed(bytes(member)) == decompressed(members[doomed])  # as where the code of no byte changes
    members[doomed] = bytes(member)
    found, damages = read(b"".join(members))
    assert found == (bodies if harmless else bodies[: doomed - 1] + bodies[doomed:])
    assert sum(damages.values()) == (0 if harmless else 1)


def decompressed(member: bytes) -> bytes | None:
    """What Python's own gzip makes of a member; None where it refuses it."""
    try:
        return gzip.decompress(member)
    except (OSError, EOFError, zlib.error):
        return None


def test_noise_between_records_and_a_file_that_breaks_off_are_counted() -> None:
    members = archive([b"one", b"two", b"three"])
    assert read(members[0] + members[1] + b"\x00\x07noise" + members[2] + members[3][:-20]) == (
        [b"one", b"two"],
        {"gzip": 1, "truncated": 1},
    )
    plain = [gzip.decompress(member) for member in members]
    assert read(plain[0] + plain[1] + b"noise\r\n\r\n" + plain[2]) == ([b"one", b"two"], {"head": 1})
    assert read(plain[0] + plain[1].replace(b"Content-Length: ", b"Content-Length: x", 1) + plain[2])[0] == [b"two"]


@pytest.mark.parametrize("ending", [b"\r\n", b"\r\n\r\n", b"\n"])
def test_megabytes_without_a_record_are_one_damage_each_and_searched_once(ending: bytes) -> None:
    plain = [gzip.decompress(member) for member in archive([b"one", b"two", b"three"])]
    noise = b"WARC/ is not a head\r\n" * 400_000 + ending
    started = time.process_time()
    assert read(plain[0] + noise + plain[1] + noise + plain[2] + noise) == ([b"one", b"two"], {"head": 3})
    assert time.process_time() - started < 3  # 0.5 s; searching all of it again with every piece read takes 6


def test_a_head_with_a_line_that_names_nothing_is_read() -> None:
    head = b"WARC/1.0\r\nWARC-Type: response\r\n<head>\r\n going on\r\nContent-Length: 2\r\n\r\n"
    (record,) = WarcReader(io.BytesIO(head + b"ok\r\n\r\n").read)
    assert (record.kind, record.block) == ("response", b"ok")


@given(st.binary(max_size=400))
def test_any_bytes_end_in_records_or_counts(noise: bytes) -> None:
    for content in (noise, b"WARC/1.0\r\n" + noise, b"\x1f\x8b\x08" + noise):
        bodies, damages = read(content)
        assert bodies == [] or not damages


def test_transfer_and_content_encodings_are_undone_and_false_ones_ignored() -> None:
    def body(headers: bytes, block: bytes) -> bytes:
        found = http_response(Record({}, b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n" + block))
        assert found is not None
        return found.body

    packed = gzip.compress(b"hello")
    assert body(b"Content-Encoding: gzip", packed) == b"hello"
    assert body(b"Content-Encoding: gzip", b"hello") == b"hello"
    assert body(b"Transfer-Encoding: chunked", b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n") == b"hello"
    assert body(b"Transfer-Encoding: chunked", b"<html>not chunked") == b"<html>not chunked"
    assert http_response(Record({}, b"no http at all")) is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="captured archives are not here")
def test_captured_and_broken_archives_are_read_or_counted() -> None:
    counts = {}
    for path in sorted(file for file in SHARED.rglob("*") if file.is_file()):
        with path.open("rb") as file:
            reader = WarcReader(file.read)
            counts[path.name] = (sum(1 for _ in reader), sum(reader.damages.values()))
    assert counts["example.warc.gz"] in ((822, 0), (6, 0))  # two files of one name
    assert {name: found for name, found in counts.items() if "arc.gz" in name and ".warc" not in name} == {
        "badexample.arc.gz": (0, 1),
        "example.arc.gz": (0, 1),
    }
    for name in ("example-bad-non-chunked.warc.gz", "example-bad.warc.gz.bad", "example-wget-bad-target-uri.warc.gz"):
        assert counts[name] == (6, 0)
    assert counts["example-wrong-chunks.warc.gz"] == (2, 0)
