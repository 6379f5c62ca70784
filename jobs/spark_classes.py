"""Spark's classes, loaded and checked once for every later start on this machine: `python -m jobs.spark_classes`.

Java's class data sharing (JEP 350): a session that has run the kinds of work our jobs do leaves its classes in a file
beside the environment's packages, and later ones map it. The file is named by the Java that it fits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lmflow.bootstrap import find_java, spark_classes
from lmflow.errors import InputError
from lmflow.settings import settings


def java_options(java: str) -> str:
    """What the settings say, and the file of classes when there is one for the Java at this home folder."""
    options, classes = settings().spark_java_options, spark_classes(sys.prefix, java)
    shared = f"-XX:SharedArchiveFile={classes} -Xlog:disable -Xlog:all=error:stderr" if os.path.exists(classes) else ""
    return f"{options} {shared}".strip()


def main() -> None:
    """Make the file, in place of those before it. A run that is cut off leaves none that would be used."""
    java = find_java()
    if java is None:
        raise InputError("no Java 17 or newer is here; run `make demo` once, or set JAVA_HOME")
    classes = Path(spark_classes(sys.prefix, java))
    for old in classes.parent.glob("spark-classes-*"):
        old.unlink()
    part = classes.with_suffix(".part")
    options = f"{settings().spark_java_options} -XX:ArchiveClassesAtExit={part} -Xlog:disable"
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"LMFLOW_HOME": home, "LMFLOW_SPARK_MASTER": "local[2]", "LMFLOW_SPARK_JAVA_OPTIONS": options}
        settings.cache_clear()
        _work(home)
    part.replace(classes)


def _work(folder: str) -> None:
    """What jobs ask of Spark, in small, and the end of its Java process."""
    from jobs.spark import session

    spark = session("classes")
    java: subprocess.Popen[bytes] = spark.sparkContext._gateway.proc
    rows = [(number, f"text {number}", {"key": "value"}) for number in range(200)]
    frame = spark.createDataFrame(rows, "number long, text string, extra map<string,string>")

    def again(batches: Iterable[Any]) -> Iterator[Any]:
        yield from batches

    mapped = frame.repartition(4, "number").mapInArrow(again, frame.schema)
    counted = mapped.groupBy("text").count().join(mapped, "text").dropDuplicates(["text"]).sort("number")
    counted.write.partitionBy("count").parquet(f"{folder}/written")
    spark.read.parquet(f"{folder}/written").filter("number > 7").toArrow()
    spark.sparkContext.parallelize(range(20), 4).map(str).collect()
    spark.stop()
    assert java.stdin is not None  # noqa: S101 - its end tells Java to exit
    java.stdin.close()
    java.wait(180)


if __name__ == "__main__":
    main()
