"""What a small Spark job costs: Java as it comes, set for short jobs, and with Spark's classes from a file as well.

    python -m benchmarks.spark_start [rounds]

Each run is a process of its own: a session, 2,000 rows through Python and back, a count, a Parquet file. The three take
turns; the best of each counts. CPU seconds are those of the Java process, the rest is the whole command's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

SETTINGS = {
    "Java as it comes": {"LMFLOW_SPARK_JAVA_OPTIONS": ""},
    "set for short jobs": {},
    "set for short jobs, classes from the file": {},
}


def small_job() -> None:
    """Do it, and print the Java process' CPU seconds."""
    from jobs.spark import session

    spark = session("start")
    frame = spark.createDataFrame([(n, f"text {n}" * 10) for n in range(2000)], "number long, text string")
    counted = frame.repartition(2).mapInArrow(lambda batches: batches, frame.schema).groupBy("text").count()
    with tempfile.TemporaryDirectory() as folder:
        counted.write.parquet(f"{folder}/counted")
        spark.read.parquet(f"{folder}/counted").orderBy("text").collect()
    used = psutil.Process(spark.sparkContext._gateway.proc.pid).cpu_times()  # type: ignore[union-attr]
    print(json.dumps(used.user + used.system))


def measured(name: str) -> tuple[float, float]:
    """Wall-clock seconds of the command and CPU seconds of Java."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "LMFLOW_HOME": home, **SETTINGS[name]}
        # A prefix without the file: the environment's Python, told that it lives elsewhere.
        code = "" if name.endswith("file") else f"import sys; sys.prefix = {home!r}; "
        command = [sys.executable, "-c", f"{code}from benchmarks.spark_start import small_job; small_job()"]
        start = time.perf_counter()
        done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], check=True, capture_output=True)
        return time.perf_counter() - start, float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in SETTINGS}
    for _ in range(rounds):
        for each in SETTINGS:
            runs[each].append(measured(each))
    for each, found in runs.items():
        wall, cpu = (min(values) for values in zip(*found, strict=True))
        print(f"{each}: {wall:.1f} s, Java {cpu:.1f} CPU seconds")
