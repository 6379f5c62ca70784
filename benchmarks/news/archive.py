"""The whole way from a WARC file to documents: `ingest_news --warc` in Spark on all cores, beside trafilatura alone.

    python -m benchmarks.news.archive [--fundus ../shared/data/news/fundus] [--pages 6000] [--cores 1 2]
    python -m benchmarks.news.archive --pages 30000 --cores 2     the whole size of the claim, on a quiet machine

Wall-clock seconds of the job's two stages (reading and selecting; extracting), as the job itself reports them, for each
number of cores in turn, and what trafilatura alone takes for fundus' pages on one core in the same run, before, between
and after. Beside each, how many times as much a loop of integers does on so many cores as on one: the most that the
machine can give. The archive holds fundus' pages again and again, each at an address of its own. Needs no MLflow server
of yours: one is started for each run.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from itertools import cycle, islice
from pathlib import Path

from benchmarks.news.gold import fundus
from benchmarks.news.warc import archive

_ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fundus", type=Path, default=Path("../shared/data/news/fundus"))
    parser.add_argument("--pages", type=int, default=6000)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rates, stages = [_trafilatura_alone(options.fundus, options.pages)], dict[int, dict[str, float]]()
    ceilings: dict[int, list[float]] = {cores: [_ceiling(cores)] for cores in options.cores}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "news.warc.gz"
        path.write_bytes(archive(options.fundus, options.pages))
        for cores in options.cores:
            said = _job(path, Path(folder) / f"home-{cores}", cores)
            print(said.strip().splitlines()[-2][-300:])
            found = re.findall(r"(reading|extracting).*? in ([\d.]+) s", said)
            stages[cores] = {name: float(seconds) for name, seconds in found}
            rates.append(_trafilatura_alone(options.fundus, options.pages))
            ceilings[cores].append(_ceiling(cores))
    alone = sum(rates) / len(rates)
    spread = f"{min(rates):.1f} to {max(rates):.1f}"
    print(f"{options.pages} pages; trafilatura alone on one core {alone:.1f} pages/s ({spread})")
    for cores, seconds in stages.items():
        rate, reading = options.pages / seconds["extracting"], options.pages / seconds["reading"]
        loops = " and ".join(f"{ceiling:.2f}" for ceiling in ceilings[cores])
        print(
            f"{cores} core(s): extracting {rate:.1f} pages/s, {rate / alone:.2f} times trafilatura on one core "
            f"({rate / alone / cores:.2f} a core; a loop of integers {loops} times); "
            f"reading {reading:.0f} pages/s in one task; "
            f"30,000 pages would take {30_000 * sum(seconds.values()) / options.pages / 60:.1f} minutes"
        )


def _trafilatura_alone(root: Path, pages: int) -> float:
    import trafilatura

    chosen = list(islice(cycle(fundus(root)), min(pages, 258)))
    started = time.monotonic()
    for page in chosen:
        trafilatura.extract(page.html, url=page.url, include_comments=False)
    return len(chosen) / (time.monotonic() - started)


def _ceiling(cores: int) -> float:
    """How many times as much so many processes do in the same time as one."""
    return cores * _loops(1) / _loops(cores)


def _loops(processes: int) -> float:
    """Seconds until each of so many processes has gone round a loop."""
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=sum, args=(range(60_000_000),)) for _ in range(processes)]
    started = time.monotonic()
    for process in running:
        process.start()
    for process in running:
        process.join()
    return time.monotonic() - started


def _wait_for(url: str, timeout_s: float = 180) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _job(path: Path, home: Path, cores: int) -> str:
    port = "5099"
    home.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
         "--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", str(home / "artifacts")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/health")
        environment = {**os.environ, "LMFLOW_HOME": str(home), "LMFLOW_MLFLOW_URI": f"http://127.0.0.1:{port}"}
        environment["LMFLOW_SPARK_MASTER"] = f"local[{cores}]"
        done = subprocess.run(
            [sys.executable, "-m", "jobs.ingest_news", "--warc", path],
            cwd=_ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
    finally:
        server.terminate()
        server.wait(30)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stderr + done.stdout


if __name__ == "__main__":
    main()
