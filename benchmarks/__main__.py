"""`make bench` lists the measurements, `make bench ARGS="lstm_speed"` runs one."""

from __future__ import annotations

import pkgutil
import runpy
import sys
from pathlib import Path

names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name[0] != "_")
if len(sys.argv) < 2 or sys.argv[1] not in names:
    sys.exit("measurements: " + ", ".join(names) + '; run one with `make bench ARGS="NAME"`')
sys.argv.pop(0)
runpy.run_module(f"benchmarks.{sys.argv[0]}", run_name="__main__")
