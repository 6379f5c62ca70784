"""Stored posts of timelines to documents in Spark, and what came of those that were not stored."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs import ingest
from jobs.command import Progress
from lmflow.crawl.sources import SocialSource
from lmflow.crawl.timelines import Reading, stored_statuses
from lmflow.extract.documents import OUTCOMES, Known, record_batches, social_id
from lmflow.extract.posts import Refusal, author_key
from lmflow.extract.social import documents, reader, refused, site_name, thread_roots
from lmflow.lake import Lake, Objects, transaction_key


def store(
    lake: Lake,
    readings: Sequence[Reading],
    sources: Mapping[str, SocialSource],
    tally: ingest.Tally,
    batch_id: int,
    progress: Progress,
) -> tuple[int, list[str]]:
    """Turn what was read into documents and commit them; returns their number, and stored ones that were withdrawn."""
    from jobs.spark import session, watching

    for reading in readings:
        tally.see(reading.source, reading.statuses)
        if reading.forgotten:
            tally.add(reading.source, "skipped:forgotten", reading.forgotten)
    have = ingest.known_documents(lake, "social")
    outcomes = [
        refused(Refusal(post_id, reason), sources[reading.source], have)
        for reading in readings
        for post_id, reason in reading.refused
    ]
    for outcome in outcomes:
        tally.add(outcome.origin, outcome.outcome)
    withdrawn = sorted({outcome.item for outcome in outcomes if outcome.outcome == "skipped:withdrawn"})
    rows = [
        {"source": reading.source, "raw_key": key, "fetched_at": reading.fetched_at}
        for reading in readings
        for key in reading.raw_keys
    ]
    if not rows:
        tally.check()
        return 0, withdrawn
    spark = session("ingest_social")
    tasks = min(len(rows), 2 * spark.sparkContext.defaultParallelism)
    known = spark.sparkContext.broadcast(have)
    threads = spark.sparkContext.broadcast(_threads(lake, readings, sources))
    writer = _writer(dict(sources), known, threads, author_key(), f"{lake.root}/objects", batch_id)
    frame = ingest.map_rows(ingest.as_frame(spark, pa.Table.from_pylist(rows), tasks), writer, OUTCOMES)
    with progress.bar(tasks, "storing posts", "tasks") as bar, watching(spark, tasks, bar):
        staged, stored = ingest.stage_outcomes(frame, lake.table("documents"))
    for _, origin, what in stored:
        tally.add(origin, what)
    tally.check()
    if not tally.stored:
        return 0, withdrawn
    key = transaction_key("ingest_social", batch=batch_id)
    return ingest.commit_documents(lake, key, staged, tally.stored).rows, withdrawn


def _threads(lake: Lake, readings: Sequence[Reading], sources: Mapping[str, SocialSource]) -> dict[str, dict[str, str]]:
    """For each source, post id to the id its thread began with, through posts of earlier crawls too."""
    rows = lake.table("documents").read(["doc_id", "thread_id"], pc.field("source") == "social").to_pylist()
    found = {}
    for reading in readings:
        prefix = social_id(site_name(sources[reading.source]), "")
        answered = {prefix + parent for parent in reading.parents.values() if parent}
        known = {
            row["doc_id"].removeprefix(prefix): row["thread_id"].removeprefix(prefix)
            for row in rows
            if row["doc_id"] in answered and row["thread_id"]
        }
        found[reading.source] = thread_roots(reading.parents, known)
    return found


def _writer(
    sources: dict[str, SocialSource], known: Any, threads: Any, key: bytes, objects_root: str, batch_id: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        objects, have = Objects(objects_root), typing.cast(Known, known.value)
        for batch in batches:
            for row in batch.to_pylist():
                found = documents(
                    stored_statuses(objects, row["raw_key"]),
                    sources[row["source"]],
                    threads.value[row["source"]],
                    have,
                    reader(sources[row["source"]], key),
                    objects.uri(row["raw_key"]),
                    row["fetched_at"],
                )
                yield from record_batches(found, batch_id)

    return write
