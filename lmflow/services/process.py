"""Processes that outlive the command which started them, and are known again by more than a number.

A process id is reused by the system; together with the moment the process started it is not. Only a process whose
both match is ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_HAS_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True)
class Identity:
    """One process: its id, and when it started (kernel ticks since boot on Linux, else seconds since the epoch)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a process that lives now; None when there is none, or only its zombie."""
        try:
            if _HAS_PROC:
                # Fields follow the command name, which is in brackets and may hold anything.
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                return None if fields[0] in "ZX" else cls(pid, float(fields[19]))
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else cls(pid, process.create_time())
        except (OSError, psutil.Error):
            return None

    def is_alive(self) -> bool:
        """True while this very process lives."""
        return Identity.of(self.pid) == self


def start(argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to `log`, without a terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def descendants(identity: Identity) -> list[Identity]:
    """Every living process that this one started, directly or not."""
    try:
        children = psutil.Process(identity.pid).children(recursive=True)
    except psutil.Error:
        return []
    return [found for child in children if (found := Identity.of(child.pid))]


def stop(leaders: Iterable[Identity], grace_s: float = 10.0) -> None:
    """End process groups and whatever their members started: TERM first, KILL after `grace_s` seconds."""
    leaders = [leader for leader in leaders if leader.is_alive()]
    offspring = [child for leader in leaders for child in descendants(leader)]
    for leader in leaders:
        _signal_group(leader, signal.SIGTERM)
    if _all_gone([*leaders, *offspring], grace_s):
        return
    for leader in leaders:
        _signal_group(leader, signal.SIGKILL)
    for process in [*leaders, *offspring]:
        if process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    _all_gone([*leaders, *offspring], 5.0)


def _signal_group(leader: Identity, number: signal.Signals) -> None:
    # A leader's group keeps its number, even for members that outlive it, as long as one of them lives.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(leader.pid) == leader.pid and leader.is_alive():
            os.killpg(leader.pid, number)


def _all_gone(processes: Sequence[Identity], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while True:
        for process in processes:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)  # ours leave a zombie until somebody asks
        if not any(process.is_alive() for process in processes):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
