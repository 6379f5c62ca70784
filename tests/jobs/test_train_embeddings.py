"""A training ends in a registered, judged, portable model; the same inputs train once; bad input leaves nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.command import Progress
from jobs.train_embeddings import TrainEmbeddingsOptions, run
from lmflow import registry, tracking
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.registered import load_embedding
from lmflow.errors import InputError
from lmflow.evaluation.catalogue import gensim_test_data
from lmflow.lake import Lake
from lmflow.lake.schemas import SCHEMAS
from lmflow.settings import settings
from tests.corpus.documents import chinese, row

FAST: dict[str, Any] = {"dim": 30, "epochs": 3, "workers": 1}


def corpus(rows: list[dict[str, Any]]) -> None:
    schema = SCHEMAS["corpus"]
    table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
    Lake.open().table("corpus").append(f"test:{len(rows)}:{rows[0]['batch_id']}", table)


def lee_documents(batch: int = 1, split: str = "train", start: int = 0, count: int = 300) -> list[dict[str, Any]]:
    texts = (gensim_test_data() / "lee_background.cor").read_text(encoding="utf-8").splitlines()[start : start + count]
    return [
        {
            "batch_id": batch,
            "doc_id": f"news:{batch}:{number}",
            "revision": 1,
            "lang": "en",
            "split": split,
            "text": text,
            "n_chars": len(text),
        }
        for number, text in enumerate(texts)
    ]


def test_the_corpus_becomes_a_judged_model_once(mlflow_server: str) -> None:
    held_out = {"batch_id": 1, "doc_id": "h", "lang": "en", "split": "test", "text": "secretword " * 20}
    corpus([*lee_documents(), held_out])
    options = TrainEmbeddingsOptions(lang="en", **FAST)
    first = run(options, Progress())
    metrics = first["metrics"]
    assert 0 < metrics["wordsim353_coverage"] < 1
    assert metrics["wordsim353_spearman_low"] <= metrics["wordsim353_spearman"] <= metrics["wordsim353_spearman_high"]
    assert {"simlex999_spearman", "words_per_second", "vocabulary", "google_analogies_semantic_coverage"} <= set(
        metrics
    )

    registered = registry.versions("embeddings-en")[-1]
    assert registered.version == first["version"] == registry.aliases("embeddings-en")["challenger"]
    assert registered.tags["corpus_version"] == str(Lake.open().table("corpus").version())
    for name in ("wordsim353_spearman_low", "google_analogies_semantic", "google_analogies_semantic_high"):
        assert float(registered.tags[name]) == pytest.approx(metrics[name], abs=1e-4)  # what the model page shows
    logged = tracking.client().get_run(first["run_id"])
    assert logged.data.params["dim"] == "30"
    assert logged.data.metrics["wordsim353_spearman"] == pytest.approx(metrics["wordsim353_spearman"])
    assert len(tracking.client().get_metric_history(first["run_id"], "loss")) == 3
    model, document = load("embeddings-en", first["version"]), lee_documents()[7]
    related, known = model.predict(
        [{"task": "related", "text": document["text"]}, {"task": "related", "text": "Qwertz"}]
    )
    assert related[0]["doc_id"] == document["doc_id"] and related[0]["score"] > 0.99
    assert len(related) == 10 and related[0]["score"] >= related[-1]["score"]
    assert "no word of the vocabulary" in known["error"]
    card = tracking.client().get_model_version("embeddings-en", str(first["version"])).description
    assert "wordsim353" in card and "Nearest neighbours" in card

    again = run(options, Progress())
    assert (again["status"], again["version"]) == ("nothing_new", first["version"])
    assert f"corpus version {registered.tags['corpus_version']}" in again["reason"]

    corpus([{**held_out, "batch_id": 2, "doc_id": "h2"}])  # a new table version, but no new training text
    assert run(options, Progress())["status"] == "nothing_new"

    corpus(lee_documents(batch=3, count=5))
    assert run(options, Progress())["version"] > first["version"]
    answer = load("embeddings-en", first["version"]).predict([{"task": "vector", "word": "secretword"}])
    assert "error" in answer[0]  # held-out text is never learnt


def load(name: str, version: int) -> Any:
    import pandas as pd

    model = tracking.load_model(f"models:/{name}/{version}")
    original = model.predict
    model.predict = lambda rows, params=None: original(pd.DataFrame(rows), params=params)
    return model


def test_a_plain_file_trains_to_the_same_bytes_twice_and_its_model_answers_without_the_project(
    mlflow_server: str, tmp_path: Path
) -> None:
    file = gensim_test_data() / "lee_background.cor"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "jobs.train_embeddings", "--lang", "nl", "--cbow", "--dim", "20", "--epochs", "2"),
            *("--workers", "1", "--train-file", str(file)),
        ],
        capture_output=True, text=True, cwd=settings().project, timeout=200, env={**os.environ, "PYTHONHASHSEED": "22"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    # Under another name, so that it is not found done; neither has a champion that it would be turned to.
    options = TrainEmbeddingsOptions(lang="de", cbow=True, dim=20, epochs=2, workers=1, train_file=file)
    runs = [result["run_id"], run(options, Progress())["run_id"]]
    folders = [Path(tempfile.mkdtemp(dir=tmp_path)) for _ in runs]
    paths = [tracking.download(run_id, "vectors/vectors.bin", folders[number]) for number, run_id in enumerate(runs)]
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == 1
    script = """
import json, sys, pandas as pd, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = [{"task": "most_similar", "word": "Australia"}, {"task": "similarity", "word": "he", "other": "she"},
        {"task": "analogy", "word": "man", "other": "men", "like": "state"}, {"task": "vector", "word": "the"},
        {"task": "vector", "word": "qwertz"}, {"task": "sing", "word": "the"}, {"task": "similarity", "word": "he"},
        {"task": "doc_similar", "text": "The Prime Minister spoke.", "other": "A minister of the government said."},
        {"task": "doc_similar", "text": "The Prime Minister spoke.", "other": "Qwertz!"},
        {"task": "related", "text": "The Prime Minister spoke."}]
import lmflow
print(json.dumps([model.predict(pd.DataFrame(rows), params={"topn": 3}), lmflow.__file__, "gensim" in sys.modules]))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fresh = subprocess.run(
        [sys.executable, "-c", script, result["model_uri"]],
        cwd=tmp_path, env={**environment, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    answers, origin, gensim_loaded = json.loads(fresh.stdout.splitlines()[-1])
    near, similarity, analogy, vector, unknown, sing, half, alike, empty, alone = answers
    assert len(near) == len(analogy) == 3
    assert -1 <= similarity <= 1
    assert len(vector) == 20
    assert unknown == {"error": "the vocabulary has no word 'qwertz'"}
    assert "unknown task 'sing'" in sing["error"]
    assert half == {"error": "task similarity needs other"}
    assert -1 <= alike <= 1
    assert empty == {"error": "no word of the vocabulary is in the text 'Qwertz!'"}
    assert "no index of articles" in alone["error"]
    assert str(settings().project) not in origin
    assert not gensim_loaded


def test_a_chinese_model_finds_related_texts_without_the_project(mlflow_server: str, tmp_path: Path) -> None:
    texts = {f"news:{number}": chinese(number, 14) for number in range(40)}
    texts["news:capitals"] = (
        "北京是中国的首都，东京是日本的首都。\n" * 10
    )  # the words of one question of a shipped test
    corpus([{**row(1, doc_id, text), "lang": "zh", "split": "train"} for doc_id, text in texts.items()])
    trained = run(TrainEmbeddingsOptions(lang="zh", **FAST), Progress())
    script = """
import json, sys, pandas as pd, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
text = sys.argv[2]
rows = [{"task": "related", "text": text}, {"task": "doc_similar", "text": text, "other": text}]
print(json.dumps(model.predict(pd.DataFrame(rows), params={"topn": 3})))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fresh = subprocess.run(
        [sys.executable, "-c", script, trained["model_uri"], texts["news:7"]],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    related, same = json.loads(fresh.stdout.splitlines()[-1])
    assert related[0]["doc_id"] == "news:7" and len(related) == 3
    assert same == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("algorithm", ["fasttext", "glove"])
def test_other_algorithms_end_in_the_same_kind_of_model(mlflow_server: str, tmp_path: Path, algorithm: str) -> None:
    corpus(lee_documents(batch=11, start=50))
    only = {"bucket": 5_000} if algorithm == "fasttext" else {"x_max": 10.0, "stop_words": False}
    options = TrainEmbeddingsOptions(lang="en", algorithm=algorithm, phrases=True, **{**FAST, **only})
    done = run(options, Progress())
    assert done["metrics"]["wordsim353_coverage"] > 0
    model = load(done["model"], done["version"])
    near, joined, unknown, the = model.predict(
        [
            {"task": "most_similar", "word": "Australia"},
            {"task": "vector", "word": "Prime Minister"},  # a phrase
            {"task": "vector", "word": "governmental"},  # not in the vocabulary
            {"task": "similarity", "word": "the", "other": "of"},
        ]
    )
    assert len(near) == 10 and len(joined) == 30
    assert len(unknown) == 30 if algorithm == "fasttext" else "error" in unknown
    assert isinstance(the, float) if algorithm == "fasttext" else "no word 'the'" in the["error"]
    card = tracking.client().get_model_version(done["model"], str(done["version"])).description
    assert ("without 216 stop words" in card) == (algorithm == "glove") and "lower-cased, cut into words" in card
    files = Path(tracking.client().download_artifacts(done["run_id"], "", str(tmp_path)))
    from gensim.models import KeyedVectors

    text = KeyedVectors.load_word2vec_format(files / "vectors" / "vectors.txt")
    binary = KeyedVectors.load_word2vec_format(files / "vectors" / "vectors.bin", binary=True)
    assert np.array_equal(text.vectors, binary.vectors)
    assert text["prime_minister"].tolist() == pytest.approx(joined)
    words = (files / "projector" / "words.tsv").read_text(encoding="utf-8").splitlines()
    assert len(words) - 1 == len((files / "projector" / "vectors.tsv").read_text().splitlines())


def test_an_update_learns_what_was_added_and_says_what_moved(
    mlflow_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    corpus(lee_documents(batch=21, count=280))
    if registry.aliases("embeddings-en").get("champion"):  # of another test: it would be gone on from
        tracking.client().delete_registered_model_alias("embeddings-en", "champion")
    parent = run(TrainEmbeddingsOptions(lang="en", **FAST, seed=5), Progress())
    assert "drift_common" not in parent["metrics"] or parent["metrics"]["drift_common"] > 0
    options = TrainEmbeddingsOptions(lang="en", **FAST, seed=5, start_from=parent["model_uri"])
    newest = options.model_copy(update={"start_from": "newest"})
    for again in (options, newest):
        nothing = run(again, Progress())
        assert (nothing["status"], nothing["version"]) == ("nothing_new", parent["version"])
        assert "nothing was added" in nothing["reason"]

    new = {**lee_documents(batch=22, count=1)[0], "doc_id": "new", "text": "zyzzyva beetles eat wheat\n" * 40}
    corpus([{**new, "n_chars": len(new["text"])}])
    reads: list[str] = []

    def counted(uri: str) -> Embedding:
        reads.append(uri)
        return load_embedding(uri)

    monkeypatch.setattr("jobs.train_embeddings.load_embedding", counted)
    update = run(newest, Progress())
    assert update["version"] > parent["version"] and reads == [parent["model_uri"]]  # vectors may be large
    [registered] = [each for each in registry.versions("embeddings-en") if each.version == update["version"]]
    assert registered.tags["aligned_to"] == parent["model_uri"]
    assert update["words"] < parent["words"] / 2  # only the new text, and some old
    assert update["metrics"]["drift_added"] >= 1
    assert update["metrics"]["drift_stored_overlap"] > 0.5
    answers = load("embeddings-en", update["version"]).predict([{"task": "vector", "word": "zyzzyva"}])
    assert len(answers[0]) == 30
    card = tracking.client().get_model_version("embeddings-en", str(update["version"])).description
    assert "What moved most" in card

    for wrong, says in (
        ({"start_from": "models:/embeddings-en/99"}, "there is no such version"),
        ({"start_from": parent["model_uri"], "dim": 20}, "has 30 dimensions"),
        ({"start_from": parent["model_uri"], "algorithm": "fasttext"}, "that is word2vec; say --algorithm word2vec"),
        ({"start_from": parent["model_uri"], "lower_case": False}, "its text was lower-cased"),
    ):
        with pytest.raises(InputError, match=says):
            run(TrainEmbeddingsOptions(lang="en", **{**FAST, **wrong}), Progress())

    files = tracking.download(update["run_id"], "", tmp_path)
    assert json.loads((files / "drift.json").read_text())["added"] and (files / "plots" / "words.png").stat().st_size
    anew = run(newest.model_copy(update={"dim": 20}), Progress())  # no version has 20 dimensions
    assert anew["words"] > parent["words"] and "aligned_to" not in registry.versions("embeddings-en")[-1].tags

    everything = run(options.model_copy(update={"max_new_share": 0.001, "seed": 6}), Progress())
    assert everything["words"] > parent["words"]


def test_an_update_from_an_alias_is_named_by_the_version_that_it_stood_for(mlflow_server: str) -> None:
    corpus(lee_documents(batch=61, count=200))
    options = TrainEmbeddingsOptions(lang="en", **FAST, seed=61)
    parent = run(options, Progress())
    tracking.client().set_registered_model_alias("embeddings-en", "shelf", str(parent["version"]))
    corpus(lee_documents(batch=62, start=200, count=10))
    from_alias = options.model_copy(update={"start_from": "models:/embeddings-en@shelf"})
    update = run(from_alias, Progress())
    assert registry.resolve(update["model_uri"], "").tags["aligned_to"] == parent["model_uri"]
    assert run(from_alias, Progress())["status"] == "nothing_new"
    by_number = run(options.model_copy(update={"start_from": parent["model_uri"]}), Progress())
    assert (by_number["status"], by_number["version"]) == ("nothing_new", update["version"])


def test_an_older_corpus_trains_as_it_was(mlflow_server: str) -> None:
    corpus(lee_documents(batch=71, count=100))
    version = Lake.open().table("corpus").version()
    corpus([{**lee_documents(batch=72, count=1)[0], "text": "zyzzyva beetles eat wheat\n" * 40}])
    options = TrainEmbeddingsOptions(lang="en", **FAST, seed=71)
    new = run(options, Progress())
    old = run(options.model_copy(update={"corpus_version": version}), Progress())
    assert registry.resolve(old["model_uri"], "").tags["corpus_version"] == str(version)
    assert old["words"] < new["words"] and old["metrics"]["documents"] == 100 == new["metrics"]["documents"] - 1
    answers = [
        load("embeddings-en", each["version"]).predict([{"task": "vector", "word": "zyzzyva"}])[0]
        for each in (old, new)
    ]
    assert "error" in answers[0] and len(answers[1]) == 30
    again = run(options.model_copy(update={"corpus_version": version}), Progress())
    assert (again["status"], again["version"]) == ("nothing_new", old["version"])


def test_an_option_of_another_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="--negative means nothing to glove: it is for word2vec and fasttext"):
        TrainEmbeddingsOptions(lang="en", algorithm="glove", negative=10)
    with pytest.raises(ValueError, match="--min-n 7 is above --max-n 6"):
        TrainEmbeddingsOptions(lang="en", algorithm="fasttext", min_n=7)
    with pytest.raises(ValueError, match="--lang xx: no language that Unicode knows"):
        TrainEmbeddingsOptions(lang="xx", train_file=Path("any.txt"))


@pytest.mark.parametrize("algorithm", ["word2vec", "fasttext", "glove"])
def test_a_vocabulary_of_one_word_registers_nothing(mlflow_server: str, tmp_path: Path, algorithm: str) -> None:
    (tmp_path / "one.txt").write_text("word word\n" * 50)
    before = registry.versions("embeddings-en")
    options = TrainEmbeddingsOptions(lang="en", algorithm=algorithm, train_file=tmp_path / "one.txt", **FAST)
    with pytest.raises(InputError, match=r"vocabulary has 1 word\(s\)"):
        run(options, Progress())
    assert registry.versions("embeddings-en") == before


def test_glove_needs_words_that_share_a_line(mlflow_server: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("one\ntwo\nthree\n" * 5)
    options = TrainEmbeddingsOptions(lang="en", algorithm="glove", train_file=tmp_path / "list.txt", **FAST)
    with pytest.raises(InputError, match="no two words of the vocabulary share a line"):
        run(options, Progress())


def test_a_killed_run_that_had_registered_is_finished_by_the_next(mlflow_server: str) -> None:
    corpus(lee_documents(batch=7, start=100))
    options = TrainEmbeddingsOptions(lang="en", seed=99, **FAST)
    first = run(options, Progress())
    tracking.client().delete_registered_model_alias("embeddings-en", "challenger")
    assert run(options, Progress())["version"] == first["version"]
    assert registry.aliases("embeddings-en")["challenger"] == first["version"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lang": "en", "train_file": Path("nowhere.txt")}, "nowhere.txt: there is no such file"),
        ({"lang": "fr"}, r"no training documents in 'fr' \(it has: en\)"),
        ({"lang": "en", "corpus_version": 99}, "ends at version"),
        ({"lang": "en", "min_count": 10_000}, "vocabulary has 0 word"),
    ],
)
def test_bad_input_registers_nothing(mlflow_server: str, options: dict[str, Any], says: str) -> None:
    corpus(lee_documents(count=20))
    before = [version.version for version in registry.versions(f"embeddings-{options['lang']}")]
    with pytest.raises(InputError, match=says):
        run(TrainEmbeddingsOptions(**options), Progress())
    assert [version.version for version in registry.versions(f"embeddings-{options['lang']}")] == before


@pytest.mark.parametrize(("lang", "tests"), [("en", "wordsim353, simlex999, google.*"), ("zh", "ca8_semantic.*")])
def test_vectors_that_no_test_knows_a_word_of_are_not_registered(
    mlflow_server: str, tmp_path: Path, lang: str, tests: str
) -> None:
    (tmp_path / "made-up.txt").write_text("blorp frobnitz quuxel\n" * 50)
    before = registry.versions(f"embeddings-{lang}")
    with pytest.raises(InputError, match=f"no pair or question of {tests} is in the vocabulary"):
        run(TrainEmbeddingsOptions(lang=lang, train_file=tmp_path / "made-up.txt", sample=0.0, **FAST), Progress())
    assert registry.versions(f"embeddings-{lang}") == before


def test_an_empty_corpus_says_what_to_do(mlflow_server: str) -> None:
    before = registry.versions("embeddings-en")
    with pytest.raises(InputError, match=r"corpus is empty.*build_corpus"):
        run(TrainEmbeddingsOptions(lang="en"), Progress())
    assert registry.versions("embeddings-en") == before
