"""`lmflow demo` interrupted: nothing of it is left, neither a service nor a job nor the JVM of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from lmflow.services import supervisor
from lmflow.settings import Settings
from tests.conftest import PROJECT, free_port


def of(home: Path) -> list[str]:
    """The command lines of all processes that were started for a home folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LMFLOW_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_ctrl_c_leaves_nothing_running(home: Path) -> None:
    ports = {f"LMFLOW_{name}_PORT": str(free_port()) for name in ("AIRFLOW", "MLFLOW", "SAMPLES", "SERVING")}
    demo = subprocess.Popen(
        [sys.executable, "-m", "lmflow", "demo"],
        cwd=PROJECT,
        env={**os.environ, **ports, "LMFLOW_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if "ingest" in line and "running" in line:
                break
        assert demo.poll() is None, said
        deadline = time.monotonic() + 90  # a job with its JVM is what may be left behind
        while not any("java" in command.split(" ")[0] for command in of(home)):
            assert time.monotonic() < deadline, of(home)
            time.sleep(0.2)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
        assert "stopping what this command started" in demo.stdout.read()
        assert of(home) == []
        assert supervisor.running(Settings(home=home)) == {}
    finally:
        demo.kill()
        supervisor.down(Settings(home=home))
