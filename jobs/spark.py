"""The Spark session of a job, and how Spark reads and writes the lake's tables."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.command import Bar
from jobs.spark_classes import java_options
from lmflow.bootstrap import find_java
from lmflow.errors import InputError
from lmflow.lake import Table
from lmflow.lake.storage import spark_path
from lmflow.settings import settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType


def session(app_name: str) -> SparkSession:
    """A Spark session from the settings: master, memory, this Python on every worker, loopback only in local mode."""
    java = find_java()
    if java is None:
        raise InputError("Spark needs Java 17 or newer and none is here; run `make demo` once, or set JAVA_HOME")
    os.environ["JAVA_HOME"] = java
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    # Workers import lmflow and jobs from this checkout.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(settings().project), os.environ.get("PYTHONPATH")]))
    from pyspark.sql import SparkSession

    master = settings().spark_master
    scratch = settings().home / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    builder = (
        SparkSession.builder.master(master)
        .appName(f"lmflow {app_name}")
        .config("spark.driver.memory", settings().spark_driver_memory)
        .config("spark.driver.extraJavaOptions", java_options(java))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "512")
        .config("spark.sql.shuffle.partitions", str(max(2, os.cpu_count() or 2)))
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
        .config("spark.local.dir", str(scratch))
        .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
    )
    if master.startswith("local"):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    if settings().lake.startswith("s3://"):
        if not _has_s3_connector():
            builder = builder.config("spark.jars.packages", "org.apache.hadoop:hadoop-aws:3.5.0")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            builder = builder.config("spark.hadoop.fs.s3a.endpoint", endpoint).config(
                "spark.hadoop.fs.s3a.path.style.access", "true"
            )
    return builder.getOrCreate()


def _has_s3_connector() -> bool:
    """Whether the jars lie beside Spark's own, as in the image of docker/; else Spark gets them from Maven Central."""
    import pyspark

    return any((Path(pyspark.__file__).parent / "jars").glob("hadoop-aws-*.jar"))


def spark_schema(table: Table) -> StructType:
    """A table's schema in Spark's types."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(table.schema)


def read_table(spark: SparkSession, table: Table, version: int | None = None) -> DataFrame:
    """A table as a DataFrame; empty, with the right columns, when there is nothing in it."""
    uris = [spark_path(uri) for uri in table.file_uris(version)]
    if not uris:
        return spark.createDataFrame([], spark_schema(table))
    return spark.read.schema(spark_schema(table)).parquet(*uris)


def write_staged(frame: DataFrame, table: Table) -> str:
    """Write a DataFrame, in the table's columns, into a fresh staged folder; returns its URI for `Table.commit`."""
    staged = table.stage()
    frame.select(*table.schema.names).write.mode("append").parquet(spark_path(staged))
    return staged


@contextmanager
def watching(spark: SparkSession, tasks: int, bar: Bar) -> Iterator[None]:
    """Show on a bar how many tasks are done of the stage that has so many, for the length of a with-block."""
    tracker, over = spark.sparkContext.statusTracker(), threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
                if stage is not None and stage.numTasks == tasks:
                    bar.reach(stage.numCompletedTasks)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        bar.reach(tasks)
    finally:
        over.set()
        watcher.join()
