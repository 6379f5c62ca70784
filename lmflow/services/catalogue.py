"""What runs locally: one entry a process, in the order in which they are started."""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from lmflow.services.airflow_home import airflow_environment, airflow_url
from lmflow.settings import Settings


@dataclass(frozen=True)
class Service:
    """One process: how it is started, where it answers, and how to tell that it is well.

    `is_well` gets the moment the process was started (seconds since the epoch) and never raises.
    """

    name: str
    argv: tuple[str, ...]
    is_well: Callable[[float], bool] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    port: int | None = None
    setting: str = ""
    url: str = ""

    def digest(self, settings: Settings) -> str:
        """Changes when the service would be started differently, or run other code: after an update, for example."""
        what = [self.argv, dict(self.environment), settings.model_dump_json()]
        found = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        ours = any(word.startswith("lmflow.") for word in self.argv)
        code = sorted((settings.project / "lmflow").rglob("*.py")) if ours else []
        for path in (settings.project / "requirements.txt", *code):
            found.update(path.read_bytes())
        return found.hexdigest()

    def log(self, settings: Settings) -> Path:
        """Where it writes what it has to say."""
        return settings.home / "logs" / f"{self.name}.log"


def catalogue(settings: Settings) -> list[Service]:
    """The services of a local installation. A server at an address of the user's own is used, not started."""
    services = []
    if _is_ours(settings.samples_url, settings.samples_port, settings):
        services.append(_samples(settings))
    if _is_ours(settings.mlflow_uri, settings.mlflow_port, settings):
        services.append(_mlflow(settings))
    return [*services, *_airflow(settings), _serving(settings)]


def answers(url: str) -> bool:
    """True when a GET of `url` succeeds within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own loopback addresses
            return bool(200 <= reply.status < 300)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _samples(settings: Settings) -> Service:
    log = settings.home / "logs" / "samples-access.ndjson"
    return Service(
        "samples",
        _python("lmflow.samples", "--port", str(settings.samples_port), "--log", str(log)),
        lambda _: answers(f"{settings.samples_url}/_health"),
        port=settings.samples_port,
        setting="LMFLOW_SAMPLES_PORT",
        url=settings.samples_url,
    )


def _mlflow(settings: Settings) -> Service:
    folder = settings.home / "mlflow"
    return Service(
        "mlflow",
        _python(
            *("mlflow", "server", "--host", settings.host, "--port", str(settings.mlflow_port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
            *("--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"),
        ),
        lambda _: answers(f"{settings.mlflow_uri}/health"),
        # One worker without the job runner needs 457 MB; the defaults need 2 GB.
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        settings.mlflow_port,
        "LMFLOW_MLFLOW_PORT",
        settings.mlflow_uri,
    )


def _airflow(settings: Settings) -> list[Service]:
    url, environment = airflow_url(settings), airflow_environment(settings)
    return [
        Service(
            "airflow-api-server",
            _python("airflow", "api-server"),
            lambda _: answers(f"{url}/api/v2/version"),
            environment,
            settings.airflow_port,
            "LMFLOW_AIRFLOW_PORT",
            url,
        ),
        # Task logs are files on this machine: no log server, which would listen on every address.
        Service(
            "airflow-scheduler",
            _python("airflow", "scheduler", "--skip-serve-logs"),
            lambda since: _heart_beats(url, "scheduler", since),
            environment,
        ),
        Service(
            "airflow-dag-processor",
            _python("airflow", "dag-processor"),
            lambda since: _heart_beats(url, "dag_processor", since),
            environment,
        ),
    ]


def _serving(settings: Settings) -> Service:
    url = f"http://{settings.host}:{settings.serving_port}"
    return Service(
        "model-page",
        _python("lmflow.serving", "--port", str(settings.serving_port)),
        lambda _: answers(f"{url}/health"),
        port=settings.serving_port,
        setting="LMFLOW_SERVING_PORT",
        url=url,
    )


def _python(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *words)


def _is_ours(url: str, port: int, settings: Settings) -> bool:
    address = urlsplit(url)
    return address.hostname in (settings.host, "127.0.0.1", "localhost") and address.port == port


def _heart_beats(url: str, component: str, since: float) -> bool:
    """True when an Airflow component has given a sign of life after `since`: an older one is its predecessor's."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=2) as reply:  # noqa: S310
            health = json.load(reply)[component]
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return False
    beat = health.get(f"latest_{component}_heartbeat")
    return bool(beat) and health.get("status") == "healthy" and datetime.fromisoformat(beat).timestamp() > since
