"""The one operator through which every job runs: a child process, its options in, its JSON line out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.sdk import AssetAlias, BaseOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from lmflow.orchestration import guard
from lmflow.orchestration.assets import model_asset
from lmflow.orchestration.connections import connection_environment
from lmflow.orchestration.links import MlflowRunLink

if TYPE_CHECKING:
    from airflow.sdk import Context

PROJECT = Path(__file__).resolve().parents[2]
GRACE_S = 5.0


def command_line(job: str, options: Mapping[str, Any]) -> list[str]:
    """The argument list of a job: `None` is left out, a flag is on or off, a list or mapping one flag with its values.

    A name with a dot is a module; any other is a module of `jobs`.
    """
    words = [sys.executable, "-m", job if "." in job else f"jobs.{job}"]
    for name, value in options.items():
        flag = name.replace("_", "-")
        if value is None or value == [] or value == () or value == {}:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, (list, tuple)):
            words += [f"--{flag}", *map(str, value)]
        elif isinstance(value, Mapping):
            words += [f"--{flag}", *(f"{name}={number}" for name, number in value.items())]
        else:
            # One word, so that a value that starts with a dash is not taken for a flag.
            words.append(f"--{flag}={value}")
    return words


class JobOperator(BaseOperator):  # type: ignore[misc]  # airflow is not followed by mypy
    """Runs `python -m jobs.<job>` with options, in a process group of its own.

    Its stderr is the task's log; the JSON line that ends its stdout is the task's XCom, and the metadata of the asset
    events it causes. A job with nothing new to do is shown as skipped, with its reason in the log; downstream tasks
    use trigger rule `none_failed`. Bad options or input (exit status 2) fail the task at once, without a retry.

    Args:
        job: name of a module of `jobs`.
        options: the job's options; templated. Values may be templates that render to lists, numbers or None. The
            whole may be a template as well; when it renders to None, the task is skipped.
    """

    template_fields: Sequence[str] = ("options",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json"}
    operator_extra_links = (MlflowRunLink(),)
    ui_color = "#e8f1f8"

    def __init__(self, *, job: str, options: Mapping[str, Any] | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.options = {} if options is None else options
        self.mlflow_run_url = ""
        self._guard: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the job and return its result.

        Raises:
            AirflowSkipException: nothing new to do, or switched off.
            AirflowFailException: bad options or input; a retry would change nothing.
            AirflowException: the job failed; it may be tried again.
        """
        if not isinstance(self.options, Mapping):
            raise AirflowSkipException(f"{self.job} is switched off by the parameters of this run")
        environment = {**os.environ, **connection_environment(), **_lineage(context)}
        result = self._run(command_line(self.job, self.options), environment)
        self.mlflow_run_url = str(result.get("run_url") or _run_url(result.get("run_id"), environment))
        if result.get("status") == "nothing_new":
            context["ti"].xcom_push(key="return_value", value=result)
            raise AirflowSkipException(f"{self.job} had nothing new to do: {result.get('reason', 'no reason given')}")
        self._announce(context, result)
        return result

    def on_kill(self) -> None:
        """End the job and everything it started."""
        if self._guard is not None and self._guard.poll() is None:
            self._guard.terminate()
            try:
                self._guard.wait(GRACE_S + 5)
            except subprocess.TimeoutExpired:
                self._guard.kill()

    def _announce(self, context: Context, result: Mapping[str, Any]) -> None:
        """Let the assets that this task updates say what was done to them."""
        for outlet in self.outlets:
            event = context["outlet_events"][outlet]
            if isinstance(outlet, AssetAlias):
                event.add(model_asset(result["model"]), extra=_metadata(result))
            else:
                event.extra = _metadata(result)

    def _run(self, command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
        self.log.info("$ %s", " ".join(["python", *command[1:]]))
        # Should the worker above this task be killed, this process gets SIGTERM, and with it `on_kill` is called.
        guard.die_with_parent(signal.SIGTERM, os.getppid())
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(GRACE_S), *command],
            env={**environment, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        last_words: deque[str] = deque(maxlen=20)
        reader = threading.Thread(target=self._log_stderr, args=(self._guard, last_words), daemon=True)
        reader.start()
        line = ""
        for printed in self._guard.stdout or ():
            line = printed.strip() or line
        code = self._guard.wait()
        reader.join(timeout=10)
        if code != 0:
            raise _failure(self.job, code, last_words)
        self.log.info("%s", line)
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            raise AirflowException(f"{self.job} ended without its JSON line; the last line was {line!r}") from None
        if not isinstance(result, dict):
            raise AirflowException(f"{self.job} ended with {line!r}, which is not a JSON object")
        return result

    def _log_stderr(self, child: subprocess.Popen[str], last_words: deque[str]) -> None:
        for line in child.stderr or ():
            if line.strip():
                last_words.append(line.strip())
                self.log.info("%s", line.rstrip())


def _failure(job: str, code: int, last_words: Sequence[str]) -> AirflowException:
    last = last_words[-1] if last_words else "no message"
    if code == 2:
        return AirflowFailException(f"{job}: {last.removeprefix('error: ')}")
    if code > 128:
        number = code - 128
        why = " (out of memory?)" if number == signal.SIGKILL else ""
        return AirflowException(f"{job} was ended by signal {number}{why}; its last line: {last}")
    return AirflowException(f"{job} failed with exit status {code}: {last.removeprefix('error: ')}")


def _lineage(context: Context) -> dict[str, str]:
    """Who asked for the job, so that its MLflow run can point back."""
    ti = context["ti"]
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return {
        "LMFLOW_DAG_ID": ti.dag_id,
        "LMFLOW_DAG_RUN_ID": ti.run_id,
        "LMFLOW_DAG_RUN_URL": f"{base}/dags/{ti.dag_id}/runs/{quote(ti.run_id, safe='')}" if base else "",
        "LMFLOW_TASK_ID": ti.task_id,
    }


def _run_url(run_id: str | None, environment: Mapping[str, str]) -> str:
    server = (environment.get("LMFLOW_MLFLOW_LINKS") or environment.get("LMFLOW_MLFLOW_URI", "")).rstrip("/")
    return f"{server}/#/runs/{run_id}" if run_id and server else ""


def _metadata(result: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a result that an asset event carries: scalars, and the dictionaries of scalars (versions, counts)."""
    return {
        name: value
        for name, value in result.items()
        if isinstance(value, (str, int, float, bool))
        or (isinstance(value, dict) and all(isinstance(part, (str, int, float, bool)) for part in value.values()))
    }
