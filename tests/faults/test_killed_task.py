"""A task of a crawl is killed (-9) at random moments and begins again: nothing is lost, nothing is stored twice, and no
host is asked more often than it allows, measured at the host."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lmflow.crawl.http import Policy
from lmflow.crawl.pages import _SEGMENT_VISITS, HostPlan, Target, stored_visits
from lmflow.crawl.warc_reader import WarcReader
from lmflow.lake import Objects
from tests.crawl.farm import RunningFarm, host_name, running_farm
from tests.faults.arrivals import by_host, excess

PROJECT = Path(__file__).resolve().parents[2]
SEED = 20261125


def plans(farm: RunningFarm, hosts: range, pages: range, rate: float) -> list[HostPlan]:
    policy = Policy("lmflow-test/1", tuple(host_name(host) for host in hosts), rate=rate)
    return [
        HostPlan(policy, tuple(Target(farm.url(host, f"/p/{n}.html"), f"site-{host}") for n in pages)) for host in hosts
    ]


def start(folder: Path, name: str, work: list[HostPlan], prefix: str) -> subprocess.Popen[bytes]:
    file = folder / f"{name}.json"
    file.write_text(json.dumps([plan.as_json() for plan in work]))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.crawl_task", str(file), f"file://{folder}/objects", prefix],
        cwd=PROJECT,
        env={**os.environ, "LMFLOW_HOME": str(folder / "home")},
    )


def stored_pages(folder: Path, prefix: str) -> Counter[str]:
    """How often each address is stored in the WARC files below a prefix."""
    found: Counter[str] = Counter()
    for file in (folder / "objects" / prefix).glob("*.warc.gz"):
        with file.open("rb") as stream:
            found.update(record.url for record in WarcReader(stream.read) if record.kind == "response")
    return found


@pytest.mark.parametrize(
    ("kills", "hosts", "pages"),
    [pytest.param(3, 12, 60, id="short"), pytest.param(10, 20, 100, id="long", marks=pytest.mark.faults)],
)
def test_a_task_killed_at_random_moments_fetches_everything_and_stores_nothing_twice(
    tmp_path: Path, kills: int, hosts: int, pages: int
) -> None:
    chance = random.Random(SEED)
    rate = 40.0
    with running_farm(hosts, pages, paragraphs=3) as farm:
        work = plans(farm, range(hosts), range(pages), rate)
        for _ in range(kills):
            task = start(tmp_path, "task", work, "raw/1")
            moment = farm.count() + chance.randrange(1, 330)
            while farm.count() < moment and task.poll() is None:
                time.sleep(0.005)
            task.kill()
            assert task.wait() == -9
        assert start(tmp_path, "task", work, "raw/1").wait(120) == 0
        log = farm.log()
    wanted = {target.url for plan in work for target in plan.targets}
    assert Counter(visit.url for visit in stored_visits(Objects(f"file://{tmp_path}/objects"), "raw/1")) == Counter(
        wanted
    )
    assert stored_pages(tmp_path, "raw/1") == Counter(wanted)
    asked = Counter((host, path) for _, host, path in log if path.startswith("/p/"))
    twice = sum(asked.values()) - len(wanted)
    assert len(asked) == len(wanted)
    print(f"{twice} pages asked twice after {kills} kills, {100 * twice / len(wanted):.0f} %", file=sys.stderr)
    assert twice <= kills * (_SEGMENT_VISITS + hosts)
    worst = {host: excess(times, rate) for host, times in by_host(log).items()}
    assert max(worst.values()) <= 0, worst
    # robots.txt is asked for once a day, whoever is killed; unless just then it was on its way.
    assert sum(1 for _, _, path in log if path == "/robots.txt") <= 2 * hosts


def test_two_crawls_at_once_and_one_that_is_tried_again_together_keep_to_the_rate(tmp_path: Path) -> None:
    rate = 20.0
    with running_farm(2, 60, paragraphs=1) as farm:
        one, other = plans(farm, range(2), range(30), rate), plans(farm, range(2), range(30, 60), rate)
        first, second = start(tmp_path, "one", one, "raw/1"), start(tmp_path, "other", other, "raw/2")
        while farm.count() < 40:
            time.sleep(0.01)
        first.kill()
        again = start(tmp_path, "one", one, "raw/1")
        assert (second.wait(60), again.wait(60), first.wait(60)) == (0, 0, -9)
        arrivals = by_host(farm.log())
    assert {host: len(times) >= 60 for host, times in arrivals.items()} == {host_name(0): True, host_name(1): True}
    assert {host: excess(times, rate) <= 0 for host, times in arrivals.items()} == {
        host_name(0): True,
        host_name(1): True,
    }, {host: excess(times, rate) for host, times in arrivals.items()}
