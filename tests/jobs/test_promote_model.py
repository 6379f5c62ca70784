"""Aliases move only through the gate, each move is on record first, and a kill or a race leaves nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs import build_dataset, promote_model, rollback_model, train_language_model
from jobs.command import Progress
from jobs.promote_model import PromoteModel
from jobs.rollback_model import RollbackModel
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.errors import InputError, ServiceError
from lmflow.evaluation.scores import Scores
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive
from lmflow.lake.schemas import SCHEMAS
from lmflow.registry import decisions
from lmflow.settings import settings

PROGRESS = Progress()


def add_documents(lang: str, count: int, batch: int = 1) -> None:
    """Documents of which every fourth is held out."""
    draw = np.random.default_rng(batch)
    words = ["the cat", "a dog", "one bird", "sees", "follows", "the river", "and then", "sleeps", "by night."]
    rows = [
        {
            "batch_id": batch,
            "doc_id": f"news:{batch}:{number}",
            "revision": 1,
            "lang": lang,
            "split": ("test", "valid", "train", "train")[number % 4],
            "text": " ".join(draw.choice(words, 60)),
        }
        for number in range(count)
    ]
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in SCHEMAS["corpus"]}
    Lake.open().table("corpus").append(f"made:{lang}:{batch}", pa.table(columns))
    build_dataset.run(build_dataset.BuildDataset(lang=lang, vocabulary=300), PROGRESS)


def register(lang: str, gain: float, architecture: str = "lstm") -> int:
    """A version with made-up scores on the true held-out documents, `gain` nats a byte better than 1.5."""
    dataset = store.latest(Lake.open(), lang)
    split, digest = dataset.split("test"), str(dataset.manifest["held_out_digest"])
    hardness = 1.5 + 0.2 * np.random.default_rng(1).normal(size=len(split.doc_ids))
    scores = Scores(digest, split.doc_ids, (hardness - gain) * split.n_bytes, split.n_bytes)
    client = tracking.client()
    with tracking.run("lmflow/test", "made", {}) as opened, tempfile.TemporaryDirectory() as folder:
        scores.write(Path(folder) / Path(Scores.artifact(digest)).name)
        opened.log_artifact(Path(folder) / Path(Scores.artifact(digest)).name, "evaluation")
        opened.log_text("made", "model/MLmodel")
    if not registry.aliases(f"lm-{lang}") and not registry.versions(f"lm-{lang}"):
        client.create_registered_model(f"lm-{lang}")
    source = f"{client.get_run(opened.run_id).info.artifact_uri}/model"
    tags = {"architecture": architecture, "held_out_digest": digest}
    return int(client.create_model_version(f"lm-{lang}", source, opened.run_id, tags=tags).version)


def promote(lang: str, **options: Any) -> dict[str, Any]:
    return promote_model.run(PromoteModel(model=f"lm-{lang}", **options), PROGRESS)


def rollback(lang: str, **options: Any) -> dict[str, Any]:
    return rollback_model.run(RollbackModel(model=f"lm-{lang}", **options), PROGRESS)


def test_from_the_first_champion_to_a_rollback_and_back(mlflow_server: str) -> None:
    add_documents("pa", 80)
    lstm, ngram = register("pa", 0.0), register("pa", 0.1, "ngram")
    first = promote("pa")
    assert (first["decision"], first["champion"]) == ("first", ngram)
    assert {row["version"]: row["outcome"] for row in first["table"]} == {ngram: "baseline", lstm: "loses"}
    assert registry.aliases("lm-pa") == {"champion": ngram, "challenger": lstm}

    again = promote("pa")
    assert (again["status"], again["table"]) == ("nothing_new", first["table"])

    better = register("pa", 0.2)
    promoted = promote("pa")
    assert (promoted["decision"], promoted["from_version"], promoted["champion"]) == ("promoted", ngram, better)
    assert registry.aliases("lm-pa") == {"champion": better, "previous_champion": ngram, "challenger": ngram}
    row = promoted["table"][0]
    assert row["version"] == better and row["difference_high"] < 0 and row["p_value"] < 0.05
    assert promoted["metrics"]["test_bits_per_byte"] == pytest.approx(row["bits_per_byte"])

    back = rollback("pa", reason="it repeats itself")
    assert (back["champion"], registry.aliases("lm-pa")["previous_champion"]) == (ngram, better)
    assert rollback("pa", reason="it repeats itself")["status"] == "nothing_new"
    assert promote("pa")["status"] == "nothing_new"  # what was withdrawn does not come back by itself
    assert promote("pa", candidates=(better,))["champion"] == better  # but by name it does
    assert rollback("pa", reason="for good", to=lstm)["champion"] == lstm

    trail = registry.history("lm-pa")
    assert [entry.kind for entry in trail] == ["rollback", "promoted", "rollback", "promoted", "first"]
    assert [entry.to_version for entry in trail] == [lstm, better, ngram, better, ngram]
    assert trail[2].reason == "it repeats itself" and "@" in trail[2].actor
    assert trail[2].run_id == back["run_id"]
    assert tracking.client().get_run(back["run_id"]).info.status == "FINISHED"


@pytest.mark.parametrize("moment", ["opened", "decided", "champion", "moved"])
def test_a_kill_at_any_moment_is_completed_by_the_next_run(mlflow_server: str, moment: str) -> None:
    lang = "q" + moment[0] + moment[-1]
    add_documents(lang, 40)
    ngram, lstm = register(lang, 0.0, "ngram"), register(lang, 0.2)
    decisions_before = len(promote(lang, candidates=(ngram,)) and registry.history(f"lm-{lang}"))
    command = [sys.executable, "-m", "jobs.promote_model", "--model", f"lm-{lang}"]
    killed = subprocess.run(
        command, cwd=settings().project, env={**os.environ, "LMFLOW_FAULT": f"registry:{moment}"}, timeout=100
    )
    assert killed.returncode == -signal.SIGKILL
    promote(lang)
    expected = {"champion": lstm, "previous_champion": ngram, "challenger": ngram}
    assert registry.aliases(f"lm-{lang}") == expected
    trail = registry.history(f"lm-{lang}")
    assert [entry.kind for entry in trail] == ["promoted", "first"]
    assert len(trail) == decisions_before + 1


def test_two_at_once_wait_for_each_other(mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add_documents("ra", 40)
    register("ra", 0.0, "ngram")
    monkeypatch.setattr("lmflow.registry.decisions.exclusive", lambda name: exclusive(name, timeout_s=0.1))
    with exclusive("registry_lm-ra"), pytest.raises(ServiceError, match="already running"):
        promote("ra")
    assert registry.aliases("lm-ra") == {}


def test_a_champion_that_moved_meanwhile_is_not_overwritten(mlflow_server: str) -> None:
    add_documents("sa", 40)
    ngram, other = register("sa", 0.0, "ngram"), register("sa", 0.2)
    promote("sa", candidates=(ngram,))
    with decisions.deciding("lm-sa") as before:
        tracking.client().set_registered_model_alias("lm-sa", "champion", str(other))  # somebody, in the UI
        with pytest.raises(ServiceError, match=f"moved to version {other} meanwhile"):
            decisions.rollback("lm-sa", {**before, "previous_champion": other}, "test")
    assert registry.aliases("lm-sa")["champion"] == other


def test_new_held_out_documents_rescore_a_real_champion(mlflow_server: str) -> None:
    add_documents("ta", 80)
    train_language_model.run(
        train_language_model.TrainLanguageModel(lang="ta", architecture="ngram", order=1), PROGRESS
    )
    first = promote("ta")
    assert first["decision"] == "first"
    add_documents("ta", 80, batch=2)
    done = train_language_model.run(
        train_language_model.TrainLanguageModel(lang="ta", architecture="ngram", order=3), PROGRESS
    )
    second = promote("ta")
    assert second["measured_on"] != first["measured_on"]
    assert (second["decision"], second["champion"]) == ("promoted", done["version"])
    assert {row["version"] for row in second["table"]} == {1, done["version"]}
    assert all(row["bits_per_byte_low"] < row["bits_per_byte"] < row["bits_per_byte_high"] for row in second["table"])


def test_what_cannot_be_judged_is_said_in_one_line(mlflow_server: str) -> None:
    with pytest.raises(InputError, match=r"lm-ua has no version yet; run `python -m jobs\.train_language_model`"):
        promote("ua")
    with pytest.raises(InputError, match="lm-ua has no champion"):
        rollback("ua", reason="none there")
    add_documents("ua", 40)
    version = register("ua", 0.0, "ngram")
    with pytest.raises(InputError, match=r"--candidates 9: lm-ua has no such version \(it has: 1\)"):
        promote("ua", candidates=(9,))
    promote("ua")
    with pytest.raises(InputError, match=f"no champion before version {version}"):
        rollback("ua", reason="nothing there")
    done = subprocess.run(
        [sys.executable, "-m", "jobs.rollback_model", "--model", "lm-ua", "--reason", "x"],
        cwd=settings().project, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --reason") and done.stderr.count("\n") == 1
