"""Dumps: every page once, however the bytes are cut, and a broken end costs only what is behind it."""

import bz2
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.extract.wikidump import Loss, Page, decompress, index_streams, pages

HEAD = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n<siteinfo/>\n'


def page_xml(number: int, text: str = "Text", ns: int = 0, extra: str = "") -> str:
    return (
        f"<page><title>T{number}</title><ns>{ns}</ns><id>{number}</id>{extra}<revision><id>{number + 1000}</id>"
        f"<timestamp>2026-01-02T03:04:05Z</timestamp><contributor><id>7</id></contributor><model>wikitext</model>"
        f'<text bytes="4" xml:space="preserve">{text}</text></revision></page>\n'
    )


def test_a_page_carries_its_identity_and_text() -> None:
    xml = HEAD + page_xml(1, "a &lt;b&gt; &amp;amp; é") + page_xml(2, extra='<redirect title="T1" />') + "</mediawiki>"
    first, second = pages([xml.encode()])
    assert first == Page(1, "T1", 0, 1001, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "", "a <b> &amp; é", "wikitext")
    assert second.redirect == "T1"


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_every_page_comes_once_however_streams_and_reads_are_cut(streams: list[int], cut: int) -> None:
    blobs, index, number = [bz2.compress(HEAD.encode())], [], 0
    for count in streams:
        offset = sum(map(len, blobs))
        numbers = range(number + 1, number + count + 1)
        index += [f"{offset}:{n}:T{n}\n".encode() for n in numbers]
        blobs.append(bz2.compress("".join(page_xml(n, "é" * n) for n in numbers).encode()))
        number += count
    dump = b"".join([*blobs, bz2.compress(b"</mediawiki>")])

    found, expected = [], 0
    for offset, length, count in index_streams(index, len(dump)):
        file, loss = io.BytesIO(dump), Loss()
        file.seek(offset)
        xml = b"".join(decompress(file, length, loss))
        found += [page.page_id for page in pages([xml[i : i + cut] for i in range(0, len(xml), cut)], loss)]
        expected += count
        assert not loss.truncated
    assert found == list(range(1, number + 1))
    assert expected == number

    whole = list(pages(decompress(io.BytesIO(dump))))
    assert [page.page_id for page in whole] == found


def test_a_truncated_dump_gives_what_is_complete_and_says_so() -> None:
    dump = bz2.compress((HEAD + "".join(page_xml(n) for n in range(1, 4))).encode()) + bz2.compress(b"<page>")[:-9]
    loss = Loss()
    assert [page.page_id for page in pages(decompress(io.BytesIO(dump), loss=loss), loss)] == [1, 2, 3]
    assert loss.truncated


def test_a_page_without_a_revision_is_counted_not_given() -> None:
    loss = Loss()
    assert list(pages([b"<page><title>x</title><id>4</id></page>"], loss)) == []
    assert (loss.broken_pages, loss.truncated) == (1, False)


def test_of_several_revisions_the_newest_wins() -> None:
    xml = page_xml(1).replace("</page>", "<revision><id>5</id><text>old</text></revision></page>")
    assert [page.revision for page in pages([xml.encode()])] == [1001]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_export_with_a_byte_order_mark_is_read(encoding: str) -> None:
    assert [page.title for page in pages([(HEAD + page_xml(1) + "</mediawiki>").encode(encoding)])] == ["T1"]


def test_external_entities_are_never_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    xml = f'<!DOCTYPE m [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><mediawiki>{page_xml(1, "a&e;b")}</mediawiki>'
    assert all("secret" not in page.text for page in pages([xml.encode()]))


def test_localised_redirects_are_recognised() -> None:
    assert [page.redirect for page in pages([page_xml(1, "#重定向 [[柏林]]").encode()])] == ["柏林"]


def test_an_index_of_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a multistream index"):
        index_streams([b"600:1:T\n"], 500)
