"""Every way to misbehave that we could think of, all at once: each ends in its state, nothing else is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lmflow.crawl.http import Fetch, Fetcher
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
    hosts: list[Host], names: NameServer, certificates: Authority
) -> None:
    policy = replace(
        POLICY,
        private_hosts=("127.0.0.1", "dead.test"),
        nameservers=(names.address,),
        ca_file=str(certificates.file),
        concurrency=1,
    )

    def ask(host: Host) -> tuple[Fetch, Fetch, float]:
        started = time.monotonic()
        with Fetcher(policy) as fetcher:
            bad = fetcher.get(host.url, content_types=("text/html",))
            good = fetcher.get(host.good_url, etag=bad.headers.get("etag", ""))
            return bad, good, time.monotonic() - started

    with ThreadPoolExecutor(len(hosts)) as pool:
        found = dict(zip((host.behaviour.name for host in hosts), pool.map(ask, hosts), strict=True))
    states = {name: bad.error for name, (bad, _, _) in found.items()}
    assert states == {b.name: b.state for b in HOSTILE}, {
        b.name: found[b.name][0].detail for b in HOSTILE if states[b.name] != b.state
    }
    assert {n: bad.body for n, (bad, _, _) in found.items() if not bad.error} == {
        b.name: b.body for b in HOSTILE if not b.state
    }
    assert {n: good.body for n, (_, good, _) in found.items() if not good.error} == {
        b.name: GOOD for b in HOSTILE if b.good
    }, {n: (good.error, good.detail) for n, (_, good, _) in found.items()}
    assert max(seconds for _, _, seconds in found.values()) < 30
