"""News out of WARC archives: `ingest_news --warc`. Archives are read in parallel, pages extracted evenly."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import pyarrow as pa

from jobs import articles, crawls, health, ingest
from jobs.command import Progress, Result
from lmflow import tracking
from lmflow.crawl.archives import Selection, select_pages
from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.pages import Visit
from lmflow.crawl.sources import NewsSource
from lmflow.extract.documents import news_id
from lmflow.lake import Lake, Objects, transaction_key

_SELECTION: Final = "selection"
_LONGEST_READ_S: Final = 6 * 3600.0


def run(uris: Sequence[str], languages: Sequence[str], config: dict[str, Any], progress: Progress) -> Result:
    """Turn archives into documents, once each."""
    started = time.monotonic()
    lake = Lake.open()
    addresses = _names(uris)
    sources = {name: _source(name, languages) for name in addresses}
    tally = ingest.Tally()
    with ingest.exclusive_sources(sources):
        states = ingest.fetch_states(lake, "archive")
        fresh = {name: uri for name, uri in addresses.items() if not _is_done(states.get(uri), languages)}
        batch_id = ingest.new_batch_id()
        for name in sources:
            tally.see(name, 0)
        if not fresh:
            result = _result(lake, tally, batch_id, 0, [], started)
            return {"status": "nothing_new", "reason": "every archive has been read", **result}
        crawls.clear_interrupted(lake, "archives", sources)
        crawls.open_crawl(lake, "archives", batch_id, fresh)
        with tracking.run(ingest.EXPERIMENT, f"news {len(fresh)} archives", config) as mlflow_run:
            visits, selections = _read(lake, fresh, languages, batch_id, progress)
            for name, selection in zip(fresh, selections, strict=True):
                tally.see(name, selection.responses)
                for outcome, count in selection.outcomes.items():
                    tally.add(name, outcome, count)
            staged = articles.stage(lake, visits, sources, tally, batch_id, progress) if visits else ""
            tally.check()
            added = 0
            if tally.stored:
                key = transaction_key("ingest_news", archives=sorted(fresh.values()), batch=batch_id)
                added = ingest.commit_documents(lake, key, staged, tally.stored).rows
            ingest.record_fetches(lake, "ingest_news", batch_id, _state_rows(selections, languages))
            crawls.sweep(lake, "archives", batch_id, fresh)
            crawls.close_crawls(lake, "archives", [batch_id])
            progress.say(tally.line())
            result = _result(lake, tally, batch_id, added, selections, started)
            ingest.log_run(mlflow_run, lake, result, result)
            captured = {name: [visit.fetched_at for visit in visits if visit.source == name] for name in fresh}
            oldest = {name: health.oldest_of(dates) for name, dates in captured.items()}
            health.log(mlflow_run, health.report(result["by_source"], visits, oldest, {}))
            nothing = {} if added else {"status": "nothing_new", "reason": "no article is new"}
            return {**nothing, **result, "run_id": mlflow_run.run_id}


def _read(
    lake: Lake, addresses: dict[str, str], languages: Sequence[str], batch_id: int, progress: Progress
) -> tuple[list[Visit], list[Selection]]:
    """Stream the archives in Spark tasks of one each; selections come in the order of `addresses`."""
    from jobs.spark import session, watching

    spark = session("ingest_news")
    rows = pa.Table.from_pylist([{"name": name, "uri": uri} for name, uri in addresses.items()])
    policy = replace(Policy.from_settings(rate=2.0, concurrency=2), total_s=_LONGEST_READ_S)
    gone = spark.sparkContext.broadcast(ingest.forgotten(lake))
    reader = _reader(policy, tuple(languages), f"{lake.root}/objects", f"raw/news/{batch_id}", gone)
    frame = ingest.map_rows(ingest.as_frame(spark, rows, len(addresses)), reader, articles.VISITS)
    tasks = len(addresses)
    progress.say(f"reading {tasks} archive(s)")
    with progress.bar(tasks, "reading archives", "archives") as bar, watching(spark, tasks, bar):
        found = [Visit(**row) for row in frame.toArrow().to_pylist()]
    summaries = {visit.source: json.loads(visit.detail) for visit in found if visit.error == _SELECTION}
    selections = [
        Selection(uri, values["responses"], values["outcomes"], values["bytes_read"])
        for name, uri in addresses.items()
        for values in (summaries[name],)
    ]
    return [visit for visit in found if visit.error != _SELECTION], selections


def _reader(
    policy: Policy, languages: tuple[str, ...], objects_root: str, prefix: str, gone: Any
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                with Fetcher(policy) as fetcher:
                    name = row["name"]
                    pages = select_pages(
                        row["uri"],
                        fetcher,
                        languages,
                        Objects(objects_root),
                        f"{prefix}/{name}",
                        name,
                        lambda url: news_id(url) in gone.value,
                    )
                    rows = [_row(page, name) for page in pages]
                yield pa.RecordBatch.from_pylist(rows, schema=articles.VISITS)

    return read


def _row(page: Visit | Selection, name: str) -> dict[str, Any]:
    if isinstance(page, Visit):
        return asdict(page)
    return {"url": page.uri, "source": name, "error": _SELECTION, "detail": json.dumps(asdict(page))}


def _source(name: str, languages: Sequence[str]) -> NewsSource:
    """The archive as a source: its pages keep their own language and have no stated licence."""
    lang = languages[0] if len(languages) == 1 else "und"
    return NewsSource(name=name, lang=lang, feed="https://warc.invalid/", license="not stated")


def _names(uris: Sequence[str]) -> dict[str, str]:
    """Each archive under a name that says its file; archives of equal file names get a digest of their address."""
    stems = {uri: _stem(uri) for uri in uris}
    shared = Counter(stems.values())
    digest = {uri: f"-{hashlib.sha256(uri.encode()).hexdigest()[:8]}" for uri in stems}
    return {f"warc-{stem}{digest[uri] if shared[stem] > 1 else ''}": uri for uri, stem in stems.items()}


def _stem(uri: str) -> str:
    stem = uri.rstrip("/").rsplit("/", 1)[-1].removesuffix(".gz").removesuffix(".warc")
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "archive"


def _is_done(state: dict[str, Any] | None, languages: Sequence[str]) -> bool:
    return state is not None and not state["error"] and state["cursor"] == " ".join(sorted(languages))


def _state_rows(selections: Sequence[Selection], languages: Sequence[str]) -> Iterator[dict[str, Any]]:
    from datetime import UTC, datetime

    for selection in selections:
        yield {
            "key": selection.uri,
            "kind": "archive",
            "cursor": " ".join(sorted(languages)),
            "status": 200,
            "attempts": 1,
            "error": "",
            "fetched_at": datetime.now(UTC),
        }


def _result(
    lake: Lake, tally: ingest.Tally, batch_id: int, added: int, selections: Sequence[Selection], started: float
) -> Result:
    return {
        **tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {name: lake.table(name).version() for name in ("documents", "fetches")},
        "archives": {selection.uri: {"bytes": selection.bytes_read} for selection in selections},
        "metrics": ingest.metrics(tally, started),
    }
