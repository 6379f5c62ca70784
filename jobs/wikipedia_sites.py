"""Which dumps of a dump site to read: asked for, waited for and chosen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from jobs import ingest
from jobs.command import Progress
from jobs.wikipedia_dumps import Work, language
from lmflow.crawl.dump_names import edition_code, wiki_name
from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.sources import WikipediaSource, choose, load
from lmflow.crawl.wikimedia import discover
from lmflow.errors import InputError
from lmflow.extract.wikipedia import Edition
from lmflow.lake import Lake

if TYPE_CHECKING:
    from jobs.ingest_wikipedia import IngestWikipedia


def works(options: IngestWikipedia, progress: Progress) -> list[Work]:
    """The newest dumps, or those of a date, of the editions that the options ask for.

    Raises:
        InputError: the options contradict each other, or there is no such dump.
    """
    sources = _sources(options)
    ingest.ask_for_contact([source.site for source in sources], progress)
    until = time.monotonic() + 3600 * options.wait_hours
    return [_work(source, options, until, progress) for source in sources]


def _sources(options: IngestWikipedia) -> list[WikipediaSource]:
    if options.lang is None:
        if options.site is not None:
            raise InputError("--site needs --lang, e.g. --lang en")
        return choose(load().wikipedia, options.source, "wikipedia")
    if options.source:
        raise InputError("give --source or --lang, not both")
    site = {"site": options.site} if options.site else {}
    wiki = wiki_name(options.lang)
    try:
        return [
            WikipediaSource(
                name=wiki.replace("_", "-"),
                lang=language(edition_code(wiki)),
                wiki=wiki,
                license="CC BY-SA 4.0",
                **site,
            )
        ]
    except ValueError:
        raise InputError(f"--site {options.site}: must start with http:// or https://") from None


def _work(source: WikipediaSource, options: IngestWikipedia, until: float, progress: Progress) -> Work:
    wiki = source.wiki or wiki_name(source.lang)
    policy = replace(Policy.from_settings(source.rate, source.concurrency), max_bytes=50_000_000)
    with Fetcher(policy) as fetcher:
        left = max(0.0, until - time.monotonic()) / 3600
        dump = discover(fetcher, source.site, wiki, options.date, left, progress.say)
    files = len(dump.parts)
    if options.parts:
        dump = replace(dump, parts=dump.parts[: options.parts])
    size = sum(part.data.size for part in dump.parts)
    progress.say(f"{source.name}: dump of {dump.date}, {len(dump.parts)} of {files} file(s), {size / 1e6:,.1f} MB")
    code = edition_code(wiki)
    folder = f"raw/wikipedia/{wiki}/{dump.date}"
    return Work(
        source=source.name,
        wiki=wiki,
        edition=Edition(code, source.lang, f"{code}.wikipedia.org", dump.date, source.license),
        digest=dump.digest,
        files=tuple(
            (f"{folder}/{part.data.name}", f"{folder}/{part.index.name}" if part.index else "") for part in dump.parts
        ),
        objects_root=Lake.open().objects.uri("").rstrip("/"),
        download=dump,
        is_whole=len(dump.parts) == files and all(part.data.sha1 for part in dump.parts),
    )
