"""Upkeep changes no row, keeps what somebody reads, and brings nothing back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lmflow.lake import Lake, Table
from lmflow.lake.history import changed_since
from lmflow.lake.tables import COMPACTED
from lmflow.lake.upkeep import Swept, compact, sweep
from tests.conftest import PROJECT
from tests.lake.test_tables import ids, rows

DAY = 86_400


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Lake(f"file://{tmp_path}/lake").table("tombstones")
    for batch in range(1, 7):
        table.append(f"k{batch}", rows(batch, [f"{batch}a", f"{batch}b"]))
    return table


def files(table: Table) -> list[Path]:
    return [Path(info.path) for info in table.parquet_files()]


def age(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * DAY,) * 2)


def squeeze(table: Table) -> int:
    return compact(table, smaller_than=10**6, at_least=4, into=10**7)


def test_compaction_changes_files_and_no_row_and_nothing_looks_new(table: Table) -> None:
    before, version = table.read().sort_by("doc_id"), table.version()
    assert squeeze(table) == 6
    assert len(table.live_files()) == 1
    assert table.read().sort_by("doc_id") == before
    assert table.batches() == {1, 2, 3, 4, 5, 6}
    assert not changed_since(table.uri, version, table.version())
    assert changed_since(table.uri, version - 1, table.version())
    assert table.find("k3").already_done  # keys are remembered
    assert squeeze(table) == 0


def test_a_pinned_version_and_a_recent_one_survive_and_the_rest_goes(table: Table) -> None:
    pinned = table.version() - 2
    squeeze(table)
    assert sweep(table, {pinned}, 7 * DAY, 2 * DAY).old == 0  # it left just now
    swept = sweep(table, {pinned}, 0, 2 * DAY)
    assert (swept.old, swept.orphans) == (2, 0)  # the two files that came after the pinned version
    assert len(ids(table, pinned)) == 8
    assert len(ids(table)) == 12
    with pytest.raises(OSError):
        table.read(version=pinned + 1)
    assert sweep(table, set(), 0, 2 * DAY).old == 4
    assert len(files(table)) == 1
    assert len(ids(table)) == 12


def test_a_log_that_was_cleaned_costs_no_live_file_and_counts_as_changed(table: Table) -> None:
    handle = DeltaTable(table.uri)
    handle.create_checkpoint()
    log = Path(table.uri.removeprefix("file://")) / "_delta_log"
    latest = table.version()
    for entry in log.glob("*.json"):
        if int(entry.stem) < latest - 1:
            entry.unlink()
    for path in files(table):
        age(path, 9)
    assert sweep(table, {1, latest}, 0, 2 * DAY) == Swept()
    assert len(ids(table)) == 12
    assert changed_since(table.uri, 1, latest)


def test_an_orphan_is_removed_when_no_running_job_can_own_it(table: Table) -> None:
    staged = Path(table.stage().removeprefix("file://"))
    pq.write_table(rows(9, ["lost"]), staged / "part-0.parquet")
    assert sweep(table, set(), 0, 2 * DAY).orphans == 0
    age(staged / "part-0.parquet", 3)
    assert sweep(table, set(), 0, 2 * DAY).orphans == 1
    age(staged, 3)
    sweep(table, set(), 0, 2 * DAY)
    assert not staged.exists()
    assert len(ids(table)) == 12


KILLED = """
import sys
from lmflow.lake import Lake
from lmflow.lake.upkeep import compact, sweep
table = Lake(sys.argv[1]).table("tombstones")
compact(table, smaller_than=10**6, at_least=4, into=10**7)
sweep(table, set(), 0, 10**6)
"""


@pytest.mark.parametrize("moment", ["tombstones:compacted", "tombstones:swept"])
def test_killed_in_the_middle_it_loses_nothing_and_goes_on(table: Table, moment: str) -> None:
    root = table.uri.rpartition("/")[0]
    command = [sys.executable, "-c", KILLED, root]
    killed = subprocess.run(command, cwd=PROJECT, env={**os.environ, "LMFLOW_FAULT": moment})
    assert killed.returncode == -signal.SIGKILL
    assert len(ids(table)) == 12
    squeeze(table)
    sweep(table, set(), 0, 10**6)
    assert len(ids(table)) == 12
    assert [path.parent.name.startswith(COMPACTED) for path in files(table)] == [True]


def test_a_text_forgotten_before_while_or_after_files_are_compacted_is_gone_from_every_file(table: Table) -> None:
    # While: the compaction has read its files when the document goes, and must not put them back.
    old = [file["path"] for file in table.live_files()]
    staged = f"{table.uri}/{COMPACTED}x"
    folder = Path(staged.removeprefix("file://"))
    folder.mkdir()
    pq.write_table(table.read(), folder / "part-0.parquet")
    table.append("forget", table.schema.empty_table(), drop=["2a"])
    assert not table.replace(old, staged)
    # After: the files that compaction left behind, finished or not, hold it as well.
    squeeze(table)
    table.append("forget more", table.schema.empty_table(), drop=["3b"])
    table.erase(["2a", "3b"])
    assert len(ids(table)) == 10
    held = [name for path in files(table) for name in pq.read_table(path)["doc_id"].to_pylist()]
    assert not {"2a", "3b"} & set(held)
