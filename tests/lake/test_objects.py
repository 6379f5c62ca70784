"""Raw objects are whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmflow.errors import InputError, ServiceError
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive


def test_an_object_comes_back_as_it_was_put(tmp_path: Path) -> None:
    objects = Lake(f"file://{tmp_path}/lake").objects
    source = tmp_path / "dump.bz2"
    source.write_bytes(b"two")
    assert objects.put("raw/a/one", b"one").endswith("/objects/raw/a/one")
    objects.put("raw/a/two", source)
    objects.put("raw/b", "三".encode())
    assert (objects.get("raw/a/one"), objects.get("raw/b").decode()) == (b"one", "三")
    assert list(objects.list("raw/a/")) == ["raw/a/one", "raw/a/two"]
    assert list(objects.list("raw")) == ["raw/a/one", "raw/a/two", "raw/b"]
    assert (objects.exists("raw/a/one"), objects.exists("raw/c")) == (True, False)
    with objects.open("raw/a/two") as file:
        file.seek(1)
        assert file.read() == b"wo"


def test_what_is_written_in_place_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    objects = Lake(f"file://{tmp_path}/lake").objects
    with objects.writing("raw/a") as path:
        path.write_bytes(b"one")
        assert not objects.exists("raw/a") and path.parent == tmp_path / "lake" / "objects" / "raw"
    with pytest.raises(OSError, match="broken off"), objects.writing("raw/a") as path:
        path.write_bytes(b"tw")
        raise OSError("broken off")
    assert objects.get("raw/a") == b"one"
    assert [each.name for each in path.parent.iterdir()] == ["a"]


def test_what_is_taken_is_moved_and_on_another_disk_copied(tmp_path: Path) -> None:
    objects = Lake(f"file://{tmp_path}/lake").objects
    folders = [tmp_path, *(path for path in [Path("/dev/shm")] if path.is_dir())]
    for folder in folders:
        source = folder / f"{tmp_path.parent.name}-{tmp_path.name}.part"
        source.write_bytes(b"dump")
        inode = source.stat().st_ino
        objects.take("raw/a", source)
        assert objects.get("raw/a") == b"dump" and not source.exists()
        stored = objects.local("raw/a").stat()
        assert (stored.st_ino == inode) == (folder == tmp_path)
    assert [each.name for each in objects.local("raw/a").parent.iterdir()] == ["a"]


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no object file://.*/raw/nothing"):
        Lake(f"file://{tmp_path}/lake").objects.get("raw/nothing")


def test_a_held_lock_is_reported_and_a_freed_one_is_taken() -> None:
    with (
        exclusive("ingest:news"),
        pytest.raises(ServiceError, match="ingest:news is already running"),
        exclusive("ingest:news", timeout_s=0.3),
    ):
        pass
    with exclusive("ingest:news"):
        pass
