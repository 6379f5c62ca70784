"""Airflow's settings on one machine: SQLite, LocalExecutor, loopback, everything under the home folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lmflow import bootstrap
from lmflow.errors import ServiceError
from lmflow.services.secrets import Secrets, write_private
from lmflow.settings import Settings

USER = "admin"


def folder(settings: Settings) -> Path:
    """Airflow's own home."""
    return settings.home / "airflow"


def airflow_url(settings: Settings) -> str:
    """Where the browser finds Airflow."""
    return f"http://{settings.host}:{settings.airflow_port}"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """The variables that make Airflow run here, and nowhere else.

    Long tasks keep their token (`jwt_expiration_time`: the default of ten minutes is refreshed only in its last
    fifth, which a training task on a busy machine can miss), and a task whose worker died is noticed in two minutes.
    """
    secrets, home, url = Secrets.of(settings), folder(settings), airflow_url(settings)
    options = {
        "CORE__DAGS_FOLDER": settings.dags,
        "CORE__PLUGINS_FOLDER": home / "plugins",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": min(4, max(2, os.cpu_count() or 2)),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__FERNET_KEY": secrets.fernet,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "API__HOST": settings.host,
        "API__PORT": settings.airflow_port,
        "API__BASE_URL": url,
        "API__WORKERS": 1,
        "API__SECRET_KEY": secrets.session,
        "API__INSTANCE_NAME": "lmflow",
        "API_AUTH__JWT_SECRET": secrets.jwt,
        "EXECUTION_API__JWT_EXPIRATION_TIME": 24 * 3600,
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 5,
        # A task that is skipped or fails is reported only when its supervisor wakes up for a heartbeat.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 120,
    }
    return {"AIRFLOW_HOME": str(home), **{f"AIRFLOW__{name}": str(value) for name, value in options.items()}}


def child_environment(settings: Settings) -> dict[str, str]:
    """What every local service and every job below it sees: this Python and Java first, one idea of every address."""
    binaries = str(Path(sys.executable).parent)
    path = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part != binaries]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([binaries, *path]),
        "PYTHONPATH": str(settings.project),
        "PYTHONUNBUFFERED": "1",
        "LMFLOW_HOME": str(settings.home),
        "LMFLOW_LAKE": settings.lake,
        "LMFLOW_MLFLOW_URI": settings.mlflow_uri,
        "LMFLOW_SAMPLES_URL": settings.samples_url,
        "MLFLOW_TRACKING_URI": settings.mlflow_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    java = bootstrap.find_java()
    return {**environment, "JAVA_HOME": java} if java else environment


def prepare(settings: Settings, environment: dict[str, str], log: Path) -> None:
    """Write the password file and bring the database to this Airflow's version; at once when it is there already.

    Raises:
        ServiceError: the database cannot be made; the message ends with the reason.
    """
    from importlib.metadata import version

    home = folder(settings)
    for name in ("plugins", "logs"):
        (home / name).mkdir(parents=True, exist_ok=True)
    write_private(home / "passwords.json", {USER: Secrets.of(settings).password})
    stamp, wanted = home / "database.version", version("apache-airflow-core")
    if stamp.exists() and stamp.read_text() == wanted and (home / "airflow.db").exists():
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        code = subprocess.call(
            command, env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    if code != 0:
        last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        raise ServiceError(f"Airflow's database could not be made: {' '.join(last)} (details: {log})")
    stamp.write_text(wanted)
