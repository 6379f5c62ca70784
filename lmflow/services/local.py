"""The installation on this machine as a whole: services, Airflow's pool and connections, addresses and logins."""

from __future__ import annotations

from dataclasses import dataclass

from lmflow.services import supervisor
from lmflow.services.airflow_api import AirflowApi
from lmflow.services.airflow_home import USER, airflow_url
from lmflow.services.catalogue import catalogue
from lmflow.services.secrets import Secrets
from lmflow.services.supervisor import Say
from lmflow.settings import Settings


@dataclass(frozen=True)
class Place:
    """Something to open in a browser."""

    name: str
    url: str
    login: str = ""


def airflow(settings: Settings) -> AirflowApi:
    """A client of the local Airflow, as its admin."""
    return AirflowApi(airflow_url(settings), USER, Secrets.of(settings).password)


def places(settings: Settings) -> list[Place]:
    """Where to look, and how to get in."""
    return [
        Place("Airflow", airflow_url(settings), f"{USER} / {Secrets.of(settings).password}"),
        Place("MLflow", settings.mlflow_uri),
        Place("model page", f"http://{settings.host}:{settings.serving_port}"),
        Place("sample sites", settings.samples_url),
    ]


def up(settings: Settings, say: Say) -> list[str]:
    """Start every service and tell Airflow what it needs to know; the names of the services that were started.

    Raises:
        ServiceError: something does not come up.
    """
    started = supervisor.up(settings, say)
    try:
        if "airflow-api-server" in started:
            with airflow(settings) as api:
                api.ensure_pool("training", 1, "One training at a time: it takes every core or the GPU.")
                _connect(api, settings)
    except BaseException:  # Ctrl-C too: who called does not know yet what was started
        supervisor.down(settings, started)
        raise
    return started


def _connect(api: AirflowApi, settings: Settings) -> None:
    """Make the connections that jobs read. Later changes in Airflow stay, unless a setting is given explicitly."""
    given = settings.model_fields_set
    api.ensure_connection(
        "spark_default",
        {"conn_type": "generic", "host": settings.spark_master, "description": "Spark master of every job"},
        overwrite="spark_master" in given,
    )
    api.ensure_connection(
        "mlflow_default",
        {"conn_type": "generic", "host": settings.mlflow_uri, "description": "MLflow tracking server of every job"},
        overwrite=True,
    )


def status(settings: Settings) -> list[tuple[str, str, str]]:
    """For each service its name, its state (`running`, `not answering`, `stopped`) and its process id."""
    alive = supervisor.running(settings)
    rows = []
    for service in catalogue(settings):
        entry = alive.get(service.name)
        if entry is None:
            rows.append((service.name, "stopped", ""))
        else:
            state = "running" if service.is_well(entry.since) else "not answering"
            rows.append((service.name, state, str(entry.identity.pid)))
    return rows
