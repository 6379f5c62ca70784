"""The process that ends a job with its task ends itself too, whatever the job makes of the signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from lmflow.orchestration import guard

OBEYS = "import time; print(flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def guarded(job: str, grace_s: float, parent: int = os.getpid()) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", guard.__file__, str(parent), str(grace_s), sys.executable, "-c", job]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


@pytest.mark.parametrize(("job", "grace_s", "within_s"), [(OBEYS, 30.0, 5.0), (STUBBORN, 0.5, 5.0)])
def test_a_signal_ends_the_job_and_its_guard(job: str, grace_s: float, within_s: float) -> None:
    with guarded(job, grace_s) as process:
        try:
            assert process.stdout
            process.stdout.readline()  # the job runs
            start = time.monotonic()
            process.terminate()
            process.send_signal(signal.SIGINT)  # asking twice changes nothing
            assert process.wait(20) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
            assert process.stdout.read() == b""  # its writer is gone
            assert time.monotonic() - start < within_s
        finally:
            process.kill()


@pytest.mark.parametrize(("job", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_it_exits_as_the_job_did(job: str, status: int) -> None:
    with guarded(job, 1.0) as process:
        assert process.wait(20) == status


def test_a_job_whose_task_is_already_gone_is_ended() -> None:
    with guarded(OBEYS, 30.0, parent=1) as process:
        assert process.wait(20) == 128 + signal.SIGTERM
