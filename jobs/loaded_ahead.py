"""Processes that start with their modules loaded: each is forked from a server process that does nothing else.

The server loads beside the job itself, and once for all of its workers. Nothing is forked from the job, whose threads
and locks (MLflow's, delta-rs') a fork would copy.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def context(module: str) -> ForkServerContext:
    """Where processes come from that have this module loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def start(module: str) -> None:
    """Begin to load a module in the server, and return at once."""
    context(module)
    forkserver.ensure_running()
