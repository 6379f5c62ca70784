"""The whole job killed (-9) at ten random moments of a crawl of 2,000 pages, and one of its tasks killed, so that Spark
tries again. Minutes: `make test-faults`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from lmflow.crawl.pages import _SEGMENT_VISITS
from lmflow.lake import Lake
from tests.crawl.farm import RunningFarm, host_name, running_farm
from tests.faults.arrivals import by_host, excess
from tests.faults.test_killed_task import stored_pages

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("mlflow_server")]
PROJECT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("LMFLOW_FAULT_SEED", "20261125"))


def start(farm: RunningFarm, home: Path, rate: float, master: str, feed: str = "feed") -> subprocess.Popen[bytes]:
    """The job in a session of its own, on one feed of every host; its last line goes to `<home>/<feed>.out`."""
    sources = [
        {
            "name": f"{feed}-{host}",
            "lang": "en",
            "license": "none",
            "feed": farm.url(host, f"/{feed}.xml"),
            "rate": rate,
        }
        for host in range(farm.hosts)
    ]
    home.mkdir(exist_ok=True)
    (home / f"{feed}.yaml").write_text(yaml.safe_dump({"news": sources}))
    environment = {
        **os.environ,
        "LMFLOW_HOME": str(home),
        "LMFLOW_SOURCES": str(home / f"{feed}.yaml"),
        "LMFLOW_PRIVATE_HOSTS": ",".join(host_name(host) for host in range(farm.hosts)),
        "LMFLOW_SPARK_MASTER": master,
    }
    with (home / f"{feed}.out").open("wb") as out, (home / f"{feed}.err").open("ab") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.ingest_news"],
            cwd=PROJECT,
            env=environment,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def end(job: subprocess.Popen[bytes], home: Path, feed: str = "feed") -> dict[str, Any]:
    """Wait for a job that must end well; its result."""
    assert job.wait(600) == 0, (home / f"{feed}.err").read_text()[-3000:]
    result: dict[str, Any] = json.loads((home / f"{feed}.out").read_text().splitlines()[-1])
    return result


def pages_asked(farm: RunningFarm) -> int:
    return sum(1 for _, _, path in farm.log() if path.startswith("/p/"))


def test_a_crawl_killed_ten_times_fetches_every_page_and_stores_none_twice(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    kills, hosts, pages, rate, tasks = int(os.environ.get("LMFLOW_FAULT_KILLS", "10")), 20, 100, 10.0, 2
    home = tmp_path / "crawl"
    with running_farm(hosts, pages, paragraphs=4) as farm:
        losses = []
        for _ in range(kills):
            before = pages_asked(farm)
            job = start(farm, home, rate, f"local[{tasks}]")
            moment = before + chance.randrange(1, 420)
            while pages_asked(farm) < moment and job.poll() is None:
                time.sleep(0.02)
            if job.poll() is not None:
                break
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
            time.sleep(1.5)  # workers notice that Spark is gone
            quiet = pages_asked(farm)
            losses.append(quiet - before)
            time.sleep(0.5)
            assert pages_asked(farm) == quiet, "something goes on after the kill"
        result = end(start(farm, home, rate, f"local[{tasks}]"), home)
        log = farm.log()
    print(f"asked before each kill: {losses}; {result['requests']}", file=sys.stderr)
    asked = Counter((host, path) for _, host, path in log if path.startswith("/p/"))
    assert len(asked) == hosts * pages
    twice = sum(asked.values()) - hosts * pages
    print(f"{twice} pages asked twice after {len(losses)} kills", file=sys.stderr)
    assert twice <= len(losses) * tasks * (_SEGMENT_VISITS + hosts)
    batches = [file.parent.name for file in (home / "lake/objects/raw/news").glob("*/*.warc.gz")]
    stored = Counter[str]()
    for batch in set(batches):
        stored += stored_pages(home / "lake", f"raw/news/{batch}")
    assert set(stored.values()) == {1} and len(stored) == hosts * pages
    rows = Lake(f"file://{home}/lake").table("documents").read(["doc_id", "url"]).to_pylist()
    assert len(rows) == len({row["doc_id"] for row in rows}) == hosts * pages
    assert not list((home / "lake/objects/crawls").rglob("*.json"))
    worst = {host: excess(times, rate) for host, times in by_host(log).items()}
    assert max(worst.values()) <= 0, worst


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is one of those that Spark's Python daemon forked."""
    try:
        parent = process.parent()
        command = process.cmdline()
        return "pyspark.daemon" in " ".join(command) and parent is not None and parent.cmdline() == command
    except psutil.Error:  # it has just ended
        return False


def test_two_crawls_of_the_same_hosts_and_a_task_that_spark_tries_again_keep_to_the_rate(tmp_path: Path) -> None:
    hosts, pages, rate = 4, 120, 5.0
    home = tmp_path / "crawl"
    with running_farm(hosts, pages, paragraphs=2) as farm:
        jobs = {feed: start(farm, home, rate, "local[2,3]", feed) for feed in ("even", "odd")}
        while pages_asked(farm) < 200:
            assert all(job.poll() is None for job in jobs.values()), [file.read_text() for file in home.glob("*.err")]
            time.sleep(0.02)
        workers = [
            process for process in psutil.Process(jobs["even"].pid).children(recursive=True) if is_worker(process)
        ]
        assert workers
        workers[0].kill()
        results = [end(job, home, feed) for feed, job in jobs.items()]
        log = farm.log()
    assert [result["new"] for result in results] == [hosts * pages // 2] * 2
    asked = Counter((host, path) for _, host, path in log if path.startswith("/p/"))
    assert len(asked) == hosts * pages and sum(asked.values()) > hosts * pages, "no task was tried again"
    worst = {host: excess(times, rate) for host, times in by_host(log).items()}
    print(f"{sum(asked.values()) - len(asked)} pages asked twice; arrivals beyond the rate: {worst}", file=sys.stderr)
    assert max(worst.values()) <= 0, worst
