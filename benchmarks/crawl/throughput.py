"""How many pages a second are fetched and stored, before extraction: 50 loopback hosts, a process a task.

    make bench ARGS="crawl.throughput"

The test server is a process of its own on the same cores; its share of the CPU is reported. Pages come gzipped over
keep-alive connections, are decoded, and stored as WARC segments. A second line does the same with nothing but httpx in
as many threads, storing nothing: what the client library alone allows in the same minute. On a machine that others
use too, the pages a second say little; the pages a CPU second, times the cores, are what the same cores allow alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.crawl._tasks import ours, peer
from tests.crawl.farm import RunningFarm, running_farm


def _measure(
    work: Callable[[RunningFarm, list[int], str], tuple[int, int, float]], farm: RunningFarm, tasks: int
) -> tuple[float, float, float, int]:
    """Pages a second, CPU seconds of the tasks and of the farm, bytes."""
    with (
        tempfile.TemporaryDirectory() as home,
        ProcessPoolExecutor(tasks, mp_context=get_context("spawn")) as pool,
    ):
        list(pool.map(time.sleep, [0.5] * tasks))  # started and imported before the clock runs
        before, started = farm.cpu_s(), time.monotonic()
        parts = [list(range(farm.hosts))[task::tasks] for task in range(tasks)]
        done = list(pool.map(work, [farm] * tasks, parts, [home] * tasks))
        seconds = time.monotonic() - started
        return (
            sum(pages for pages, _, _ in done) / seconds,
            sum(cpu for _, _, cpu in done),
            farm.cpu_s() - before,
            sum(size for _, size, _ in done),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--pages", type=int, default=100, help="of each host")
    parser.add_argument("--paragraphs", type=int, default=150, help="of each page; 150 make 65 KB")
    parser.add_argument("--tasks", type=int, default=2, help="processes, as Spark would start them on 2 cores")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"lmflow": [], "httpx alone": []}
    with running_farm(options.hosts, options.pages, options.paragraphs) as farm:
        for _ in range(options.rounds):
            for name, work in (("lmflow", ours), ("httpx alone", peer)):
                rate, cpu, farm_cpu, size = _measure(work, farm, options.tasks)
                rates[name].append(rate)
                pages = options.hosts * options.pages
                print(
                    f"{name}: {rate:.0f} pages/s; CPU a page {1000 * cpu / pages:.2f} ms, of the test server "
                    f"{1000 * farm_cpu / pages:.2f} ms ({100 * farm_cpu / (cpu + farm_cpu):.0f} %); "
                    f"{pages / (cpu + farm_cpu):.0f} pages a CPU second with it; {size / 1e6:.0f} MB; "
                    f"load {os.getloadavg()[0]:.0f}",
                    file=sys.stderr,
                )
    our_rate, peer_rate = (statistics.median(rates[name]) for name in ("lmflow", "httpx alone"))
    ratio = f"ratio {our_rate / peer_rate:.2f}"
    print(f"median of {options.rounds}: lmflow {our_rate:.0f} pages/s, httpx alone {peer_rate:.0f}, {ratio}")


if __name__ == "__main__":
    main()
