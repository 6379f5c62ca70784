"""Items of Hacker News: what is not there yet is asked for again, what is not public is passed."""

import json

from lmflow.crawl.hackernews import item_batches
from lmflow.crawl.http import Fetcher
from tests.crawl.site import Site


def test_a_null_near_the_newest_item_is_waited_for_and_one_further_back_is_passed(site: Site, fetcher: Fetcher) -> None:
    site.robots = (200, b"User-agent: *\nAllow: /\n")
    site.pages["/v0/maxitem.json"] = b"300"
    site.pages["/v0/updates.json"] = b'{"items": [], "profiles": []}'
    nulls = {95, 298}
    for number in range(90, 301):
        item = None if number in nulls else {"id": number}
        site.pages[f"/v0/item/{number}.json"] = json.dumps(item).encode()

    def read(known: str) -> tuple[list[int], str]:
        batches = list(item_batches(fetcher, site.url, known, 1000))
        assert [fetch.error for fetch, _, _ in batches] == [""] * len(batches)
        return [item["id"] for _, items, _ in batches for item in items], batches[-1][2]

    assert read("90") == ([number for number in range(91, 298) if number != 95], "297")
    assert read("297") == ([], "297")
    site.pages["/v0/item/298.json"] = b'{"id": 298}'
    assert read("297") == ([298, 299, 300], "300")
