"""Runs carry their lineage, and a model loads where lmflow is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lmflow import tracking
from lmflow.errors import ServiceError
from lmflow.settings import settings

MODEL = """
import mlflow

from lmflow.errors import InputError


class Greeter(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.greeting = open(context.artifacts["greeting"], encoding="utf-8").read()

    def predict(self, context, model_input, params=None):
        if not InputError.__doc__:
            raise InputError("shipped without its docs")
        return [f"{self.greeting} {name}" for name in model_input["name"]]


mlflow.models.set_model(Greeter())
"""


def test_a_run_carries_config_lineage_data_and_points_over_time(
    mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.data

    monkeypatch.setenv("LMFLOW_DAG_RUN_ID", "scheduled__1")
    monkeypatch.setenv("LMFLOW_DAG_RUN_URL", "http://127.0.0.1:1/dags/retrain/runs/scheduled__1")
    with tracking.run("lmflow/test", "first", {"epochs": 3, "sources": ["a", "b"]}, {"lang": "zh"}) as run:
        run.log_history([("loss", 2.0, 1), ("loss", 1.0, 2)])
        run.log_metrics({"valid_perplexity": 12.5})
        run.log_dict({"词": 1}, "report.json")
        run.log_dataset("corpus-zh", "file:///lake/corpus", "v12", "training", {"documents": 3}, table_version=12)
        run.log_dataset("shards-zh", "s3://lake/datasets/zh", "d" * 64, "evaluation", {"tokens": 9})
    found = tracking.client().get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"epochs": "3", "sources": '["a", "b"]'}
    assert found.data.metrics == {"loss": 1.0, "valid_perplexity": 12.5}
    assert [point.value for point in tracking.client().get_metric_history(run.run_id, "loss")] == [2.0, 1.0]
    assert found.data.tags["airflow.dag_run_id"] == "scheduled__1"
    assert found.data.tags["airflow.dag_run_url"] == "http://127.0.0.1:1/dags/retrain/runs/scheduled__1"
    assert len(found.data.tags["git.sha"]) >= 40
    table, files = sorted((given.dataset for given in found.inputs.dataset_inputs), key=lambda data: data.name)
    assert (table.name, table.digest, json.loads(table.profile)["documents"]) == ("corpus-zh", "v12", 3)
    source = mlflow.data.get_source(table)  # as whoever reads the run finds the data again
    assert (source.path, source.delta_table_version) == ("file:///lake/corpus", 12)
    assert (files.digest, json.loads(files.profile)["digest"]) == ("d" * 36, "d" * 64)
    assert mlflow.data.get_source(files).uri == "s3://lake/datasets/zh"


def test_an_exception_marks_the_run_failed_and_a_run_can_be_continued(
    mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMFLOW_TASK_ID", "train")
    with pytest.raises(RuntimeError), tracking.run("lmflow/test", "fails", {"a": 1}) as run:
        raise RuntimeError("stop")
    assert tracking.client().get_run(run.run_id).info.status == "FAILED"
    monkeypatch.setenv("LMFLOW_TASK_ID", "evaluate")
    with tracking.run("lmflow/test", "fails", {"a": 1}, run_id=run.run_id) as again:
        again.log_metrics({"loss": 1.0}, step=4)
    assert again.run_id == run.run_id
    found = tracking.client().get_run(run.run_id)
    assert (found.info.status, found.data.tags["airflow.task_id"]) == ("FINISHED", "train")


def test_a_model_loads_without_the_project_and_without_pickle_and_leaves_no_files(
    mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.models import infer_signature

    (tmp_path / "greeter.py").write_text(MODEL)
    (tmp_path / "greeting.txt").write_text("你好")
    example = pd.DataFrame({"name": ["Ada"]})
    with tracking.run("lmflow/test", "model", {}) as run:
        version = run.log_model(
            "greeter",
            tmp_path / "greeter.py",
            {"greeting": tmp_path / "greeting.txt"},
            ["lmflow.errors"],
            ["mlflow"],
            example,
            infer_signature(example, ["x"]),
            "# Greeter",
            {"seed": 1},
        )
    registered = tracking.client().get_model_version("greeter", str(version.version))
    assert (registered.description, registered.tags["seed"]) == ("# Greeter", "1")
    script = (
        "import sys, pandas as pd, mlflow\n"
        f"model = mlflow.pyfunc.load_model('{version.uri}')\n"
        "import lmflow\n"
        "print(model.predict(pd.DataFrame({'name': ['Ada']}))[0], lmflow.__file__)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**environment, "MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    left = tmp_path / "temporary"
    left.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(left))
    assert tracking.load_model(version.uri).predict(example) == ["你好 Ada"]  # after its files are gone
    with pytest.raises(Exception, match="not found"):
        tracking.load_model("models:/greeter/999")
    assert not list(left.iterdir()), "what was downloaded stays on the disk of every scheduled run"
    greeting, origin = done.stdout.strip().splitlines()[-1].rsplit(" ", 1)
    assert greeting == "你好 Ada"
    assert str(settings().project) not in origin


def test_a_card_that_is_too_long_for_the_registry_is_cut_at_a_line() -> None:
    assert tracking._within("# Short\n\n- a", 5000) == "# Short\n\n- a"
    cut = tracking._within("# Long\n" + "| class | 0.5 |\n" * 500, 5000)
    assert 4900 < len(cut) <= 5000 and "| class | 0.5 |\n\nThe rest is in the run's model_card.md." in cut


def test_a_server_that_is_down_is_said_in_one_line_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMFLOW_MLFLOW_URI", "http://127.0.0.1:9")
    settings.cache_clear()
    with (
        pytest.raises(ServiceError, match=r"MLflow at http://127.0.0.1:9 does not answer .*make up"),
        tracking.run("lmflow/test", "down", {}),
    ):
        pass
