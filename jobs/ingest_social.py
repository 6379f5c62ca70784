"""Turn social sites into documents: read public timelines, keep what their authors meant to be public.

    python -m jobs.ingest_social                              the timelines enabled in sources.yaml
    python -m jobs.ingest_social --source fosstodon           this one
    python -m jobs.ingest_social --api https://example.social --lang en
    python -m jobs.ingest_social --dump RC_2026-01.zst --kind reddit --lang en
    python -m jobs.ingest_social --dump Posts.xml Comments.xml --kind stackexchange --site meta.askubuntu.com --lang en

Polite: robots.txt and rate limits are heeded, a host has one queue however many executors there are. The first crawl of
a timeline goes back a stated number of posts, later ones go on where the last one ended. Posts that are not public, of
bots, or of authors who opted out of search are not stored; authors become keyed hashes. A stored post that was
withdrawn since gets a tombstone: no ingest takes it again, and forget_documents removes it.

The JSON line: items_seen = new + changed + unchanged + failed + skipped, by_source, documents_added, batch_id, versions
and requests {pages, failed}, withdrawn, rechecked {source: {known, asked, runs}}, and unreachable {source: why} for
timelines that could not be read.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final, Literal

import pyarrow as pa
from pydantic import Field

from jobs import crawls, health, ingest, post_dumps, posts, rechecks
from jobs.command import Options, Progress, Result, main
from lmflow import tracking
from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.sources import SocialSource, choose, load
from lmflow.crawl.timelines import Reading, read_timelines, watermark_key
from lmflow.crawl.urls import authority
from lmflow.errors import InputError
from lmflow.extract.documents import social_id
from lmflow.extract.posts import author_key
from lmflow.extract.social import keeper, site_name
from lmflow.lake import Lake, Objects

_RETRY: Final = timedelta(hours=1)
_READINGS: Final = pa.schema([("reading", pa.string())])


class IngestSocial(Options):
    """Options of ingest_social."""

    source: tuple[str, ...] = Field(
        (), description="Timelines by their name in sources.yaml; default: the enabled ones.", examples=["fosstodon"]
    )
    api: str | None = Field(
        None, description="Base URL of one server that speaks Mastodon's API, in place of --source; needs --lang."
    )
    lang: str | None = Field(None, pattern=r"^[a-z]{2,3}$", description="Language of --api, e.g. en, zh.")
    dump: tuple[str, ...] = Field(
        (), description="Dumps in place of --source: paths, https:// or s3://; needs --kind and --lang."
    )
    kind: Literal["reddit", "stackexchange"] | None = Field(None, description="What --dump holds.")
    site: str = Field("", pattern=r"^[a-z0-9.-]*$", description="With --kind stackexchange: host of the site.")
    max_items: int = Field(0, ge=0, description="At most about so many posts of each timeline, for a trial; 0 for all.")


def run(options: IngestSocial, progress: Progress) -> Result:
    """Read the chosen timelines once."""
    started = time.monotonic()
    sources = {source.name: source for source in _sources(options)}
    dumps = {name: source for name, source in sources.items() if source.is_dump}
    if dumps:
        if len(dumps) < len(sources):
            raise InputError(f"{', '.join(dumps)}: read from dumps; name them in a run of their own")
        return post_dumps.run(dumps, options.model_dump(mode="json"), progress)
    lake = Lake.open()
    with ingest.exclusive_sources(sources):
        ingest.ask_for_contact([source.api for source in sources.values()], progress)
        watermarks = _watermarks(lake, sources)
        due = rechecks.due(lake, sources)
        fresh, unreachable = _have_news(sources, watermarks)
        reading = {
            name: sources[name] for name in sources if name in fresh or (due[name].ids and name not in unreachable)
        }
        batch_id, tally = ingest.new_batch_id(), ingest.Tally()
        crawls.clear_interrupted(lake, "social", sources)
        for name in sources:
            tally.see(name, 0)
        config = {**options.model_dump(mode="json"), "sources": [source.model_dump() for source in sources.values()]}
        with tracking.run(ingest.EXPERIMENT, f"social {', '.join(sources)}", config) as mlflow_run:
            readings = _read(lake, reading, watermarks, options.max_items, due, batch_id, progress) if reading else []
            unreachable |= _failures(readings, sources)
            added, withdrawn = posts.store(lake, readings, sources, tally, batch_id, progress)
            ingest.bury(lake, withdrawn, "withdrawn at its source")
            if readings:
                rows = [*_state_rows(readings, options.max_items, watermarks), *rechecks.rows(readings, sources, due)]
                ingest.record_fetches(lake, "ingest_social", batch_id, rows)
                crawls.sweep(lake, "social", batch_id, reading)
                crawls.close_crawls(lake, "social", [batch_id])
            progress.say(tally.line())
            result = _result(lake, tally, readings, unreachable, batch_id, added, started)
            result |= {"withdrawn": len(withdrawn), "rechecked": rechecks.summary(readings, due)}
            ingest.log_run(mlflow_run, lake, result, result)
            oldest = ingest.oldest_posts(lake, {name: site_name(source) for name, source in sources.items()})
            health.log(mlflow_run, health.report(result["by_source"], [], oldest, unreachable))
            reason = "no post is new" if readings else "no timeline has a newer post"
            nothing = {} if added else {"status": "nothing_new", "reason": reason}
            return {**nothing, **result, "run_id": mlflow_run.run_id}


def _result(
    lake: Lake,
    tally: ingest.Tally,
    readings: Sequence[Reading],
    unreachable: Mapping[str, str],
    batch_id: int,
    added: int,
    started: float,
) -> Result:
    return {
        **tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {name: lake.table(name).version() for name in ("documents", "fetches")},
        "requests": {
            "pages": sum(reading.pages for reading in readings),
            "failed": sum(bool(reading.error) for reading in readings),
        },
        "unreachable": dict(unreachable),
        "metrics": ingest.metrics(tally, started),
    }


def _sources(options: IngestSocial) -> list[SocialSource]:
    if options.dump:
        return [_dump(options)]
    if options.kind or options.site:
        raise InputError("--kind and --site go with --dump; a source of sources.yaml has its own")
    if options.api is None:
        if options.lang is not None:
            raise InputError("--lang goes with --api; a timeline of sources.yaml has its own language")
        return choose(load().social, options.source, "social")
    if options.source:
        raise InputError("give --source or --api, not both")
    if options.lang is None:
        raise InputError("--api needs --lang, the language of the server, e.g. --lang en")
    known = next((source for source in load().social if source.api == options.api.rstrip("/")), None)
    if known is not None:
        return [known]
    name = "api-" + "".join(c if c.isalnum() else "-" for c in authority(options.api)).strip("-")
    try:
        return [SocialSource(name=name, lang=options.lang, api=options.api, license="not stated")]
    except ValueError:
        raise InputError(f"--api {options.api}: must be a http:// or https:// address") from None


def _dump(options: IngestSocial) -> SocialSource:
    if options.source or options.api or options.max_items:
        raise InputError("--dump stands alone, with --kind, --site and --lang")
    if options.kind is None or options.lang is None:
        raise InputError("--dump needs --kind (reddit, stackexchange) and --lang, e.g. --lang en")
    site = options.site or ("reddit.com" if options.kind == "reddit" else "")
    if not site:
        raise InputError("--kind stackexchange needs --site, the host of the site, e.g. french.stackexchange.com")
    name = "dump-" + "".join(c if c.isalnum() else "-" for c in site)
    return SocialSource(
        name=name, lang=options.lang, license="not stated", kind=options.kind, dump=options.dump, site=site
    )


# Timelines ------------------------------------------------------------------------------------------------------------


def _watermarks(lake: Lake, sources: Mapping[str, SocialSource]) -> dict[str, str]:
    states = ingest.fetch_states(lake, "timeline")
    return {
        name: states[watermark_key(source)]["cursor"] or ""
        for name, source in sources.items()
        if watermark_key(source) in states
    }


def _have_news(
    sources: Mapping[str, SocialSource], watermarks: Mapping[str, str]
) -> tuple[dict[str, SocialSource], dict[str, str]]:
    """Timelines that have something after their watermark, found with one request each; and those that fail.

    Raises:
        InputError: none can be read, or one that was never read is empty.
    """
    fresh, unreachable = {}, {}
    for name, source in sources.items():
        known = watermarks.get(name, "")
        is_items = source.kind == "hackernews"
        url = watermark_key(source) + (f"&min_id={known}" if known and not is_items else "")
        with Fetcher(Policy.from_settings(source.rate, 1)) as fetcher:
            fetch = fetcher.get(url)
        try:
            statuses = json.loads(fetch.body) if not fetch.error else None
        except ValueError:
            statuses = None
        detail = f": {fetch.detail}" if fetch.detail else ""
        if fetch.error:
            unreachable[name] = f"{url} cannot be read ({fetch.error}{detail}); check the address"
        elif is_items and isinstance(statuses, int):
            if statuses > int(known or 0):
                fresh[name] = source
        elif not isinstance(statuses, list):
            unreachable[name] = f"{url} is no timeline; does {source.api} speak {source.kind}'s API?"
        elif not statuses and not known:
            unreachable[name] = f"{url} lists no posts; check that the server shows its timeline to everyone"
        elif statuses:
            fresh[name] = source
    if len(unreachable) == len(sources):
        raise InputError("; ".join(f"{name}: {why}" for name, why in unreachable.items()))
    return fresh, unreachable


def _read(
    lake: Lake,
    sources: Mapping[str, SocialSource],
    watermarks: Mapping[str, str],
    most_items: int,
    due: Mapping[str, rechecks.Due],
    batch_id: int,
    progress: Progress,
) -> list[Reading]:
    """Read all timelines in Spark tasks of whole hosts."""
    from jobs.spark import session, watching

    spark = session("ingest_social")
    hosts: defaultdict[str, list[SocialSource]] = defaultdict(list)
    for source in sources.values():
        hosts[authority(source.api)].append(source)
    rows = [
        {
            "policy": json.dumps(
                asdict(Policy.from_settings(min(s.rate for s in group), min(s.concurrency for s in group)))
            ),
            "sources": json.dumps([source.model_dump() for source in group]),
        }
        for group in hosts.values()
    ]
    crawls.open_crawl(lake, "social", batch_id, sources)
    recheck = {name: due[name].ids for name in sources}
    gone = _forgotten(lake, sources)
    prefix, key = f"raw/social/{batch_id}", author_key()
    read = _reader(dict(watermarks), f"{lake.root}/objects", prefix, most_items, recheck, gone, key)
    frame = ingest.map_rows(ingest.as_frame(spark, pa.Table.from_pylist(rows), len(rows)), read, _READINGS)
    progress.say(f"reading {len(sources)} timeline(s) of {len(rows)} host(s)")
    with progress.bar(len(rows), "reading timelines", "hosts") as bar, watching(spark, len(rows), bar):
        found = frame.toArrow()["reading"].to_pylist()
    return [Reading.from_json(reading) for reading in found]


def _forgotten(lake: Lake, sources: Mapping[str, SocialSource]) -> dict[str, frozenset[str]]:
    """By source, the site's own ids of posts that must not be kept."""
    gone = ingest.forgotten(lake)
    prefixes = {name: social_id(site_name(source), "") for name, source in sources.items()}
    return {
        name: frozenset(doc_id.removeprefix(prefix) for doc_id in gone if doc_id.startswith(prefix))
        for name, prefix in prefixes.items()
    }


def _reader(
    watermarks: dict[str, str],
    objects_root: str,
    prefix: str,
    most_items: int,
    recheck: dict[str, tuple[str, ...]],
    gone: dict[str, frozenset[str]],
    key: bytes,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                sources = [SocialSource(**source) for source in json.loads(row["sources"])]
                policy = Policy.from_json(row["policy"])
                objects = Objects(objects_root)
                found = read_timelines(
                    sources, watermarks, policy, objects, prefix, most_items, recheck, gone,
                    keeper=lambda source: keeper(source, key),
                )  # fmt: skip
                lines = [{"reading": reading.as_json()} for reading in found]
                yield pa.RecordBatch.from_pylist(lines, schema=_READINGS)

    return read


def _failures(readings: Sequence[Reading], sources: Mapping[str, SocialSource]) -> dict[str, str]:
    return {
        reading.source: f"{sources[reading.source].api}: {reading.error} after {reading.pages} pages {reading.detail}"
        for reading in readings
        if reading.error
    }


def _state_rows(
    readings: Sequence[Reading], most_items: int, watermarks: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for reading in readings:
        # A first crawl that was cut short must not hide what is older than it went.
        cut = bool(most_items) and not watermarks.get(reading.source)
        yield {
            "key": reading.url,
            "kind": "timeline",
            "cursor": "" if cut else reading.newest_id,
            "status": reading.status,
            "attempts": reading.attempts,
            "error": reading.error,
            "fetched_at": reading.fetched_at,
            "next_due": reading.retry_at or (reading.fetched_at + _RETRY if reading.error else reading.fetched_at),
        }


if __name__ == "__main__":
    main(IngestSocial, run, __doc__)
