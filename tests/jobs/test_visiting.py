"""Crawls that were killed: found again by the sources they were of, and by nobody else."""

from __future__ import annotations

from dataclasses import replace

from jobs import crawls, visiting
from lmflow.crawl.pages import HostPlan, Target, visit_hosts
from lmflow.lake import Lake
from tests.crawl.conftest import POLICY
from tests.crawl.site import running_site


def test_a_killed_crawl_is_taken_over_by_its_own_sources_until_it_is_closed() -> None:
    lake = Lake.open()
    assert visiting.unfinished(lake, "news", {"a", "b"}) == ([], [])
    with running_site() as site:
        site.pages = {"/1": b"one", "/2": b"two"}
        targets = (Target(site.url + "/1", "a"), Target(site.url + "/2", "b"))
        crawls.open_crawl(lake, "news", 7, {"a", "b"})
        done = list(visit_hosts([HostPlan(replace(POLICY, concurrency=1), targets)], lake.objects, "raw/news/7"))
    assert len(done) == 2
    assert visiting.unfinished(lake, "news", {"c"}) == ([], [])
    of_a, batches = visiting.unfinished(lake, "news", {"a", "c"})
    assert ([visit.source for visit in of_a], batches) == (["a"], []), "b's pages are not accounted for yet"
    everything, batches = visiting.unfinished(lake, "news", {"a", "b", "c"})
    assert (sorted(visit.url for visit in everything), batches) == (sorted(visit.url for visit in done), [7])
    crawls.close_crawls(lake, "news", batches)
    assert visiting.unfinished(lake, "news", {"a", "b"}) == ([], [])
