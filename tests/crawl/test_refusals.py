"""Pages that refuse to be stored: each form in which a header or a meta element says so, and those that do not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmflow.crawl.archives import Selection, select_pages
from lmflow.crawl.http import Fetcher
from lmflow.crawl.pages import HostPlan, Target, stored_visits, visit_hosts
from lmflow.crawl.refusals import refusal
from lmflow.crawl.warc import _record, info_record
from lmflow.lake import Objects
from tests.crawl.conftest import POLICY
from tests.crawl.site import Site

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("noindex", "noindex"),
        ("NoIndex , nofollow", "noindex"),
        ("nofollow, none", "noindex"),
        ("noai", "noindex"),
        ("index, follow, all", ""),
        ("noarchive, nosnippet, noimageai, noimageindex", ""),
        ("max-image-preview: large, noindex", "noindex"),
        ("max-snippet:-1, max-video-preview:-1", ""),
        ("googlebot: noindex, nofollow", ""),
        ("lmflow: noindex", "noindex"),
        ("LMFlow: nofollow, noindex", "noindex"),
        ("lmflowers: noindex", ""),
        ("googlebot: nofollow, lmflow: noindex", "noindex"),
        ("googlebot: noindex,\nnoindex", "noindex"),
        ("noarchive,\ngooglebot: noindex", ""),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", "noindex"),
        ("unavailable_after: Wednesday, 25-Jun-25 15:00:00 UTC", "noindex"),
        ("unavailable_after: Fri, 25 Jun 2027 15:00:00 GMT", ""),
        ("unavailable_after: 2026-11-28", "noindex"),
        ("unavailable_after: 2026-11-30T00:00:00+00:00", ""),
        ("unavailable_after: some day", ""),
        ("googlebot: unavailable_after: 2026-11-28", ""),
        ("", ""),
    ],
)
def test_a_header_refuses_for_all_or_for_us(field: str, why: str) -> None:
    assert refusal({"x-robots-tag": field}, b"", "lmflow/0.1 (+me@x.org)", NOW) == why


@pytest.mark.parametrize(
    ("markup", "why"),
    [
        ('<meta name="robots" content="noindex">', "noindex"),
        ("<META CONTENT='nofollow,NOINDEX' NAME=Robots />", "noindex"),
        ("<meta name=robots content=none>", "noindex"),
        ('<meta\n name="robots"\n content="noindex&#44; nofollow">', "noindex"),
        ('<meta name="lmflow" content="noindex">', "noindex"),
        ('<meta name="googlebot" content="noindex"><meta name="robots" content="all">', ""),
        ('<meta name="deepseekbot" content="noindex">', ""),
        ('<meta name="robots" content="max-image-preview:large">', ""),
        ('<meta property="og:title" content="robots noindex">', ""),
        ('<!-- <meta name="robots" content="noindex"> -->', ""),
        ('<script>x = \'<meta name="robots" content="noindex">\'</script>', ""),
        ('</head><body><meta name="robots" content="noindex">', ""),
        ('<meta name="tdm-reservation" content="1">', "tdm_reserved"),
        ('<meta name="tdm-reservation" content="0">', ""),
        ("", ""),
    ],
)
def test_a_meta_element_refuses_for_all_or_for_us(markup: str, why: str) -> None:
    assert refusal({}, f"<html><head>{markup}".encode(), "lmflow/0.1", NOW) == why


def test_a_reservation_of_mining_refuses() -> None:
    assert refusal({"tdm-reservation": "1"}, b"", "lmflow", NOW) == "tdm_reserved"
    assert refusal({"tdm-reservation": "0"}, b"", "lmflow", NOW) == ""


@pytest.mark.parametrize("piece", [b"<!--", b"<script", b"<meta ", b'<meta x="', b"<meta name=robots content="])
def test_a_hostile_head_takes_no_time(piece: bytes) -> None:
    started = time.process_time()
    refusal({}, b"robots" + piece * (1_000_000 // len(piece)), "lmflow", NOW)
    assert time.process_time() - started < 2


def test_nothing_of_a_page_that_refuses_is_kept_but_its_account(site: Site, tmp_path: Path) -> None:
    objects = Objects(f"file://{tmp_path}/objects")
    site.pages = {f"/{name}": b"secret" for name in "abc"}
    site.headers = {
        "/a": [("X-Robots-Tag", "googlebot: nofollow"), ("X-Robots-Tag", "noindex")],
        "/b": [("X-Robots-Tag", "googlebot: nofollow"), ("X-Robots-Tag", "otherbot: noindex")],
        "/c": [("TDM-Reservation", "1")],
    }
    targets = (*(Target(f"{site.url}/{name}", "x") for name in "abc"), Target(site.url + "/a?known", "x", '"6"'))
    visits = list(visit_hosts([HostPlan(POLICY, targets)], objects, "raw/1"))
    found = {visit.url.removeprefix(site.url): (visit.status, visit.error, bool(visit.raw_key)) for visit in visits}
    assert found == {
        "/a": (200, "noindex", False),
        "/b": (200, "", True),
        "/c": (200, "tdm_reserved", False),
        "/a?known": (304, "noindex", False),
    }
    assert {visit.url: visit for visit in stored_visits(objects, "raw/1")} == {visit.url: visit for visit in visits}
    asked = len(site.requests)
    assert len(list(visit_hosts([HostPlan(POLICY, targets)], objects, "raw/1"))) == 4
    assert len(site.requests) == asked, "what was killed after this is not asked again"


def test_pages_of_archives_refuse_likewise(tmp_path: Path) -> None:
    def record(name: str, fields: str) -> bytes:
        message = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{fields}\r\n<p>one<p>two<p>three".encode()
        return _record("response", NOW, message, "application/http; msgtype=response", f"https://x.org/{name}")

    path = tmp_path / "a.warc.gz"
    path.write_bytes(
        info_record("test")
        + record("a", "X-Robots-Tag: googlebot: nofollow\r\nX-Robots-Tag: noindex\r\n")
        + record("b", "X-Robots-Tag: noarchive\r\nX-Robots-Tag: otherbot: noindex\r\n")
        + record("c", "tdm-reservation: 1\r\n")
    )
    with Fetcher(POLICY) as fetcher:
        *pages, selection = select_pages(str(path), fetcher, (), Objects(f"file://{tmp_path}/o"), "raw/1", "x")
    assert [page.url for page in pages if not isinstance(page, Selection)] == ["https://x.org/b"]
    assert isinstance(selection, Selection)
    assert selection.outcomes == {"skipped:noindex": 1, "skipped:tdm_reserved": 1}
