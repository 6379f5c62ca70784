"""A real installation for tests: Airflow's three processes and the model page, on free ports, in their own home."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lmflow.services import local, supervisor
from lmflow.services.airflow_api import AirflowApi, TaskInstance
from lmflow.settings import Settings
from tests.conftest import free_port

DAGS = Path(__file__).parent / "orchestration" / "dags"
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Installation:
    settings: Settings
    api: AirflowApi

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> tuple[str, dict[str, list[TaskInstance]]]:
        """Trigger a DAG, wait for its end; the run's id and its task instances by task."""
        run_id = self.start(dag_id, conf or {})
        return run_id, self.ended(dag_id, run_id)

    def start(self, dag_id: str, conf: dict[str, Any]) -> str:
        self.api.wait_for_dag(dag_id)
        self.api.set_paused(dag_id, paused=False)
        return self.api.trigger(dag_id, conf)

    def ended(self, dag_id: str, run_id: str, within_s: float = 120) -> dict[str, list[TaskInstance]]:
        wait_until(lambda: self.api.run_state(dag_id, run_id) in ENDED, within_s)
        found: dict[str, list[TaskInstance]] = {}
        for instance in self.api.task_instances(dag_id, run_id):
            found.setdefault(instance.task_id, []).append(instance)
        return found


def wait_until(condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    # MLflow and the sample sites at an address of somebody else's are used, not started: nothing here asks them.
    settings = Settings(
        home=tmp_path_factory.mktemp("installation"),
        airflow_port=free_port(),
        serving_port=free_port(),
        mlflow_uri=f"http://127.0.0.1:{free_port()}",
        samples_url=f"http://127.0.0.1:{free_port()}",
        dags=DAGS,
    )
    started = local.up(settings, print)
    assert started == ["airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "model-page"]
    leaders = [entry.identity for entry in supervisor.running(settings).values()]
    with local.airflow(settings) as api:
        yield Installation(settings, api)
    assert sorted(supervisor.down(settings)) == sorted(started)
    assert not [leader for leader in leaders if leader.is_alive()]
