"""Hacker News through its Firebase API (version 0): items are numbered, so a crawl reads on from the last it has.

Besides new items, those that the API says have changed are read again: edits, and deletions that must be honoured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from lmflow.crawl.http import Fetch, Fetcher

_AT_ONCE: Final = 200
#: So near to the newest item, one that the API answers with null may be about to come; further back it is not public.
_NOT_YET: Final = 200


def newest_url(api: str) -> str:
    """Where the API says the number of its newest item."""
    return f"{api}/v0/maxitem.json"


def item_url(api: str, number: int | str) -> str:
    """Where the API has one item."""
    return f"{api}/v0/item/{number}.json"


def item_batches(
    fetcher: Fetcher, api: str, newest_known: str, most_items: int
) -> Iterator[tuple[Fetch, list[dict[str, Any]], str]]:
    """Items in the order of their numbers, then changed ones, some at a time.

    Args:
        fetcher: does the asking; its rate and concurrency apply.
        api: base address.
        newest_known: number of the newest item of the crawls before, empty on the first.
        most_items: read no more new items than this; a first crawl reads the newest, a later one the next.

    Yields:
        The record of the last request made (its error ends the reading), items, and the number up to which all items
        have been read.
    """
    answer = _get(fetcher, newest_url(api))
    if answer.error or not isinstance(newest := _value(answer), int):
        yield answer if answer.error else replace(answer, error="not_json", detail="no item number"), [], newest_known
        return
    known = int(newest_known) if newest_known.isdigit() else max(0, newest - most_items)
    last = min(newest, known + most_items)
    reached = known
    for start in range(known + 1, last + 1, _AT_ONCE):
        numbers = list(range(start, min(start + _AT_ONCE, last + 1)))
        fetch, items, good = _items(fetcher, api, numbers, newest - _NOT_YET)
        reached += good
        yield fetch, items, str(reached)
        if fetch.error:
            return
        if good < len(numbers):
            break  # the next crawl asks again
    if not newest_known:
        return
    changed = _value(_get(fetcher, f"{api}/v0/updates.json"))
    updated = changed.get("items") if isinstance(changed, dict) else None
    again = sorted({number for number in updated or [] if isinstance(number, int) and number <= known})
    if again:
        fetch, items, _ = _items(fetcher, api, again, newest)
        yield fetch, items, str(reached)


def _items(fetcher: Fetcher, api: str, numbers: list[int], public: int) -> tuple[Fetch, list[dict[str, Any]], int]:
    """Items up to the first that cannot be had, or is null and above `public`: the last record, items, how many."""
    items: list[dict[str, Any]] = []
    fetch = Fetch(api)
    with ThreadPoolExecutor(max(1, fetcher.policy.concurrency)) as pool:
        for count, fetch in enumerate(pool.map(lambda n: _get(fetcher, item_url(api, n)), numbers)):
            if fetch.error:
                pool.shutdown(cancel_futures=True)
                return fetch, items, count
            value = _value(fetch)
            if isinstance(value, dict):
                items.append(value)
            elif numbers[count] > public:
                pool.shutdown(cancel_futures=True)
                return fetch, items, count
    return fetch, items, len(numbers)


def _get(fetcher: Fetcher, url: str) -> Fetch:
    return fetcher.get(url)


def _value(fetch: Fetch) -> Any:
    try:
        return json.loads(fetch.body) if not fetch.error else None
    except (ValueError, RecursionError):
        return None
