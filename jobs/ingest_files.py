"""Turn a user's own files into documents: plain text, JSON Lines, CSV, Parquet, local or on S3.

    python -m jobs.ingest_files --path notes/ --collection notes --lang en
    python -m jobs.ingest_files --path s3://bucket/reviews.parquet --collection reviews --lang zh --text-column body

A text file is one document, a row of the others is one; .gz and .bz2 are read too. A document's identity is its id
column, else its url column, else the file's name (text) or what it says (rows). It enters again only when its text has
changed; a file that has not changed since it was read with the same options is not read again.

The JSON line: items_seen = new + changed + unchanged + failed + skipped, by_source, documents_added, batch_id, versions
and files {read, unchanged}.
"""

from __future__ import annotations

import hashlib
import json
import time
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, Literal

import pyarrow as pa
from pydantic import Field

from jobs import ingest
from jobs.command import Options, Progress, Result, main
from lmflow import tracking
from lmflow.extract import own_files
from lmflow.extract.documents import OUTCOMES, Known, record_batches
from lmflow.extract.own_files import Collection, Columns, Part
from lmflow.extract.posts import author_key
from lmflow.lake import Lake, transaction_key

_PARTS: Final = pa.schema([("part", pa.string())])


class IngestFiles(Options):
    """Options of ingest_files."""

    path: tuple[str, ...] = Field(
        ..., min_length=1, description="Files or folders: local paths or s3://bucket/prefix.", examples=["notes/"]
    )
    collection: str = Field(
        ..., pattern=r"^[a-z0-9][a-z0-9-]{0,60}$", description="Name of this body of text; part of its identities."
    )
    lang: str = Field(..., pattern=r"^[a-z]{2,3}$", description="Language, where no column says it, e.g. en, zh.")
    license: str = Field("not stated", min_length=1, description="Licence, where no column says it.")
    format: Literal["auto", "text", "jsonl", "csv", "parquet"] = Field("auto", description="auto: by the files' names.")
    encoding: str = Field("utf-8", description="Character set of text, JSON Lines and CSV.", examples=["gb18030"])
    text_column: str = Field("text", min_length=1, description="Column of the text; dots reach into JSON objects.")
    title_column: str = Field("", description="Column of the title.")
    id_column: str = Field("", description="Column of an id that stays when the text changes.")
    url_column: str = Field("", description="Column of the address.")
    lang_column: str = Field("", description="Column of the language.")
    date_column: str = Field("", description="Column of the date of publication (ISO 8601 or RFC 5322).")
    author_column: str = Field("", description="Column of the author; only a keyed hash of it is stored.")
    license_column: str = Field("", description="Column of the licence.")


def run(options: IngestFiles, progress: Progress) -> Result:
    """Read what has changed of the named files once."""
    started = time.monotonic()
    collection = _collection(options)
    kind = None if options.format == "auto" else options.format
    files = {file[0]: file for path in options.path for file in own_files.find(path, kind)}
    lake = Lake.open()
    with ingest.exclusive_sources([f"files {options.collection}"]):
        states = ingest.fetch_states(lake, "file")
        mark = _mark(options)
        fresh = [
            file for uri, file in files.items() if not _is_read(states.get(f"{options.collection} {uri}"), file, mark)
        ]
        parts = [part for uri, name, told, size, _ in fresh for part in own_files.parts(uri, name, told, size)]
        tally, batch_id = ingest.Tally(), ingest.new_batch_id()
        tally.see(options.collection, 0)
        if not parts:
            result = _result(lake, tally, batch_id, 0, len(fresh), len(files), started)
            return {"status": "nothing_new", "reason": "no file has changed since it was read", **result}
        own_files.check_columns(parts, collection)
        with tracking.run(ingest.EXPERIMENT, f"files {options.collection}", options.model_dump(mode="json")) as run_:
            moment = own_files.now()
            added = _store(lake, parts, collection, tally, batch_id, moment, progress)
            ingest.record_fetches(lake, "ingest_files", batch_id, _state_rows(fresh, options.collection, mark, moment))
            progress.say(tally.line())
            result = _result(lake, tally, batch_id, added, len(fresh), len(files), started)
            ingest.log_run(run_, lake, result, result)
            nothing = {} if added else {"status": "nothing_new", "reason": "no document is new"}
            return {**nothing, **result, "run_id": run_.run_id}


def _result(
    lake: Lake, tally: ingest.Tally, batch_id: int, added: int, fresh: int, files: int, started: float
) -> Result:
    return {
        **tally.result(),
        "documents_added": added,
        "batch_id": batch_id,
        "versions": {name: lake.table(name).version() for name in ("documents", "fetches")},
        "files": {"read": fresh, "unchanged": files - fresh},
        "metrics": ingest.metrics(tally, started),
    }


def _collection(options: IngestFiles) -> Collection:
    own_files.check_encoding(options.encoding)
    names = {name: getattr(options, f"{name}_column") for name in Columns.__dataclass_fields__}
    return Collection(options.collection, options.lang, options.license, Columns(**names), options.encoding)


def _store(
    lake: Lake,
    parts: list[Part],
    collection: Collection,
    tally: ingest.Tally,
    batch_id: int,
    moment: datetime,
    progress: Progress,
) -> int:
    """Read all parts in Spark and commit what is new; returns the number of documents."""
    from jobs.spark import session, watching

    spark = session("ingest_files")
    tasks = min(len(parts), max(64, 4 * spark.sparkContext.defaultParallelism))
    known = spark.sparkContext.broadcast(ingest.known_documents(lake, "file"))
    rows = pa.Table.from_pylist([{"part": json.dumps(asdict(part))} for part in parts], schema=_PARTS)
    frame = ingest.map_rows(
        ingest.as_frame(spark, rows, tasks), _reader(collection, known, author_key(), batch_id, moment), OUTCOMES
    )
    kinds = (*own_files.FAILURES, own_files.EMPTY)
    with progress.bar(tasks, f"reading {len(parts)} parts", "tasks") as bar, watching(spark, tasks, bar):
        staged, counts, _ = ingest.stage_counted(frame, lake.table("documents"), kinds)
    tally.see(collection.name, sum(counts.values()))
    for outcome, number in counts.items():
        tally.add(collection.name, outcome, number)
    tally.check()
    if not tally.stored:
        return 0
    key = transaction_key("ingest_files", batch=batch_id)
    return ingest.commit_documents(lake, key, staged, tally.stored).rows


def _reader(
    collection: Collection, known: Any, key: bytes, batch_id: int, moment: datetime
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        have = typing.cast(Known, known.value)
        for batch in batches:
            for row in batch.to_pylist():
                found = own_files.outcomes(Part(**json.loads(row["part"])), collection, have, key, moment)
                yield from record_batches(found, batch_id)

    return read


def _mark(options: IngestFiles) -> str:
    """A digest of the options that decide what a file gives."""
    values = options.model_dump(mode="json", exclude={"path"})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def _is_read(state: Mapping[str, Any] | None, file: tuple[str, str, str, int, str], mark: str) -> bool:
    return state is not None and state["etag"] == file[4] and state["cursor"] == mark


def _state_rows(
    files: list[tuple[str, str, own_files.Format, int, str]], collection: str, mark: str, moment: datetime
) -> Iterator[dict[str, Any]]:
    for uri, _, _, _, stamp in files:
        yield {
            "key": f"{collection} {uri}",
            "kind": "file",
            "etag": stamp,
            "cursor": mark,
            "status": 200,
            "attempts": 1,
            "error": "",
            "fetched_at": moment,
        }


if __name__ == "__main__":
    main(IngestFiles, run, __doc__)
