"""Real services for the tests: one Spark session, one MLflow server, a fresh home and lake for every test."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.installation"]

PROJECT = Path(__file__).resolve().parents[1]
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
# The workers of pytest-xdist have a main module without a name, which PySpark takes for a doctest and exits.
main = sys.modules["__main__"]
main.__spec__ = main.__spec__ or importlib.util.find_spec("pytest.__main__")
#: For jobs in processes of their own: on more cores Spark starts, and imports everything in, as many Python workers.
ONE_CORE = {"LMFLOW_SPARK_MASTER": "local[1]"}
_SLOW_ROOMS = ("training", "faults", "orchestration", "jobs", "serving", "corpus")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that workers beside each other end at the same time."""
    ranks = {room: rank for rank, room in enumerate(_SLOW_ROOMS)}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(ranks)))


def free_port() -> int:
    """A free port, below those that the kernel lends to outgoing connections, which could take it in between."""
    while True:
        with socket.socket() as probe:
            port = secrets.randbelow(12_000) + 20_000
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh LMFLOW_HOME (and so a fresh lake); no test touches the checkout's own."""
    from lmflow.settings import settings

    monkeypatch.setenv("LMFLOW_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()
    forget_hosts()


def forget_hosts() -> None:
    """Remove what Spark's workers keep of hosts, in the home that they were started with: a server of the next test may
    get a port, and with it a robots.txt, that another had before."""
    context = sys.modules["pyspark"].SparkContext._active_spark_context if "pyspark" in sys.modules else None
    home = context and context._jvm.System.getenv("LMFLOW_HOME")
    if home:
        shutil.rmtree(Path(home) / "hosts", ignore_errors=True)


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server over sqlite, shared by the whole session."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/health", server, folder / "server.log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture
def mlflow_server(mlflow_url: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    """The MLflow server, set as this test's tracking server (also for child processes)."""
    from lmflow.settings import settings

    monkeypatch.setenv("LMFLOW_MLFLOW_URI", mlflow_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    settings.cache_clear()
    return mlflow_url


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A real Spark session for tests that look inside one; jobs' `run` reuse it through getOrCreate."""
    from jobs.spark import session
    from lmflow.settings import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LMFLOW_HOME", str(tmp_path_factory.mktemp("spark")))
        settings.cache_clear()
        started = session("tests")
        settings.cache_clear()
    yield started
    started.stop()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"{url} did not come up: {log.read_text()[-2000:]}")
