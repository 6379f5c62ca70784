"""Spark and Arrow see the same tables."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from jobs.spark import read_table, spark_schema, write_staged
from jobs.spark_classes import java_options
from lmflow.bootstrap import spark_classes
from lmflow.lake import Lake
from lmflow.settings import settings


def test_what_spark_writes_arrow_reads_with_every_type_intact(spark, tmp_path: Path) -> None:
    table = Lake(f"file://{tmp_path}/lake").table("documents")
    assert read_table(spark, table).count() == 0
    when = dt.datetime(1998, 1, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
    row = dict.fromkeys(table.schema.names) | {
        **{"batch_id": 7, "doc_id": "wikipedia:zh:1", "revision": 9, "text": "数学\n是", "published_at": when},
        "extra": {"namespace": "0"},
    }
    frame = spark.createDataFrame([tuple(row.values())], spark_schema(table))
    table.commit("key", write_staged(frame, table))
    read = table.read().to_pylist()[0]
    assert (read["text"], read["published_at"], dict(read["extra"])) == ("数学\n是", when, {"namespace": "0"})
    assert table.batches() == {7}
    again = read_table(spark, table).collect()[0]
    assert (again.revision, again.extra, again.published_at.microsecond) == (9, {"namespace": "0"}, 123456)


def test_the_classes_left_by_one_java_are_for_that_java_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setenv("LMFLOW_SPARK_JAVA_OPTIONS", "-Xint")
    settings.cache_clear()
    for build in ("17", "21"):
        (tmp_path / build).mkdir()
        (tmp_path / build / "release").write_text(f'JAVA_VERSION="{build}"')
    assert java_options(str(tmp_path / "17")) == "-Xint"
    classes = Path(spark_classes(str(tmp_path), str(tmp_path / "17")))
    classes.touch()
    assert f"-XX:SharedArchiveFile={classes}" in java_options(str(tmp_path / "17"))
    assert java_options(str(tmp_path / "21")) == "-Xint"
