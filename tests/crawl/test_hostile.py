"""Every way to misbehave that we could think of, all at once: each ends in its state, nothing else is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lmflow.crawl.pages import HostPlan, Target, Visit, stored_visits, visit_hosts
from lmflow.crawl.warc import Place, read_response
from lmflow.lake import Objects
from tests.crawl.authority import Authority
from tests.crawl.conftest import POLICY
from tests.crawl.hostile import GOOD, HOSTILE, Host, hostile_hosts
from tests.crawl.names import NameServer, name_server

ZONE = {
    "inside.test": [["127.0.0.1"]],
    "mixed.test": [["192.0.0.9", "10.1.2.3"]],
    "dead.test": [[f"127.9.9.{n}" for n in range(1, 31)]],
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server(ZONE) as server:
        yield server


@pytest.fixture(scope="module")
def hosts(certificates: Authority) -> Iterator[list[Host]]:
    with hostile_hosts(certificates) as running:
        yield running


def test_each_behaviour_ends_in_its_state_and_harms_no_other_page(
    hosts: list[Host], names: NameServer, certificates: Authority, tmp_path: Path
) -> None:
    policy = replace(
        POLICY,
        private_hosts=("127.0.0.1", "dead.test"),
        nameservers=(names.address,),
        ca_file=str(certificates.file),
        concurrency=1,
    )
    plans = [HostPlan(policy, (Target(host.url, host.behaviour.name), Target(host.good_url, "good"))) for host in hosts]
    objects = Objects(f"file://{tmp_path}/objects")
    started = time.monotonic()
    visits = list(visit_hosts(plans, objects, "raw/1"))
    assert time.monotonic() - started < 40
    assert sorted(visit.url for visit in visits) == sorted(target.url for plan in plans for target in plan.targets)

    bad = {visit.source: visit for visit in visits if visit.source != "good"}
    states = {name: visit.error for name, visit in bad.items()}
    assert states == {b.name: b.state for b in HOSTILE}, {
        b.name: bad[b.name].detail for b in HOSTILE if states[b.name] != b.state
    }
    assert {name: page(objects, visit) for name, visit in bad.items() if not visit.error} == {
        b.name: b.body for b in HOSTILE if not b.state
    }
    good = {visit.url: page(objects, visit) for visit in visits if visit.source == "good" and not visit.error}
    assert good == {host.good_url: GOOD for host in hosts if host.behaviour.good}
    # What was done is read back from the segments, so that the crawl could go on from there.
    assert sorted(stored_visits(objects, "raw/1"), key=lambda v: v.url) == sorted(visits, key=lambda v: v.url)


def page(objects: Objects, visit: Visit) -> bytes:
    with objects.open(visit.raw_key) as file:
        return read_response(file, Place(visit.offset, visit.length))


def test_the_documentation_names_every_behaviour_and_its_state() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "crawling.md").read_text()
    rows = {
        line.split("|")[2].strip(" `"): line.split("|")[4].strip(" `")
        for line in text.splitlines()
        if line.count("|") == 5
    }
    assert {b.name: rows.get(b.name) for b in HOSTILE} == {b.name: b.state or "stored" for b in HOSTILE}
