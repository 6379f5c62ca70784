"""Visiting pages in Spark: a partition is some hosts, so that politeness holds however many executors there are.

A crawl that is killed is gone on with: what its segments hold is taken over by the next crawl of the same sources.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from jobs import crawls, ingest
from jobs.articles import VISITS
from jobs.command import Bar, Progress
from lmflow.crawl.http import Policy
from lmflow.crawl.pages import HostPlan, Target, Visit, count_stored, stored_visits, visit_hosts
from lmflow.crawl.sources import NewsSource
from lmflow.crawl.urls import authority
from lmflow.lake import Lake, Objects

#: Larger than any article; Common Crawl cuts pages there too.
_LARGEST_PAGE: Final = 5_000_000
_LOOK_S: Final = 5.0


def visit_all(
    lake: Lake,
    kind: str,
    targets: Collection[Target],
    sources: Mapping[str, NewsSource],
    batch_id: int,
    time_limit: timedelta,
    progress: Progress,
) -> list[Visit]:
    """Visit all targets in Spark tasks of whole hosts; returns a visit for each, in no order.

    Args:
        lake: keeps the pages.
        kind: of the crawl, e.g. `news`.
        targets: what to visit, each URL once.
        sources: by name; their rates apply.
        batch_id: of this crawl.
        time_limit: what is not reached by then is left for another crawl.
        progress: tells a person.
    """
    from jobs.spark import session

    spark = session(f"ingest_{kind}")
    plans = _host_plans(targets, sources)
    tasks = min(len(plans), spark.sparkContext.defaultParallelism)
    rows = pa.Table.from_pylist([{"plan": plan.as_json()} for plan in plans])
    crawls.open_crawl(lake, kind, batch_id, {target.source for target in targets})
    prefix = f"raw/{kind}/{batch_id}"
    visitor = _visitor(f"{lake.root}/objects", prefix, datetime.now(UTC) + time_limit)
    frame = ingest.map_rows(ingest.as_frame(spark, rows, tasks), visitor, VISITS)
    progress.say(f"visiting {len(targets)} pages of {len(plans)} host(s)")
    with progress.bar(len(targets), "visiting", "pages") as bar, _watching(lake.objects, prefix, bar):
        found = frame.toArrow()
    visits = [Visit(**row) for row in found.to_pylist()]
    if len(visits) != len(targets):
        raise AssertionError(f"{len(targets)} pages to visit, {len(visits)} visits")
    return visits


@contextmanager
def _watching(objects: Objects, prefix: str, bar: Bar) -> Iterator[None]:
    """Show on a bar how many visits are stored, for the length of a with-block; segments come every few seconds."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            bar.reach(count_stored(objects, prefix))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        bar.reach(bar.total or 0)
    finally:
        over.set()
        watcher.join()


def _host_plans(targets: Iterable[Target], sources: Mapping[str, NewsSource]) -> list[HostPlan]:
    """One entry a host, the longest first; a host of several sources is asked no faster than the slowest allows."""
    hosts: defaultdict[str, list[Target]] = defaultdict(list)
    for target in targets:
        hosts[authority(target.url)].append(target)
    plans = []
    for of_host in hosts.values():
        owners = [sources[name] for name in {target.source for target in of_host}]
        policy = Policy.from_settings(
            min(owner.rate for owner in owners), min(owner.concurrency for owner in owners), _LARGEST_PAGE
        )
        plans.append(HostPlan(policy, tuple(of_host)))
    return sorted(plans, key=lambda plan: len(plan.targets) / plan.policy.rate, reverse=True)


def _visitor(
    objects_root: str, prefix: str, until: datetime
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def visit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        plans = [HostPlan.from_json(row["plan"]) for batch in batches for row in batch.to_pylist()]
        rows = []
        for found in visit_hosts(plans, Objects(objects_root), prefix, until):
            rows.append({name: getattr(found, name) for name in VISITS.names})
            if len(rows) >= 512:
                yield pa.RecordBatch.from_pylist(rows, schema=VISITS)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=VISITS)

    return visit


# Crawls that were killed ----------------------------------------------------------------------------------------------


def unfinished(lake: Lake, kind: str, sources: Collection[str]) -> tuple[list[Visit], list[int]]:
    """What killed crawls of these sources have done; the caller holds the sources' locks, so none of them still runs.

    Returns:
        Visits (the latest of each URL), and the batches that nothing is left of once these visits are accounted for.
    """
    visits: dict[str, Visit] = {}
    whole = []
    for batch_id, theirs in crawls.interrupted(lake, kind, sources):
        if theirs <= set(sources):
            whole.append(batch_id)
        for visit in stored_visits(lake.objects, f"raw/{kind}/{batch_id}"):
            known = visits.get(visit.url)
            if visit.source in sources and (known is None or known.fetched_at < visit.fetched_at):
                visits[visit.url] = visit
    return list(visits.values()), whole
