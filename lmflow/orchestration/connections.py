"""Airflow's connections, told to jobs in the variables that they read.

`spark_default`, `mlflow_default` and `aws_default` are where an Airflow user looks for such addresses. One that does
not exist leaves the settings as they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.sdk import Connection


def connection_environment() -> dict[str, str]:
    """Variables for a job, from the connections that exist."""
    environment: dict[str, str] = {}
    for name, variables in (("spark_default", _spark), ("mlflow_default", _mlflow), ("aws_default", _aws)):
        connection = _find(name)
        if connection is not None:
            environment |= {key: value for key, value in variables(connection).items() if value}
    return environment


def _find(name: str) -> Connection | None:
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def _spark(connection: Connection) -> dict[str, str]:
    # As the Spark provider has it: the host holds the master, its scheme included; YARN and local mode have no port.
    return {"LMFLOW_SPARK_MASTER": _with_port(connection.host or "", connection.port)}


def _mlflow(connection: Connection) -> dict[str, str]:
    host = connection.host or ""
    address = host if "://" in host or not host else f"{connection.schema or 'http'}://{host}"
    uri = _with_port(address, connection.port)
    return {
        "LMFLOW_MLFLOW_URI": uri,
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_TRACKING_USERNAME": connection.login or "",
        "MLFLOW_TRACKING_PASSWORD": connection.password or "",
    }


def _aws(connection: Connection) -> dict[str, str]:
    extra = json.loads(connection.extra or "{}")
    return {
        "AWS_ACCESS_KEY_ID": connection.login or "",
        "AWS_SECRET_ACCESS_KEY": connection.password or "",
        "AWS_DEFAULT_REGION": extra.get("region_name", ""),
        "AWS_ENDPOINT_URL": extra.get("endpoint_url", ""),
    }


def _with_port(address: str, port: int | None) -> str:
    return f"{address}:{port}" if address and port else address
