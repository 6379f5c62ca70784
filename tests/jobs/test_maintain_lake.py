"""What registered models were made from stays readable; what nobody needs goes; nothing is decided again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.command import Progress, Result
from jobs.maintain_lake import MaintainLake, run
from lmflow import registry, tracking
from lmflow.corpus.ledger import Ledger
from lmflow.errors import ServiceError
from lmflow.lake import Lake, Table
from lmflow.lake.upkeep import compact
from lmflow.settings import settings
from tests.jobs.test_language_model_jobs import make_corpus

DAY = 86_400


def maintain(**options: object) -> Result:
    return run(MaintainLake(**options), Progress())


def make_old(path: Path, days: float) -> None:
    for each in [*path.rglob("*"), path]:
        os.utime(each, (time.time() - days * DAY,) * 2)


def files_under(lake: Lake) -> set[Path]:
    return {path for path in Path(lake.objects.uri("").removeprefix("file://")).rglob("*") if path.is_file()}


def test_pinned_versions_stay_and_old_datasets_checkpoints_and_raw_objects_go(mlflow_server: str) -> None:
    lake = Lake.open()
    for seed in range(3):
        make_corpus(20, seed)
    client = tracking.client()
    client.create_registered_model("lm-upkeep")
    tags = {"corpus_version": "2", "dataset_digest": "used"}
    with tracking.run("lmflow/upkeep", "made", {}) as made:
        source = client.get_run(made.run_id).info.artifact_uri
    client.create_model_version("lm-upkeep", source, made.run_id, tags=tags)
    assert [version.tags["corpus_version"] for version in registry.versions("lm-upkeep")] == ["2"]

    for key, digest in (("a", "used"), ("b", "unused"), ("c", "newest")):
        lake.objects.put(f"datasets/en/{key}/train.tokens.npy", b"tokens")
        lake.objects.put(f"datasets/en/{key}/manifest.json", f'{{"digest": "{digest}"}}'.encode())
    lake.objects.put("datasets/en/latest.json", b'{"key": "c"}')
    lake.objects.put("raw/news/old.warc.gz", b"page")
    lake.objects.put("checkpoints/old/step-000000001.npz", b"weights")
    lake.objects.put("checkpoints/young/step-000000001.npz", b"weights")
    make_old(Path(lake.objects.uri("").removeprefix("file://")), 40)
    lake.objects.put("raw/news/new.warc.gz", b"page")
    lake.objects.put("checkpoints/young/step-000000002.npz", b"weights")

    rows = lake.table("corpus").read().num_rows
    stored = files_under(lake)
    would = maintain(small_files=3, dry_run=True)
    assert files_under(lake) == stored
    first = maintain(small_files=3)
    assert {**first, "dry_run": True} == would
    assert files_under(lake) != stored
    assert first["tables"]["corpus"]["compacted"] == 3
    assert 2 in first["pinned"]["corpus"]  # models of other tests may name other versions
    assert first["datasets_deleted"] == ["datasets/en/b"]
    assert (first["checkpoints_deleted"], first["raw_deleted"]) == (1, {})
    assert {key.split("/")[1] for key in lake.objects.list("checkpoints/")} == {"young"}
    assert maintain(small_files=3, raw_days=30)["raw_deleted"] == {"objects": 1, "bytes": 4}
    assert list(lake.objects.list("raw/")) == ["raw/news/new.warc.gz"]
    assert (lake.table("corpus").read().num_rows, lake.table("corpus").read(version=2).num_rows) == (rows, 40)
    assert maintain(small_files=3, raw_days=30)["status"] == "nothing_new"


def test_after_compaction_a_corpus_is_not_taken_for_torn() -> None:
    lake = Lake.open()
    tables = [lake.table(name) for name in ("verdicts", "fingerprints")]
    for number in range(4):
        for table in tables:
            table.append(f"k{number}", _row(table, number))
    pins = {table.name: table.version() for table in tables}
    lake.table("corpus").append("made", lake.table("corpus").schema.empty_table(), pins)
    assert [compact(table, 10**6, 4, 10**7) for table in tables] == [4, 4]
    assert not Ledger(lake).is_torn([])
    assert Ledger(lake).units() == []
    tables[0].append("another", _row(tables[0], 3))
    assert Ledger(lake).is_torn([])


def _row(table: Table, number: int) -> pa.Table:
    row = {"batch_id": number, "doc_id": f"news:{number}", "revision": 1}
    return pa.Table.from_pylist([row], schema=table.schema)


def test_nothing_is_deleted_where_the_models_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMFLOW_MLFLOW_URI", "http://127.0.0.1:9")
    settings.cache_clear()
    make_corpus(20)
    with pytest.raises(ServiceError, match="does not answer"):
        maintain(small_files=2)
