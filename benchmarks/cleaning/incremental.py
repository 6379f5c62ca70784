"""What 1 % new documents cost beside the full run, in a real lake with a loop in place of Spark.

python -m benchmarks.cleaning.incremental [documents]
"""

from __future__ import annotations

import sys
import tempfile
import time

from benchmarks.cleaning import planted
from lmflow.corpus.policy import load
from lmflow.lake import Lake
from tests.corpus.documents import build, english, ingest, row

if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    policies = load(["en"])
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(f"file://{folder}")
        ingest(lake, [row(1, f"file:old:{at}", english(at)) for at in range(number)])
        start, cpu = time.perf_counter(), time.process_time()
        build(lake, policies)
        full, full_cpu = time.perf_counter() - start, time.process_time() - cpu
        ingest(lake, [row(2, f"file:new:{at}", english(10**6 + at)) for at in range(number // 100)])
        start, cpu = time.perf_counter(), time.process_time()
        build(lake, policies)
        more, more_cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f"{number} documents of {planted.WORDS} words in {full:.2f} s, 1 % more in {more:.2f} s: {more / full:.1%}; "
        f"CPU {full_cpu:.2f} and {more_cpu:.2f} s: {more_cpu / full_cpu:.1%}"
    )
