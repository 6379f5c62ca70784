"""A table shows each piece of work once, whatever is killed, raced or run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lmflow.lake import Lake, Table, transaction_key
from lmflow.lake.schemas import SCHEMAS


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Lake(f"file://{tmp_path}/lake").table("tombstones")


def rows(batch: int, ids: list[str]) -> pa.Table:
    columns = {
        name: pa.nulls(len(ids), kind.type)
        for name, kind in zip(SCHEMAS["tombstones"].names, SCHEMAS["tombstones"], strict=True)
    }
    columns |= {"batch_id": pa.array([batch] * len(ids), pa.int64()), "doc_id": pa.array(ids, pa.string())}
    return pa.table(columns)


def ids(table: Table, version: int | None = None) -> list[str]:
    return sorted(table.read(["doc_id"], version=version)["doc_id"].to_pylist())


def test_a_table_nobody_wrote_reads_as_empty(table: Table) -> None:
    assert table.version() == -1
    assert table.read().schema == SCHEMAS["tombstones"]
    assert (table.read().num_rows, table.batches(), table.file_uris(), table.pin("x")) == (0, set(), [], None)


def test_the_same_key_commits_once_even_from_fresh_handles(table: Table) -> None:
    key = transaction_key("job", documents=3)
    first = table.append(key, rows(1, ["a", "b"]))
    again = Table(table.uri.rsplit("/", 1)[0], "tombstones").append(key, rows(1, ["a", "b"]))
    assert (first.already_done, again.already_done, again.version) == (False, True, first.version)
    assert ids(table) == ["a", "b"]


def test_other_inputs_make_another_key() -> None:
    assert transaction_key("job", documents=3) != transaction_key("job", documents=4)
    assert transaction_key("job", a=1, b=2) == transaction_key("job", b=2, a=1)


def test_staged_files_are_invisible_until_committed(table: Table) -> None:
    table.append("k1", rows(1, ["a"]))
    staged = table.stage()

    pq.write_table(rows(2, ["b"]), staged.removeprefix("file://") + "/part-0.parquet")
    assert ids(table) == ["a"]
    table.commit("k2", staged)
    assert ids(table) == ["a", "b"]


def test_racing_writers_each_commit_once(table: Table) -> None:
    def write(number: int) -> None:
        table.append(f"key{number % 4}", rows(number % 4, [f"d{number % 4}"]))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(table) == ["d0", "d1", "d2", "d3"]
    assert table.batches() == {0, 1, 2, 3}


def test_a_thread_that_looks_at_the_table_does_not_move_it_under_a_commit(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.append("before", rows(1, ["a"]))
    between = table._without  # between the look for the key and the commit
    commits = []

    def another_writer_is_first_and_a_third_thread_looks(*arguments: Any) -> Any:
        if not commits:
            commits.append(Table(table.uri.rsplit("/", 1)[0], table.name).append("key", rows(2, ["b"])))
            looking = threading.Thread(target=table.version)
            looking.start()
            looking.join(timeout=0.5)  # it waits for the commit to be over
        return between(*arguments)

    monkeypatch.setattr(table, "_without", another_writer_is_first_and_a_third_thread_looks)
    assert table.append("key", rows(2, ["b"])).already_done
    assert [commit.already_done for commit in commits] == [False]
    assert ids(table) == ["a", "b"]


def test_dropping_documents_leaves_their_neighbours_and_the_old_version(table: Table) -> None:
    before = table.append("k1", rows(1, ["a", "b", "c"]))
    table.append("k2", rows(2, ["b"]), drop=["b", "never-there"])
    assert ids(table) == ["a", "b", "c"]
    assert table.read(where=pc.field("batch_id") == 2)["doc_id"].to_pylist() == ["b"]
    assert ids(table, before.version) == ["a", "b", "c"]


def test_a_table_that_was_open_sees_and_joins_what_others_did_though_the_log_was_cleaned(table: Table) -> None:
    table.append("a", rows(1, ["a"]))
    other = Lake(table.uri.rpartition("/")[0]).table(table.name)
    for name in "bcd":
        other.append(name, rows(2, [name]))
    DeltaTable(table.uri).create_checkpoint()
    latest = other.version()
    for entry in Path(table.uri.removeprefix("file://"), "_delta_log").glob("*.json"):
        if int(entry.stem) < latest:
            entry.unlink()
    assert table.append("d", rows(2, ["d"])).already_done
    assert table.append("e", rows(3, ["e"])).version == latest + 1
    assert ids(table) == ids(other) == ["a", "b", "c", "d", "e"]


def test_pins_record_the_versions_a_commit_was_made_from(table: Table) -> None:
    first = table.append("k1", rows(1, ["a"]), pins={"documents": 7})
    table.append("k2", rows(2, ["b"]), pins={"documents": 9})
    assert (table.pin("documents"), table.pin("documents", first.version), table.pin("other")) == (9, 7, None)


@pytest.mark.parametrize("moment", ["tombstones:before_commit", "tombstones:after_commit"])
def test_a_commit_killed_at_either_side_and_run_again_has_every_row_once(
    table: Table, moment: str, tmp_path: Path
) -> None:
    script = (
        "from tests.lake.test_tables import *\n"
        f"Lake('file://{tmp_path}/lake').table('tombstones').append('key', rows(1, ['a', 'b']))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], env={**os.environ, "LMFLOW_FAULT": moment}, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert ids(table) == ([] if "before" in moment else ["a", "b"])
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert ids(table) == ["a", "b"]


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef"))), max_size=6
    )
)
def test_any_history_of_appends_and_drops_equals_a_dictionary(
    steps: list[tuple[int, set[str], set[str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = Lake(f"file://{tmp_path_factory.mktemp('lake')}").table("tombstones")
    done: set[int] = set()
    expected: list[str] = []
    for key, added, dropped in steps:
        table.append(f"k{key}", rows(key, sorted(added)), drop=dropped)
        if key not in done:
            expected = [doc for doc in expected if doc not in dropped] + sorted(added)
            done.add(key)
    assert ids(table) == sorted(expected)


def test_a_scan_streams_the_rows_that_match(table: Table) -> None:
    assert list(table.scan(["doc_id"])) == []
    table.append("k1", rows(1, ["a", "b"]))
    table.append("k2", rows(2, ["c"]))
    found = [doc_id for batch in table.scan(["doc_id"], pc.field("doc_id") != "a") for doc_id in batch[0].to_pylist()]
    assert sorted(found) == ["b", "c"]
    assert sum(batch.num_rows for batch in table.scan(["doc_id"], version=0)) == 0


def test_erasing_deletes_old_files_and_orphans_that_hold_a_document_and_nothing_else(table: Table) -> None:
    table.append("k1", rows(1, ["a", "b"]))
    table.append("k2", rows(2, ["c"]))
    table.append("k3", rows(3, []), drop=["a"])
    young, old = (Path(table.stage().removeprefix("file://")) / "part-0.parquet" for _ in range(2))
    for path in (young, old):
        pq.write_table(rows(4, ["a"]), path)
    os.utime(old, (0, 0))
    assert table.erase(["a"]) == 2
    assert (young.exists(), old.exists()) == (True, False)
    assert ids(table) == ["b", "c"]
    assert table.erase(["a"]) == 0


def test_a_table_made_before_a_column_reads_it_as_null_and_takes_it_with_the_next_commit(tmp_path: Path) -> None:
    table, now = Lake(f"file://{tmp_path}/lake").table("tombstones"), SCHEMAS["tombstones"]
    table.schema = pa.schema([field for field in now if field.name != "reason"])
    table.append("before", rows(1, ["a", "b"]))
    table.schema = now
    assert table.read(["doc_id", "reason"])["reason"].to_pylist() == [None, None]
    assert [batch.num_rows for batch in table.scan(["reason"], pc.field("reason") == "spam")] in ([], [0])

    spam = rows(2, ["c"]).set_column(now.names.index("reason"), "reason", pa.array(["spam"]))
    old = table.version()
    table.append("after", spam, drop=["a"])  # what stays of the old file is written anew
    found = {row["doc_id"]: row["reason"] for row in table.read().to_pylist()}
    assert found == {"b": None, "c": "spam"}
    assert ids(table, old) == ["a", "b"]
