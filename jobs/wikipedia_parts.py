"""Reading the parts of a dump side by side: on processes of this machine, or on Spark's workers. The same work on both.

One part gives one Parquet file of documents in a staged folder of the table, one Parquet file of its pages among the
raw objects, and a report; nothing of it is visible before the driver commits the files that the reports name. On one
machine no Spark is started: its workers would run the same Python, behind a JVM that takes longer to come up than
a small wiki takes to be read.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from jobs import loaded_ahead
from jobs.command import Bar
from lmflow.errors import ServiceError
from lmflow.extract.dumpfile import Part
from lmflow.extract.wikipedia import PAGES, Reader, Reading, Report
from lmflow.lake import Objects
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.storage import filesystem
from lmflow.settings import settings

Reports = list[dict[str, Any]]
_ROW_GROUP_CHARACTERS: Final = 8_000_000
_ROW_GROUP_ROWS: Final = 2_000
_PAGE_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Task:
    """One part to read."""

    number: int  # in the order of the dump
    raw_key: str
    part: Part


@dataclass(frozen=True, slots=True)
class PartsReader:
    """Turns tasks into files and reports. Plain values, so that it travels to any worker."""

    reader: Reader
    objects_root: str
    staged: str
    page_lists: str  # key under which the lists of pages go, in the lake's objects
    lake_objects: str
    batch_id: int

    def __call__(self, task: Task, on_bytes: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
        """Read one part; returns its report as JSON values, with the names of the files it wrote."""
        objects, report, pages = Objects(self.objects_root), Report(), _PageList()
        writer = _DocumentWriter(f"{self.staged}/part-{task.number:05}-{uuid.uuid4().hex}.parquet", self.batch_id)
        with objects.open(task.raw_key) as file, writer:
            for reading in self.reader.read(file, task.part, objects.uri(task.raw_key), report, on_bytes):
                pages.add(reading)
                writer.add(reading)
        page_list = f"{self.page_lists}/part-{task.number:05}.parquet"
        Objects(self.lake_objects).put(page_list, pages.parquet())
        return {"report": report.as_dict(), "documents": writer.name, "page_list": page_list}


class _PageList:
    """The pages of one part as Parquet, put together a row group at a time: a part of stubs holds a million."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._sink = BytesIO()
        self._writer = pq.ParquetWriter(self._sink, PAGES, compression="zstd")

    def add(self, reading: Reading) -> None:
        """Take one page."""
        self._rows.append(reading.row())
        if len(self._rows) >= _PAGE_ROWS:
            self._flush()

    def parquet(self) -> bytes:
        """All of them."""
        self._flush()
        self._writer.close()
        return self._sink.getvalue()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=PAGES))
            self._rows = []


class _DocumentWriter:
    """One Parquet file of documents, made with its first row; `name` is empty when there was none."""

    def __init__(self, uri: str, batch_id: int) -> None:
        self.name = ""
        self._uri, self._batch_id = uri, batch_id
        self._rows: list[dict[str, Any]] = []
        self._characters = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _DocumentWriter:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, reading: Reading) -> None:
        """Take the page's document, if it has one."""
        if reading.document is None:
            return
        self._rows.append(reading.document.row(self._batch_id))
        self._characters += len(reading.document.text)
        if self._characters > _ROW_GROUP_CHARACTERS or len(self._rows) >= _ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            system, path = filesystem(self._uri)
            self._writer = pq.ParquetWriter(path, SCHEMAS["documents"], filesystem=system)
            self.name = self._uri.rpartition("/")[2]
        self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, schema=SCHEMAS["documents"]))
        self._rows, self._characters = [], 0


# On processes of this machine -----------------------------------------------------------------------------------------


def workers() -> int:
    """Processes to start: the cores this process may use, or fewer where the Spark master is `local[N]`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = settings().spark_master.removeprefix("local").strip("[]").partition(",")[0]
    return min(cores, int(asked)) if asked.isdigit() and int(asked) else cores


@contextmanager
def on_processes(reader: PartsReader, tasks: Sequence[Task]) -> Iterator[Callable[[Bar], Reports]]:
    """Start reading; gives a function that waits for the reports, in the order of the tasks, and moves a bar of bytes.

    Raises:
        ServiceError: (from that function) a process was killed from outside.
    """
    context = loaded_ahead.context("jobs.ingest_wikipedia")
    done = context.Value("q", 0)
    pool = ProcessPoolExecutor(min(workers(), len(tasks)), context, _start_worker, (reader, dict(os.environ), done))
    try:
        futures = {pool.submit(_read_in_worker, task): place for place, task in enumerate(tasks)}

        def wait(bar: Bar) -> Reports:
            over = threading.Event()
            watcher = threading.Thread(target=_watch, args=(done, bar, over), daemon=True)
            watcher.start()
            try:
                reports = {futures[future]: future.result() for future in as_completed(futures)}
            except BrokenProcessPool:
                raise ServiceError(
                    "a process that reads the dump was killed (most often: memory ran out); run the same command again"
                ) from None
            finally:
                over.set()
                watcher.join()
            return [reports[place] for place in range(len(tasks))]

        yield wait
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _watch(done: Any, bar: Bar, over: threading.Event) -> None:
    while not over.wait(0.5):
        bar.reach(done.value / 1e6)
    bar.reach(done.value / 1e6)


_reader: PartsReader
_done: Any


class _WithoutPandas:
    """pyarrow loads pandas, if it finds it, to see whether a list is a Series: half a second a worker for nothing."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError("the processes that read a dump do without pandas")


def _start_worker(reader: PartsReader, environment: dict[str, str], done: Any) -> None:
    global _reader, _done
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver stops its workers
    sys.meta_path.insert(0, _WithoutPandas())
    os.environ.update(environment)
    settings.cache_clear()
    _reader, _done = reader, done
    threading.Thread(target=_die_with_the_driver, daemon=True).start()


def _die_with_the_driver() -> None:
    """A driver that is killed cannot stop its workers; they would wait for ever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


def _read_in_worker(task: Task) -> dict[str, Any]:
    counted = 0

    def count(amount: int) -> None:
        nonlocal counted
        if amount > counted:
            with _done.get_lock():
                _done.value += amount - counted
            counted = amount

    report = _reader(task, count)
    count(task.part.end - task.part.start)
    return report


# On Spark -------------------------------------------------------------------------------------------------------------


def on_spark(reader: PartsReader, tasks: Sequence[Task], bar: Bar) -> Reports:
    """Read every part as one Spark task; reports in the order of the tasks."""
    from jobs import ingest
    from jobs.spark import session, watching

    spark = session("ingest_wikipedia")
    shared = spark.sparkContext.broadcast(reader)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                report = shared.value(Task(row["number"], row["raw_key"], Part(**row["part"])))
                yield pa.RecordBatch.from_pylist([{"number": row["number"], "report": json.dumps(report)}])

    frame = ingest.as_frame(spark, pa.Table.from_pylist([asdict(task) for task in tasks]), len(tasks))
    reported = ingest.map_rows(frame, read, pa.schema([("number", pa.int64()), ("report", pa.string())]))
    with watching(spark, len(tasks), bar):
        rows = reported.collect()
    return [json.loads(row["report"]) for row in sorted(rows, key=lambda row: row["number"])]
