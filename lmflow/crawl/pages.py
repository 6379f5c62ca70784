"""Visits to the pages of hosts: fetch politely, keep each page as fetched in WARC files, say what happened to each.

Plain functions from targets to visit records; a job gives each Spark task some hosts, so that a host has one queue
however many executors there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lmflow.crawl.http import Fetch, Fetcher, Policy
from lmflow.crawl.warc import Place, WarcWriter
from lmflow.lake import Objects

_HOSTS_AT_ONCE: Final = 16
#: A WARC file is stored when it has grown to this; the standard advises up to 1 GB, we hold it in memory.
_SEGMENT_BYTES: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A page to visit, with the validators of what is known of it."""

    url: str
    source: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a target. `raw_key` names the WARC file of a page that was fetched, else it is empty."""

    url: str
    source: str
    status: int
    error: str
    detail: str
    attempts: int
    etag: str
    last_modified: str
    fetched_at: datetime
    retry_at: datetime | None
    final_url: str = ""
    charset: str = ""
    raw_key: str = ""
    offset: int = 0
    length: int = 0


def visit_hosts(
    hosts: Mapping[str, Sequence[Target]], policies: Mapping[str, Policy], objects: Objects, prefix: str
) -> Iterator[Visit]:
    """Visit all targets, several hosts at once, each at its own pace.

    Args:
        hosts: targets by authority (`host:port`).
        policies: how each host is treated.
        objects: where pages are kept.
        prefix: of the keys of their WARC files, e.g. `raw/news/<batch>`.

    Yields:
        A visit for every target; its page is stored by then.
    """
    with ThreadPoolExecutor(max_workers=max(1, min(_HOSTS_AT_ONCE, len(hosts)))) as pool:
        visits = [
            pool.submit(_visit_host, targets, policies[host], objects, f"{prefix}/{_file_name(host)}")
            for host, targets in hosts.items()
        ]
        for visit in visits:
            yield from visit.result()


def _visit_host(targets: Sequence[Target], policy: Policy, objects: Objects, prefix: str) -> list[Visit]:
    visits: list[Visit] = []
    segment, number = WarcWriter(policy.user_agent), 0
    with Fetcher(policy) as fetcher, ThreadPoolExecutor(max_workers=policy.concurrency) as pool:

        def fetch(target: Target) -> Fetch:
            return fetcher.get(target.url, target.etag, target.last_modified)

        for target, answer in zip(targets, pool.map(fetch, targets), strict=True):
            if answer.error or answer.not_modified:
                visits.append(_visit(target, answer))
                continue
            place = segment.add_response(
                answer.final_url, answer.status, answer.headers, answer.body, answer.fetched_at
            )
            visits.append(_visit(target, answer, f"{prefix}-{number:05d}.warc.gz", place))
            if segment.size >= _SEGMENT_BYTES:
                objects.put(f"{prefix}-{number:05d}.warc.gz", segment.content)
                segment, number = WarcWriter(policy.user_agent), number + 1
    if any(visit.raw_key.endswith(f"-{number:05d}.warc.gz") for visit in visits):
        objects.put(f"{prefix}-{number:05d}.warc.gz", segment.content)
    return visits


def _visit(target: Target, answer: Fetch, raw_key: str = "", place: Place | None = None) -> Visit:
    return Visit(
        url=target.url,
        source=target.source,
        status=answer.status,
        error=answer.error,
        detail=answer.detail,
        attempts=answer.attempts,
        etag=answer.headers.get("etag", "") or (target.etag if answer.not_modified else ""),
        last_modified=answer.headers.get("last-modified", "") or (target.last_modified if answer.not_modified else ""),
        fetched_at=answer.fetched_at,
        retry_at=answer.retry_at,
        final_url=answer.final_url,
        charset=answer.charset,
        raw_key=raw_key,
        offset=place.offset if place else 0,
        length=place.length if place else 0,
    )


def _file_name(host: str) -> str:
    return re.sub(r"[^\w.-]+", "_", host)
