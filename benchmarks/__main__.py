"""`make bench` lists the measurements, `make bench ARGS="language_models.lstm_speed"` runs one; its options follow."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

_HERE = Path(__file__).parent
#: Rooms that measurements share.
_SHARED = ("peers", "peer_worker", "corpora", "units", "scoring", "gold", "warc_worker")
names = sorted(
    ".".join(path.relative_to(_HERE).with_suffix("").parts)
    for path in _HERE.rglob("*.py")
    if not path.stem.startswith("_") and path.stem not in _SHARED
)
if len(sys.argv) < 2 or sys.argv[1] not in names:
    sys.exit("measurements: " + ", ".join(names) + '; run one with `make bench ARGS="NAME"`')
sys.argv.pop(0)
runpy.run_module(f"benchmarks.{sys.argv[0]}", run_name="__main__")
