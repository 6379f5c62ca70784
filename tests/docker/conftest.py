from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """compose.yaml with its anchors resolved, its variables as they stand."""
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


@pytest.fixture(scope="session")
def overlay() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.gpu.yaml").read_text())


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """A script of docker/ as a module; they run in containers and are no package."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"lmflow_docker_{name}", DOCKER / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def tool(name: str) -> str:
    """A program from this environment or the PATH; the test is skipped where there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
