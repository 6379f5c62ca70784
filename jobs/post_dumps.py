"""Posts out of dumps of Reddit and Stack Exchange: `ingest_social --dump`. Files are streamed, one a task."""

from __future__ import annotations

import json
import time
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from jobs import health, ingest
from jobs.command import Progress, Result
from lmflow import tracking
from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.post_dumps import open_dump
from lmflow.crawl.sources import SocialSource
from lmflow.errors import InputError
from lmflow.extract.documents import OUTCOMES, Known, Outcome, record_batches
from lmflow.extract.posts import author_key
from lmflow.extract.social import documents, reader, site_name
from lmflow.lake import Lake, transaction_key

_LONGEST_READ_S: Final = 24 * 3600.0
#: What can happen to an entity of a dump beside what happens to any document.
_KINDS: Final = (
    *(f"skipped:{reason}" for reason in ("bot", "deleted", "withdrawn", "empty", "not_a_post", "not_public")),
    *(f"failed:{reason}" for reason in ("malformed", "json", "xml", "truncated", "too_large")),
)


def run(sources: Mapping[str, SocialSource], config: dict[str, Any], progress: Progress) -> Result:
    """Turn dumps into documents, each file once."""
    started = time.monotonic()
    lake, tally = Lake.open(), ingest.Tally()
    with ingest.exclusive_sources(sources):
        done = ingest.fetch_states(lake, "dump")
        fresh = [(name, uri) for name, source in sources.items() for uri in source.dump if uri not in done]
        batch_id = ingest.new_batch_id()
        for name in sources:
            tally.see(name, 0)
        if not fresh:
            result = _result(lake, tally, batch_id, 0, [], started)
            return {"status": "nothing_new", "reason": "every dump has been read", **result}
        with tracking.run(ingest.EXPERIMENT, f"social {len(fresh)} dumps", config) as mlflow_run:
            added, withdrawn = 0, list[str]()
            for name, source in sources.items():
                uris = [uri for owner, uri in fresh if owner == name]
                if uris:
                    stored, gone = _store(lake, source, uris, tally, batch_id, progress)
                    added, withdrawn = added + stored, withdrawn + gone
            ingest.bury(lake, withdrawn, "withdrawn at its source")
            ingest.record_fetches(lake, "ingest_social", batch_id, _state_rows(fresh))
            progress.say(tally.line())
            result = _result(lake, tally, batch_id, added, withdrawn, started)
            ingest.log_run(mlflow_run, lake, result, result)
            oldest = ingest.oldest_posts(lake, {name: site_name(source) for name, source in sources.items()})
            health.log(mlflow_run, health.report(result["by_source"], [], oldest, {}))
            nothing = {} if added else {"status": "nothing_new", "reason": "no post is new"}
            return {**nothing, **result, "run_id": mlflow_run.run_id}


def _store(
    lake: Lake, source: SocialSource, uris: list[str], tally: ingest.Tally, batch_id: int, progress: Progress
) -> tuple[int, list[str]]:
    """Stream the files of one source into documents; returns how many were stored, and what was withdrawn."""
    from jobs.spark import session, watching

    spark = session("ingest_social")
    known = spark.sparkContext.broadcast(ingest.known_documents(lake, "social"))
    policy = replace(Policy.from_settings(source.rate, source.concurrency), total_s=_LONGEST_READ_S)
    beside = [uri for uri in source.dump if "posts" in uri.rpartition("/")[2].lower()]
    rows = pa.Table.from_pylist([{"uri": uri, "posts": json.dumps(beside)} for uri in uris])
    read = _reader(source, policy, known, author_key(), batch_id)
    frame = ingest.map_rows(ingest.as_frame(spark, rows, len(uris)), read, OUTCOMES)
    with (
        progress.bar(len(uris), f"reading {len(uris)} dump(s)", "dumps") as bar,
        watching(spark, len(uris), bar),
    ):
        staged, counts, withdrawn = ingest.stage_counted(frame, lake.table("documents"), _KINDS, "skipped:withdrawn")
    tally.see(source.name, sum(counts.values()))
    for outcome, number in counts.items():
        tally.add(source.name, outcome, number)
    tally.check()
    stored = counts.get("new", 0) + counts.get("changed", 0)
    if not stored:
        return 0, withdrawn
    key = transaction_key("ingest_social", dumps=uris, batch=batch_id)
    return ingest.commit_documents(lake, key, staged, stored).rows, withdrawn


def _reader(
    source: SocialSource, policy: Policy, known: Any, key: bytes, batch_id: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        have = typing.cast(Known, known.value)
        for batch in batches:
            for row in batch.to_pylist():
                with Fetcher(policy) as fetcher:
                    found = _outcomes(source, row["uri"], json.loads(row["posts"]), fetcher, have, key)
                    yield from record_batches(found, batch_id)

    return read


def _outcomes(
    source: SocialSource, uri: str, posts: list[str], fetcher: Fetcher, known: Known, key: bytes
) -> Iterator[Outcome]:
    """One outcome for each entity of a dump, then one for each damage."""
    damages: Counter[str] = Counter()
    questions = _questions(uri, posts, fetcher) if source.kind == "stackexchange" else {}
    read, now, seen = reader(source, key, questions), datetime.now(UTC), False
    with open_dump(uri, source.kind, fetcher, damages) as entities:
        for outcome in documents(entities, source, {}, known, read, uri, now):
            seen = True
            yield outcome
    if not seen:
        raise InputError(f"{uri} holds no posts ({dict(damages)}); is it a {source.kind} dump?")
    for kind, count in damages.items():
        for number in range(count):
            yield Outcome(f"{uri}#{kind}{number}", source.name, f"failed:{kind}")


def _questions(uri: str, posts: list[str], fetcher: Fetcher) -> dict[str, str]:
    """Answer id to question id, for a file of comments, whose rows name only the post they are on."""
    if "comments" not in uri.rpartition("/")[2].lower() and not uri.endswith(".7z"):
        return {}
    found: dict[str, str] = {}
    for other in posts or ([uri] if uri.endswith(".7z") else []):
        with open_dump(other, "stackexchange", fetcher, Counter()) as rows:
            found.update((row["Id"], row["ParentId"]) for row in rows if "ParentId" in row and "Id" in row)
    return found


def _state_rows(fresh: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for name, uri in fresh:
        yield {
            "key": uri,
            "kind": "dump",
            "cursor": name,
            "status": 200,
            "attempts": 1,
            "error": "",
            "fetched_at": datetime.now(UTC),
        }


def _result(lake: Lake, tally: ingest.Tally, batch_id: int, added: int, withdrawn: list[str], started: float) -> Result:
    return {
        **tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {name: lake.table(name).version() for name in ("documents", "fetches")},
        "withdrawn": len(set(withdrawn)),
        "metrics": ingest.metrics(tally, started),
    }
