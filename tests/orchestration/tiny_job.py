"""A job that behaves as it is told: what the operator must cope with, in a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from jobs.command import Options, Progress, main
from lmflow.errors import InputError


class TinyJob(Options):
    behave: Literal["done", "nothing_new", "bad_input", "crash", "sleep", "babble"] = Field("done", description="How.")
    number: int = Field(1, description="Comes back in the result.")
    words: tuple[str, ...] = Field((), description="Come back in the result.")
    flag: bool = Field(False, description="Comes back in the result.")
    pids: Path | None = Field(None, description="File for the process ids of a sleeping job and its child.")


def run(options: TinyJob, progress: Progress) -> dict[str, Any]:
    progress.say(f"behaving: {options.behave}")
    if options.behave == "nothing_new":
        return {"status": "nothing_new", "reason": "the well is dry", "number": options.number}
    if options.behave == "bad_input":
        raise InputError("--number 7: the lake has only six; choose a smaller one")
    if options.behave == "crash":
        raise RuntimeError("out of luck")
    if options.behave == "sleep":
        # A grandchild that ignores SIGTERM and has no idea who started it: as stubborn as a JVM can be.
        stubborn = (
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
        )
        child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()  # it ignores SIGTERM from here on
        assert options.pids is not None
        options.pids.with_suffix(".part").write_text(f"{os.getpid()} {child.pid}")
        options.pids.with_suffix(".part").rename(options.pids)
        time.sleep(600)
    if options.behave == "babble":
        for number in range(20_000):
            print(f"line {number}", file=sys.stderr)
    return {
        "number": options.number,
        "words": list(options.words),
        "flag": options.flag,
        "lineage": {
            name: os.environ.get(name, "") for name in ("LMFLOW_DAG_ID", "LMFLOW_DAG_RUN_URL", "LMFLOW_TASK_ID")
        },
        "mlflow_uri": os.environ.get("LMFLOW_MLFLOW_URI", ""),
        "run_id": "abc123",
    }


if __name__ == "__main__":
    main(TinyJob, run, __doc__)
