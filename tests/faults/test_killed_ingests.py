"""The jobs that read files, archives, dumps and an API, killed (-9, with their process group) and run again: every
document once, none lost. At the worst moments in seconds; at random moments in minutes (`make test-faults`)."""

from __future__ import annotations

import importlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.command import Progress, parse
from lmflow.lake import Lake
from lmflow.settings import settings
from tests.conftest import ONE_CORE
from tests.crawl.site import Site, running_site
from tests.faults.workloads import WORKLOADS, Workload

pytestmark = pytest.mark.usefixtures("mlflow_server")
PROJECT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("LMFLOW_FAULT_SEED", "20261125"))
KILLS = int(os.environ.get("LMFLOW_FAULT_KILLS", "10"))


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def start(work: Workload, home: Path, fault: str = "") -> subprocess.Popen[bytes]:
    """The job in a session of its own; what it says goes to `<home>.err`."""
    environment = {**os.environ, **dict(work.environment), "LMFLOW_HOME": str(home), "LMFLOW_FAULT": fault}
    if fault:
        environment |= ONE_CORE
    with home.with_suffix(".err").open("ab") as err:
        return subprocess.Popen(
            [sys.executable, "-m", f"jobs.{work.job}", *work.arguments],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,
        )


def stored(home: Path) -> dict[str, str]:
    """Digest of the text of every document; each must be there once."""
    rows = Lake(f"file://{home}/lake").table("documents").read(["doc_id", "content_sha256", "raw_uri"]).to_pylist()
    assert set(Counter(row["doc_id"] for row in rows).values()) <= {1}
    return {row["doc_id"]: row["content_sha256"] for row in rows}


KILLED_PROCESS = "a process that reads the dump was killed (most often: memory ran out); run the same command again\n"
BEFORE, AFTER = "documents:before_commit", "documents:after_commit"


# Each moment costs a start of Spark. The jobs of archives and dumps are killed at both while they crawl, too
# (tests/jobs/test_ingest.py); Hacker News at the one at which its documents are there and its number is not.
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("files", (BEFORE, AFTER)),
        ("archives", (BEFORE,)),
        ("reddit", (AFTER,)),
        ("hackernews", (AFTER,)),
        ("wikipedia", (AFTER,)),
        pytest.param("archives", (AFTER,), marks=pytest.mark.faults),
        pytest.param("reddit", (BEFORE,), marks=pytest.mark.faults),
        pytest.param("wikipedia", (BEFORE,), marks=pytest.mark.faults),
    ],
)
def test_killed_before_and_after_its_commit_it_loses_and_doubles_nothing(
    name: str, moments: tuple[str, ...], site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = WORKLOADS[name](tmp_path, site, 30)
    homes = {moment: tmp_path / moment.partition(":")[2] for moment in moments}
    killed = [start(work, home, moment) for moment, home in homes.items()]
    assert {job.wait(240) for job in killed} == {-9}
    for variable, value in work.environment:
        monkeypatch.setenv(variable, value)
    states = {}
    for moment, home in homes.items():
        monkeypatch.setenv("LMFLOW_HOME", str(home))
        settings.cache_clear()
        before = len(stored(home))
        states[moment] = (before, run_again(work)["documents_added"], len(stored(home)))
        assert run_again(work)["status"] == "nothing_new"  # how far it got is known now
        assert stray(home, work.beside) == []
        work.check(home)
    expected = {BEFORE: (0, work.documents, work.documents), AFTER: (work.documents, 0, work.documents)}
    assert states == {moment: expected[moment] for moment in moments}


def stray(home: Path, beside: str) -> list[str]:
    """What lies among raw files, or is left of runs, and no document points to, and does not belong there."""
    objects = home / "lake/objects"
    rows = Lake(f"file://{home}/lake").table("documents").read(["raw_uri"]).to_pylist()
    pointed = {row["raw_uri"].partition("#")[0].removeprefix("file://") for row in rows}
    files = [path for folder in ("raw", "crawls") for path in (objects / folder).rglob("*") if path.is_file()]
    names = {str(path): str(path.relative_to(objects)) for path in files}
    return sorted(path for path, name in names.items() if path not in pointed and not re.fullmatch(beside, name))


def run_again(work: Workload) -> dict[str, Any]:
    """The job in this process, which has Spark already."""
    job = importlib.import_module(f"jobs.{work.job}")
    options = getattr(job, "".join(word.capitalize() for word in work.job.split("_")))
    return dict(job.run(parse(options, list(work.arguments), "job", ""), Progress()))


@pytest.mark.faults
@pytest.mark.parametrize("name", list(WORKLOADS))
def test_killed_at_random_moments_it_loses_and_doubles_nothing(name: str, site: Site, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {name}")
    work = WORKLOADS[name](tmp_path, site, 1200)
    began = time.monotonic()
    calm = start(work, tmp_path / "calm")
    assert calm.wait(300) == 0, (tmp_path / "calm.err").read_text()[-3000:]
    took = time.monotonic() - began
    wanted = stored(tmp_path / "calm")
    assert len(wanted) == work.documents
    victims = Counter[str]()
    rounds: list[list[int]] = [[]]  # documents after each kill; a job that got through begins another round
    while sum(map(len, rounds)) < KILLS:
        home = tmp_path / f"killed-{len(rounds)}"
        job = start(work, home)
        try:
            job.wait(chance.triangular(0.1, 1.1, 0.95) * took)  # most of them late, where commits are
        except subprocess.TimeoutExpired:
            victim = chance.choice(work.victims)
            victims[victim] += 1
            kill(job, victim, chance)
        if job.wait(60) == 0:
            assert stored(home) == wanted
            work.check(home)
            rounds.append([])
        else:
            said = home.with_suffix(".err").read_text()
            assert job.returncode == -9 or said.endswith(KILLED_PROCESS), (job.returncode, said[-3000:])
            rounds[-1].append(len(stored(home)))
    assert start(work, tmp_path / f"killed-{len(rounds)}").wait(300) == 0
    assert stored(tmp_path / f"killed-{len(rounds)}") == wanted
    work.check(tmp_path / f"killed-{len(rounds)}")
    print(f"{name}: {took:.1f} s when calm; {dict(victims)}; documents after each kill: {rounds}", file=sys.stderr)


def kill(job: subprocess.Popen[bytes], victim: str, chance: random.Random) -> None:
    """Kill a job's process group, the driver alone or one process that it started; nothing of it goes on."""
    family = psutil.Process(job.pid).children(recursive=True) if job.poll() is None else []
    if victim == "group" or not family:
        os.killpg(job.pid, signal.SIGKILL)
    else:
        os.kill(job.pid if victim == "driver" else chance.choice(family).pid, signal.SIGKILL)
    job.wait(60)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
