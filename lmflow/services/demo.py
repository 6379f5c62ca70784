"""`lmflow demo`: services up, one retraining through Airflow's REST API, its progress live, then what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lmflow.services import local, summary, supervisor
from lmflow.services.airflow_api import AirflowApi, TaskInstance
from lmflow.services.run_view import RunView, words_for
from lmflow.settings import Settings

DAG = "retrain"
_LOOK_EVERY_S = 1.0
_SAY_EVERY_S = 30.0
_STYLES = {"success": "green", "running": "bold cyan", "failed": "bold red", "skipped": "magenta"}


def demo(settings: Settings, conf: Mapping[str, Any], out: Console) -> int:
    """Run it all; 0 when the run succeeded, 1 when a task failed.

    Ctrl-C ends the run, unless it is somebody else's that was joined, and stops the services that this call started.

    Raises:
        ServiceError: a service does not come up.
        InputError: the DAG refuses the parameters.
    """
    begin = time.monotonic()
    started: list[str] = []
    try:
        started = local.up(settings, lambda line: out.print(line, markup=False, soft_wrap=True))
        ready = time.monotonic() - begin
        with local.airflow(settings) as api:
            run_id, view = _retrain(api, conf, out)
            if api.run_state(DAG, run_id) != "success":
                _explain(api, run_id, view, out)
                return 1
            results = _results(api, run_id, view)
        summary.show(settings, results, {"services": ready, **view.stage_seconds()}, time.monotonic() - begin, out)
        return 0
    except KeyboardInterrupt:
        out.print("\nstopping what this command started …")
        supervisor.down(settings, started)
        raise


def _retrain(api: AirflowApi, conf: Mapping[str, Any], out: Console) -> tuple[str, RunView]:
    """Trigger a run, or join the one that is under way, and follow it to its end."""
    api.wait_for_dag(DAG)
    api.set_paused(DAG, paused=False)
    joined = api.active_run(DAG)
    if joined:
        out.print(f"a run of {DAG} is under way already: following {joined}", markup=False, soft_wrap=True)
        return joined, _follow(api, joined, out)
    run_id = api.trigger(DAG, conf)
    try:
        return run_id, _follow(api, run_id, out)
    except KeyboardInterrupt:
        api.end_run(DAG, run_id)
        raise


def _follow(api: AirflowApi, run_id: str, out: Console) -> RunView:
    tasks = api.tasks(DAG)
    with _shown(out) as show:
        while True:
            state = api.run_state(DAG, run_id)
            view = RunView.of(tasks, api.task_instances(DAG, run_id))
            show(view)
            if state not in ("queued", "running"):
                return view
            time.sleep(_LOOK_EVERY_S)


@contextmanager
def _shown(out: Console) -> Iterator[Any]:
    """A function that shows a view: redrawn in a terminal, a line for each change elsewhere."""
    begin = time.monotonic()
    if not out.is_terminal:
        yield _Lines(out, begin)
        return
    with Live(console=out, refresh_per_second=4) as live:
        yield lambda view: live.update(_picture(view, time.monotonic() - begin))


def _picture(view: RunView, elapsed_s: float) -> Group:
    table = Table(box=None, pad_edge=False, show_header=False)
    for each in view.shown():
        style = _STYLES.get(each.state, "dim")
        took = f"{each.elapsed_s:5.0f} s" if each.started and each.elapsed_s >= 0.5 else ""
        table.add_row(Text(each.name, style), Text(words_for(each.state), style), Text(took))
    return Group(table, Text(f"{elapsed_s:4.0f} s  {view.headline()}", "bold"))


class _Lines:
    """Prints each task when its state changes, and now and then how it goes."""

    def __init__(self, out: Console, begin: float) -> None:
        self._out, self._begin, self._said = out, begin, begin
        self._seen: dict[tuple[str, int], str] = {}

    def __call__(self, view: RunView) -> None:
        for each in view.shown():
            key, state = (each.task_id, each.map_index), words_for(each.state)
            if state != "waiting" and self._seen.get(key) != state:
                took = f" after {each.elapsed_s:.0f} s" if each.ended and each.started else ""
                self._say(f"{each.name:<44} {state}{took}")
            self._seen[key] = state
        if time.monotonic() - self._said > _SAY_EVERY_S:
            running = [f"{each.name} {each.elapsed_s:.0f} s" for each in view.instances if each.state == "running"]
            self._say(f"… {view.headline()}" + (f"; running: {', '.join(running)}" if running else ""))

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self._out.print(f"{self._said - self._begin:4.0f} s  {line}", markup=False, soft_wrap=True)


def _explain(api: AirflowApi, run_id: str, view: RunView, out: Console) -> None:
    """The last lines of the log of every task that failed."""
    for each in view.failed():
        out.print(f"\n{each.name} failed; the end of its log:", style="bold red", markup=False)
        lines = [line for line in api.log_lines(DAG, run_id, each) if line.strip() and not line.startswith("::")]
        for line in lines[-12:]:
            out.print(f"    {line}", markup=False, soft_wrap=True)
    out.print(f"\nThe run did not succeed. It can be repeated: {DAG} goes on where it stopped.")


def _results(api: AirflowApi, run_id: str, view: RunView) -> dict[str, list[dict[str, Any]]]:
    """What every task returned, by the last part of its id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in view.instances:
        result = api.result(DAG, run_id, each) if _has_result(each) else None
        if isinstance(result, dict):
            found.setdefault(each.task_id.rpartition(".")[2], []).append(result)
    return found


def _has_result(instance: TaskInstance) -> bool:
    return instance.state in ("success", "skipped")
