"""Reading the timelines of one server: politely, and kept as they came, a line of JSON a status."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.mastodon import id_order, pages, timeline_url
from lmflow.crawl.sources import SocialSource
from lmflow.lake import Objects

#: Statuses in one stored file; also the unit that one task turns into documents.
FILE_STATUSES: Final = 400


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

    def as_json(self) -> str:
        """To travel from a worker."""
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def from_json(cls, text: str) -> Reading:
        """What `as_json` wrote."""
        values = json.loads(text)
        values["fetched_at"] = datetime.fromisoformat(values["fetched_at"])
        values["retry_at"] = datetime.fromisoformat(values["retry_at"]) if values["retry_at"] else None
        return cls(**{**values, "raw_keys": tuple(values["raw_keys"])})


def watermark_key(source: SocialSource) -> str:
    """The key under which `fetches` keeps how far a timeline was read."""
    return timeline_url(source.api, source.timeline, source.local)


def read_timelines(
    sources: Sequence[SocialSource],
    watermarks: Mapping[str, str],
    policy: Policy,
    objects: Objects,
    prefix: str,
    most_items: int = 0,
) -> Iterator[Reading]:
    """Read timelines of one server one after the other.

    Args:
        sources: timelines of the same host.
        watermarks: newest known status id by source name.
        policy: how the host is treated.
        objects: where statuses are kept.
        prefix: of the keys of their files, e.g. `raw/social/<batch>`.
        most_items: stop each timeline after this many statuses; 0 for the source's own limit on a first crawl.
    """
    with Fetcher(policy) as fetcher:
        for source in sources:
            yield _read(
                fetcher, source, watermarks.get(source.name, ""), objects, f"{prefix}/{source.name}", most_items
            )


def _read(
    fetcher: Fetcher, source: SocialSource, watermark: str, objects: Objects, prefix: str, most_items: int
) -> Reading:
    url = watermark_key(source)
    limit = most_items or (source.first_items if not watermark else 10**9)
    statuses: list[dict[str, Any]] = []
    newest, count, last = watermark, 0, None
    for page in pages(fetcher, url, watermark, limit):
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
    raw_keys = []
    for start in range(0, len(statuses), FILE_STATUSES):
        key = f"{prefix}-{start // FILE_STATUSES:05d}.ndjson.gz"
        lines = (json.dumps(status, ensure_ascii=False) for status in statuses[start : start + FILE_STATUSES])
        objects.put(key, gzip.compress("\n".join(lines).encode(), 6))
        raw_keys.append(key)
    return Reading(
        source=source.name,
        url=url,
        status=last.status,
        error=last.error,
        detail=last.detail,
        attempts=last.attempts,
        pages=count,
        statuses=len(statuses),
        newest_id=newest,
        fetched_at=datetime.now(UTC),
        retry_at=last.retry_at,
        raw_keys=tuple(raw_keys),
        parents={str(status.get("id", "")): str(status.get("in_reply_to_id") or "") for status in statuses},
    )


def stored_statuses(objects: Objects, raw_key: str) -> list[dict[str, Any]]:
    """The statuses of a stored file."""
    return [json.loads(line) for line in gzip.decompress(objects.get(raw_key)).decode().split("\n")]
