"""Stored pages to documents in Spark, evenly over all cores: what crawls of news and archives of news share."""

from __future__ import annotations

import typing
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa

from jobs import ingest
from jobs.command import Progress
from lmflow.crawl.erasure import erase_pages
from lmflow.crawl.pages import Visit
from lmflow.crawl.sources import NewsSource
from lmflow.crawl.warc import Place
from lmflow.extract.documents import OUTCOMES, Known, record_batches
from lmflow.extract.news import documents
from lmflow.lake import Lake, Objects

VISITS: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("url", "source", "error", "detail", "etag", "last_modified")),
        *((name, pa.string()) for name in ("final_url", "charset", "raw_key", "listed_at")),
        *((name, pa.int64()) for name in ("status", "attempts", "offset", "length")),
        *((name, pa.timestamp("us", tz="UTC")) for name in ("fetched_at", "retry_at")),
    ]
)
#: Two seconds: so long at most all cores but one wait for the last task.
_PAGES_A_TASK: Final = 100


def stage(
    lake: Lake,
    stored: Sequence[Visit],
    sources: Mapping[str, NewsSource],
    tally: ingest.Tally,
    batch_id: int,
    progress: Progress,
) -> str:
    """Extract stored pages and stage the documents that are new; returns the staged folder, adds to the tally."""
    from jobs.spark import session, watching

    spark = session("ingest_news")
    cores = spark.sparkContext.defaultParallelism
    tasks = max(1, min(len(stored), max(4 * cores, len(stored) // _PAGES_A_TASK)))
    known = spark.sparkContext.broadcast(ingest.known_documents(lake, "news"))
    rows = pa.Table.from_pylist([asdict(visit) for visit in stored], schema=VISITS)
    extractor = _extractor(dict(sources), known, f"{lake.root}/objects", batch_id)
    frame = ingest.map_rows(ingest.as_frame(spark, rows, tasks), extractor, OUTCOMES)
    with progress.bar(tasks, f"extracting {len(stored)} articles", "tasks") as bar, watching(spark, tasks, bar):
        staged, outcomes = ingest.stage_outcomes(frame, lake.table("documents"))
    for _, origin, outcome in outcomes:
        tally.add(origin, outcome)
    _erase(lake, stored, {url for url, _, outcome in outcomes if outcome == "skipped:forgotten"})
    return staged


def _erase(lake: Lake, stored: Sequence[Visit], urls: Collection[str]) -> None:
    """Overwrite pages that only their own word showed to be forgotten ones: another address led to them."""
    places: defaultdict[str, list[Place]] = defaultdict(list)
    for visit in stored:
        if visit.url in urls:
            places[visit.raw_key].append(Place(visit.offset, visit.length))
    for key, doomed in places.items():
        content, _ = erase_pages(lake.objects.get(key), lambda _: False, doomed)
        lake.objects.put(key, content)


def _extractor(
    sources: dict[str, NewsSource], known: Any, objects_root: str, batch_id: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def extract(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        objects, have = Objects(objects_root), typing.cast(Known, known.value)
        visits = (Visit(**row) for batch in batches for row in batch.to_pylist())
        yield from record_batches(documents(visits, sources, have, objects), batch_id)

    return extract
