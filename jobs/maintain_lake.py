"""The lake's upkeep: few large files for many small ones, nothing that nobody needs, raw objects and datasets by age.

For every table: small files are written together, then the files are deleted that left it more than --keep-days ago and
belong to no version that a registered model was made from (its tag corpus_version, and the versions of the other tables
that corpus names), and those that were never committed and are older than the longest job. Datasets go that are neither
the latest of their language nor a registered model's; checkpoints of trainings and trials that nobody has gone on with.
Raw objects go only where --raw-days says so: with them the proof of what a site served goes.

No row changes, so nothing is trained or decided again. Killed at any moment and run again, it ends the same. Models are
asked for first: where MLflow does not answer, nothing is deleted. With --dry-run nothing is written or deleted, and the
result says what would be; files that the compaction itself would replace are not counted as old.

Example:
  python -m jobs.maintain_lake --keep-days 14 --raw-days 365 --dry-run
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from pydantic import Field

from jobs.command import Options, Progress, Result, main
from lmflow.lake import Lake, Table
from lmflow.lake.lock import exclusive
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.upkeep import compact, sweep
from lmflow.registry.versions import Version, registered_names, versions
from lmflow.training.checkpoint import Checkpoints

_DAY_S: Final = 86_400
_MEGABYTE: Final = 1_000_000
_RAW: Final = "raw/"
_DATASETS: Final = "datasets/"
_CHECKPOINTS: Final = "checkpoints/"


class MaintainLake(Options):
    """Options of maintain_lake."""

    keep_days: float = Field(7, description="Days that what left a table stays, for readers of old versions.", ge=1)
    longest_job_days: float = Field(2, description="Days after which a file without a commit is nobody's.", ge=1)
    small_files: int = Field(16, description="So many small files of a table are written together.", ge=2)
    small_megabytes: float = Field(16, description="Files below are small.", gt=0, le=1000)
    file_megabytes: float = Field(128, description="Size of the files written, about.", gt=0, le=4000)
    checkpoint_days: float = Field(30, description="Days that the checkpoints of an unfinished training stay.", ge=1)
    dataset_days: float = Field(30, description="Days that a dataset stays that no model was made from.", ge=1)
    raw_days: float | None = Field(None, description="Days that raw objects stay; by default for ever.", ge=1)
    dry_run: bool = Field(False, description="Only say what would be written together and deleted.")


def run(options: MaintainLake, progress: Progress) -> Result:
    """Compact, then delete what nobody needs."""
    lake = Lake.open()
    with exclusive("maintain_lake"):
        registered = [version for name in registered_names() for version in versions(name)]
        pinned = _pinned(lake, registered)
        tables: dict[str, Any] = {}
        with progress.bar(len(SCHEMAS), "tables", "tables") as bar:
            for name in SCHEMAS:
                table = lake.table(name)
                if table.version() >= 0:
                    tables[name] = _keep_up(table, pinned.get(name, set()), options)
                bar.advance(note=name)
        datasets = _remove_datasets(lake, registered, options.dataset_days * _DAY_S, options.dry_run)
        raw = _remove_raw(lake, options.raw_days, options.dry_run)
        checkpoints = _remove_checkpoints(lake, options.checkpoint_days * _DAY_S, options.dry_run)
    done = {"datasets_deleted": datasets, "raw_deleted": raw, "checkpoints_deleted": checkpoints}
    worked = any(done.values()) or any(
        any(each[part] for part in ("compacted", "old", "orphans")) for each in tables.values()
    )
    nothing = {} if worked else {"status": "nothing_new", "reason": "nothing is small, old or orphaned"}
    dry = {"dry_run": True} if options.dry_run else {}
    return {
        **dry,
        "tables": tables,
        **done,
        "pinned": {name: sorted(found) for name, found in pinned.items()},
        **nothing,
    }


def _keep_up(table: Table, pinned: set[int], options: MaintainLake) -> dict[str, int]:
    small, into = int(options.small_megabytes * _MEGABYTE), int(options.file_megabytes * _MEGABYTE)
    # Not while documents are forgotten: what is being written could hold their text.
    with exclusive("forget_documents"):
        compacted = compact(table, small, options.small_files, into, dry_run=options.dry_run)
    keep_s, longest_job_s = options.keep_days * _DAY_S, options.longest_job_days * _DAY_S
    swept = sweep(table, pinned, keep_s, longest_job_s, dry_run=options.dry_run)
    return {"compacted": compacted, **asdict(swept)}


def _pinned(lake: Lake, registered: Sequence[Version]) -> dict[str, set[int]]:
    """Versions of each table that registered models were made from, and that the corpus of today rests on."""
    corpus = lake.table("corpus")
    latest = corpus.version()
    asked = {version.tags.get("corpus_version", "") for version in registered}
    made_from = {int(number) for number in asked if number.isdigit() and int(number) <= latest}
    pinned: dict[str, set[int]] = {"corpus": made_from}
    for number in {*made_from, *([latest] if latest >= 0 else [])}:
        for name in SCHEMAS:
            found = corpus.pin(name, number)
            if found is not None:
                pinned.setdefault(name, set()).add(found)
    return pinned


def _remove_datasets(lake: Lake, registered: Sequence[Version], older_s: float, dry_run: bool) -> list[str]:
    """Old datasets that no registered model was made from; their manifests go first, so that none looks whole."""
    used = {version.tags.get("dataset_digest", "") for version in registered}
    removed, now = [], time.time()
    stored = list(lake.objects.stored(_DATASETS))
    latest = {
        f"{each.key.rpartition('/')[0]}/{json.loads(lake.objects.get(each.key))['key']}"
        for each in stored
        if each.key.endswith("/latest.json")
    }
    for manifest in (each for each in stored if each.key.endswith("/manifest.json")):
        folder = manifest.key.rpartition("/")[0]
        if folder in latest or now - manifest.modified < older_s:
            continue
        if json.loads(lake.objects.get(manifest.key)).get("digest") in used:
            continue
        rest = [each.key for each in stored if each.key.startswith(f"{folder}/") and each.key != manifest.key]
        for key in [] if dry_run else [manifest.key, *rest]:
            lake.objects.delete(key)
        removed.append(folder)
    return removed


def _remove_raw(lake: Lake, days: float | None, dry_run: bool) -> Mapping[str, int]:
    if days is None:
        return {}
    old = [each for each in lake.objects.stored(_RAW) if time.time() - each.modified > days * _DAY_S]
    for each in [] if dry_run else old:
        lake.objects.delete(each.key)
    return {"objects": len(old), "bytes": sum(each.size for each in old)} if old else {}


def _remove_checkpoints(lake: Lake, older_s: float, dry_run: bool) -> int:
    """Those of trainings in which nothing was written for so long: whoever trains renews its lease all the time."""
    newest: dict[str, float] = {}
    for each in lake.objects.stored(_CHECKPOINTS):
        folder = each.key.rpartition("/")[0]
        newest[folder] = max(each.modified, newest.get(folder, 0.0))
    old = [folder for folder, written in newest.items() if time.time() - written > older_s]
    for folder in [] if dry_run else old:
        Checkpoints(lake.objects.uri(folder)).remove()
    return len(old)


if __name__ == "__main__":
    main(MaintainLake, run, __doc__)
