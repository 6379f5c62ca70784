"""The page and the API serve what is champion now, over real HTTP, and say in JSON what they cannot do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs import build_dataset, train_embeddings, train_language_model
from jobs.command import Progress
from lmflow import registry, tracking
from lmflow.evaluation.catalogue import gensim_test_data
from lmflow.lake import Lake
from lmflow.lake.schemas import SCHEMAS
from lmflow.serving.champions import split_name
from lmflow.settings import settings
from tests.conftest import free_port

PROGRESS = Progress()


@pytest.fixture(scope="module")
def server(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python -m lmflow.serving` over the session's MLflow server."""
    home = tmp_path_factory.mktemp("serving")
    port = free_port()
    command = [sys.executable, "-m", "lmflow.serving", "--port", str(port), "--poll-seconds", "0.3"]
    environment = {**os.environ, "LMFLOW_MLFLOW_URI": mlflow_url, "LMFLOW_HOME": str(home)}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=settings().project, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            break
        except OSError:
            time.sleep(0.2)
    else:
        process.kill()
        raise RuntimeError((home / "log").read_text())
    yield url
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def call(url: str, body: dict[str, Any] | bytes | None = None, host: str | None = None) -> tuple[int, Any]:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **({"Host": host} if host else {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            content = reply.read()
            return reply.status, json.loads(content) if "json" in reply.headers["Content-Type"] else content.decode()
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, json.loads(content) if "json" in error.headers["Content-Type"] else content.decode()


def served(server: str, name: str, version: int | None, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while call(f"{server}/health")[1]["serving"].get(name) != version:
        assert time.monotonic() < deadline, call(f"{server}/health")
        time.sleep(0.2)


def train_ngram(lang: str, order: int) -> int:
    lines = (gensim_test_data() / "lee_background.cor").read_text(encoding="utf-8").splitlines()[:60]
    splits = ("train", "train", "valid", "test")
    rows = [
        {"doc_id": f"{number}", "revision": 1, "lang": lang, "split": splits[number % 4], "text": text}
        for number, text in enumerate(lines)
    ]
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in SCHEMAS["corpus"]}
    Lake.open().table("corpus").append(f"made:{lang}", pa.table(columns))
    build_dataset.run(build_dataset.BuildDataset(lang=lang, vocabulary=400), PROGRESS)
    options = train_language_model.TrainLanguageModel(lang=lang, architecture="ngram", order=order)
    return int(train_language_model.run(options, PROGRESS)["version"])


def champion(name: str, version: int) -> None:
    tracking.client().set_registered_model_alias(name, "champion", str(version))


def test_a_language_without_a_champion_is_503_with_the_remedy(server: str) -> None:
    served(server, "lm-zh", None)
    deadline = time.monotonic() + 30
    while "registry" in call(f"{server}/health")[1]["problems"] and time.monotonic() < deadline:
        time.sleep(0.2)
    if "lm-zh" not in call(f"{server}/health")[1]["serving"]:
        status, said = call(f"{server}/generate", {"lang": "zh", "prompt": "中国"})
        assert (status, said["error"]) == (503, "lm-zh has no champion yet")
        assert "promote_model --model lm-zh" in said["remedy"]


def test_champions_are_served_and_exchanged_when_the_alias_moves(mlflow_server: str, server: str) -> None:
    first, second = train_ngram("wa", 2), train_ngram("wa", 3)
    champion("lm-wa", first)
    served(server, "lm-wa", first)
    asked = {"lang": "wa", "prompt": "The fire", "max_tokens": 30, "seed": 5}
    status, answer = call(f"{server}/generate", asked)
    assert (status, answer["model"], answer["version"], answer["seed"]) == (200, "lm-wa", first, 5)
    assert answer["text"]
    assert call(f"{server}/generate", asked)[1]["text"] == answer["text"]  # the same seed, the same text
    cold = [call(f"{server}/generate", {**asked, "temperature": 0, "seed": seed})[1]["text"] for seed in (1, 2)]
    assert cold[0] == cold[1]

    champion("lm-wa", second)
    served(server, "lm-wa", second)
    assert call(f"{server}/generate", asked)[1]["version"] == second
    facts = next(model for model in call(f"{server}/models")[1]["models"] if model["name"] == "lm-wa")
    assert facts["architecture"] == "ngram"
    assert facts["scores"] == {}  # nobody has evaluated it
    assert facts["url"] == registry.model_page("lm-wa", second)

    tracking.client().delete_registered_model_alias("lm-wa", "champion")
    served(server, "lm-wa", None)
    assert call(f"{server}/generate", asked)[0] == 503


def test_similar_words_come_from_the_embeddings(mlflow_server: str, server: str) -> None:
    options = train_embeddings.TrainEmbeddingsOptions(
        lang="wo", cbow=True, dim=20, epochs=2, train_file=gensim_test_data() / "lee_background.cor"
    )
    version = train_embeddings.run(options, PROGRESS)["version"]
    champion("embeddings-wo", version)
    served(server, "embeddings-wo", version)
    status, answer = call(f"{server}/similar?lang=wo&word=state&topn=4")
    assert (status, len(answer["similar"]), answer["version"]) == (200, 4, version)
    scores = [near["score"] for near in answer["similar"]]
    assert scores == sorted(scores, reverse=True)
    status, said = call(f"{server}/similar?lang=wo&word=%E8%AF%8D")
    assert (status, said["error"]) == (404, "the vocabulary has no word '词'")


def test_a_model_that_cannot_be_loaded_spoils_nothing(mlflow_server: str, server: str) -> None:
    client = tracking.client()
    with tracking.run("lmflow/test", "broken", {}) as opened:
        opened.log_text("not a model", "model/MLmodel")
    client.create_registered_model("lm-wc")
    source = f"{client.get_run(opened.run_id).info.artifact_uri}/model"
    champion("lm-wc", int(client.create_model_version("lm-wc", source, opened.run_id).version))
    deadline = time.monotonic() + 40
    while "lm-wc" not in call(f"{server}/health")[1]["problems"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    status, said = call(f"{server}/generate", {"lang": "wc"})
    assert status == 503 and "version 1 cannot be loaded" in said["error"]
    assert call(f"{server}/health")[0] == 200
    client.delete_registered_model("lm-wc")


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/generate", {"lang": "xx", "prompt": "a"}, 404, "no language 'xx'"),
        ("/generate", {"lang": "en", "max_tokens": 0}, 422, "max_tokens"),
        ("/generate", {"lang": "en", "temperature": 9}, 422, "temperature"),
        ("/generate", {"lang": "en", "prompt": "a" * 3000}, 422, "prompt"),
        ("/generate", {"lang": "en", "surprise": 1}, 422, "surprise"),
        ("/generate", {"prompt": "a"}, 422, "lang"),
        ("/generate", b"{not json", 422, "JSON"),
        ("/similar?lang=en", None, 422, "word"),
        ("/similar?lang=en&word=a&topn=1000", None, 422, "topn"),
        ("/generate", None, 405, "Method Not Allowed"),
        ("/nowhere", None, 404, "Not Found"),
    ],
)
def test_bad_questions_get_one_line_of_json(server: str, path: str, body: Any, status: int, says: str) -> None:
    got, said = call(f"{server}{path}", body)
    assert got == status
    assert says in said["error"] and said["remedy"]


def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(server: str) -> None:
    status, page = call(f"{server}/")
    assert status == 200 and "中文" in page
    for asset in ("/page.css", "/page.js", "/icon.svg"):
        assert asset in page
        status, content = call(f"{server}{asset}")
        assert status == 200
        assert "http" not in content.replace("http://www.w3.org/2000/svg", "")
    with urllib.request.urlopen(f"{server}/") as reply:
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_a_foreign_host_name_is_refused(server: str) -> None:
    assert call(f"{server}/models", host="evil.example")[0] == 400


def test_a_model_of_a_file_makes_no_language_of_its_name() -> None:
    assert [split_name(name) for name in ("lm-en", "lm-en-zh")] == [("lm", "en"), ("lm", "en-zh")]
    assert {split_name(name) for name in ("lm-en-ptb-train", "tokenizer-en", "lm")} == {("", "")}


def test_every_label_exists_in_both_languages() -> None:
    static = settings().project / "lmflow" / "serving" / "static"
    script, page = (static / "page.js").read_text(), Path(static / "page.html").read_text()
    english, chinese = (script.split(f"  {lang}: {{", 1)[1].split("\n  },", 1)[0] for lang in ("en", "zh"))
    import re

    keys = [set(re.findall(r"(?:^|[\s,{])(\w+): [\"(`]", block)) for block in (english, chinese)]
    assert keys[0] == keys[1]
    assert set(re.findall(r'data-i18n="(\w+)"', page)) <= keys[0]
