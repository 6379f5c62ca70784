"""What the crawler's tests share: the misbehaving site, the sample sites, and a fetcher for both."""

from collections.abc import Iterator

import pytest

from lmflow.crawl.http import Fetcher, Policy
from lmflow.samples.dumps import dump_files
from lmflow.samples.server import serving
from tests.crawl.site import Site, running_site

POLICY = Policy(
    "lmflow-test/1 (+mailto:owner@example.org)",
    private_hosts=("127.0.0.1",),
    rate=1000,
    concurrency=4,
    connect_s=2,
    read_s=1,
    total_s=1.5,
    max_bytes=1_000_000,
)


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher(POLICY) as ready:
        yield ready


@pytest.fixture
def samples() -> Iterator[str]:
    dump_files()  # packed here, for the first to ask waits 1.5 s at most
    with serving(held_back=10) as url:
        yield url
