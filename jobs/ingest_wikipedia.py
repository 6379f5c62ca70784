"""Turn a Wikipedia dump into documents: find it, download it, read its streams in parallel, keep what is new.

    python -m jobs.ingest_wikipedia                                   the editions enabled in sources.yaml
    python -m jobs.ingest_wikipedia --lang de                         the newest finished dump of dumps.wikimedia.org
    python -m jobs.ingest_wikipedia --file dewiki.xml.bz2 --lang de   a dump you have (bz2 or plain XML)

Articles only: other namespaces and redirects are counted, not stored. A page enters again only with a newer revision. A
dump that was read before is recognised by its checksums, and nothing is done.

The JSON line: items_seen (pages) = new + changed + unchanged + failed + skipped, by_source, documents_added, batch_id,
versions, and under `dumps` the report of each dump: pages by namespace, losses, templates left unexpanded (by name in
the MLflow run's report.json).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from jobs import ingest
from jobs.command import Options, Progress, Result, main
from lmflow import tracking
from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.sources import WikipediaSource, choose, load
from lmflow.crawl.wikimedia import Dump, DumpFile, discover, download, wiki_name
from lmflow.errors import InputError
from lmflow.extract.documents import OUTCOMES, Outcome, record_batches
from lmflow.extract.wikidump import decompress, index_streams
from lmflow.extract.wikipedia import Edition, KnownPages, Report, Stream, documents
from lmflow.lake import Lake, Objects, transaction_key

_DAY_S: Final = 86_400.0
#: Streams of one task: of 100 pages each, about 40 MB of XML, half a minute on a core.
_TASK_STREAMS: Final = 64
_TEMPLATES_SHOWN: Final = 50


class IngestWikipedia(Options):
    """Options of ingest_wikipedia."""

    source: tuple[str, ...] = Field(
        (), description="Editions by their name in sources.yaml; default: the enabled ones.", examples=["enwiki"]
    )
    lang: str | None = Field(
        None, pattern=r"^[a-z]{2,3}(-[a-z-]+)?$", description="An edition by its language code, in place of --source."
    )
    date: str = Field("latest", pattern=r"^(latest|\d{8})$", description="Date of the dump, YYYYMMDD, or `latest`.")
    site: str | None = Field(None, description="Dump site or mirror for --lang (default: https://dumps.wikimedia.org).")
    file: str | None = Field(None, description="A dump file (path, file:// or s3://) in place of a site; needs --lang.")
    parts: int = Field(0, ge=0, description="Read only the first files of a dump in many files; 0 for all.")


@dataclass(frozen=True, slots=True)
class _Work:
    """One dump to read: where its files are, and what identifies this reading of it."""

    source: str
    edition: Edition
    digest: str
    files: tuple[tuple[str, str], ...]  # keys of data and index (empty: none) below `objects`
    objects_root: str
    download: Dump | None


def run(options: IngestWikipedia, progress: Progress) -> Result:
    """Read the chosen dumps; each is committed by itself."""
    started = time.monotonic()
    if options.file is not None:
        works = [_local_work(options, options.file)]
    else:
        works = [_remote_work(source, options, progress) for source in _sources(options)]
    lake, tally, dumps = Lake.open(), ingest.Tally(), dict[str, Any]()
    batch_id = ingest.new_batch_id()
    added = 0
    with ingest.exclusive_sources(work.source for work in works):
        todo = []
        for work in works:
            if lake.table("documents").find(_key(work)) is None:
                todo.append(work)
            else:
                progress.say(f"{work.source}: the dump of {work.edition.date or work.files[0][0]} was read before")
        if todo:
            names = ", ".join(f"{work.source} {work.edition.date}" for work in todo)
            with tracking.run(ingest.EXPERIMENT, f"wikipedia {names}", options.model_dump(mode="json")) as mlflow_run:
                for work in todo:
                    dumps[work.source] = report = _read(lake, work, batch_id, tally, progress)
                    added += report["documents_added"]
                result = _result(lake, tally, dumps, batch_id, added, started)
                ingest.log_run(mlflow_run, lake, result, dumps)
                return {**result, "dumps": _without_templates(dumps), "run_id": mlflow_run.run_id}
    return {**_result(lake, tally, dumps, batch_id, 0, started), "reason": "every dump was read before"}


def _result(
    lake: Lake, tally: ingest.Tally, dumps: dict[str, Any], batch_id: int, added: int, started: float
) -> Result:
    result = {
        **tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {"documents": lake.table("documents").version()},
        "dumps": dumps,
        "metrics": ingest.metrics(tally, started),
    }
    return result if added else {"status": "nothing_new", "reason": "no page is new or changed", **result}


def _without_templates(dumps: dict[str, Any]) -> dict[str, Any]:
    """The reports for the JSON line: how many templates were left unexpanded; which ones is in the run's report."""
    return {name: {**report, "unexpanded": sum(report["unexpanded"].values())} for name, report in dumps.items()}


# What to read ---------------------------------------------------------------------------------------------------------


def _sources(options: IngestWikipedia) -> list[WikipediaSource]:
    if options.lang is None:
        if options.site is not None:
            raise InputError("--site needs --lang, e.g. --lang en")
        return choose(load().wikipedia, options.source, "wikipedia")
    if options.source:
        raise InputError("give --source or --lang, not both")
    site = {"site": options.site} if options.site else {}
    name = wiki_name(options.lang)
    try:
        return [WikipediaSource(name=name.replace("_", "-"), lang=options.lang, license="CC BY-SA 4.0", **site)]
    except ValueError:
        raise InputError(f"--site {options.site}: must start with http:// or https://") from None


def _remote_work(source: WikipediaSource, options: IngestWikipedia, progress: Progress) -> _Work:
    wiki = source.wiki or wiki_name(source.lang)
    with Fetcher(_policy(source)) as fetcher:
        dump = discover(fetcher, source.site, wiki, options.date)
    if options.parts:
        dump = replace(dump, parts=dump.parts[: options.parts])
    size = sum(part.data.size for part in dump.parts)
    progress.say(f"{source.name}: dump of {dump.date}, {len(dump.parts)} file(s), {size / 1e6:,.1f} MB")
    code = wiki.removesuffix("wiki").replace("_", "-")
    folder = f"raw/wikipedia/{wiki}/{dump.date}"
    return _Work(
        source=source.name,
        edition=Edition(code, source.lang, f"{code}.wikipedia.org", dump.date, source.license),
        digest=dump.digest,
        files=tuple(
            (f"{folder}/{part.data.name}", f"{folder}/{part.index.name}" if part.index else "") for part in dump.parts
        ),
        objects_root=f"{Lake.open().root}/objects",
        download=dump,
    )


def _policy(source: WikipediaSource) -> Policy:
    return replace(Policy.from_settings(source.rate, source.concurrency), max_bytes=50_000_000)


def _local_work(options: IngestWikipedia, file: str) -> _Work:
    """A dump file the user has; its index is used when it lies beside it."""
    if options.lang is None:
        raise InputError("--file needs --lang, the language of the dump, e.g. --lang en")
    scheme = urlsplit(file).scheme
    if scheme not in ("", "file", "s3"):
        raise InputError(f"--file {file}: only a path, file:// or s3:// (for http(s) use --site)")
    address = file if scheme == "s3" else Path(urlsplit(file).path if scheme else file).resolve().as_uri()
    root, _, name = address.rpartition("/")
    objects = Objects(root)
    if not objects.exists(name):
        raise InputError(f"--file {file}: no such file")
    with objects.local(name).open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    index = re.sub(r"multistream(\d*)\.xml", r"multistream-index\1.txt", name) if "multistream" in name else ""
    date = re.search(r"-(\d{8})-", name)
    code = options.lang
    return _Work(
        source=wiki_name(code).replace("_", "-"),
        edition=Edition(code, code, f"{code}.wikipedia.org", date[1] if date else "", "CC BY-SA 4.0"),
        digest=digest,
        files=((name, index if index and objects.exists(index) else ""),),
        objects_root=root,
        download=None,
    )


def _key(work: _Work) -> str:
    return transaction_key("ingest_wikipedia", edition=work.edition.code, lang=work.edition.lang, digest=work.digest)


# Reading --------------------------------------------------------------------------------------------------------------


def _read(lake: Lake, work: _Work, batch_id: int, tally: ingest.Tally, progress: Progress) -> dict[str, Any]:
    """Read one dump into the table; returns its report."""
    if work.download is not None:
        _download(work, work.download, progress)
    objects = Objects(work.objects_root)
    streams = [stream for data, index in work.files for stream in _streams(objects, data, index)]
    staged, report = _plan(lake, work, streams, batch_id, progress)
    tally.see(work.source, report.pages)
    for outcome, items in report.outcomes.items():
        tally.add(work.source, outcome, items)
    if not report.pages:
        raise InputError(f"{work.files[0][0]} holds no pages; is it a MediaWiki XML export (pages-articles)?")
    articles = sum(report.outcomes[name] for name in ("new", "changed", "unchanged"))
    if not articles:
        raise InputError(f"{work.files[0][0]}: none of {report.pages} pages is an article: {dict(report.outcomes)}")
    tally.check()
    stored = report.outcomes["new"] + report.outcomes["changed"]
    commit = ingest.commit_documents(lake, _key(work), staged, stored)
    progress.say(
        f"{work.source}: {report.pages} pages, {stored} stored, {report.outcomes['skipped:redirect']} redirects, "
        f"{report.missing_pages + report.broken_pages} lost, {report.truncated_streams} streams truncated"
    )
    report.unexpanded = type(report.unexpanded)(dict(report.unexpanded.most_common(_TEMPLATES_SHOWN)))
    return {
        "date": work.edition.date,
        "files": [data for data, _ in work.files],
        "streams": len(streams),
        "documents_added": commit.rows,
        **report.as_dict(),
    }


def _download(work: _Work, dump: Dump, progress: Progress) -> None:
    objects = Objects(work.objects_root)
    wanted: list[tuple[DumpFile, str]] = []
    for part, (data, index) in zip(dump.parts, work.files, strict=True):
        wanted += [(part.data, data), *([(part.index, index)] if part.index else [])]
    patient = replace(Policy.from_settings(100, 2), total_s=_DAY_S)
    with (
        progress.bar(sum(file.size for file, _ in wanted) / 1e6, f"downloading {work.source}", "MB") as bar,
        Fetcher(patient) as fetcher,
    ):
        before = 0
        for file, key in wanted:
            download(fetcher, file, objects, key, lambda done, before=before: bar.reach((before + done) / 1e6))  # type: ignore[misc]
            before += file.size


def _streams(objects: Objects, data: str, index: str) -> list[Stream]:
    """A stream for every entry of the index, or one for the whole file."""
    if not index:
        return [Stream(data, 0, -1, -1)]
    with objects.open(data) as file:
        file.seek(0, 2)
        size = file.tell()
    with objects.open(index) as file:
        lines = b"".join(decompress(file)).splitlines()
    with suppress(ValueError):
        return [Stream(data, offset, length, pages) for offset, length, pages in index_streams(lines, size)]
    raise InputError(f"{index} is not the index of {data}; remove it, or get both from the same dump")


def _plan(lake: Lake, work: _Work, streams: list[Stream], batch_id: int, progress: Progress) -> tuple[str, Report]:
    from jobs.spark import session, watching

    spark = session("ingest_wikipedia")
    tasks = max(1, min(len(streams), max(2 * spark.sparkContext.defaultParallelism, len(streams) // _TASK_STREAMS)))
    known = spark.sparkContext.broadcast(_known_pages(lake, work.edition.code))
    reader = _reader(work.edition, known, ingest.forgotten(lake), work.objects_root, batch_id)
    rows = pa.Table.from_pylist([asdict(stream) for stream in streams])
    frame = ingest.map_rows(ingest.as_frame(spark, rows, tasks), reader, OUTCOMES)
    with progress.bar(tasks, f"reading {work.source}", "tasks") as bar, watching(spark, tasks, bar):
        staged, outcomes = ingest.stage_pages(frame, lake.table("documents"))
    return staged, Report.join(json.loads(report) for report in outcomes)


def _known_pages(lake: Lake, code: str) -> KnownPages:
    prefix = f"wikipedia:{code}:"
    rows = lake.table("documents").read(["doc_id", "revision"], pc.field("source") == "wikipedia").sort_by("revision")
    pairs = zip(rows["doc_id"].to_pylist(), rows["revision"].to_pylist(), strict=True)
    return KnownPages.of({int(doc_id.removeprefix(prefix)): rev for doc_id, rev in pairs if doc_id.startswith(prefix)})


def _reader(
    edition: Edition, known: Any, forgotten: frozenset[str], objects_root: str, batch_id: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        objects, report = Objects(objects_root), Report()
        for batch in batches:
            for row in batch.to_pylist():
                found = documents(Stream(**row), edition, known.value, forgotten, objects, report)
                yield from record_batches(found, batch_id)
        yield from record_batches([Outcome(json.dumps(report.as_dict()), edition.code, ingest.REPORT)], batch_id)

    return read


if __name__ == "__main__":
    main(IngestWikipedia, run, __doc__)
