"""From a corpus to a registered, scored language model, once: shards, training, evaluation, and a fresh process."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jobs import build_dataset, evaluate_model, train_language_model
from jobs.command import Progress
from jobs.network_training import EXPERIMENT
from lmflow import registry, tracking
from lmflow.errors import InputError
from lmflow.evaluation.scores import Scores
from lmflow.lake import Lake
from lmflow.lake.schemas import SCHEMAS
from lmflow.text.segment import words_and_marks
from tests.conftest import PROJECT

PROGRESS = Progress()


def make_corpus(n: int = 120, seed: int = 1) -> None:
    """A corpus of small documents in English, in the table's own shape."""
    draw = random.Random(seed)
    nouns, verbs = ["cat", "dog", "bird", "tree", "river"], ["sees", "follows", "remembers", "crosses"]
    rows = []
    for number in range(n):
        sentences = [f"The {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)}." for _ in range(30)]
        split = "test" if number % 10 == 0 else "valid" if number % 10 == 1 else "train"
        rows.append(
            {"doc_id": f"news:{number}", "revision": 1, "lang": "en", "split": split, "text": " ".join(sentences)}
        )
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in SCHEMAS["corpus"]}
    Lake.open().table("corpus").append(f"made:{n}:{seed}", pa.table(columns))


@pytest.fixture
def unique_lang(monkeypatch: pytest.MonkeyPatch) -> None:
    """The MLflow server is shared by the session: remove what an earlier test registered."""
    for version in registry.versions("lm-en"):
        tracking.client().delete_model_version("lm-en", str(version.version))


def test_a_corpus_becomes_three_scored_models_and_a_second_pass_trains_nothing(
    mlflow_server: str, unique_lang: None, tmp_path: Path
) -> None:
    make_corpus()
    built = build_dataset.run(build_dataset.BuildDataset(lang="en", vocabulary=300), PROGRESS)
    assert built["splits"]["test"]["documents"] == 12
    tokenizer = tracking.load_model(built["tokenizer"])
    ids = tokenizer.predict(pd.DataFrame({"text": ["The cat. 猫"]}))[0]
    back = tokenizer.predict(pd.DataFrame({"text": [" ".join(map(str, ids))]}), params={"task": "decode"})
    assert list(back) == ["The cat. 猫"]
    assert build_dataset.run(build_dataset.BuildDataset(lang="en", vocabulary=300), PROGRESS)["status"] == "nothing_new"
    pieces = build_dataset.run(build_dataset.BuildDataset(lang="en", vocabulary=300, tokenizer="unigram"), PROGRESS)
    assert pieces["tokenizer_kind"] == "unigram"
    assert pieces["tokenizer"] != built["tokenizer"]
    build_dataset.run(build_dataset.BuildDataset(lang="en", vocabulary=300), PROGRESS)  # the latest again

    ngram = train_language_model.TrainLanguageModel(lang="en", architecture="ngram", order=4)
    lstm = train_language_model.TrainLanguageModel(
        lang="en", architecture="lstm", epochs=2, batch_size=16, sequence_length=32, evaluate_every=20, ema=0.9
    )
    part_way = lstm.model_copy(update={"pause_after": 0.5})
    paused = train_language_model.run(part_way, PROGRESS)
    assert "version" not in paused and paused["metrics"]["valid_bits_per_byte"] > 0
    assert train_language_model.run(part_way, PROGRESS)["reason"] == f"measured after step {paused['step']} before"
    first, second = train_language_model.run(ngram, PROGRESS), train_language_model.run(lstm, PROGRESS)
    assert second["run_id"] == paused["run_id"]  # it went on there
    assert second["metrics"]["valid_bits_per_byte"] < paused["metrics"]["valid_bits_per_byte"]
    assert second["metrics"]["valid_perplexity"] < 300
    again = train_language_model.run(lstm, PROGRESS)
    assert (again["status"], again["version"]) == ("nothing_new", second["version"])

    mixed = lstm.model_copy(update={"architecture": "lstm+ngram", "order": 4})
    third = train_language_model.run(mixed, PROGRESS)
    assert third["version"] == second["version"] + 1  # both parts were there
    assert 0 < third["metrics"]["neural_weight"] < 1
    alone = min(first["metrics"]["valid_bits_per_byte"], second["metrics"]["valid_bits_per_byte"])
    assert third["metrics"]["valid_bits_per_byte"] <= alone + 1e-5
    parts = tracking.client().get_model_version("lm-en", str(third["version"])).tags["mixed_from"]
    assert parts == f"{second['model_uri']}, {first['model_uri']}"

    for trained in (first, second, third):
        options = evaluate_model.EvaluateModel(model=trained["model_uri"])
        scored = evaluate_model.run(options, PROGRESS)
        low, high = scored["bits_per_byte"]["low"], scored["bits_per_byte"]["high"]
        assert low <= scored["metrics"]["test_bits_per_byte"] <= high < 8
        assert scored["by_source"]["news"]["documents"] == 12
        # Two sentences of five words are more tokens than words: their perplexity is higher.
        assert 1 < scored["metrics"]["test_perplexity"] < scored["metrics"]["test_perplexity_per_word"]
        assert scored["metrics"]["test_next_token_accuracy"] > 0.2 and "test_calibration_error" in scored["metrics"]
        assert set(scored["definitions"]) <= set(scored["metrics"])
        assert 0 <= trained["metrics"]["written_distinct_2"] <= 1
        assert evaluate_model.run(options, PROGRESS)["metrics"] == pytest.approx(scored["metrics"])
        sheet = tracking.download(trained["run_id"], Scores.artifact(scored["held_out_digest"]), tmp_path)
        assert len(Scores.read(sheet).doc_ids) == 12
        card = tracking.client().get_model_version("lm-en", str(trained["version"]))
        assert card.tags["dataset_digest"] == built["dataset_digest"]
        assert card.description.startswith(f"# lm-en: {trained['architecture']}")
        registered = mlflow.models.get_model_info(trained["model_uri"])
        assert registered.signature.inputs.input_names() == ["prompt"]
        assert {"max_tokens", "temperature", "seed"} <= {each.name for each in registered.signature.params}
        example = mlflow.models.Model.load(trained["model_uri"]).load_input_example()
        assert list(example.columns) == ["prompt"]
    plots = {file.path for file in tracking.client().list_artifacts(second["run_id"], "plots")}
    assert "plots/loss.png" in plots
    evaluated = [step for step, _ in tracking.Run(tracking.client(), second["run_id"]).history("valid_loss")]
    assert evaluated[:2] == [20, 40] and len(evaluated) > 2
    texts = [file.path for file in tracking.client().list_artifacts(second["run_id"], "samples")]
    assert texts == [f"samples/{step:09d}.json" for step in evaluated]
    at_first = json.loads(tracking.download(second["run_id"], texts[0], tmp_path).read_text(encoding="utf-8"))
    assert set(at_first["samples"]) == {"The", "In the"}

    tracking.client().set_registered_model_alias("lm-en", "champion", str(second["version"]))
    script = (
        "import mlflow, pandas as pd\n"
        f"for uri in {[first['model_uri'], 'models:/lm-en@champion', third['model_uri']]}:\n"
        "    model = mlflow.pyfunc.load_model(uri)\n"
        "    print(repr(model.predict(pd.DataFrame({'prompt': ['The cat']}), params={'max_tokens': 12})))\n"
        "import lmflow; print(lmflow.__file__)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fresh = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**environment, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert fresh.returncode == 0, fresh.stderr[-2000:]
    lines = fresh.stdout.strip().splitlines()
    assert len(lines) == 4
    assert str(Path(__file__).resolve().parents[2] / "lmflow") not in lines[-1]


def test_plain_files_train_through_the_same_code_and_are_scored(mlflow_server: str, tmp_path: Path) -> None:
    for name, count in (("train", 60), ("valid", 8), ("test", 8)):
        text = "\n\n".join(f"Line {n % 7} of the file.\nThe cat sees the dog." for n in range(count))
        (tmp_path / f"toy.{name}.txt").write_text(text)
    files = {f"{name}_file": tmp_path / f"toy.{name}.txt" for name in ("train", "valid", "test")}
    options = train_language_model.TrainLanguageModel(lang="en", architecture="ngram", vocabulary=300, **files)
    trained = train_language_model.run(options, PROGRESS)
    assert trained["model"] == "lm-en-toy-train"
    assert 1 < trained["metrics"]["test_perplexity"] < 5
    assert trained["metrics"]["test_bits_per_byte_low"] <= trained["metrics"]["test_bits_per_byte"] < 1
    assert train_language_model.run(options, PROGRESS)["status"] == "nothing_new"
    again(trained, files["test_file"])

    small = {"epochs": 2, "batch_size": 4, "sequence_length": 10, "tokenizer": "whitespace", "vocabulary": None}
    network = options.model_copy(update={"architecture": "lstm", "preset": "lstm-zaremba-small", **small})
    zaremba = train_language_model.run(network, PROGRESS)
    words = train_language_model.run(network.model_copy(update={"architecture": "ngram", "preset": None}), PROGRESS)
    assert 1 < words["metrics"]["test_perplexity"] < zaremba["metrics"]["test_perplexity"] < 20
    again(zaremba, files["test_file"])
    assert again(words, files["test_file"])["test_perplexity_per_word"] == words["metrics"]["test_perplexity"]
    with pytest.raises(InputError, match=r"was trained on files: name one to score it on with --test-file"):
        evaluate_model.run(evaluate_model.EvaluateModel(model=words["model_uri"]), PROGRESS)
    assert evaluate_model.EvaluateModel(model="models:/lm-en-ptb2-train/1").test_file is None
    sampled = train_language_model.run(network.model_copy(update={"softmax_sample": 200}), PROGRESS)
    assert sampled["version"] > words["version"] and sampled["metrics"]["test_perplexity"] < 20  # scored over all
    vae = train_language_model.run(network.model_copy(update={"architecture": "vae", "preset": "vae-nano"}), PROGRESS)
    assert vae["metrics"]["test_importance_weighted"] <= vae["metrics"]["test_negative_elbo"] + 0.1
    with pytest.raises(ValueError, match=r"--preset rnn-nano is not of lstm; choose lstm-nano, "):
        train_language_model.TrainLanguageModel(lang="en", architecture="lstm", preset="rnn-nano")
    with pytest.raises(ValueError, match="go together"):
        train_language_model.TrainLanguageModel(lang="en", architecture="ngram", train_file=files["train_file"])
    missing = options.model_copy(update={"test_file": tmp_path / "nowhere.txt"})
    with pytest.raises(InputError, match=r"--test-file .*nowhere.txt cannot be read"):
        train_language_model.run(missing, PROGRESS)


@pytest.mark.parametrize(
    ("file", "name"),
    [("zh.txt", "lm-en-file-zh"), ("语料.txt", "lm-en-file"), ("ptb.train.txt", "lm-en-ptb-train")],
)
def test_a_model_of_files_has_no_name_that_a_corpus_gives(file: str, name: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("a b c\n" * 40, encoding="utf-8")
    given = {f"{part}_file": tmp_path / file for part in ("train", "valid", "test")}
    options = train_language_model.TrainLanguageModel(
        lang="en",
        architecture="ngram",
        tokenizer="whitespace",
        **given,
    )
    assert train_language_model.text_of(options)[1] == name


def test_a_file_in_two_languages_has_the_words_of_each(mlflow_server: str, tmp_path: Path) -> None:
    english, chinese = "The cat sees the dog beside the river.", "我们在河边看见一只猫和一条狗。"
    for name in ("train", "valid", "test"):
        (tmp_path / f"two.{name}.txt").write_text("\n\n".join([english, chinese] * 6), encoding="utf-8")
    files = {f"{name}_file": tmp_path / f"two.{name}.txt" for name in ("train", "valid", "test")}
    options = train_language_model.TrainLanguageModel(lang="en zh", architecture="ngram", vocabulary=300, **files)
    trained = train_language_model.run(options, PROGRESS)
    asked = evaluate_model.EvaluateModel(model=trained["model_uri"], test_file=files["test_file"])
    scored = evaluate_model.run(asked, PROGRESS)
    assert {lang: its["documents"] for lang, its in scored["by_language"].items()} == {"en": 6, "zh": 6}
    n_bytes = 6 * (len(english.encode()) + len(chinese.encode()))
    n_words = 6 * (len(english.split()) + 1 + len(words_and_marks(chinese, "zh")) + 1)
    nats = scored["metrics"]["test_bits_per_byte"] * n_bytes * np.log(2)
    assert scored["metrics"]["test_perplexity_per_word"] == pytest.approx(np.exp(nats / n_words), rel=1e-6)


def again(trained: dict[str, Any], test_file: Path) -> dict[str, float]:
    """Score a version on its own test file once more: it finds what its training found."""
    options = evaluate_model.EvaluateModel(model=trained["model_uri"], test_file=test_file)
    metrics: dict[str, float] = evaluate_model.run(options, PROGRESS)["metrics"]
    for name in ("test_perplexity", "test_bits_per_byte"):
        assert metrics[name] == pytest.approx(trained["metrics"][name], rel=1e-6)
    return metrics


def test_the_loss_curve_of_a_training_that_was_killed_and_stopped_has_every_step_once(
    mlflow_server: str, home: Path, tmp_path: Path
) -> None:
    words = ["--lang=en", "--architecture=mlp", "--epochs=1000", "--batch-size=4", "--sequence-length=4", "--seed=77"]
    for name, count in (("train", 40), ("valid", 4), ("test", 4)):
        (tmp_path / f"curve.{name}.txt").write_text("\n\n".join(f"The cat sees {n % 7} dogs." for n in range(count)))
        words.append(f"--{name}-file={tmp_path / f'curve.{name}.txt'}")
    command = [sys.executable, "-m", "jobs.train_language_model", "--vocabulary=280", *words]
    place = {"cwd": PROJECT, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    # Killed in its first checkpoint: the points before it are sent, the weights are not kept.
    killed = subprocess.run(command, **place, env={**os.environ, "LMFLOW_FAULT": "checkpoint:before_commit"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    with subprocess.Popen(command, **place) as process:
        assert process.stderr is not None
        while process.poll() is None and not list(home.glob("lake/objects/checkpoints/*/step-000000*00.npz")):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    stopped = re.search(r"stopped at step (\d+), checkpoint written", said)
    assert stopped is not None, said[-2000:]
    [run] = tracking.runs(EXPERIMENT, {"model": "lm-en-curve-train"})
    sent = [step for step, _ in run.history("train_loss")]
    assert sent == list(range(20, sent[-1] + 1, 20))
    assert int(stopped[1]) - sent[-1] <= 20


def test_nothing_to_work_on_is_named_with_the_remedy(mlflow_server: str) -> None:
    with pytest.raises(InputError, match=r"no documents in 'fr' \(it has: nothing\).*build_corpus"):
        build_dataset.run(build_dataset.BuildDataset(lang="fr"), PROGRESS)
    with pytest.raises(InputError, match="no dataset of 'fr' yet"):
        train_language_model.run(train_language_model.TrainLanguageModel(lang="fr", architecture="ngram"), PROGRESS)
    with pytest.raises(InputError, match="lm-nn/999: there is no such version"):
        evaluate_model.run(evaluate_model.EvaluateModel(model="models:/lm-nn/999"), PROGRESS)


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    scores = Scores("d" * 64, ("a", "文"), np.array([1.5, 2.5]), np.array([3, 4]))
    scores.write(tmp_path / "s.parquet")
    again = Scores.read(tmp_path / "s.parquet")
    assert (again.held_out_digest, again.doc_ids, again.nats.tolist()) == ("d" * 64, ("a", "文"), [1.5, 2.5])
