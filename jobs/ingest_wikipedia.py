"""Turn a Wikipedia dump into documents: find it, download it, read its parts side by side, keep what is new.

    python -m jobs.ingest_wikipedia                                   the editions enabled in sources.yaml
    python -m jobs.ingest_wikipedia --lang de                         the newest finished dump of dumps.wikimedia.org
    python -m jobs.ingest_wikipedia --lang de --wait-hours 48         the newest dump, waited for two days at most
    python -m jobs.ingest_wikipedia --file dewiki.xml.bz2 --lang de   a dump you have (bz2, gz, xz, zst or plain XML)

Articles only: other namespaces and redirects are not stored as documents; every page is named with its outcome (and a
redirect with its target) in the lists of pages under `page_lists`, Parquet files among the lake's raw objects. A page
enters again only with a newer revision. A dump that was read before is known by its checksums, and nothing is done.

A page that a newer dump no longer holds as an article gets a tombstone, if that dump is complete: all its files were
read, each has the checksum its site (or the sha1sums.txt beside a file) names, and nothing was lost on the way.

The JSON line: items_seen (pages) = new + changed + unchanged + failed + skipped, by_source, documents_added, batch_id,
versions, and under `dumps` the report of each dump: pages by namespace, losses, tombstones, templates left unexpanded
(by name in the MLflow run's report.json).
"""

from __future__ import annotations

from jobs import loaded_ahead

if __name__ == "__main__":  # the workers' modules load beside the imports that follow
    loaded_ahead.start("jobs.ingest_wikipedia")

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from jobs import ingest, wikipedia_versions
from jobs.command import Options, Progress, Result, main
from jobs.wikipedia_parts import PartsReader, Reports, Task, on_processes, on_spark, workers
from lmflow import tracking
from lmflow.errors import InputError
from lmflow.extract.dumpfile import head, index_streams, lines, parts
from lmflow.extract.wikidump import site_namespaces
from lmflow.extract.wikipedia import Reader, Report
from lmflow.lake import Lake, Objects, transaction_key
from lmflow.settings import settings

if TYPE_CHECKING:
    from jobs.wikipedia_dumps import Work

#: Bytes of a part as stored: the smallest that is worth a start in the middle of a file, the largest that fits memory.
_SHORTEST_PART, _LONGEST_PART = 1_000_000, 64_000_000
#: Guided self-scheduling (Polychronopoulos & Kuck 1987): a part is this share of a worker's share of what is left, so
#: that workers end together. All of it (their 1/p) leaves the others waiting when one part takes longer than it should.
_SHARE_OF_THE_REST: Final = 0.5
_TEMPLATES_SHOWN: Final = 50


class IngestWikipedia(Options):
    """Options of ingest_wikipedia."""

    source: tuple[str, ...] = Field(
        (), description="Editions by their name in sources.yaml; default: the enabled ones.", examples=["enwiki"]
    )
    lang: str | None = Field(
        None,
        pattern=r"^([a-z]{2,3}(-[a-z-]+)?|simple)$",
        description="An edition by the code in its address (en, zh, simple, zh-min-nan), in place of --source.",
    )
    date: str = Field("latest", pattern=r"^(latest|\d{8})$", description="Date of the dump, YYYYMMDD, or `latest`.")
    wait_hours: float = Field(
        0,
        ge=0,
        le=24 * 14,
        description="Wait so many hours at most, over all editions, for dumps that are not finished yet; `latest` then "
        "takes an older one.",
    )
    site: str | None = Field(None, description="Dump site or mirror for --lang (default: https://dumps.wikimedia.org).")
    file: str | None = Field(None, description="A dump file (path, file:// or s3://) in place of a site; needs --lang.")
    parts: int = Field(0, ge=0, description="Read only the first files of a dump in many files; 0 for all.")
    engine: Literal["auto", "processes", "spark"] = Field(
        "auto", description="Where parts are read: processes of this machine, or Spark; auto: Spark unless it is local."
    )


def run(options: IngestWikipedia, progress: Progress) -> Result:
    """Read the chosen dumps; each is committed by itself."""
    started = time.monotonic()
    from jobs import wikipedia_dumps  # here, for the processes that read a dump need not load what finds it

    works = wikipedia_dumps.works(options, progress)
    lake, tally, dumps = Lake.open(), ingest.Tally(), dict[str, Any]()
    batch_id = ingest.new_batch_id()
    with ingest.exclusive_sources(work.source for work in works):
        todo = []
        for work in works:
            if _was_read(lake, work):
                progress.say(f"{work.source}: the dump of {work.edition.date or work.files[0][0]} was read before")
            else:
                todo.append(work)
        if not todo:
            return {**_result(lake, tally, dumps, batch_id, started), "reason": "every dump was read before"}
        tracking.check(settings().mlflow_uri)  # before hours of download
        names = ", ".join(f"{work.source} {work.edition.date}" for work in todo)
        with ExitStack() as stack:
            mlflow_run: tracking.Run | None = None
            for work in todo:
                wikipedia_dumps.download(work, progress)
                with _reading(lake, work, batch_id, options.engine, progress) as finish:
                    # MLflow takes seconds to load: the dump is being read meanwhile.
                    if mlflow_run is None:
                        config = options.model_dump(mode="json")
                        mlflow_run = stack.enter_context(tracking.run(ingest.EXPERIMENT, f"wikipedia {names}", config))
                    dumps[work.source] = finish(tally)
            assert mlflow_run is not None  # noqa: S101 - there was work to do
            result = _result(lake, tally, dumps, batch_id, started)
            ingest.log_run(mlflow_run, lake, result, dumps)
            return {**result, "dumps": _without_templates(dumps), "run_id": mlflow_run.run_id}


def _result(lake: Lake, tally: ingest.Tally, dumps: dict[str, Any], batch_id: int, started: float) -> Result:
    added = sum(report["documents_added"] for report in dumps.values())
    result = {
        **tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {name: lake.table(name).version() for name in ("documents", "tombstones")},
        "dumps": dumps,
        "metrics": ingest.metrics(tally, started),
    }
    return result if added else {"status": "nothing_new", "reason": "no page is new or changed", **result}


def _without_templates(dumps: dict[str, Any]) -> dict[str, Any]:
    """The reports for the JSON line: how many templates were left unexpanded; which ones is in the run's report."""
    return {
        name: {key: value for key, value in report.items() if key != "unexpanded"} for name, report in dumps.items()
    }


# Reading --------------------------------------------------------------------------------------------------------------


def _key(work: Work) -> str:
    """A file that gets its checksum only later is read again: it may bury pages then."""
    edition = work.edition
    return transaction_key(
        "ingest_wikipedia", edition=edition.code, lang=edition.lang, digest=work.digest, is_whole=work.is_whole
    )


def _was_read(lake: Lake, work: Work) -> bool:
    """Documents are committed first, tombstones last."""
    return lake.table("tombstones").find(_key(work)) is not None


@contextmanager
def _reading(
    lake: Lake, work: Work, batch_id: int, engine: str, progress: Progress
) -> Iterator[Callable[[ingest.Tally], dict[str, Any]]]:
    """Begin to read one dump; gives a function that ends it, counts what there was and commits it."""
    objects = Objects(work.objects_root)
    tasks = _tasks(objects, work)
    lake_has = wikipedia_versions.versions(lake, work.edition.code)
    with objects.open(work.files[0][0]) as file:
        beginning = head(file)
    named = re.search(rb"<dbname>([a-z_]+)</dbname>", beginning)
    if named and named[1].decode() != work.wiki:
        of = named[1].decode()
        raise InputError(
            f"{work.files[0][0]} is a dump of {of}, not of {work.wiki}; "
            f"give --lang {of.removesuffix('wiki').replace('_', '-')}"
        )
    name = f"{work.edition.date or 'file'}-{work.digest[:12]}"
    reader = PartsReader(
        Reader(work.edition, lake_has.known(), ingest.forgotten(lake), site_namespaces(beginning)),
        objects_root=work.objects_root,
        staged=lake.table("documents").stage(),
        page_lists=f"raw/wikipedia/{work.wiki}/pages/{name}",
        lake_objects=lake.objects.uri("").rstrip("/"),
        batch_id=batch_id,
    )

    def finish(reports: Reports, tally: ingest.Tally) -> dict[str, Any]:
        return _commit(lake, work, reader, reports, lake_has, tally, progress)

    if engine == "spark" or (engine == "auto" and not settings().spark_master.startswith("local")):

        def on_a_cluster(tally: ingest.Tally) -> dict[str, Any]:
            with progress.bar(len(tasks), f"reading {work.source}", "tasks") as bar:
                reports = on_spark(reader, tasks, bar)
            return finish(reports, tally)

        yield on_a_cluster
        return
    size = sum(task.part.end - task.part.start for task in tasks) / 1e6
    with on_processes(reader, tasks) as wait:

        def here(tally: ingest.Tally) -> dict[str, Any]:
            with progress.bar(size, f"reading {work.source}", "MB") as bar:
                reports = wait(bar)
            return finish(reports, tally)

        yield here


def _tasks(objects: Objects, work: Work) -> list[Task]:
    """The parts of all files, cut at an index's streams where there is one; shorter and shorter towards the end."""
    behind = 0
    for data, _ in work.files:
        with objects.open(data) as file:
            behind += file.seek(0, 2)
    share = _SHARE_OF_THE_REST / workers()

    def length(left: int) -> float:
        return min(max(share * (behind + left), _SHORTEST_PART), _LONGEST_PART)

    found: list[Task] = []
    for data, index in work.files:
        with objects.open(data) as file:
            size = file.seek(0, 2)
            behind -= size
            streams = _index(objects, data, index, size) if index else ()
            found += [Task(len(found) + place, data, part) for place, part in enumerate(parts(file, length, streams))]
    return found


def _index(objects: Objects, data: str, index: str, size: int) -> tuple[tuple[int, int], ...]:
    try:
        with objects.open(index) as file:
            return tuple(index_streams(lines(file), size))
    except ValueError as error:
        raise InputError(
            f"{index} is not the index of {data} ({error}); remove it, or get both from the same dump"
        ) from None


def _commit(
    lake: Lake,
    work: Work,
    reader: PartsReader,
    reports: Reports,
    lake_has: wikipedia_versions.Versions,
    tally: ingest.Tally,
    progress: Progress,
) -> dict[str, Any]:
    """Check the accounts and commit documents, then tombstones; returns the dump's report."""
    report = Report.join(each["report"] for each in reports)
    page_lists = [each["page_list"] for each in reports]
    if not report.pages:
        raise InputError(f"{work.files[0][0]} holds no pages; is it a MediaWiki XML export (pages-articles)?")
    ingest.keep_only(reader.staged, {each["documents"] for each in reports if each["documents"]})
    documents = [(each["page_list"], each["documents"]) for each in reports]
    for outcome, copies in wikipedia_versions.drop_copies(lake.objects, reader.staged, documents).items():
        report.outcomes[outcome] -= copies
        report.outcomes["skipped:duplicate"] += copies
    if not any(not name.startswith("skipped:") or name == "skipped:forgotten" for name in report.outcomes):
        raise InputError(f"{work.files[0][0]}: none of {report.pages} pages is an article: {dict(report.outcomes)}")
    tally.see(work.source, report.pages)
    for outcome, items in report.outcomes.items():
        tally.add(work.source, outcome, items)
    tally.check()
    stored = report.outcomes["new"] + report.outcomes["changed"]
    commit = ingest.commit_documents(lake, _key(work), reader.staged, stored)
    articles = wikipedia_versions.articles(lake.objects, page_lists)
    is_complete = work.is_whole and not report.lost
    gone = lake_has.absent(int(work.edition.date), articles) if is_complete else articles[:0]
    restored = lake_has.restored(articles)
    reason = f"{ingest.ABSENT}no article in the dump of {work.edition.code} of {work.edition.date}"
    wikipedia_versions.drop_other_lists(lake.objects, page_lists)
    wikipedia_versions.bury(lake, _key(work), work.edition.code, reader.batch_id, {reason: gone}, restored)
    progress.say(
        f"{work.source}: {report.pages} pages, {stored} stored, {report.outcomes['skipped:redirect']} redirects, "
        f"{report.lost} losses, {len(gone)} tombstones"
    )
    report.unexpanded = type(report.unexpanded)(dict(report.unexpanded.most_common(_TEMPLATES_SHOWN)))
    return {
        "date": work.edition.date,
        "files": [data for data, _ in work.files],
        "parts": len(reports),
        "documents_added": commit.rows,
        "is_complete": is_complete,
        "tombstones": len(gone),
        "restored": len(restored),
        "page_lists": lake.objects.uri(page_lists[0].rpartition("/")[0]),
        **report.as_dict(),
    }


if __name__ == "__main__":
    main(IngestWikipedia, run, __doc__)
