"""Delta tables with exactly-once commits: files are staged first, then one transaction makes them visible.

Spark (or pyarrow) writes Parquet natively into a fresh folder of the table; the driver commits those files through
delta-rs under a key. A key is committed once, however often a job is killed and run again. What bites, and is guarded
here: delta-rs refuses a repeated transaction only on a stale handle, so the check and the commit share one handle; and
removing a file twice resurrects rows, so every removed path must be live in that handle.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from lmflow import __version__
from lmflow.errors import ServiceError
from lmflow.lake import faults
from lmflow.lake.history import lives
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.statistics import file_statistics
from lmflow.lake.storage import delta_options, filesystem

if TYPE_CHECKING:
    import pyarrow.dataset as ds  # loads pandas, 0.4 s of every job's start

#: Old versions stay readable (models pin them), transaction keys outlive any retry.
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 3650 days",
    "delta.setTransactionRetentionDuration": "interval 730 days",
    "delta.checkpointInterval": "20",
}
_COMMIT_ATTEMPTS: Final = 20
_LONGEST_JOB_S: Final = 24 * 3600
#: Starts the names of folders that only compaction writes, one at a time.
COMPACTED: Final = "compacted-"


@dataclass(frozen=True)
class Commit:
    """What a commit did: the table's version with its rows in it, and whether an earlier try had already done it."""

    version: int
    rows: int
    already_done: bool


@dataclass(frozen=True)
class _StagedFile:
    path: str  # relative to the table
    size: int
    rows: int
    statistics: str


def transaction_key(job: str, **inputs: object) -> str:
    """The key of a piece of work: the job and a digest of all that decides its result (options, versions, code).

    A retry has the same key and finds its work done; a run with other inputs has another and does new work.
    """
    canonical = json.dumps({"code": __version__, **inputs}, sort_keys=True, default=str, ensure_ascii=False)
    return f"{job}:{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"


class Table:
    """One table of the lake. Cheap to make; every method looks at the table as it is now, or at `version`.

    Several threads may commit through one table; for reading make each its own, as one moves what another reads.
    """

    def __init__(self, root: str, name: str) -> None:
        if name not in SCHEMAS:
            raise KeyError(f"no table {name!r}; there are {', '.join(SCHEMAS)}")
        self.name = name
        self.schema = SCHEMAS[name]
        self.uri = f"{root}/{name}"
        self._root = root
        self._moving = threading.RLock()  # held from looking at a version to committing on top of it
        self._latest: DeltaTable | None = None  # reads what the log has gained since, not the whole log again
        self._opened: DeltaTable | None = None  # at the version asked for last, which never changes; not for commits

    # ------------------------------------------------------------------ read

    def version(self) -> int:
        """The latest version, -1 when nothing was ever committed."""
        handle = self._handle()
        return -1 if handle is None else int(handle.version())

    def read(
        self, columns: list[str] | None = None, where: pc.Expression | None = None, version: int | None = None
    ) -> pa.Table:
        """Rows as an Arrow table; empty (with the right schema) when the table does not exist."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        handle = self._handle(version)
        if handle is None:
            return pa.Table.from_batches([], schema)  # `empty_table` loads pandas, 0.3 s
        return self._dataset(handle).to_table(columns=columns, filter=where).cast(schema)

    def scan(
        self, columns: list[str], where: pc.Expression | None = None, version: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Rows as a stream of record batches, in a stable order; memory does not grow with the table."""
        handle = self._handle(version)
        if handle is not None:
            yield from self._dataset(handle).to_batches(columns=columns, filter=where)

    def batches(self, version: int | None = None) -> set[int]:
        """Which `batch_id`s the table holds, from file statistics; a compacted file of several batches is read."""
        found: set[int] = set()
        for file in self._live_files(self._handle(version)):
            low, high = file["low"], file["high"]
            if low is not None and low == high:
                found.add(low)
            else:
                found.update(self.read_file(file["path"], ["batch_id"])["batch_id"].unique().to_pylist())
        return found

    def file_uris(self, version: int | None = None) -> list[str]:
        """Absolute URIs of the Parquet files, for engines that read Parquet themselves."""
        handle = self._handle(version)
        return [] if handle is None else [f"{self.uri}/{file['path']}" for file in self._live_files(handle)]

    def pin(self, app: str, version: int | None = None) -> int | None:
        """The number last recorded under `app` by a commit's `pins` (e.g. the version of another table)."""
        handle = self._handle(version)
        return None if handle is None else handle.transaction_version(f"pin:{app}")

    # ----------------------------------------------------------------- write

    def stage(self) -> str:
        """A fresh folder of this table to write Parquet into. Nothing in it is visible before `commit`."""
        staged = f"{self.uri}/{uuid.uuid4().hex}"
        system, path = filesystem(staged)
        system.create_dir(path, recursive=True)
        return staged

    def append(
        self,
        key: str,
        rows: pa.Table | Iterable[pa.RecordBatch],
        pins: Mapping[str, int] | None = None,
        drop: Collection[str] = (),
    ) -> Commit:
        """Write `rows` (columns in any order) and commit them under `key`. See `commit`."""
        done = self.find(key)
        if done is not None:
            return done
        staged = self.stage()
        system, folder = filesystem(staged)
        batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
        with pq.ParquetWriter(f"{folder}/part-00000.parquet", self.schema, filesystem=system) as writer:
            for batch in batches:
                writer.write_batch(batch.select(self.schema.names).cast(self.schema))
        return self.commit(key, staged, pins=pins, drop=drop)

    def find(self, key: str) -> Commit | None:
        """The commit once made under `key`, if there was one."""
        handle = self._handle()
        version = None if handle is None else handle.transaction_version(key)
        return None if version is None else Commit(version=version, rows=0, already_done=True)

    def commit(
        self, key: str, staged: str, pins: Mapping[str, int] | None = None, drop: Collection[str] = ()
    ) -> Commit:
        """Make the files of `staged` visible in one transaction, exactly once for `key`.

        Args:
            key: from `transaction_key`.
            staged: a folder made by `stage`, with any number of Parquet files in this table's schema.
            pins: numbers to record with the commit, read back by `pin` (versions of other tables).
            drop: doc_ids whose existing rows leave the table in the same transaction (copy-on-write).

        Raises:
            ServiceError: other writers kept winning; nothing was committed.
        """
        files = self._staged_files(staged)
        faults.point(f"{self.name}:before_commit")
        for attempt in range(_COMMIT_ATTEMPTS):
            with self._moving:
                done = self._try_to_commit(key, files, pins or {}, frozenset(drop))
            if done is None:
                time.sleep(min(0.05 * 2**attempt, 2.0))
                continue
            if not done.already_done:
                faults.point(f"{self.name}:after_commit")
            return done
        raise ServiceError(f"table {self.name} at {self.uri}: other writers kept winning; run the job again")

    def _try_to_commit(
        self, key: str, files: list[_StagedFile], pins: Mapping[str, int], drop: frozenset[str]
    ) -> Commit | None:
        """Commit on top of the version in which the key was looked for; None when another writer was first."""
        handle = self._made()
        there = handle.transaction_version(key)
        if there is not None:
            return Commit(version=there, rows=0, already_done=True)
        survivors, removed = self._without(handle, drop)
        now = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = [
            AddAction(file.path, file.size, {}, now, True, file.statistics) for file in [*files, *survivors]
        ]
        actions += [RemoveAction(path, True, now, size, {}) for path, size in removed]
        version = int(handle.version()) + 1
        transactions = [Transaction(key, version, now)]
        transactions += [Transaction(f"pin:{app}", number) for app, number in pins.items()]
        properties = CommitProperties(
            custom_metadata={"lmflow.key": key}, max_commit_retries=0, app_transactions=transactions
        )
        if not self._written(handle, actions, properties):
            return None
        return Commit(version=version, rows=sum(file.rows for file in files), already_done=False)

    def replace(self, old: Collection[str], staged: str) -> bool:
        """Put the files of `staged` in the place of live ones (paths in the table) with the same rows.

        Returns:
            Whether it was done; not when one of the old files is live no more.
        """
        new = self._staged_files(staged)
        for _ in range(_COMMIT_ATTEMPTS):
            with self._moving:
                done = self._try_to_replace(frozenset(old), new)
            if done is not None:
                return done
        return False

    def _try_to_replace(self, old: frozenset[str], new: list[_StagedFile]) -> bool | None:
        """As `replace`; None when another writer was first."""
        handle = self._made()
        live = {file["path"]: file["size"] for file in self._live_files(handle)}
        if not old <= live.keys():
            return False
        now = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = [
            AddAction(file.path, file.size, {}, now, False, file.statistics) for file in new
        ]
        actions += [RemoveAction(path, False, now, live[path], {}) for path in sorted(old)]
        properties = CommitProperties(custom_metadata={"lmflow.key": "compact"}, max_commit_retries=0)
        return True if self._written(handle, actions, properties) else None

    def _written(
        self, handle: DeltaTable, actions: list[AddAction | RemoveAction], properties: CommitProperties
    ) -> bool:
        """Whether the next version of the table is this one, not another writer's."""
        try:
            handle.create_write_transaction(
                actions, "append", DeltaSchema.from_arrow(self.schema), commit_properties=properties
            )
        except CommitFailedError:
            return False
        return True

    def erase(self, doc_ids: Collection[str]) -> int:
        """Delete the files of earlier versions that hold any of these documents, which are in no live row any more.

        Versions of the table that need such a file cannot be read afterwards: that is what forgetting means. Files that
        were never committed go when they are a day old: the commit of a younger one may be on its way.

        Returns:
            The number of files deleted.
        """
        handle = self._handle()
        if handle is None or not doc_ids:
            return 0
        live = {file["path"] for file in self._live_files(handle)}
        system, root = filesystem(self.uri)
        doomed, deleted = pa.array(sorted(doc_ids), pa.string()), 0
        committed, yesterday = lives(self.uri), time.time() - _LONGEST_JOB_S
        for info in self.parquet_files():
            path = info.path.removeprefix(f"{root}/")
            if path in live:
                continue
            if path not in committed and info.mtime.timestamp() > yesterday and not path.startswith(COMPACTED):
                continue
            if pc.any(pc.is_in(self.read_file(path, ["doc_id"])["doc_id"], value_set=doomed)).as_py():
                system.delete_file(f"{root}/{path}")
                deleted += 1
        return deleted

    # -------------------------------------------------------------- plumbing

    def parquet_files(self) -> list[pafs.FileInfo]:
        """Every Parquet file below the table, whether any version has it or not."""
        system, root = filesystem(self.uri)
        every = system.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
        log = f"{root}/_delta_log/"
        return [info for info in every if info.path.endswith(".parquet") and not info.path.startswith(log)]

    def _handle(self, version: int | None = None) -> DeltaTable | None:
        if version == -1:
            return None
        options = delta_options(self._root)
        with self._moving:
            if version is not None:
                for known in (self._opened, self._latest):
                    if known is not None and known.version() == version:
                        return known
                self._opened = DeltaTable(self.uri, version=version, storage_options=options)
                return self._opened
            if self._latest is not None:
                self._latest.update_incremental()
            elif DeltaTable.is_deltatable(self.uri, storage_options=options):
                self._latest = DeltaTable(self.uri, storage_options=options)
            return self._latest

    def _dataset(self, handle: DeltaTable) -> ds.Dataset:
        """The files of a version in today's columns; one that they do not have yet is null."""
        return handle.to_pyarrow_dataset().replace_schema(self.schema)

    def _made(self) -> DeltaTable:
        """The table as it is now, made where it was missing, with the columns that have come since it was made."""
        wanted = DeltaSchema.from_arrow(self.schema)
        handle = self._handle()
        if handle is None:
            system, path = filesystem(self.uri)
            system.create_dir(path, recursive=True)
            options = delta_options(self._root)
            with suppress(CommitFailedError):  # several made it at once: one was first
                DeltaTable.create(
                    self.uri, wanted, mode="ignore", configuration=dict(_CONFIGURATION), storage_options=options
                )
            handle = self._latest = DeltaTable(self.uri, storage_options=options)
        there = {field.name for field in handle.schema().fields}
        missing = [field for field in wanted.fields if field.name not in there]
        if missing:
            with suppress(CommitFailedError):  # another writer was first; if not, the commit to come says what is wrong
                handle.alter.add_columns(missing)
            handle.update_incremental()
        return handle

    def live_files(self) -> list[dict[str, Any]]:
        """Path, size and least and greatest batch of every file that the table has now."""
        return self._live_files(self._handle())

    def _live_files(self, handle: DeltaTable | None) -> list[dict[str, Any]]:
        if handle is None:
            return []
        actions = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
        return [
            {
                "path": row["path"],
                "size": row["size_bytes"],
                "low": row.get("min.batch_id"),
                "high": row.get("max.batch_id"),
            }
            for row in actions
        ]

    def read_file(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """The rows of one file of the table, whether it is live or not."""
        system, root = filesystem(self.uri)
        return pq.read_table(f"{root}/{path}", columns=columns, filesystem=system, partitioning=None)

    def _without(self, handle: DeltaTable, drop: frozenset[str]) -> tuple[list[_StagedFile], list[tuple[str, int]]]:
        """Rewrite the live files that hold a doomed doc_id: what to add in their place, and what to remove."""
        if not drop:
            return [], []
        doomed = pa.array(sorted(drop), pa.string())
        survivors: list[_StagedFile] = []
        removed: list[tuple[str, int]] = []
        for file in self._live_files(handle):
            hit = pc.is_in(self.read_file(file["path"], ["doc_id"])["doc_id"], value_set=doomed)
            if not pc.any(hit).as_py():
                continue
            removed.append((file["path"], file["size"]))
            kept = self.read_file(file["path"]).filter(pc.invert(hit))
            if kept.num_rows:
                staged = self.stage()
                system, folder = filesystem(staged)
                pq.write_table(in_columns(kept, self.schema), f"{folder}/part-00000.parquet", filesystem=system)
                survivors += self._staged_files(staged)
        return survivors, removed

    def _staged_files(self, staged: str) -> list[_StagedFile]:
        """The Parquet files of a staged folder that hold rows, with the statistics of their footers."""
        system, folder = filesystem(staged)
        prefix = staged.removeprefix(self.uri + "/")
        found = []
        for info in system.get_file_info(pafs.FileSelector(folder)):
            if not info.base_name.endswith(".parquet"):
                continue
            footer = pq.read_metadata(info.path, filesystem=system)
            if footer.num_rows:
                name = f"{prefix}/{info.base_name}"
                found.append(_StagedFile(name, info.size, footer.num_rows, file_statistics(footer)))
        return sorted(found, key=lambda file: file.path)


def in_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of an older file in the columns of `schema`; what they lack is null."""
    found = [
        rows[field.name] if field.name in rows.column_names else pa.nulls(len(rows), field.type) for field in schema
    ]
    return pa.table(found, names=schema.names).cast(schema)
