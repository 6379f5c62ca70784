"""A dataset is mixed as its options say, in one language or several, and says what became of every document."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs import build_dataset, evaluate_model, forget_documents, train_language_model
from jobs.build_dataset import BuildDataset
from jobs.command import Progress, parse
from jobs.train_language_model import TrainLanguageModel
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.lake.schemas import SCHEMAS
from tests.conftest import PROJECT

PROGRESS = Progress()
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def corpus_rows(n: int = 300) -> list[dict[str, Any]]:
    """A corpus in two languages, from three sources and several sites; a tenth each in valid and test."""
    draw, rows = random.Random(1), []
    for number in range(n):
        source, lang = draw.choice(["news", "wikipedia", "social"]), "zh" if number % 5 == 0 else "en"
        words = (
            ["猫看见了一条河。", "狗记得这棵树。"] if lang == "zh" else ["The cat sees a river. ", "A dog remembers. "]
        )
        split = {0: "test", 1: "valid"}.get(number // 5 % 10, "train")
        rows.append(
            {
                **{"batch_id": 1, "doc_id": f"{source}:{number}", "revision": 1, "source": source, "lang": lang},
                **{"split": split, "text": "".join(draw.choice(words) for _ in range(20))},
                **{"site": f"{source}{number % 3}.example", "published_at": NOW - timedelta(days=number % 100)},
            }
        )
    return rows


def fill(n: int = 300) -> None:
    Lake.open().table("corpus").append(f"made:{n}", pa.Table.from_pylist(corpus_rows(n), SCHEMAS["corpus"]))


def given(*words: str) -> BuildDataset:
    return parse(BuildDataset, words, "build_dataset", "")


def test_a_mixture_weighs_training_documents_only_and_accounts_for_each(mlflow_server: str) -> None:
    fill()
    plain = build_dataset.run(given("--lang", "en", "--vocabulary", "300"), PROGRESS)
    everything = plain["mixture"]["documents_in"]
    assert plain["mixture"]["documents"] == everything == plain["splits"]["train"]["documents"]

    words = ("--source-weights", "wikipedia=2", "social=0", "--site-caps", "news=10", "--half-lives", "news=50")
    options = given("--lang", "en", "--vocabulary", "300", *words)
    mixed = build_dataset.run(options, PROGRESS)
    account, by_source = mixed["mixture"], mixed["mixture"]["by_source"]
    assert account["documents_in"] == everything == account["documents"] + account["site_cap"] + account["not_drawn"]
    assert by_source["wikipedia"]["copies"] == 2 * by_source["wikipedia"]["documents_in"]
    assert by_source["social"]["documents"] == 0 < by_source["social"]["not_drawn"]
    assert by_source["news"]["documents"] < 30 == by_source["news"]["documents_in"] - by_source["news"]["site_cap"]
    for what in ("tokens", "bytes"):
        assert account[what] == mixed["splits"]["train"][what] == sum(each[what] for each in by_source.values())
    for split in ("valid", "test"):
        assert mixed["splits"][split]["documents"] == plain["splits"][split]["documents"]

    dataset = store.latest(Lake.open(), "en")
    lines = (dataset.folder / "train.left_out.txt").read_text().splitlines()
    left_out = {line.split("\t")[1] for line in lines}
    assert not left_out & set(dataset.split("train").doc_ids) and len(left_out) == everything - account["documents"]
    assert build_dataset.run(options, PROGRESS)["status"] == "nothing_new"


def test_killed_at_any_moment_it_leaves_one_whole_dataset_and_one_tokenizer(mlflow_server: str, home: Path) -> None:
    rows = corpus_rows()
    struck, calm = Lake.open(), Lake(f"file://{home}/calm")
    for lake in (struck, calm):
        lake.table("corpus").append("made", pa.Table.from_pylist(rows, SCHEMAS["corpus"]))
    words = ["--lang", "zh", "--vocabulary", "301"]  # no other test registers this tokenizer
    for moment in ("before_commit", "after_commit", "registered"):
        command = [sys.executable, "-m", "jobs.build_dataset", *words]
        died = subprocess.run(
            command,
            cwd=PROJECT,
            env={**os.environ, "LMFLOW_FAULT": f"dataset:{moment}"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert died.returncode == -9, died.stderr
        found = [name for name in struck.objects.list("datasets/zh/") if name.endswith("manifest.json")]
        assert len(found) == (moment != "before_commit")
    assert build_dataset.run(given(*words), PROGRESS)["status"] == "nothing_new"  # all was done before the last kill
    dataset = store.latest(struck, "zh")
    assert [dataset.digest] == [
        version.tags["dataset_digest"]
        for version in registry.versions("tokenizer-zh")
        if version.tags["tokenizer_digest"] == dataset.tokenizer.digest
    ]
    key = dataset.folder.name
    table = calm.table("corpus")
    splits, mixture = build_dataset._mixed(table, "zh", table.version(), given(*words).recipe)
    undisturbed = store.build(calm, "zh", key, splits, 301, dataset.manifest["lineage"], mixture=mixture)
    for path in undisturbed.folder.iterdir():
        assert (dataset.folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_several_languages_make_one_dataset_that_knows_the_language_of_each_document(mlflow_server: str) -> None:
    fill()
    options = given("--lang", "zh,en", "--vocabulary", "400", "--language-alpha", "0")
    assert options == BuildDataset(lang="en-zh", vocabulary=400, language_alpha=0) and options.lang == "en-zh"
    built = build_dataset.run(options, PROGRESS)
    by_language = built["mixture"]["by_language"]
    assert by_language["zh"]["bytes"] == pytest.approx(by_language["en"]["bytes"], rel=0.25)
    assert by_language["zh"]["copies"] > 2 * by_language["zh"]["documents_in"]
    assert "tokenizer-en-zh" in built["tokenizer"]
    test = store.latest(Lake.open(), "en-zh").split("test")
    assert test.langs.count("zh") == 6 and test.langs.count("en") == 24
    assert all(
        (lang == "zh") == (int(doc_id.split(":")[1]) % 5 == 0)
        for lang, doc_id in zip(test.langs, test.doc_ids, strict=True)
    )
    assert set(store.latest(Lake.open(), "en-zh").split("train").langs) == {"en", "zh"}

    words = ("--lang", "en", "zh", "--architecture", "ngram", "--order", "2")
    trained = train_language_model.run(parse(TrainLanguageModel, words, "train", ""), PROGRESS)
    assert trained["model"] == "lm-en-zh" and {"The", "中国"} <= trained["samples"].keys()
    scored = evaluate_model.run(evaluate_model.EvaluateModel(model=trained["model_uri"]), PROGRESS)
    assert {name: group["documents"] for name, group in scored["by_language"].items()} == {"en": 24, "zh": 6}
    assert scored["by_source"].keys() == {"news", "social", "wikipedia"}
    kept = tracking.client().get_run(trained["run_id"]).data.metrics
    for name, group in (*scored["by_language"].items(), *scored["by_source"].items()):
        assert group["low"] < group["value"] < group["high"]
        assert kept[f"test_bits_per_byte_{name}"] == pytest.approx(group["value"])
    assert scored["cloze"].keys() == {"en", "zh"} and kept["test_cloze_en_passages"] >= 24
    for found in scored["cloze"].values():
        assert found["low"] <= found["accuracy"] <= found["high"] and found["accuracy"] > 0
    again = evaluate_model.run(evaluate_model.EvaluateModel(model=trained["model_uri"]), PROGRESS)
    assert again["status"] == "nothing_new" and again["by_language"] == scored["by_language"]

    forgotten = forget_documents._delete_datasets(Lake.open(), [test.doc_ids[0]])
    assert [place.split("/")[1] for place in forgotten] == ["en-zh"]


def test_options_that_cannot_be_met_are_refused_in_one_line(mlflow_server: str) -> None:
    fill(60)
    with pytest.raises(InputError, match="--source-weights: 'news' is no pair such as news=2"):
        given("--lang", "en", "--source-weights", "news")
    with pytest.raises(InputError, match=r"--source-weights.*(wikipedia|less than)"):
        given("--lang", "en", "--source-weights", "books=2")
    with pytest.raises(InputError, match="--language-weights zh: --lang is en"):
        given("--lang", "en", "--language-weights", "zh=2")
    with pytest.raises(InputError, match="no documents in 'fr'"):
        build_dataset.run(given("--lang", "en", "fr"), PROGRESS)
    nothing = given("--lang", "en", "--source-weights", "news=0", "wikipedia=0", "social=0")
    with pytest.raises(InputError, match="leave no training document"):
        build_dataset.run(nothing, PROGRESS)
