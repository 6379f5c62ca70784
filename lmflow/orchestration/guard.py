"""Runs one command so that it cannot outlive the task that wanted it.

Airflow's worker may be killed outright; then nobody calls `on_kill`, and a job with a JVM below it would go on alone.
So a job is started through this small process: when its parent dies, or when it gets SIGTERM, it ends the job's whole
process group. Standard library only, and started with `python -I -S`, so that it costs 20 ms.

    python -I -S guard.py PARENT_PID GRACE_SECONDS COMMAND ...
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_TOLD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Have `number` sent to this process when its parent, now process `parent`, dies (prctl(2); polled elsewhere)."""
    if os.path.exists("/proc/self/stat"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))
    else:
        threading.Thread(target=_watch, args=(number, parent), daemon=True).start()
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), number)


def end_group(leader: subprocess.Popen[bytes], grace_s: float) -> None:
    """TERM to the group that `leader` leads, KILL to what is left of it after `grace_s` seconds."""
    _signal_group(leader.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        leader.poll()
        if not _signal_group(leader.pid, 0):
            return
        time.sleep(0.05)
    _signal_group(leader.pid, signal.SIGKILL)
    leader.wait()


def main() -> NoReturn:
    """Run the command; exit as it did, or 128 + the signal that ended it."""
    parent, grace_s, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    guard = os.getpid()
    # The job holds SIGKILL for the case that the guard itself is killed; its JVM ends when its standard input closes.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL, guard),
    )
    try:
        for number in _TOLD:
            signal.signal(number, _end)
        die_with_parent(signal.SIGTERM, parent)
        code = child.wait()
        _signal_group(child.pid, signal.SIGKILL)  # whatever the job left running
    except _ToldToEnd as told:
        end_group(child, grace_s)
        code = -told.number
    sys.exit(code if code >= 0 else 128 - code)


class _ToldToEnd(BaseException):
    """A signal asks the guard to end. Raised out of `wait`: in a handler, `wait`'s lock would be held for ever."""

    def __init__(self, number: int) -> None:
        self.number = number


def _end(number: int, _: FrameType | None) -> NoReturn:
    for told in _TOLD:  # once is enough
        signal.signal(told, signal.SIG_IGN)
    raise _ToldToEnd(number)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _watch(number: signal.Signals, parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
