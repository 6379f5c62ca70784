"""Kills this process at a named moment of a commit, so that tests can prove that nothing is lost or doubled."""

from __future__ import annotations

import os
import signal


def point(moment: str) -> None:
    """End the process with SIGKILL if LMFLOW_FAULT names this moment, e.g. `documents:before_commit`."""
    if os.environ.get("LMFLOW_FAULT") == moment:
        os.kill(os.getpid(), signal.SIGKILL)
