"""The environment of the peers: made once under the home of the benchmarks, apart from lmflow's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("datatrove==0.10.1", "datasketch==2.0.0", "text-dedup==0.4.0", "spacy==3.8.18", "jieba==0.42.1")
HERE = Path(__file__).resolve().parent


def python() -> Path:
    """Its interpreter; the environment is made when it is missing (LMFLOW_BENCH_HOME, default: .lmflow/bench)."""
    home = Path(os.environ.get("LMFLOW_BENCH_HOME", HERE.parents[1] / ".lmflow" / "bench"))
    interpreter = home / "peers" / "bin" / "python"
    if not interpreter.exists():
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([str(uv), "venv", "-q", "-p", "3.11", str(home / "peers")], check=True)
        subprocess.run([str(uv), "pip", "install", "-q", "-p", str(interpreter), *PACKAGES], check=True)
    return interpreter


def call(script: str, given: Any, *arguments: str) -> Any:
    """Run a script of this folder among the peers: JSON in, the last line of JSON out."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [str(python()), str(HERE / script), *arguments],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env=environment,
        cwd=HERE,
    )
    if done.returncode:
        raise SystemExit(f"{script}: {done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
