"""A timeline of a Mastodon server, page by page, without gaps between one crawl and the next.

The first crawl goes back from the newest post (`max_id`, the Link header's `next`). Later ones go forward from the
newest post known (`min_id`, `prev`): each page is the one next to it, so a crawl that breaks off leaves no hole behind
its watermark, which `since_id` would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from lmflow.crawl.http import Fetch, Fetcher
from lmflow.crawl.urls import authority

PAGE_SIZE: Final = 40
_FEW_LEFT: Final = 2


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """One answer: the request's record, and the statuses in it (none when it failed)."""

    fetch: Fetch
    statuses: list[dict[str, Any]]

    @property
    def newest_id(self) -> str:
        """The highest id of the page, empty when it has none."""
        return max((str(status.get("id", "")) for status in self.statuses), key=id_order, default="")


def id_order(status_id: str) -> tuple[int, str]:
    """Sort key of status ids: they are decimal numbers of growing length."""
    return len(status_id), status_id


def timeline_url(api: str, timeline: str, local: bool) -> str:
    """The address of a timeline's newest page."""
    query = {"limit": str(PAGE_SIZE), **({"local": "true"} if local else {})}
    return f"{api}/api/v1/timelines/{timeline}?{urlencode(query)}"


def status_url(api: str, status_id: str) -> str:
    """Where the API has one status; unlike the status' own address, this one does not name its author."""
    return f"{api}/api/v1/statuses/{status_id}"


def pages(fetcher: Fetcher, url: str, newest_known: str, most_items: int) -> Iterator[TimelinePage]:
    """Pages of a timeline until there is nothing more, enough was read, or a request failed (that page comes last).

    Args:
        fetcher: does the asking; its rate applies.
        url: from `timeline_url`.
        newest_known: id of the newest status of the crawls before, empty on the first.
        most_items: stop after this many statuses.
    """
    relation = "prev" if newest_known else "next"
    next_url = f"{url}&min_id={newest_known}" if newest_known else url
    home, read = authority(url), 0
    while next_url and read < most_items:
        fetch = fetcher.get(next_url)
        page = _page(fetch)
        yield page
        if page.fetch.error or not page.statuses:
            return
        read += len(page.statuses)
        _heed_limit(fetcher, fetch)
        linked = _link(fetch, relation)
        next_url = linked if authority(linked) == home and linked != next_url else ""


def _page(fetch: Fetch) -> TimelinePage:
    if fetch.error:
        return TimelinePage(fetch, [])
    try:
        statuses = json.loads(fetch.body)
    except (ValueError, RecursionError):
        statuses = None
    if not isinstance(statuses, list):
        wrong = Fetch(fetch.url, fetch.status, "not_json", "the answer is no list of statuses", attempts=fetch.attempts)
        return TimelinePage(wrong, [])
    return TimelinePage(fetch, [status for status in statuses if isinstance(status, dict)])


def _link(fetch: Fetch, relation: str) -> str:
    """A relation of the Link header (RFC 8288), empty when there is none."""
    response = httpx.Response(200, headers={"link": fetch.headers.get("link", "")})
    return str(response.links.get(relation, {}).get("url", ""))


def _heed_limit(fetcher: Fetcher, fetch: Fetch) -> None:
    """Wait for the next period when the server says that few requests are left in this one."""
    left, reset = fetch.headers.get("x-ratelimit-remaining", ""), fetch.headers.get("x-ratelimit-reset", "")
    if left.isdigit() and int(left) < _FEW_LEFT:
        try:
            until = datetime.fromisoformat(reset.replace("Z", "+00:00"))
        except ValueError:
            return
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        fetcher.pause(fetch.url, max(0.0, (until - datetime.now(UTC)).total_seconds()))
