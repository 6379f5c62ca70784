"""A small client of Airflow's REST API: what `lmflow up` and `lmflow demo` need, no more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

from lmflow.errors import InputError, ServiceError

_TRIES = 8
_MISSING = 404


@dataclass(frozen=True)
class TaskInstance:
    """One task of one run, as it stands: `map_index` is -1 unless the task is mapped."""

    task_id: str
    map_index: int
    label: str
    state: str
    started: datetime | None
    ended: datetime | None
    try_number: int

    @property
    def name(self) -> str:
        """What a person calls it: the task's id, and what tells a mapped one from its siblings."""
        return f"{self.task_id} [{self.label}]" if self.map_index >= 0 else self.task_id

    @property
    def elapsed_s(self) -> float:
        """Seconds it ran, or has been running; 0 before it starts."""
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds() if self.started else 0.0


class AirflowApi:
    """Airflow's REST API, as one user. A server that is restarting or busy is asked again."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url, self._user, self._password = url, user, password
        self._http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def import_errors(self) -> list[str]:
        """One line for each DAG file that cannot be imported."""
        found = self.call("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in found]

    def wait_for_dag(self, dag_id: str, within_s: float = 90.0) -> None:
        """Return once Airflow has read the DAG.

        Raises:
            ServiceError: its file cannot be imported, or it is not there in time.
        """
        deadline = time.monotonic() + within_s
        while self.call("GET", f"/dags/{dag_id}", missing=None) is None:
            errors = self.import_errors()
            if errors:
                raise ServiceError("Airflow cannot import a DAG file: " + "; ".join(errors))
            if time.monotonic() > deadline:
                raise ServiceError(f"Airflow did not read the DAG {dag_id} within {within_s:.0f} s")
            time.sleep(0.5)

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Let the DAG's schedule run, or not."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": paused}, params={"update_mask": "is_paused"})

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run; its id.

        Raises:
            InputError: Airflow refuses the parameters; the message is Airflow's.
        """
        return str(
            self.call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf)})["dag_run_id"]
        )

    def active_run(self, dag_id: str) -> str | None:
        """The id of a run that is queued or under way."""
        params: dict[str, str | list[str]] = {"state": ["queued", "running"], "limit": "1"}
        runs = self.call("GET", f"/dags/{dag_id}/dagRuns", params=params)["dag_runs"]
        return str(runs[0]["dag_run_id"]) if runs else None

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Every run of a DAG, as Airflow describes it."""
        return list(self.call("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "run_after"})["dag_runs"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self.call("GET", _run_path(dag_id, run_id))["state"])

    def end_run(self, dag_id: str, run_id: str) -> None:
        """Mark a run failed, which ends its running tasks."""
        self.call("PATCH", _run_path(dag_id, run_id), {"state": "failed"}, params={"update_mask": "state"})

    def tasks(self, dag_id: str) -> list[dict[str, Any]]:
        """The DAG's tasks, as Airflow describes them, upstream first."""
        return _upstream_first(self.call("GET", f"/dags/{dag_id}/tasks")["tasks"])

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Every task of a run, mapped ones one by one."""
        path = _run_path(dag_id, run_id) + "/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", path, params={"limit": "100", "offset": str(len(found))})
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return [_task_instance(entry) for entry in found]

    def result(self, dag_id: str, run_id: str, instance: TaskInstance) -> Any:
        """What a task returned; None when it returned nothing."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{instance.task_id}/xcomEntries/return_value"
        params = {"map_index": str(instance.map_index), "deserialize": "true"}
        entry = self.call("GET", path, params=params, missing=None)
        return entry["value"] if entry else None

    def log_lines(self, dag_id: str, run_id: str, instance: TaskInstance) -> list[str]:
        """What the last try of a task wrote."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{instance.task_id}/logs/{max(1, instance.try_number)}"
        content = self.call("GET", path, params={"map_index": str(instance.map_index), "full_content": "true"})[
            "content"
        ]
        return [_log_line(entry) for entry in content]

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool unless there is one of this name: its size may have been changed since."""
        if self.call("GET", f"/pools/{name}", missing=None) is None:
            self.call("POST", "/pools", {"name": name, "slots": slots, "description": description})

    def ensure_connection(self, name: str, fields: Mapping[str, Any], overwrite: bool) -> None:
        """Make a connection; one that exists is changed only when `overwrite`."""
        entry = {"connection_id": name, **fields}
        if self.call("GET", f"/connections/{name}", missing=None) is None:
            self.call("POST", "/connections", entry)
        elif overwrite:
            self.call("PATCH", f"/connections/{name}", entry, params={"update_mask": list(fields)})

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | list[str]] | None = None,
        **missing: None,
    ) -> Any:
        """One request, answered with JSON. With `missing=None`, something that is not there is None.

        Raises:
            InputError: Airflow refuses the request.
            ServiceError: Airflow does not answer, or answers with an error of its own, several times in a row.
        """
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(min(0.25 * 2**attempt, 4.0))
            try:
                if "Authorization" not in self._http.headers:
                    self._log_in()
                reply = self._http.request(method, f"/api/v2{path}", json=body, params=params)
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
                continue
            if reply.status_code == _MISSING and "missing" in missing:
                return None
            if reply.is_success:
                return reply.json() if reply.content else None
            problem = _reason(reply)
            if reply.status_code == httpx.codes.UNAUTHORIZED:
                del self._http.headers["Authorization"]
            elif reply.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                raise InputError(f"Airflow refused {method} {path}: {problem}")
        raise ServiceError(f"Airflow at {self._url} does not answer {method} {path}: {problem}")

    def _log_in(self) -> None:
        reply = self._http.post("/auth/token", json={"username": self._user, "password": self._password})
        if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise ServiceError(
                f"Airflow at {self._url} does not know the login {self._user}: run `make down`, `make up`"
            )
        reply.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _reason(reply: httpx.Response) -> str:
    try:
        detail = reply.json().get("detail", reply.text)
    except ValueError:
        detail = reply.text
    return " ".join(str(detail).split())[:500] or f"status {reply.status_code}"


def _task_instance(entry: Mapping[str, Any]) -> TaskInstance:
    return TaskInstance(
        task_id=entry["task_id"],
        map_index=entry["map_index"],
        label=str(entry.get("rendered_map_index") or entry["map_index"]),
        state=entry["state"] or "waiting",
        started=_moment(entry["start_date"]),
        ended=_moment(entry["end_date"]),
        try_number=entry["try_number"],
    )


def _log_line(entry: Mapping[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    errors = [str(error.get("exc_value", "")) for error in entry.get("error_detail") or ()]
    parts = [entry.get("event", ""), entry.get("reason", ""), *errors]
    return ": ".join(str(part) for part in parts if part)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _upstream_first(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_id, ordered = {task["task_id"]: task for task in tasks}, {}

    def place(task_id: str) -> None:
        if task_id in ordered:
            return
        for candidate in tasks:
            if task_id in candidate["downstream_task_ids"]:
                place(candidate["task_id"])
        ordered[task_id] = by_id[task_id]

    for task in tasks:
        place(task["task_id"])
    return list(ordered.values())
