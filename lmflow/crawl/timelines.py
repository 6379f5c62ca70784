"""Reading the timelines of one server: politely, and kept without anybody's name, a line of JSON a status."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from lmflow.crawl.hackernews import item_batches, item_url, newest_url
from lmflow.crawl.http import Fetch, Fetcher, Policy
from lmflow.crawl.mastodon import id_order, pages, status_url, timeline_url
from lmflow.crawl.sources import SocialSource
from lmflow.lake import Objects

#: Statuses in one stored file; also the unit that one task turns into documents.
FILE_STATUSES: Final = 400
#: Items of Hacker News in one crawl, about a day of them; the next crawl reads on.
MOST_ITEMS: Final = 20_000


#: Of a status as it was served, what is stored of it; or, in a word, why nothing is.
Keep = Callable[[Mapping[str, Any]], dict[str, Any] | str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one timeline. Failed means that the request after `pages` pages failed; what came before counts."""

    source: str
    url: str
    status: int
    error: str
    detail: str
    attempts: int
    pages: int
    statuses: int
    newest_id: str  # the watermark of the next crawl
    fetched_at: datetime
    retry_at: datetime | None
    raw_keys: tuple[str, ...]
    parents: Mapping[str, str]  # post id to the id it answers, empty for none
    forgotten: int = 0  # of the statuses, those that must be forgotten and were not kept
    rechecked: tuple[str, ...] = ()  # stored posts that were asked for again, in that order
    refused: tuple[tuple[str, str], ...] = ()  # id and reason of those that were not kept because they may not be

    def as_json(self) -> str:
        """To travel from a worker."""
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def from_json(cls, text: str) -> Reading:
        """What `as_json` wrote."""
        values = json.loads(text)
        values["fetched_at"] = datetime.fromisoformat(values["fetched_at"])
        values["retry_at"] = datetime.fromisoformat(values["retry_at"]) if values["retry_at"] else None
        for name in ("raw_keys", "rechecked"):
            values[name] = tuple(values[name])
        return cls(**{**values, "refused": tuple((post_id, reason) for post_id, reason in values["refused"])})


def watermark_key(source: SocialSource) -> str:
    """The key under which `fetches` keeps how far a timeline was read."""
    if source.kind == "hackernews":
        return newest_url(source.api)
    return timeline_url(source.api, source.timeline, source.local)


def read_timelines(
    sources: Sequence[SocialSource],
    watermarks: Mapping[str, str],
    policy: Policy,
    objects: Objects,
    prefix: str,
    most_items: int = 0,
    recheck: Mapping[str, Sequence[str]] | None = None,
    forgotten: Mapping[str, Collection[str]] | None = None,
    *,
    keeper: Callable[[SocialSource], Keep],
) -> Iterator[Reading]:
    """Read timelines of one server one after the other.

    Args:
        sources: timelines of the same host.
        watermarks: newest known status id by source name.
        policy: how the host is treated.
        objects: where statuses are kept.
        prefix: of the keys of their files, e.g. `raw/social/<batch>`.
        most_items: stop each timeline after this many statuses; 0 for the source's own limit on a first crawl.
        recheck: by source name, ids of stored statuses to ask for again, because they may have been deleted or edited.
        forgotten: by source name, ids of statuses that must not be kept.
        keeper: for a source, what decides of a status what is stored of it.
    """
    with Fetcher(policy) as fetcher:
        for source in sources:
            read = _read_items if source.kind == "hackernews" else _read_statuses
            found = read(fetcher, source, watermarks.get(source.name, ""), most_items)
            if not found.last.error:
                _ask_again(fetcher, source, (recheck or {}).get(source.name, ()), found)
            gone = (forgotten or {}).get(source.name, ())
            wanted = [status for status in found.statuses if str(status.get("id", "")) not in gone]
            yield _keep(found, wanted, keeper(source), source, objects, f"{prefix}/{source.name}")


@dataclass
class _Found:
    """What the requests of one timeline gave."""

    last: Fetch
    pages: int
    statuses: list[dict[str, Any]]
    newest_id: str
    rechecked: list[str] = field(default_factory=list)


def _read_statuses(fetcher: Fetcher, source: SocialSource, watermark: str, most_items: int) -> _Found:
    limit = most_items or (source.first_items if not watermark else 10**9)
    statuses: list[dict[str, Any]] = []
    newest, count, last = watermark, 0, None
    for page in pages(fetcher, watermark_key(source), watermark, limit):
        last = page.fetch
        if page.fetch.error:
            break
        count += 1
        statuses += page.statuses
        newest = max(newest, page.newest_id, key=id_order)
    if last is None:
        raise AssertionError("a timeline has at least one page")
    if last.error and not watermark:
        # Going backward, what is older than the last page would be lost behind a watermark: read it again.
        newest = ""
    return _Found(last, count, statuses, newest)


def _read_items(fetcher: Fetcher, source: SocialSource, watermark: str, most_items: int) -> _Found:
    limit = most_items or (source.first_items if not watermark else MOST_ITEMS)
    found = _Found(Fetch(source.api), 0, [], watermark)
    for fetch, items, reached in item_batches(fetcher, source.api, watermark, limit):
        found.last, found.newest_id = fetch, reached
        found.pages += not fetch.error
        found.statuses += items
    return found


def _ask_again(fetcher: Fetcher, source: SocialSource, ids: Sequence[str], found: _Found) -> None:
    """Add stored statuses as they are now; one that is gone as `{"id": …, "deleted": true}`.

    An answer that says nothing about a status ends it: the next crawl begins with that status. If it is the first one,
    the next crawl passes over it, lest one status keep all others from their turn.
    """
    read = {str(status.get("id", "")) for status in found.statuses}
    for status_id in ids:
        if status_id in read:  # just now
            found.rechecked.append(status_id)
            continue
        is_item = source.kind == "hackernews"
        fetch = fetcher.get(item_url(source.api, status_id) if is_item else status_url(source.api, status_id))
        status = _status(fetch, status_id)
        if status is None:
            if not found.rechecked:
                found.rechecked.append(status_id)
            return
        found.rechecked.append(status_id)
        found.statuses.append(status)


def _status(fetch: Fetch, status_id: str) -> dict[str, Any] | None:
    """The status of an answer, None when the answer is about something else.

    A status that is not there any more is 404 or 410 from Mastodon, `null` from Hacker News.
    """
    try:
        status = json.loads(fetch.body) if not fetch.error else ""
    except (ValueError, RecursionError):
        return None
    if status is None or fetch.error in ("http_404", "http_410"):
        return {"id": int(status_id) if status_id.isdigit() else status_id, "deleted": True}
    return status if isinstance(status, dict) and str(status.get("id", "")) == status_id else None


def _keep(
    found: _Found, wanted: Sequence[dict[str, Any]], keep: Keep, source: SocialSource, objects: Objects, prefix: str
) -> Reading:
    """Store what was read, as far as it may be kept."""
    raw_keys, kept, refused = list[str](), list[dict[str, Any]](), list[tuple[str, str]]()
    for status in wanted:
        outcome = keep(status)
        if isinstance(outcome, str):
            refused.append((str(status.get("id") or ""), outcome))
        else:
            kept.append(outcome)
    for start in range(0, len(kept), FILE_STATUSES):
        key = f"{prefix}-{start // FILE_STATUSES:05d}.ndjson.gz"
        lines = (json.dumps(status, ensure_ascii=False) for status in kept[start : start + FILE_STATUSES])
        objects.put(key, gzip.compress("\n".join(lines).encode(), 6))
        raw_keys.append(key)
    return Reading(
        source=source.name,
        url=watermark_key(source),
        status=found.last.status,
        error=found.last.error,
        detail=found.last.detail,
        attempts=found.last.attempts,
        pages=found.pages,
        statuses=len(found.statuses),
        newest_id=found.newest_id,
        fetched_at=datetime.now(UTC),
        retry_at=found.last.retry_at,
        raw_keys=tuple(raw_keys),
        forgotten=len(found.statuses) - len(wanted),
        refused=tuple(refused),
        rechecked=tuple(found.rechecked),
        parents={str(status.get("id", "")): _parent(status) for status in found.statuses},
    )


def _parent(status: Mapping[str, Any]) -> str:
    """The id that a status (Mastodon) or an item (Hacker News) answers, empty for none."""
    return str(status.get("in_reply_to_id") or status.get("parent") or "")


def stored_statuses(objects: Objects, raw_key: str) -> list[dict[str, Any]]:
    """The statuses of a stored file."""
    return [json.loads(line) for line in gzip.decompress(objects.get(raw_key)).decode().split("\n")]
