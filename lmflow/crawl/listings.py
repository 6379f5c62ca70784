"""What a site lists: a feed or a sitemap, fetched conditionally; a sitemap index is followed to its newest sitemaps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from lmflow.crawl import feeds, sitemaps
from lmflow.crawl.feeds import FeedError, Item
from lmflow.crawl.http import Fetch, Fetcher
from lmflow.crawl.urls import authority

#: Sitemaps of one index that are read, newest first: an archive of decades is not read every hour.
MOST_SITEMAPS: Final = 20
_OLDEST: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listing:
    """The outcome: the request's record, the items in order, and in one sentence why there are none."""

    fetch: Fetch
    items: list[Item] = field(default_factory=list)
    problem: str = ""
    complete: bool = True  # False when a part could not be read: it must not answer 304 next time


def read_listing(fetcher: Fetcher, url: str, etag: str = "", last_modified: str = "") -> Listing:
    """Read what a site lists.

    Args:
        fetcher: does the asking; its rate applies.
        url: of an RSS, Atom or JSON feed, a (news) sitemap or a sitemap index.
        etag: validator of what is known; an unchanged listing then has no items.
        last_modified: likewise.
    """
    fetch = fetcher.get(url, etag, last_modified)
    if fetch.not_modified:  # which may leave out the validators that still hold
        return Listing(replace(fetch, headers={"etag": etag, "last-modified": last_modified, **fetch.headers}))
    if fetch.error:
        detail = f": {fetch.detail}" if fetch.detail else ""
        return Listing(fetch, problem=f"{url} cannot be read ({fetch.error}{detail}); check the address")
    try:
        items, complete = _items(fetcher, fetch)
    except FeedError as error:
        problem = f"{url} is not an RSS, Atom or JSON feed nor a sitemap ({error}); check the address"
        return Listing(fetch, problem=problem, complete=False)
    problem = "" if items else f"{url} lists no items; check that it is the feed you mean"
    return Listing(fetch, items, problem, complete)


def _items(fetcher: Fetcher, fetch: Fetch) -> tuple[list[Item], bool]:
    """Items, and whether everything that was to be read could be."""
    if not sitemaps.looks_like_one(fetch.body):
        return feeds.parse(fetch.body, fetch.final_url, fetch.headers), True
    sitemap = sitemaps.parse(fetch.body, fetch.final_url)
    items = {item.url: item for item in sitemap.items}
    complete = True
    home = authority(fetch.final_url)
    own = [child for child in sitemap.children if authority(child[0]) == home]  # the protocol's own rule
    for address, _ in sorted(own, key=lambda child: child[1] or _OLDEST, reverse=True)[:MOST_SITEMAPS]:
        answer = fetcher.get(address)
        try:
            found = sitemaps.parse(answer.body, address).items if not answer.error else []
        except FeedError:
            found = []
        complete = complete and bool(found)
        for item in found:
            items.setdefault(item.url, item)
    return list(items.values()), complete
