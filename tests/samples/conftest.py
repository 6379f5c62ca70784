from collections.abc import Iterator

import httpx
import pytest

from lmflow.samples.server import serving


@pytest.fixture(scope="session")
def site() -> Iterator[httpx.Client]:
    """The sample sites with everything public; tests only read from it."""
    with serving(held_back=0) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def growing_site() -> Iterator[httpx.Client]:
    """Sample sites of one's own, with a tenth held back."""
    with serving(held_back=10) as url, httpx.Client(base_url=url) as client:
        yield client
