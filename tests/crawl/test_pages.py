"""Visits: every target once, what is done is not done again, what there is no time for is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lmflow.crawl.http import Policy
from lmflow.crawl.pages import HostPlan, Target, Visit, count_stored, stored_visits, visit_hosts
from lmflow.crawl.urls import canonical_url
from lmflow.crawl.warc import Place, WarcWriter, read_metadata, read_response
from lmflow.lake import Objects
from tests.crawl.conftest import POLICY
from tests.crawl.site import Site


def plan(site: Site, *paths: str, policy: Policy = POLICY) -> HostPlan:
    return HostPlan(policy, tuple(Target(site.url + path, "x") for path in paths))


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(f"file://{tmp_path}/objects")


def test_every_target_is_visited_once_and_its_page_is_stored(site: Site, objects: Objects) -> None:
    site.pages = {f"/{n}": b"page %d" % n for n in range(30)}
    paths = [f"/{n}" for n in range(32)]  # the last two do not exist
    visits = {visit.url: visit for visit in visit_hosts([plan(site, *paths)], objects, "raw/1")}
    assert set(visits) == {site.url + path for path in paths}
    for path, body in site.pages.items():
        visit = visits[site.url + path]
        with objects.open(visit.raw_key) as file:
            assert read_response(file, Place(visit.offset, visit.length)) == body
    assert {visits[site.url + f"/{n}"].error for n in (30, 31)} == {"http_404"}
    assert site.most_at_once <= POLICY.concurrency


def test_what_is_done_is_read_back_and_not_asked_again(site: Site, objects: Objects) -> None:
    site.pages = {"/a": b"a", "/b": b"b"}
    first = list(visit_hosts([plan(site, "/a", "/missing")], objects, "raw/1"))
    asked = len(site.requests)
    again = list(visit_hosts([plan(site, "/a", "/missing")], objects, "raw/1"))
    assert sorted(map(str, again)) == sorted(map(str, first)) and len(site.requests) == asked
    more = list(visit_hosts([plan(site, "/a", "/missing", "/b")], objects, "raw/1"))
    assert (len(more), site.asked("/a"), site.asked("/b")) == (3, 1, 1)
    assert len(list(visit_hosts([plan(site, "/a")], objects, "raw/2"))) == 1
    assert site.asked("/a") == 2, "another crawl asks again"


def test_a_target_that_there_is_no_time_for_is_left_for_later(site: Site, objects: Objects) -> None:
    site.pages = {"/a": b"a"}
    (visit,) = visit_hosts([plan(site, "/a")], objects, "raw/1", until=datetime.now(UTC) - timedelta(seconds=1))
    assert (visit.error, visit.attempts, site.requests) == ("waiting", 0, [])
    assert visit.retry_at is not None


def test_a_plan_travels_as_json(site: Site) -> None:
    there = plan(site, "/a", policy=replace(POLICY, nameservers=("127.0.0.1:53",), rate=0.5))
    assert HostPlan.from_json(there.as_json()) == there


def test_a_fault_of_ours_ends_the_task_instead_of_losing_a_target(site: Site, objects: Objects) -> None:
    broken = HostPlan(replace(POLICY, nameservers=("no address",)), (Target(site.url + "/a", "x"),))
    with pytest.raises(ValueError, match="nameserver"):
        list(visit_hosts([broken], objects, "raw/1"))


def test_a_file_without_account_is_named(objects: Objects) -> None:
    writer = WarcWriter("test")
    writer.add_response("https://x.org/", 200, {}, b"x", datetime.now(UTC))
    objects.put("raw/1/a.warc.gz", writer.content)
    with objects.open("raw/1/a.warc.gz") as file, pytest.raises(ValueError, match="no metadata"):
        read_metadata(file)


def test_an_address_that_fits_no_table_is_no_address() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        canonical_url("https://x.org/\ud800")


def test_segments_say_what_came_of_every_target(site: Site, objects: Objects) -> None:
    site.pages = {"/a": b"a"}
    visits = list(visit_hosts([plan(site, "/a", "/missing", "/limited")], objects, "raw/1"))
    kept: dict[str, Visit] = {visit.url: visit for visit in stored_visits(objects, "raw/1")}
    assert kept == {visit.url: visit for visit in visits}
    assert count_stored(objects, "raw/1") == 3
    assert kept[site.url + "/limited"].retry_at is not None
