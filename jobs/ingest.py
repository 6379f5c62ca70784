"""What the three ingest jobs share: the accounts, what the lake knows already, and the plan that ends in `documents`.

Order of commits: documents first, then `fetches`. A job killed between the two asks its sites again and finds the same
documents unchanged; the other way round, documents would be lost behind a 304.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.fs import FileSelector

from jobs.command import Progress, Result
from jobs.spark import write_staged
from lmflow import tracking
from lmflow.crawl.urls import authority
from lmflow.extract.documents import CHANGED, NEW, UNCHANGED, Known
from lmflow.lake import Commit, Lake, Table, transaction_key
from lmflow.lake.lock import exclusive
from lmflow.settings import settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

EXPERIMENT: Final = "lmflow/ingest"
#: How the reason of a tombstone begins that a dump made, not a person: it goes when the page comes back.
ABSENT: Final = "absent: "


class Tally:
    """Every item that was seen, by source and by what happened to it."""

    def __init__(self) -> None:
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seen: Counter[str] = Counter()

    def see(self, source: str, items: int) -> None:
        """So many items were there; each must get an outcome."""
        self._seen[source] += items
        self._outcomes[source].update({})

    def add(self, source: str, outcome: str, items: int = 1) -> None:
        """What happened to some of them."""
        self._outcomes[source][outcome] += items

    def total(self, outcome: str) -> int:
        """Items of all sources with an outcome, or with any outcome that starts so (`failed:`)."""
        return sum(
            number
            for outcomes in self._outcomes.values()
            for name, number in outcomes.items()
            if name == outcome or (outcome.endswith(":") and name.startswith(outcome))
        )

    @property
    def stored(self) -> int:
        """Document versions that are new to the lake."""
        return self.total(NEW) + self.total(CHANGED)

    def check(self) -> None:
        """Every item seen has exactly one outcome.

        Raises:
            AssertionError: the accounts do not add up; nothing must be committed.
        """
        for source, seen in self._seen.items():
            accounted = sum(self._outcomes[source].values())
            if accounted != seen:
                raise AssertionError(
                    f"{source}: {seen} items seen, {accounted} accounted for: {self._outcomes[source]}"
                )

    def result(self) -> Result:
        """Counts for the JSON line: of all sources, and of each."""
        everything: Counter[str] = Counter()
        for outcomes in self._outcomes.values():
            everything.update(outcomes)
        by_source = {
            source: _counts(self._seen[source], outcomes) for source, outcomes in sorted(self._outcomes.items())
        }
        return {**_counts(sum(self._seen.values()), everything), "by_source": by_source}

    def line(self) -> str:
        """One line for a person."""
        counts = self.result()
        reasons = {**counts["failed"], **counts["skipped"]}
        detail = ", ".join(f"{name} {number}" for name, number in sorted(reasons.items()))
        return (
            f"{counts['items_seen']} items seen: {counts['new']} new, {counts['changed']} changed, "
            f"{counts['unchanged']} unchanged" + (f", {detail}" if detail else "")
        )


def _counts(seen: int, outcomes: Mapping[str, int]) -> Result:
    def kinds(prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): n for name, n in sorted(outcomes.items()) if name.startswith(prefix)}

    return {
        "items_seen": seen,
        "new": outcomes.get(NEW, 0),
        "changed": outcomes.get(CHANGED, 0),
        "unchanged": outcomes.get(UNCHANGED, 0),
        "failed": kinds("failed:"),
        "skipped": kinds("skipped:"),
    }


def new_batch_id() -> int:
    """Microseconds since 1970: batches of one table are in order of time."""
    return time.time_ns() // 1000


@contextmanager
def exclusive_sources(names: Iterable[str]) -> Iterator[None]:
    """One crawl of a source at a time on this host; locks are taken in order, so jobs cannot wait in a circle."""
    with ExitStack() as stack:
        for name in sorted(set(names)):
            stack.enter_context(exclusive(f"ingest {name}"))
        yield


def ask_for_contact(urls: Iterable[str], progress: Progress) -> None:
    """Remind a person who crawls the open web to say who they are."""
    hosts = {authority(url).rpartition(":")[0] for url in urls}
    if not settings().contact and hosts - set(settings().private_hosts):
        progress.say("set LMFLOW_CONTACT to your address, so that the owners of these sites can reach you")


def known_documents(lake: Lake, source: str) -> Known:
    """Content digests of the newest version of every document of a source (`news`, `social`), and the tombstones."""
    rows = lake.table("documents").read(["doc_id", "revision", "content_sha256"], pc.field("source") == source)
    newest = rows.sort_by("revision")
    names = newest["doc_id"].to_pylist()
    digests = dict(zip(names, newest["content_sha256"].to_pylist(), strict=True))
    revisions = dict(zip(names, newest["revision"].to_pylist(), strict=True))
    return Known(digests, forgotten(lake), revisions)


def oldest_posts(lake: Lake, sites: Mapping[str, str]) -> dict[str, datetime | None]:
    """By source, the date of the oldest stored post of its site: how far back its documents go.

    Args:
        lake: where the documents are.
        sites: name of each source to the site that its documents name.
    """
    where = (pc.field("source") == "social") & pc.field("site").isin(sorted(set(sites.values())))
    rows = lake.table("documents").read(["site", "published_at"], where).group_by("site")
    oldest = {row["site"]: row["published_at_min"] for row in rows.aggregate([("published_at", "min")]).to_pylist()}
    return {name: oldest.get(site) for name, site in sites.items()}


def forgotten(lake: Lake) -> frozenset[str]:
    """Documents that must never come back, because a person asked."""
    rows = lake.table("tombstones").read(["doc_id", "reason"])
    asked = pc.or_kleene(pc.is_null(rows["reason"]), pc.invert(pc.starts_with(rows["reason"], ABSENT)))
    return frozenset(rows.filter(asked)["doc_id"].to_pylist())


def bury(lake: Lake, doc_ids: Iterable[str], reason: str) -> None:
    """Write tombstones: from this commit on no ingest takes these documents in; `forget_documents` removes them."""
    ids = sorted(set(doc_ids))
    if not ids:
        return
    table, now = lake.table("tombstones"), datetime.now(UTC)
    common = {"batch_id": new_batch_id(), "reason": reason, "requested_at": now, "applied_at": None}
    rows = pa.Table.from_pylist([{**common, "doc_id": doc_id} for doc_id in ids], schema=table.schema)
    table.append(transaction_key("tombstones", ids=ids), rows)


def fetch_states(lake: Lake, kind: str) -> dict[str, dict[str, Any]]:
    """The latest row of `fetches` for every key of a kind."""
    rows = lake.table("fetches").read(where=pc.field("kind") == kind).sort_by("batch_id").to_pylist()
    return {row["key"]: row for row in rows}


def record_fetches(lake: Lake, job: str, batch_id: int, rows: Iterable[Mapping[str, Any]]) -> int:
    """Append what was asked and what came of it; returns the table's version."""
    table = lake.table("fetches")
    empty: dict[str, Any] = dict.fromkeys(table.schema.names)
    content = pa.Table.from_pylist([{**empty, **row, "batch_id": batch_id} for row in rows], schema=table.schema)
    return table.append(transaction_key(job, fetches=batch_id), content).version


def as_frame(spark: SparkSession, rows: pa.Table, tasks: int) -> DataFrame:
    """Work items as a DataFrame of `tasks` partitions, dealt out in turn."""
    return spark.createDataFrame(rows).coalesce(1).repartition(tasks)


def map_rows(
    frame: DataFrame, work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]], schema: pa.Schema
) -> DataFrame:
    """`mapInArrow` with an Arrow schema."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return frame.mapInArrow(work, from_arrow_schema(schema))


def stage_outcomes(frame: DataFrame, table: Table) -> tuple[str, list[tuple[str, str, str]]]:
    """Run a plan that ends in OUTCOMES: stage the documents to store, and return what happened to every item.

    An identity comes once: of several items that are the same document, the one whose address is the document's own is
    taken, the others are `skipped:duplicate`.

    Returns:
        The staged folder, for `Table.commit`, and (item, origin, outcome) of all rows.
    """
    from pyspark.sql import Observation, Window
    from pyspark.sql import functions as sql

    first = Window.partitionBy("doc_id").orderBy(sql.col("item") != sql.col("url"), "item")
    is_copy = sql.col("doc_id").isNotNull() & (sql.row_number().over(first) > 1)
    seen = Observation("outcomes")
    is_copy &= sql.col("outcome") != "skipped:forgotten"  # what must go is named, each time it came
    settled = frame.withColumn(
        "outcome", sql.when(is_copy, sql.lit("skipped:duplicate")).otherwise(sql.col("outcome"))
    ).observe(seen, sql.collect_list(sql.struct("item", "origin", "outcome")).alias("rows"))
    staged = write_staged(settled.where(sql.col("outcome").isin(NEW, CHANGED)), table)
    return staged, [(row["item"], row["origin"], row["outcome"]) for row in seen.get["rows"]]


def stage_counted(
    frame: DataFrame, table: Table, kinds: Iterable[str], name_those: str = ""
) -> tuple[str, dict[str, int], list[str]]:
    """As `stage_outcomes`, for so many items that only their number comes back.

    Args:
        frame: a plan that ends in OUTCOMES.
        table: where the documents go.
        kinds: every outcome that can happen beside those of any document (new, forgotten, …).
        name_those: the one outcome whose items are wanted by name.

    Returns:
        The staged folder, and the number of items by outcome; what is not named is counted as `failed:other`;
        and the items of the outcome `name_those`.
    """
    from pyspark.sql import Observation, Window
    from pyspark.sql import functions as sql

    # Rows of a file in their order: as text, `#row=10` would stand before `#row=9`.
    file, row = sql.substring_index("item", "#row=", 1), sql.substring_index("item", "#row=", -1).try_cast("bigint")
    first = Window.partitionBy("doc_id").orderBy(file, row, "item")
    is_copy = sql.col("doc_id").isNotNull() & (sql.row_number().over(first) > 1)
    names = [NEW, CHANGED, UNCHANGED, "skipped:forgotten", "skipped:older", "skipped:duplicate", *kinds]
    seen = Observation("counts")
    named = sql.collect_list(sql.when(sql.col("outcome") == name_those, sql.col("item"))).alias("named")
    counts = [sql.count(sql.when(sql.col("outcome") == name, 1)).alias(name) for name in names]
    settled = frame.withColumn(
        "outcome", sql.when(is_copy, sql.lit("skipped:duplicate")).otherwise(sql.col("outcome"))
    ).observe(seen, sql.count(sql.lit(1)).alias("all"), named, *counts)
    staged = write_staged(settled.where(sql.col("outcome").isin(NEW, CHANGED)), table)
    found = dict(seen.get)
    total, items = found.pop("all"), sorted(set(found.pop("named")))
    other = total - sum(found.values())
    return staged, {name: number for name, number in {**found, "failed:other": other}.items() if number}, items


def keep_only(staged: str, names: Collection[str]) -> None:
    """Remove from a staged folder what a task wrote that failed or was tried twice."""
    from lmflow.lake.storage import filesystem

    system, path = filesystem(staged)
    for info in system.get_file_info(FileSelector(path)):
        if info.base_name not in names:
            system.delete_file(info.path)


def commit_documents(lake: Lake, key: str, staged: str, expected: int) -> Commit:
    """Commit staged documents, after checking that they are as many as were counted."""
    import pyarrow.dataset as ds

    from lmflow.lake.storage import filesystem

    system, path = filesystem(staged)
    rows = ds.dataset(path, filesystem=system, format="parquet").count_rows()
    if rows != expected:
        raise AssertionError(f"{expected} documents were counted, {rows} were written; nothing was committed")
    return lake.table("documents").commit(key, staged)


def metrics(tally: Tally, started: float) -> dict[str, float]:
    """The numbers of a run, named alike for every ingest."""
    return {
        "items_seen": tally.result()["items_seen"],
        "items_new": tally.total(NEW),
        "items_changed": tally.total(CHANGED),
        "items_unchanged": tally.total(UNCHANGED),
        "items_failed": tally.total("failed:"),
        "items_skipped": tally.total("skipped:"),
        "seconds": time.monotonic() - started,
    }


def log_run(run: tracking.Run, lake: Lake, result: Result, report: Mapping[str, Any]) -> None:
    """Metrics, the report, and which version of `documents` holds the rows."""
    documents = lake.table("documents")
    run.log_metrics(result["metrics"])
    for source, counts in result["by_source"].items():
        run.log_metrics({f"{source}.{name}": counts[name] for name in ("items_seen", "new", "changed", "unchanged")})
    run.log_dict(report, "report.json")
    version = result["versions"]["documents"]
    run.set_tags({"lmflow.documents_version": version, "lmflow.batch_id": result["batch_id"]})
    rows = {"rows": result["documents_added"]}
    run.log_dataset("documents", documents.uri, f"version-{version}", "output", rows, version)
