"""Lakes and policies for the tests of the corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lmflow.corpus.policy import Policies, load
from lmflow.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}/lake")


@pytest.fixture
def new_lake(tmp_path: Path) -> Callable[[], Lake]:
    """Makes as many lakes as a test needs."""
    numbers = iter(range(1_000_000))
    return lambda: Lake(f"file://{tmp_path}/lake-{next(numbers)}")


@pytest.fixture(scope="session")
def policies() -> Policies:
    return load(["en", "zh"])
