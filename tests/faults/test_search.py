"""A whole search: killed (-9) again and again at a shell, and as mapped tasks under a real scheduler."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.command import Progress
from jobs.network_training import EXPERIMENT
from jobs.search_language_model import SearchLanguageModel
from jobs.search_language_model import run as search
from lmflow import registry, tracking
from lmflow.services import local, supervisor
from lmflow.settings import Settings, settings
from tests.conftest import PROJECT, free_port
from tests.installation import Installation
from tests.jobs.test_language_model_jobs import make_corpus
from tests.jobs.test_search_language_model import files

pytestmark = pytest.mark.faults
SEED = 20261127


def test_a_search_killed_at_random_moments_ends_as_one_that_was_not(mlflow_server: str, tmp_path: Path) -> None:
    words = ["--lang=en", "--architecture=mlp", "--epochs=6", "--vocabulary=280", "--sequence-length=8"]
    words += ["--batch-size=8", "--dimension=32", "--learning-rate", "1e-4", "1e-3", "4e-3", "2e-2"]
    found: list[dict[str, Any]] = []
    for name, kills in (("killed", 5), ("whole", 0)):
        folder = tmp_path / name
        folder.mkdir()
        # Another name of the model, so that MLflow knows nothing of the first; the text is the same.
        given = files(folder)
        texts = [f"--{key.replace('_', '-')}={path}" for key, path in given.items()]
        command = [sys.executable, "-m", "jobs.search_language_model", *words, *texts, "--seed=1"]
        environment = {**os.environ, "LMFLOW_HOME": str(folder / "home")}
        draw = random.Random(SEED)
        for _ in range(kills):
            process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(8, 25))
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(json.loads(done.stdout.splitlines()[-1]))
        again = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600)
        assert json.loads(again.stdout.splitlines()[-1])["status"] == "nothing_new"
        # The second search must train by itself.
        for run in tracking.runs(EXPERIMENT, {"mlflow.parentRunId": found[-1]["run_id"]}):
            steps = [step for step, _ in run.history("train_loss")]
            assert len(steps) == len(set(steps))
            run.set_tags({"input_digest": f"{name} {run.run_id}"})
        tracking.Run(tracking.client(), found[-1]["run_id"]).set_tags({"study": name})
        tracking.client().delete_registered_model(found[-1]["model"])
    killed, whole = found
    assert killed["metrics"] == whole["metrics"]
    assert {k: v for k, v in killed["winner"].items() if "file" not in k} == {
        k: v for k, v in whole["winner"].items() if "file" not in k
    }


@pytest.fixture
def installed(home: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Airflow with the project's own DAGs, beside the session's MLflow."""
    for name in ("AIRFLOW", "SERVING"):
        monkeypatch.setenv(f"LMFLOW_{name}_PORT", str(free_port()))
    monkeypatch.setenv("LMFLOW_SAMPLES_URL", f"http://127.0.0.1:{free_port()}")
    settings.cache_clear()
    chosen: Settings = settings()
    local.up(chosen, print)
    try:
        with local.airflow(chosen) as api:
            yield Installation(chosen, api)
    finally:
        supervisor.down(chosen)


def test_each_trial_is_a_task_and_the_best_goes_on_to_the_gate(installed: Installation) -> None:
    make_corpus()
    form = {
        "languages": ["en"],
        "vocabulary": 300,
        "architectures": ["ngram", "mlp"],
        "epochs": 12,
        "search": True,
        "search_learning_rates": [0.0001, 0.004, 0.01],
        "search_batch_sizes": [8],
    }
    run_id = installed.start("train_language_model", form)
    tasks = installed.ended("train_language_model", run_id, 1200)
    api = installed.api
    assert api.run_state("train_language_model", run_id) == "success"
    group = "language_model.search"
    assert [len([t for t in tasks[f"{group}.rung_{n}"] if t.state == "success"]) for n in (1, 2, 3)] == [3, 1, 0]
    [chosen] = tasks[f"{group}.choose"]
    winner = api.result("train_language_model", run_id, chosen)
    trained = [api.result("train_language_model", run_id, t) for t in tasks["language_model.train_language_model"]]
    [network] = [each for each in trained if each["architecture"] == "mlp"]
    assert network["metrics"]["valid_bits_per_byte"] == winner["metrics"]["valid_bits_per_byte"]
    [version] = [each for each in registry.versions("lm-en") if each.version == network["version"]]
    assert version.tags["held_out_digest"]  # scored on the test split: the winner, and it alone of the trials
    children = tracking.runs(EXPERIMENT, {"mlflow.parentRunId": winner["run_id"]})
    assert [bool(run.history("test_bits_per_byte")) for run in children].count(True) == 1
    assert len(children) == 3
    again = search(SearchLanguageModel(**{**_study(winner), "after_rung": 0}), Progress())
    assert again["trials"] == []


def _study(winner: dict[str, Any]) -> dict[str, Any]:
    kept = {key: winner["winner"][key] for key in ("lang", "architecture", "preset", "epochs")}
    return {**kept, "batch_size": (8,), "learning_rate": (0.0001, 0.004, 0.01)}
