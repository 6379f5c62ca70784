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
        start = time.perf_counter()
        build(lake, policies)
        full = time.perf_counter() - start
        ingest(lake, [row(2, f"file:new:{at}", english(10**6 + at)) for at in range(number // 100)])
        start = time.perf_counter()
        build(lake, policies)
        more = time.perf_counter() - start
    print(
        f"{number} documents in {full:.2f} s, 1 % more in {more:.2f} s: {more / full:.1%} ({planted.WORDS} words each)"
    )
