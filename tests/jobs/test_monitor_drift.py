"""A champion meets text that came after it: more of the same is no drift, another kind of text is; both are growth."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from jobs import build_dataset, monitor_drift, promote_model, train_language_model
from jobs.command import Progress, Result
from lmflow import tracking
from lmflow.lake import Lake
from lmflow.lake.schemas import SCHEMAS

PROGRESS = Progress()
USUAL = (["cat", "dog", "bird", "tree", "river"], ["sees", "follows", "remembers", "crosses"])
ANOTHER = (["quark", "gluon", "meson", "boson", "lepton"], ["decays into", "couples to", "annihilates"])


def join_the_corpus(batch: int, words: tuple[list[str], list[str]], number: int = 60) -> None:
    draw = random.Random(batch)
    rows = []
    for n in range(number):
        text = " ".join(f"The {draw.choice(words[0])} {draw.choice(words[1])} it." for _ in range(20))
        split = "test" if n % 4 == 0 else "valid" if n % 4 == 1 else "train"
        row = {"batch_id": batch, "doc_id": f"news:{batch}-{n}", "revision": 1, "source": "news", "lang": "eo"}
        rows.append({**row, "split": split, "text": text})
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in SCHEMAS["corpus"]}
    Lake.open().table("corpus").append(f"made:{batch}", pa.table(columns))


def measure(grown: float = 0.1) -> Result:
    return monitor_drift.run(monitor_drift.MonitorDrift(model="lm-eo", grown=grown), PROGRESS)


def train() -> None:
    build_dataset.run(build_dataset.BuildDataset(lang="eo", vocabulary=300), PROGRESS)
    trained = train_language_model.TrainLanguageModel(lang="eo", architecture="ngram", order=3)
    train_language_model.run(trained, PROGRESS)


def test_more_of_the_same_is_no_drift_and_another_kind_of_text_is(mlflow_server: str) -> None:
    join_the_corpus(1, USUAL)
    assert "has no champion yet" in measure()["reason"]
    train()
    promote_model.run(promote_model.PromoteModel(model="lm-eo"), PROGRESS)
    assert measure()["reason"] == "0 documents came after version 1 was trained; 20 are needed"

    join_the_corpus(2, USUAL)
    same = measure()
    assert (same["drift"], same["documents"]) == (False, 60)
    assert (same["growth"], same["grown"], measure(grown=1.1)["grown"]) == (1.0, True, False)
    again = measure()
    assert (again["status"], again["drift"], again["run_id"]) == ("nothing_new", False, same["run_id"])

    join_the_corpus(3, ANOTHER, number=100)
    other = measure()
    assert other["drift"]
    # The champion stays; what the newest version was trained on is what counts for growth.
    assert other["growth"] == pytest.approx(160 / 60)
    train()
    assert (measure()["growth"], measure()["grown"]) == (0.0, False)
    assert other["metrics"]["drift_bits_per_byte_low"] > 1
    assert other["metrics"]["token_divergence"] > same["metrics"]["token_divergence"]
    assert tracking.Run(tracking.client(), other["run_id"]).tags()["drift"] == "yes"
