"""Turn news sites into documents: read their feeds, visit the pages that are due, extract the articles.

    python -m jobs.ingest_news                                    the sites enabled in sources.yaml
    python -m jobs.ingest_news --source nasa global-voices-zh     these sites
    python -m jobs.ingest_news --feed https://example.org/feed.xml --lang en
    python -m jobs.ingest_news --warc s3://commoncrawl/crawl-data/CC-NEWS/… --languages en zh

Polite: robots.txt is heeded, a host has one queue with its own rate however many executors there are, what is known is
asked for conditionally. Pages are kept as WARC files in the lake. A page enters again only when its text has changed;
one that failed for now is tried again by a later run, also when the feed has not changed.

The JSON line: items_seen = new + changed + unchanged + failed + skipped, by_source, documents_added, batch_id, versions
and requests {fetched, not_modified, failed}, and unreachable {source: why} for feeds that could not be read.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import Field

from jobs import archives, articles, crawls, health, ingest, visiting
from jobs.command import Options, Progress, Result, main
from lmflow import tracking
from lmflow.crawl.feeds import Item
from lmflow.crawl.http import Fetch, Fetcher, Policy
from lmflow.crawl.listings import Listing, read_listing
from lmflow.crawl.pages import Target, Visit
from lmflow.crawl.refusals import REFUSALS
from lmflow.crawl.sources import NewsSource, choose, load
from lmflow.crawl.urls import authority, canonical_url
from lmflow.errors import InputError
from lmflow.extract.documents import UNCHANGED, news_id
from lmflow.lake import Lake, transaction_key
from lmflow.settings import settings

_FEEDS_AT_ONCE: Final = 16
#: Errors that may be gone in an hour; a page with another one is asked again after a week, if it is still listed.
_PASSING: Final = frozenset(
    (
        "waiting",
        "timeout",
        "connect",
        "dns",
        "tls",
        "protocol",
        "http_429",
        "http_500",
        "http_502",
        "http_503",
        "http_504",
    )
)
_RETRY: Final = timedelta(hours=1)
_RECHECK: Final = timedelta(days=7)


class IngestNews(Options):
    """Options of ingest_news."""

    source: tuple[str, ...] = Field(
        (), description="Sites by their name in sources.yaml; default: the enabled ones.", examples=["nasa"]
    )
    feed: str | None = Field(None, description="One feed or (news) sitemap in place of --source; needs --lang.")
    lang: str | None = Field(None, pattern=r"^[a-z]{2,3}$", description="Language of --feed, e.g. en, zh.")
    warc: tuple[str, ...] = Field(
        (),
        description="WARC files in place of --source: paths, https:// or s3:// (CC-NEWS). Each is read once.",
        examples=["s3://commoncrawl/crawl-data/CC-NEWS/2026/10/CC-NEWS-20261001000000-00001.warc.gz"],
    )
    languages: tuple[str, ...] = Field(
        (), description="With --warc: leave out pages that say they are in another language, e.g. en zh."
    )
    max_items: int = Field(0, ge=0, description="At most so many pages of each feed, for a trial; 0 for all.")
    max_minutes: float = Field(
        50, gt=0, description="Pages that are not reached within so many minutes are left for the next run."
    )


@dataclass
class _Plan:
    """What is to be done: pages to visit, and what is known without visiting."""

    feeds: dict[str, Fetch] = field(default_factory=dict)  # by source; the state is recorded at the end
    unreachable: dict[str, str] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)  # not read to the end: --max-items, a broken part
    targets: dict[str, Target] = field(default_factory=dict)  # by URL
    tally: ingest.Tally = field(default_factory=ingest.Tally)
    oldest: dict[str, datetime | None] = field(default_factory=dict)  # item that each feed still lists


def run(options: IngestNews, progress: Progress) -> Result:
    """Crawl the chosen sites once."""
    if options.languages and not options.warc:
        raise InputError("--languages goes with --warc; sites of sources.yaml have their own language")
    if options.warc:
        if options.source or options.feed or options.lang or options.max_items:
            raise InputError("--warc stands alone, or with --languages")
        return archives.run(options.warc, options.languages, options.model_dump(mode="json"), progress)
    started = time.monotonic()
    sources = {source.name: source for source in _sources(options)}
    lake = Lake.open()
    with ingest.exclusive_sources(sources):
        plan = _discover(list(sources.values()), lake, options.max_items, progress)
        batch_id = ingest.new_batch_id()
        done, batches = _take_over(lake, plan, sources, progress)
        with tracking.run(ingest.EXPERIMENT, f"news {', '.join(sources)}", _config(options, sources)) as mlflow_run:
            limit = timedelta(minutes=options.max_minutes)
            targets = list(plan.targets.values())
            visits = done + (
                visiting.visit_all(lake, "news", targets, sources, batch_id, limit, progress) if targets else []
            )
            added = _store(lake, plan, visits, sources, batch_id, progress)
            rows = [*_feed_rows(plan, sources), *_page_rows(visits, sources)]
            version = ingest.record_fetches(lake, "ingest_news", batch_id, rows)
            crawls.close_crawls(lake, "news", [*batches, batch_id])
            progress.say(plan.tally.line())
            result = _result(lake, plan, visits, batch_id, added, version, started)
            ingest.log_run(mlflow_run, lake, result, {**result, "errors": _errors(visits)})
            health.log(mlflow_run, health.report(result["by_source"], visits, plan.oldest, plan.unreachable))
            reason = "every page is as it was" if visits else "no feed lists a page that is new or due"
            nothing = {} if added else {"status": "nothing_new", "reason": reason}
            return {**nothing, **result, "run_id": mlflow_run.run_id}


def _result(
    lake: Lake, plan: _Plan, visits: Sequence[Visit], batch_id: int, added: int, fetches: int, started: float
) -> Result:
    return {
        **plan.tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {"documents": lake.table("documents").version(), "fetches": fetches},
        "requests": {
            "fetched": sum(not _failed(visit) and visit.status != 304 for visit in visits),
            "not_modified": sum(visit.status == 304 for visit in visits),
            "failed": sum(map(_failed, visits)),
        },
        "unreachable": plan.unreachable,
        "metrics": ingest.metrics(plan.tally, started),
    }


def _config(options: IngestNews, sources: Mapping[str, NewsSource]) -> dict[str, Any]:
    return {**options.model_dump(mode="json"), "sources": [source.model_dump() for source in sources.values()]}


def _errors(visits: Sequence[Visit]) -> list[dict[str, Any]]:
    return [{"url": v.url, "error": v.error, "detail": v.detail, "attempts": v.attempts} for v in visits if _failed(v)]


def _failed(visit: Visit) -> bool:
    """Whether a page could not be had; one that refuses was."""
    return bool(visit.error) and visit.error not in REFUSALS


# Feeds ----------------------------------------------------------------------------------------------------------------


def _sources(options: IngestNews) -> list[NewsSource]:
    if options.feed is None:
        if options.lang is not None:
            raise InputError("--lang goes with --feed; a site of sources.yaml has its own language")
        return choose(load().news, options.source, "news")
    if options.source:
        raise InputError("give --source or --feed, not both")
    if options.lang is None:
        raise InputError("--feed needs --lang, the language of the site, e.g. --lang en")
    known = next((source for source in load().news if source.feed == options.feed), None)
    if known is not None:
        return [known]
    name = "feed-" + "".join(c if c.isalnum() else "-" for c in authority(options.feed)).strip("-")
    try:
        return [NewsSource(name=name, lang=options.lang, feed=options.feed, license="not stated")]
    except ValueError:
        raise InputError(f"--feed {options.feed}: must be a http:// or https:// address") from None


def _discover(sources: Sequence[NewsSource], lake: Lake, most: int, progress: Progress) -> _Plan:
    """Read all feeds and choose the pages to visit.

    Raises:
        InputError: no feed could be read, or none lists anything; one broken feed among others is only reported.
    """
    plan, now = _Plan(), datetime.now(UTC)
    feeds, pages = ingest.fetch_states(lake, "feed"), ingest.fetch_states(lake, "page")
    gone = ingest.forgotten(lake)
    ingest.ask_for_contact([source.feed for source in sources], progress)
    with ThreadPoolExecutor(_FEEDS_AT_ONCE) as pool:
        for source, listing in zip(
            sources, pool.map(lambda s: _read_feed(s, feeds.get(s.feed), most), sources), strict=True
        ):
            items = _items(source, listing, plan)
            if most and len(items) > most:
                items = items[:most]
                plan.partial.add(source.name)
            if plan.oldest[source.name] is None:  # not modified, or not to be read: as it was when it was read last
                plan.oldest[source.name] = _oldest_known(feeds.get(source.feed))
            _choose(source, items, pages, gone, plan, now)
            progress.say(
                f"{source.name}: "
                + (
                    plan.unreachable.get(source.name)
                    or ("unchanged" if listing.fetch.not_modified else f"{len(items)} items")
                )
            )
    if len(plan.unreachable) == len(sources):
        raise InputError("; ".join(f"{name}: {why}" for name, why in plan.unreachable.items()))
    return plan


def _read_feed(source: NewsSource, state: Mapping[str, Any] | None, most: int) -> Listing:
    known = state if state and not state["error"] and not most else {}
    etag, last_modified = known.get("etag") or "", known.get("last_modified") or ""
    with Fetcher(Policy.from_settings(source.rate, source.concurrency)) as fetcher:
        return read_listing(fetcher, source.feed, etag, last_modified)


def _items(source: NewsSource, listing: Listing, plan: _Plan) -> list[Item]:
    """Items of a feed that was read; none, with the reason in the plan, of one that was not."""
    plan.feeds[source.name] = listing.fetch
    plan.tally.see(source.name, 0)
    plan.oldest[source.name] = health.oldest_of([item.published_at for item in listing.items])
    if listing.problem:
        plan.unreachable[source.name] = listing.problem
    elif not listing.complete:
        plan.partial.add(source.name)
    return listing.items


def _oldest_known(state: Mapping[str, Any] | None) -> datetime | None:
    """The date of the oldest item that a feed listed, as `_feed_rows` kept it."""
    try:
        return datetime.fromisoformat((state or {}).get("cursor") or "")
    except ValueError:  # none had a date
        return None


def _choose(
    source: NewsSource,
    items: Sequence[Item],
    pages: Mapping[str, Mapping[str, Any]],
    gone: Collection[str],
    plan: _Plan,
    now: datetime,
) -> None:
    """Sort items into pages to visit, and those whose outcome is known."""
    home = authority(source.feed)
    listed = {item.url: item.published_at for item in items}
    for url in listed:
        if url in plan.targets:  # another feed lists it too
            continue
        plan.tally.see(source.name, 1)
        state = pages.get(url)
        host = authority(url)
        if host.rpartition(":")[0] in settings().private_hosts and host != home:
            plan.tally.add(source.name, "failed:address")
        elif _is_forgotten(url, gone):
            plan.tally.add(source.name, "skipped:forgotten")
        elif state is None or state["next_due"] is None or state["next_due"] <= now:
            plan.targets[url] = _target(url, source, state, listed[url])
        else:
            plan.tally.add(source.name, "skipped:waiting" if state["error"] else UNCHANGED)
    for url, state in pages.items():
        is_due = state["error"] in _PASSING and state["next_due"] is not None and state["next_due"] <= now
        is_ours = state["cursor"] == source.name and url not in listed and not _is_forgotten(url, gone)
        if is_ours and is_due and url not in plan.targets:
            plan.tally.see(source.name, 1)
            plan.targets[url] = _target(url, source, state)


def _is_forgotten(url: str, gone: Collection[str]) -> bool:
    """Whether a page must be forgotten, as far as its address tells: then it is not even asked for."""
    try:
        return news_id(canonical_url(url)) in gone
    except ValueError:
        return False


def _target(url: str, source: NewsSource, state: Mapping[str, Any] | None, listed_at: datetime | None = None) -> Target:
    target = Target(url, source.name, listed_at=listed_at.isoformat() if listed_at else "")
    if state is None or state["error"]:
        return target
    return replace(target, etag=state["etag"] or "", last_modified=state["last_modified"] or "")


def _take_over(
    lake: Lake, plan: _Plan, sources: Mapping[str, NewsSource], progress: Progress
) -> tuple[list[Visit], list[int]]:
    """What killed crawls have visited already leaves the plan; returns these visits, and the crawls they end."""
    found, batches = visiting.unfinished(lake, "news", sources)
    states = ingest.fetch_states(lake, "page") if found else {}
    done = []
    for visit in found:
        state = states.get(visit.url)
        if visit.error in _PASSING or (state is not None and state["fetched_at"] >= visit.fetched_at):
            continue
        if plan.targets.pop(visit.url, None) is None:
            plan.tally.see(visit.source, 1)
        done.append(visit)
    if done:
        progress.say(f"going on with a crawl that was interrupted: {len(done)} pages are visited already")
    return done, batches


# Documents ------------------------------------------------------------------------------------------------------------


def _store(
    lake: Lake,
    plan: _Plan,
    visits: Sequence[Visit],
    sources: Mapping[str, NewsSource],
    batch_id: int,
    progress: Progress,
) -> int:
    """Extract what was fetched, evenly over all cores, and commit what is new; returns the number of documents."""
    tally = plan.tally
    for visit in visits:
        if visit.error:
            kind = "failed" if _failed(visit) else "skipped"
            tally.add(visit.source, f"{kind}:{visit.error}")
        elif visit.status == 304:
            tally.add(visit.source, UNCHANGED)
    stored = [visit for visit in visits if visit.raw_key]
    staged = ""
    if stored:
        staged = articles.stage(lake, stored, sources, tally, batch_id, progress)
    tally.check()
    if not tally.stored:
        return 0
    key = transaction_key("ingest_news", batch=batch_id)
    return ingest.commit_documents(lake, key, staged, tally.stored).rows


# State ----------------------------------------------------------------------------------------------------------------


def _feed_rows(plan: _Plan, sources: Mapping[str, NewsSource]) -> Iterator[dict[str, Any]]:
    for name, fetch in plan.feeds.items():
        # A feed that was not read to its end must not answer 304 next time.
        complete = name not in plan.partial and name not in plan.unreachable
        yield {
            "key": sources[name].feed,
            "kind": "feed",
            "etag": fetch.headers.get("etag", "") if complete else "",
            "last_modified": fetch.headers.get("last-modified", "") if complete else "",
            "cursor": date.isoformat() if (date := plan.oldest[name]) else "",
            "status": fetch.status,
            "attempts": fetch.attempts,
            "error": fetch.error or ("" if complete or name in plan.partial else "not_a_feed"),
            "fetched_at": fetch.fetched_at,
            "next_due": fetch.retry_at or fetch.fetched_at,
        }


def _page_rows(visits: Sequence[Visit], sources: Mapping[str, NewsSource]) -> Iterator[dict[str, Any]]:
    for visit in visits:
        pause = timedelta(hours=sources[visit.source].revisit_hours)
        if visit.error:
            pause = _RETRY if visit.error in _PASSING else _RECHECK
        yield {
            "key": visit.url,
            "kind": "page",
            "etag": visit.etag,
            "last_modified": visit.last_modified,
            "cursor": visit.source,
            "status": visit.status,
            "attempts": visit.attempts,
            "error": visit.error,
            "fetched_at": visit.fetched_at,
            "next_due": visit.retry_at or visit.fetched_at + pause,
        }


if __name__ == "__main__":
    main(IngestNews, run, __doc__)
