"""The upkeep of a table: few large files in place of many small ones, and no files that nobody needs.

Neither changes a row. What a version needs that somebody still reads stays: the newest, those of the last days, and
those that are pinned. Killed at any moment, the next call goes on; a forgotten text never comes back by it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from lmflow.lake import faults
from lmflow.lake.history import lives
from lmflow.lake.storage import filesystem
from lmflow.lake.tables import COMPACTED, Table, in_columns


@dataclass(frozen=True)
class Swept:
    """What was deleted.

    Attributes:
        old: files of versions that nobody needs any more.
        orphans: files that were never committed.
        size: bytes of both.
    """

    old: int = 0
    orphans: int = 0
    size: int = 0


def compact(table: Table, smaller_than: int, at_least: int, into: int, *, dry_run: bool = False) -> int:
    """Write many small files as few; no row changes. Returns the number of files replaced.

    A file that leaves the table meanwhile, because its documents are forgotten, stays gone: then nothing is replaced.
    One compaction of a table at a time.

    Args:
        table: the table.
        smaller_than: bytes below which a file is small.
        at_least: so many small files, or nothing is done.
        into: bytes of the files written, about.
        dry_run: only count.
    """
    if not dry_run:
        _clear_unfinished(table)
    small = [file for file in table.live_files() if file["size"] < smaller_than]
    if len(small) < max(2, at_least):
        return 0
    if dry_run:
        return len(small)
    small.sort(key=lambda file: (file["low"] or 0, file["path"]))
    staged = f"{table.uri}/{COMPACTED}{uuid.uuid4().hex}"
    system, folder = filesystem(staged)
    system.create_dir(folder, recursive=True)
    for number, group in enumerate(_groups(small, into)):
        with pq.ParquetWriter(f"{folder}/part-{number:05}.parquet", table.schema, filesystem=system) as writer:
            for file in group:  # a row group each, so that statistics still tell their batches apart
                writer.write_table(in_columns(table.read_file(file["path"]), table.schema))
    faults.point(f"{table.name}:compacted")
    if table.replace([file["path"] for file in small], staged):
        return len(small)
    system.delete_dir(folder)
    return 0


def sweep(
    table: Table, pinned: Collection[int], keep_s: float, longest_job_s: float, *, dry_run: bool = False
) -> Swept:
    """Delete the files that no version needs which anybody reads, and those that no commit ever added.

    Args:
        table: the table.
        pinned: versions that stay readable.
        keep_s: seconds that what left the table stays, for readers of recent versions.
        longest_job_s: seconds after which a file that is not committed belongs to no running job.
        dry_run: only count.
    """
    system, root = filesystem(table.uri)
    # Listed before the table and its log are read: what is committed in between is known to them.
    files, now = table.parquet_files(), time.time()
    needed = {uri for version in (None, *pinned) for uri in _files_of(table, version)}
    known, old, orphans, size = lives(table.uri), 0, 0, 0
    for info in files:
        path = info.path.removeprefix(f"{root}/")
        if f"{table.uri}/{path}" in needed:
            continue
        life = known.get(path)
        if life is None or life.removed is None:  # not of this table; or removed by a commit that the log forgot
            if now - info.mtime.timestamp() < longest_job_s:
                continue
            orphans += 1
        else:
            if now - life.removed_ms / 1000 < keep_s:
                continue
            old += 1
        if not dry_run:
            system.delete_file(info.path)
            faults.point(f"{table.name}:swept")
        size += info.size
    if not dry_run:
        _remove_empty_folders(table, now - longest_job_s)
    return Swept(old, orphans, size)


def _files_of(table: Table, version: int | None) -> list[str]:
    """URIs of a version's files; none where the log no longer has the version."""
    try:
        return table.file_uris(version)
    except (OSError, DeltaError):
        if version is None:
            raise
        return []


def _clear_unfinished(table: Table) -> None:
    """Remove what a killed compaction left."""
    system, root = filesystem(table.uri)
    known = lives(table.uri)
    for info in table.parquet_files():
        path = info.path.removeprefix(f"{root}/")
        if path.startswith(COMPACTED) and path not in known:
            system.delete_file(info.path)


def _remove_empty_folders(table: Table, before: float) -> None:
    """Where folders are things of their own; a young one may wait for its first file."""
    system, root = filesystem(table.uri)
    every = system.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
    filled = {info.path.rpartition("/")[0] for info in every}
    for info in every:
        is_folder = info.type == pafs.FileType.Directory and info.base_name != "_delta_log"
        if is_folder and info.path not in filled and info.mtime is not None and info.mtime.timestamp() < before:
            system.delete_dir(info.path)


def _groups(files: Sequence[Mapping[str, Any]], most: int) -> Iterator[list[Mapping[str, Any]]]:
    """Neighbours together, until they have `most` bytes."""
    group: list[Mapping[str, Any]] = []
    for file in files:
        group.append(file)
        if sum(each["size"] for each in group) >= most:
            yield group
            group = []
    if group:
        yield group
