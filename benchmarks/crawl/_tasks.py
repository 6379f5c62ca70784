"""What one process of the throughput measurement does: ours, and the peer's."""

from __future__ import annotations

import os
import resource
from concurrent.futures import ThreadPoolExecutor

from tests.crawl.farm import RunningFarm, host_name

_RATE = 1000.0


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ours(farm: RunningFarm, hosts: list[int], home: str) -> tuple[int, int, float]:
    """One task: visit all pages of some hosts, store them. Pages, bytes stored, CPU seconds."""
    os.environ["LMFLOW_HOME"] = home
    from lmflow.crawl.http import Policy
    from lmflow.crawl.pages import HostPlan, Target, visit_hosts
    from lmflow.lake import Objects

    names = tuple(host_name(host) for host in hosts)
    policy = Policy("lmflow-bench/1", names, rate=_RATE, max_bytes=5_000_000)
    plans = [
        HostPlan(policy, tuple(Target(farm.url(host, f"/p/{n}.html"), "bench") for n in range(farm.pages)))
        for host in hosts
    ]
    before = _cpu_s()
    visits = list(visit_hosts(plans, Objects(f"file://{home}/objects"), "raw"))
    assert not any(visit.error for visit in visits), next(visit for visit in visits if visit.error)
    return len(visits), sum(visit.length for visit in visits), _cpu_s() - before


def peer(farm: RunningFarm, hosts: list[int], home: str) -> tuple[int, int, float]:
    """The same requests by httpx, a client and a thread a host; nothing is stored, no robots.txt, no pace."""
    import httpx

    before = _cpu_s()

    def read(host: int) -> int:
        with httpx.Client(trust_env=False) as client:
            return sum(len(client.get(farm.url(host, f"/p/{n}.html")).content) for n in range(farm.pages))

    with ThreadPoolExecutor(len(hosts)) as pool:
        size = sum(pool.map(read, hosts))
    return len(hosts) * farm.pages, size, _cpu_s() - before
