"""Timelines: every post once, forward and backward, and no gap between two crawls."""

import json
import urllib.request

from lmflow.crawl.http import Fetcher
from lmflow.crawl.mastodon import id_order, pages, timeline_url
from tests.crawl.site import Site


def test_two_crawls_of_a_growing_timeline_give_every_post_once(samples: str, fetcher: Fetcher) -> None:
    url = timeline_url(f"{samples}/social-en", "public", local=True)
    first = [status["id"] for page in pages(fetcher, url, "", 10_000) for status in page.statuses]
    counts = json.load(urllib.request.urlopen(f"{samples}/_counts"))["sites"]["social-en"]
    assert len(first) == len(set(first)) == counts["documents"]

    newest = max(first, key=id_order)
    assert [page.statuses for page in pages(fetcher, url, newest, 10_000)] == [[]]

    urllib.request.urlopen(urllib.request.Request(f"{samples}/_advance?percent=10", method="POST"))
    later = [status["id"] for page in pages(fetcher, url, newest, 10_000) for status in page.statuses]
    assert later
    assert not set(first) & set(later)
    grown = json.load(urllib.request.urlopen(f"{samples}/_counts"))["sites"]["social-en"]
    assert len(first) + len(later) == grown["documents"]


def test_the_first_crawl_goes_back_only_as_far_as_it_was_told(samples: str, fetcher: Fetcher) -> None:
    url = timeline_url(f"{samples}/social-zh", "public", local=True)
    found = list(pages(fetcher, url, "", 100))
    assert [len(page.statuses) for page in found] == [40, 40, 40]


def test_a_failed_page_comes_last_and_is_a_record(site: Site, fetcher: Fetcher) -> None:
    (page,) = pages(fetcher, timeline_url(site.url, "public", local=False), "", 100)
    assert (page.fetch.error, page.statuses) == ("http_404", [])
    site.pages["/api/v1/timelines/public"] = b"<html>"
    (page,) = pages(fetcher, timeline_url(site.url, "public", local=False), "", 100)
    assert page.fetch.error == "not_json"


def test_ids_are_ordered_as_numbers() -> None:
    assert sorted(["99", "100", "9"], key=id_order) == ["9", "99", "100"]
