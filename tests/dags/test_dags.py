"""The DAG files as Airflow reads them: quickly, without a heavy import, and each with its form and its words."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.rollback_model import RollbackModel

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "pyspark", "gensim", "mlflow", "pyarrow", "deltalake", "numpy", "pandas", "matplotlib")
READ = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
before = set(sys.modules)
bag = DagBag(sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "seconds": {stat.file: stat.duration.total_seconds() for stat in bag.dagbag_stats},
    "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
    "dags": {dag.dag_id: DagSerialization.to_dict(dag)["dag"] for dag in bag.dags.values()},
}, default=str))
"""


def read(folder: Path, files: str = "dags", **environment: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        **environment,
    }
    command = [sys.executable, "-c", READ, files]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read(tmp_path_factory.mktemp("airflow"))


def test_every_file_can_be_read_without_a_heavy_import_in_a_second(found: dict[str, Any]) -> None:
    assert found["errors"] == {}
    assert not [name for name in HEAVY if name in found["imported"]]
    assert max(found["seconds"].values()) < 3, found["seconds"]  # 0.4 s where nothing else runs


FIRST_RUN = """
import json, sys
import airflow.timetables.trigger as trigger
import pendulum
from airflow.timetables.base import TimeRestriction
trigger.utcnow = lambda: pendulum.datetime(2026, 11, 29, 0, 30)  # a Sunday
timetable = trigger.CronTriggerTimetable.deserialize(json.loads(sys.argv[1]))
when = TimeRestriction(None, None, False)
print(timetable.next_dagrun_info(last_automated_data_interval=None, restriction=when).run_after)
"""


def test_a_newcomer_on_a_sunday_is_not_met_by_a_retraining(found: dict[str, Any]) -> None:
    """Airflow makes up for what was due in the last tenth of an interval unless it is told not to."""
    timetable = json.dumps(found["dags"]["retrain"]["timetable"]["__var"])
    done = subprocess.run([sys.executable, "-c", FIRST_RUN, timetable], capture_output=True, text=True)
    assert done.stdout.startswith("2026-12-06 00:00:00"), done.stderr


def test_every_dag_says_what_it_does_and_keeps_its_hands_off_the_past(found: dict[str, Any]) -> None:
    assert sorted(found["dags"]) == [
        *(
            "build_corpus",
            "forget_documents",
            "ingest_news",
            "ingest_social",
            "ingest_wikipedia",
            "maintain_lake",
            "monitor_drift",
            "retrain",
            "rollback_model",
            "train_embeddings",
            "train_language_model",
        )
    ]
    for dag in found["dags"].values():
        assert dag["doc_md"]
        assert dag["description"]
        assert dag["tags"]
        assert not dag.get("catchup")
        assert dag["max_active_runs"] == 1


def test_retrain_is_weekly_and_its_schedule_can_be_set(found: dict[str, Any], tmp_path: Path) -> None:
    assert "0 0 * * 0" in json.dumps(found["dags"]["retrain"]["timetable"])
    daily = read(tmp_path, "dags/retrain.py", LMFLOW_RETRAIN_SCHEDULE="30 4 * * *")["dags"]["retrain"]["timetable"]
    assert "30 4 * * *" in json.dumps(daily)
    never = read(tmp_path, "dags/retrain.py", LMFLOW_RETRAIN_SCHEDULE="none")["dags"]["retrain"]["timetable"]
    assert "NullTimetable" in json.dumps(never)


@pytest.mark.parametrize("model", ["lm-en", "lm-en-zh", "sentiment-zh", "tokenizer-en", "lm", "LM-en", "lm-en/3"])
def test_the_rollback_form_takes_the_models_that_the_job_takes(found: dict[str, Any], model: str) -> None:
    [pattern] = re.findall(r'"pattern": ("[^"]*")', json.dumps(found["dags"]["rollback_model"]["params"]))
    taken = re.search(json.loads(pattern), model) is not None
    assert taken == (model in ("lm-en", "lm-en-zh", "sentiment-zh"))
    if taken:
        RollbackModel(model=model, reason="test")
        return
    with pytest.raises(ValidationError):
        RollbackModel(model=model, reason="test")


def test_a_list_of_sites_with_a_mistake_is_named_in_the_import_error(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text("news:\n  - name: x\n    lang: en\n    licence: none\n")
    errors = read(tmp_path, LMFLOW_SOURCES=str(tmp_path / "sources.yaml"))["errors"]
    assert "retrain.py" in " ".join(errors)
    assert all("sources.yaml: " in trace.splitlines()[-1] for trace in errors.values())


@pytest.mark.parametrize("dag", ["retrain", "train_language_model", "train_embeddings"])
def test_the_form_has_types_bounds_sections_and_words(found: dict[str, Any], dag: str) -> None:
    params = dict(found["dags"][dag]["params"])
    for name, param in params.items():
        schema = param["schema"]["__var"]
        assert schema["section"] and param["description"], name
        assert "type" in schema or "enum" in schema, name
        if schema.get("type") in ("integer", "number"):
            assert "minimum" in schema and "maximum" in schema, name


def test_training_waits_its_turn_and_nothing_new_stops_nothing(found: dict[str, Any]) -> None:
    tasks = {task["__var"]["task_id"]: task["__var"] for task in found["dags"]["retrain"]["tasks"]}
    flat = json.dumps(tasks)
    assert flat.count('"pool": "training"') == 2 + 3  # embeddings, language models, three rungs of a search
    assert len([name for name in tasks if ".search." not in name]) == 15


def test_models_are_trained_weekly_and_when_drift_is_seen_or_the_corpus_has_grown(found: dict[str, Any]) -> None:
    schedule = json.dumps(found["dags"]["train_language_model"]["timetable"])
    assert "lmflow://drift" in schedule
    assert "lmflow://growth" in schedule
    assert "0 3 * * 3" in schedule
    schedule = json.dumps(found["dags"]["train_embeddings"]["timetable"])
    assert "lmflow://growth" in schedule
    assert "0 0 * * 0" in schedule
