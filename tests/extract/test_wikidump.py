"""Pages of an export: every page once, however the bytes are cut, and a broken page costs only itself."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.extract import wikidump
from lmflow.extract.wikidump import Loss, Page, pages, site_namespaces
from tests.extract.exports import HEAD, TAIL, page_xml


def numbers(xml: str, loss: Loss | None = None) -> list[int]:
    return [page.page_id for page in pages([xml.encode()], loss)]


def test_a_page_carries_its_identity_and_text() -> None:
    xml = HEAD + page_xml(1, "a &lt;b&gt; &amp;amp; é") + page_xml(2, extra='<redirect title="T1" />') + TAIL
    first, second = pages([xml.encode()])
    assert first == Page(1, "T1", 0, 1001, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "", "a <b> &amp; é", "wikitext")
    assert second.redirect == "T1"


@given(st.integers(0, 6), st.integers(0, 2000), st.integers(1, 300))
@settings(max_examples=150, deadline=None)
def test_a_page_belongs_to_the_part_that_it_begins_in(count: int, cut: int, read: int) -> None:
    xml = (HEAD + "".join(page_xml(n, "é" * n) for n in range(1, count + 1)) + TAIL).encode()
    cut = min(cut, len(xml))

    def chunks(part: bytes) -> list[bytes]:
        return [part[i : i + read] for i in range(0, len(part), read)]

    loss = Loss()
    first = [page.page_id for page in pages(chunks(xml[:cut]), loss, chunks(xml[cut:]), must_close=False)]
    second = [page.page_id for page in pages(chunks(xml[cut:]), loss, must_close=cut < len(xml) - len(TAIL))]
    assert first + second == list(range(1, count + 1))
    assert loss == Loss()
    begins = [xml[:at].count(b"<page>") for at in (cut,)]
    assert len(first) in (begins[0], begins[0] + 1)  # one more when the cut goes through a tag


@given(st.integers(0, 2000))
@settings(max_examples=100, deadline=None)
def test_an_export_that_breaks_off_gives_what_is_complete_and_says_so(cut: int) -> None:
    xml = (HEAD + "".join(page_xml(n) for n in range(1, 5)) + TAIL).encode()
    cut = min(cut, len(xml) - len(TAIL))
    loss = Loss()
    found = [page.page_id for page in pages([xml[:cut]], loss)]
    assert found == list(range(1, xml[:cut].count(b"</page>") + 1))
    assert loss.truncated
    assert loss.broken_pages == xml[:cut].count(b"<page>") - len(found)


def test_what_is_missing_in_the_middle_joins_no_two_pages() -> None:
    xml = (HEAD + page_xml(1) + page_xml(2) + page_xml(3) + TAIL).encode()
    hole = xml.index(b"T2"), xml.index(b"T3")
    loss = Loss()
    assert [page.title for page in pages([xml[: hole[0]], None, xml[hole[1] :]], loss)] == ["T1"]
    assert (loss.broken_pages, loss.damaged_blocks, loss.truncated) == (1, 1, False)


@pytest.mark.parametrize(
    "broken",
    [
        "<page><title>x</title><id>4</id></page>",  # no revision
        page_xml(4).replace("<id>4</id>", ""),
        page_xml(4, "a & b"),
        page_xml(4, "&nbsp;"),
        page_xml(4).replace("</page>", ""),
        page_xml(4, "a\x00b"),
        page_xml(4).replace("</title>", ""),
    ],
)
def test_a_broken_page_is_counted_and_costs_only_itself(broken: str) -> None:
    loss = Loss()
    assert numbers(HEAD + page_xml(1) + broken + page_xml(2) + TAIL, loss) == [1, 2]
    assert loss == Loss(broken_pages=1)


def test_of_several_revisions_the_newest_wins() -> None:
    xml = page_xml(1).replace("</page>", "<revision><id>5</id><text>old</text></revision></page>")
    assert [page.revision for page in pages([xml.encode()])] == [1001]


def test_a_history_longer_than_memory_allows_is_cut_to_its_newest_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikidump, "_LONG", 10_000)
    monkeypatch.setattr(wikidump, "_TOO_LONG", 50_000)
    old = "".join(f"<revision><id>{n}</id><text>{'x' * 900}</text></revision>" for n in range(2000))
    xml = (HEAD + page_xml(1).replace("</page>", old + "</page>") + page_xml(2) + page_xml(3, "y" * 90_000)).encode()
    loss = Loss()
    chunks = [xml[i : i + 1000] for i in range(0, len(xml), 1000)]
    found = list(pages([*chunks, page_xml(4).encode(), TAIL.encode()], loss))
    assert [(page.page_id, page.revision) for page in found] == [(1, 1999), (2, 1002), (4, 1004)]
    assert loss == Loss(broken_pages=1)  # page 3 has one revision, and that is longer than a page may be


@pytest.mark.parametrize(
    ("schema", "names_namespaces"), [("0.3", False), ("0.5", False), ("0.10", True), ("0.11", True)]
)
def test_older_and_newer_schemas_are_read(schema: str, names_namespaces: bool) -> None:
    names = '<siteinfo><namespaces><namespace key="2" case="first-letter">Benutzer</namespace></namespaces></siteinfo>'
    head = HEAD.replace("0.11", schema).replace("<siteinfo/>", names)
    xml = head + page_xml(1) + page_xml(2, ns=2).replace("<title>T2", "<title>Benutzer:T2") + TAIL
    if not names_namespaces:
        xml = re.sub("<ns>.</ns>", "", xml)
    found = pages([xml.encode()], namespaces=site_namespaces(xml.encode()))
    assert [(each.page_id, each.namespace) for each in found] == [(1, 0), (2, 2)]


def test_external_entities_are_never_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    xml = f'<!DOCTYPE m [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><mediawiki>{page_xml(1, "a&e;b")}</mediawiki>'
    assert all("secret" not in page.text for page in pages([xml.encode()]))


def test_localised_redirects_are_recognised() -> None:
    assert [page.redirect for page in pages([page_xml(1, "#重定向 [[柏林]]").encode()])] == ["柏林"]
