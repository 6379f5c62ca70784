"""What a table's transaction log says: when each file came and went, and whether rows changed since a version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import pyarrow.fs as pafs

from lmflow.lake.storage import filesystem


@dataclass(frozen=True)
class Life:
    """When a file belonged to a table: from the version that added it until the one that removed it.

    Attributes:
        size: in bytes.
        added: version.
        removed: version, None while it is live.
        removed_ms: when, in milliseconds since 1970.
    """

    size: int
    added: int
    removed: int | None = None
    removed_ms: int = 0


def lives(uri: str) -> dict[str, Life]:
    """Every file that any commit of the table at `uri` added, by its path in the table."""
    found: dict[str, Life] = {}
    for version, entry in _log(uri, 0):
        if "add" in entry:
            found[unquote(entry["add"]["path"])] = Life(int(entry["add"]["size"]), version)
        elif "remove" in entry:
            path, when = unquote(entry["remove"]["path"]), int(entry["remove"].get("deletionTimestamp") or 0)
            found[path] = replace(found.get(path, Life(0, 0)), removed=version, removed_ms=when)
    return found


def changed_since(uri: str, version: int, latest: int) -> bool:
    """Whether a commit after `version`, up to `latest`, changed rows of the table at `uri`; compaction does not.

    Of a version whose entry is gone from the log nobody knows, so it counts as a change.
    """
    unseen = set(range(version + 1, latest + 1))
    for number, entry in _log(uri, version + 1):
        unseen.discard(number)
        if any(entry[kind].get("dataChange", True) for kind in ("add", "remove") if kind in entry):
            return True
    return bool(unseen)


def _log(uri: str, since: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of the log, each with the version that it made, in order."""
    system, root = filesystem(uri)
    files = system.get_file_info(pafs.FileSelector(f"{root}/_delta_log", allow_not_found=True))
    for info in sorted(files, key=lambda info: str(info.base_name)):
        stem, _, kind = str(info.base_name).partition(".")
        if kind == "json" and stem.isdigit() and int(stem) >= since:
            with system.open_input_stream(info.path) as file:
                for line in file.read().splitlines():
                    if line.strip():
                        yield int(stem), json.loads(line)
