"""The operator under a real scheduler: what it runs, what it shows, and that nothing outlives a task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lmflow.errors import InputError
from lmflow.services import supervisor
from lmflow.services.process import Identity
from tests.conftest import PROJECT
from tests.installation import Installation, wait_until


def test_the_scheduler_itself_starts_runs_on_a_schedule(installation: Installation) -> None:
    installation.api.wait_for_dag("by_itself")
    installation.api.set_paused("by_itself", paused=False)
    wait_until(lambda: any(run["state"] == "success" for run in installation.api.runs("by_itself")), 90)
    installation.api.set_paused("by_itself", paused=True)
    run = next(run for run in installation.api.runs("by_itself") if run["state"] == "success")
    assert run["run_type"] == "scheduled"
    assert run["triggered_by"] == "timetable"


def test_a_job_gets_its_options_and_its_line_becomes_the_result(installation: Installation) -> None:
    installation.api.wait_for_dag("after_tiny")
    installation.api.set_paused("after_tiny", paused=False)
    run_id, tasks = installation.run("behaviours", {"words": ["x", "-y z"]})
    done = installation.api.result("behaviours", run_id, tasks["done"][0])
    assert done["words"] == ["x", "-y z"]
    assert (done["number"], done["flag"]) == (3, True)
    assert done["lineage"]["LMFLOW_DAG_ID"] == "behaviours"
    assert done["lineage"]["LMFLOW_DAG_RUN_URL"].startswith(
        f"http://127.0.0.1:{installation.settings.airflow_port}/dags/"
    )
    assert done["mlflow_uri"] == installation.settings.mlflow_uri  # through the connection mlflow_default
    links = installation.api.call("GET", f"/dags/behaviours/dagRuns/{run_id}/taskInstances/done/links")["extra_links"]
    assert links == {"MLflow run": f"{installation.settings.mlflow_uri}/#/runs/abc123"}

    # Nothing new is pink, keeps its result and its reason, and stops nothing that comes after it.
    assert tasks["dry"][0].state == "skipped"
    assert installation.api.result("behaviours", run_id, tasks["dry"][0])["reason"] == "the well is dry"
    assert "the well is dry" in "\n".join(installation.api.log_lines("behaviours", run_id, tasks["dry"][0]))
    assert sorted(each.state for each in tasks["mapped"]) == ["skipped", "success"]
    assert len(tasks["downstream_of_mapped"]) == 2
    assert tasks["after"][0].state == "success"

    # The asset's event carries what was done, and starts the DAG that waits for it.
    wait_until(lambda: any(run["state"] == "success" for run in installation.api.runs("after_tiny")), 60)
    heard = installation.api.runs("after_tiny")[-1]["dag_run_id"]
    [instance] = installation.api.task_instances("after_tiny", heard)
    assert installation.api.result("after_tiny", heard, instance)[-1]["number"] == 3


def test_bad_input_fails_at_once_and_a_crash_is_tried_again(installation: Installation) -> None:
    run_id, tasks = installation.run("mistakes")
    [bad_input], [crash] = tasks["bad_input"], tasks["crash"]
    assert (bad_input.state, bad_input.try_number) == ("failed", 1)
    assert (crash.state, crash.try_number) == ("failed", 2)
    assert "choose a smaller one" in "\n".join(installation.api.log_lines("mistakes", run_id, bad_input))
    assert "exit status 1: RuntimeError: out of luck" in "\n".join(
        installation.api.log_lines("mistakes", run_id, crash)
    )


def test_without_a_search_no_job_of_it_starts_and_the_trainings_are_as_planned(installation: Installation) -> None:
    run_id, tasks = installation.run("unsearched")
    jobs = [name for name in tasks if name.startswith(("search.plan_rung", "search.rung", "search.choose"))]
    assert len(jobs) == 7
    assert {each.state for name in jobs for each in tasks[name]} == {"skipped"}
    [trained] = tasks["trained"]
    planned = {"lang": "en", "architecture": "lstm", "learning_rate": 0.1}
    assert installation.api.result("unsearched", run_id, trained) == planned


@pytest.mark.parametrize("killer", ["person", "kernel"])
def test_nothing_outlives_a_task(installation: Installation, tmp_path: Path, killer: str) -> None:
    pids = tmp_path / "pids"
    run_id = installation.start("sleepers", {"pids": str(pids)})
    wait_until(pids.exists, 60)
    job, child = (Identity.of(int(pid)) for pid in pids.read_text().split())
    guard = psutil.Process(job.pid).parent() if job else None
    assert job and child and guard
    if killer == "person":  # marks the run failed, in the browser or through the API
        installation.api.end_run("sleepers", run_id)
    else:  # the worker that supervises the task is killed, as for lack of memory; nobody can call on_kill for it
        task = guard.parent()
        assert task is not None
        worker = task.parent()
        assert worker is not None
        assert "LocalExecutor" in " ".join(worker.cmdline())
        os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not job.is_alive() and not child.is_alive() and not guard.is_running(), 30)
    if killer == "kernel":
        installation.api.end_run("sleepers", run_id)
    installation.ended("sleepers", run_id)


def test_ctrl_c_in_a_demo_leaves_a_run_of_somebody_else_alone(installation: Installation, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    run_id = installation.start("sleepers", {"pids": str(pids)})
    wait_until(pids.exists, 60)
    given = installation.settings.model_dump_json(exclude_unset=True)
    script = (
        "import signal, sys; from rich.console import Console; from lmflow.services import demo; from lmflow.settings "
        "import Settings; signal.signal(signal.SIGINT, signal.default_int_handler); "  # a background job ignores it
        "demo.DAG = 'sleepers'; demo.demo(Settings.model_validate_json(sys.argv[1]), {}, Console())"
    )
    command = [sys.executable, "-c", script, given]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        try:
            assert any(f"under way already: following {run_id}" in line for line in follower.stdout)
            assert "sleep" in follower.stdout.readline()  # the task, as it runs
            follower.send_signal(signal.SIGINT)
            assert follower.wait(30)
        finally:
            follower.kill()
    assert installation.api.run_state("sleepers", run_id) == "running"
    assert sorted(supervisor.running(installation.settings)) == sorted(
        ["airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "model-page"]
    )
    installation.api.end_run("sleepers", run_id)
    installation.ended("sleepers", run_id)


def test_a_form_with_a_bad_value_is_refused_in_one_line(installation: Installation) -> None:
    installation.api.wait_for_dag("behaviours")
    with pytest.raises(InputError, match="words"):
        installation.api.trigger("behaviours", {"words": "not a list"})
