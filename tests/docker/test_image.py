"""Claims about what goes into the image and about the scripts that run in it."""

from __future__ import annotations

import base64
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.docker.conftest import DOCKER, ROOT

Script = Callable[[str], ModuleType]


def _pins(path: Path) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for name, pinned in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!]+)", path.read_text(), re.MULTILINE):
        pins.setdefault(name, set()).add(pinned)
    return pins


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt"])
def test_the_cluster_adds_packages_and_changes_none(name: str) -> None:
    main, added = _pins(ROOT / "requirements.txt"), _pins(DOCKER / name)
    assert {package: pins for package, pins in added.items() if package in main and not pins <= main[package]} == {}


@pytest.mark.parametrize("name", ["requirements", "requirements-gpu"])
def test_what_is_chosen_is_locked(name: str) -> None:
    chosen = re.findall(r"^([\w-]+)", (DOCKER / f"{name}.in").read_text(), re.MULTILINE)
    assert set(chosen) <= set(_pins(DOCKER / f"{name}.txt"))


def test_celery_is_one_that_airflows_provider_can_import() -> None:
    # Provider 3.26.0 takes `retry` from celery.backends.database, which celery 5.7 has not, yet allows 5.7.
    pins = _pins(DOCKER / "requirements.txt")
    assert pins["apache-airflow-providers-celery"] != {"3.26.0"} or pins["celery"] == {"5.6.3"}


def test_the_s3_connector_is_of_the_hadoop_that_pyspark_carries() -> None:
    spec = find_spec("pyspark")
    assert spec is not None and spec.origin is not None
    [client] = (Path(spec.origin).parent / "jars").glob("hadoop-client-api-*.jar")
    hadoop = client.stem.removeprefix("hadoop-client-api-")
    assert f"<version>{hadoop}</version>" in (DOCKER / "s3a" / "pom.xml").read_text()
    assert f"hadoop-aws:{hadoop}" in (ROOT / "jobs" / "spark.py").read_text()


def test_the_image_installs_what_this_environment_has() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text()
    assert f"uv=={version('uv')}" in dockerfile
    assert f"tensorflow[and-cuda]=={version('tensorflow')}" in (DOCKER / "requirements-gpu.in").read_text()
    for path in re.findall(r"COPY (?!--)(\S+\.\w+)", dockerfile):
        assert (ROOT / path).is_file(), path


def test_the_builder_is_sent_neither_secrets_nor_state() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    assert "*" in lines and "docker/.env" in lines
    admitted = {line[1:] for line in lines if line.startswith("!")}
    assert admitted == {"requirements.txt", "sources.yaml", "lmflow", "jobs", "dags", "docker"}
    assert ".env" in (DOCKER / ".gitignore").read_text().split()


# entrypoint.py --------------------------------------------------------------------------------------------------------


def test_a_password_of_any_letters_reaches_the_database_whole(script: Script) -> None:
    password = "p@ss/w:rd #%ü"
    made = script("entrypoint").variables({"airflow_db_password": password, "redis_password": password}, {})
    database = urlsplit(made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert (database.username, unquote(database.password or "")) == ("airflow", password)
    assert (database.hostname, database.port, database.path) == ("postgres", 5432, "/airflow")
    broker = urlsplit(made["AIRFLOW__CELERY__BROKER_URL"])
    assert (broker.hostname, broker.port, unquote(broker.password or "")) == ("redis", 6379, password)


def test_a_service_without_secrets_gets_no_variables(script: Script) -> None:
    entrypoint = script("entrypoint")
    assert entrypoint.variables({}, {}) == {} == entrypoint.spark_variables({}, {})


def test_the_command_sees_its_secrets_and_nobody_else_can_read_sparks(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "s3_access_key").write_text("key\n")
    (secrets / "spark_secret").write_text("hidden")
    show = "import os; print(os.environ['AWS_ACCESS_KEY_ID'], os.environ['SPARK_CONF_DIR'], sep='|')"
    given = {"LMFLOW_SPARK_MASTER": "spark://127.0.0.1:7077", "SECRETS_FOLDER": str(secrets), "TMPDIR": str(tmp_path)}
    done = _entrypoint([sys.executable, "-c", show], given)
    assert done.returncode == 0, done.stderr
    key, _, folder = done.stdout.strip().partition("|")
    settings = Path(folder) / "spark-defaults.conf"
    assert key == "key"
    assert re.search(r"^spark.authenticate.secret\s+hidden$", settings.read_text(), re.MULTILINE)
    assert settings.stat().st_mode & 0o077 == 0


def test_spark_is_told_the_address_that_leads_to_the_master(script: Script, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = script("entrypoint").spark_variables(
        {"spark_secret": "s"}, {"LMFLOW_SPARK_MASTER": "spark://127.0.0.9:7077"}
    )
    assert made["SPARK_LOCAL_HOSTNAME"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("content", "words", "line"),
    [
        ("", ["true"], "the secret fernet_key is empty"),
        ("x", [], "no command"),
        ("x", ["no-such-command"], "cannot run no-such-command"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(tmp_path: Path, content: str, words: list[str], line: str) -> None:
    (tmp_path / "fernet_key").write_text(content)
    done = _entrypoint(words, {"SECRETS_FOLDER": str(tmp_path)})
    assert done.returncode == 1
    assert line in done.stderr and len(done.stderr.splitlines()) == 1


def _entrypoint(words: list[str], given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOCKER / "entrypoint.py"), *words]
    return subprocess.run(command, env={"PATH": os.defpath, **given}, capture_output=True, text=True)


# The other scripts ----------------------------------------------------------------------------------------------------


def test_new_secrets_are_long_differ_and_fit_their_use(script: Script) -> None:
    new_env, example = script("new_env"), (DOCKER / ".env.example").read_text()
    first, second = (
        dict(line.split("=", 1) for line in new_env.filled(example).splitlines() if re.match(r"\w+=", line))
        for _ in range(2)
    )
    for name in new_env.SECRETS:
        assert len(first[name]) >= 24 and first[name] != second[name]
        assert re.fullmatch(r"[\w=-]+", first[name]), name
    assert len(base64.urlsafe_b64decode(first["AIRFLOW_FERNET_KEY"])) == 32
    assert len(first["AIRFLOW_JWT_SECRET"]) >= 64
    assert first["AIRFLOW_PORT"] == "8080"


def test_secrets_that_exist_are_kept(script: Script, tmp_path: Path, monkeypatch: Any) -> None:
    new_env = script("new_env")
    (tmp_path / ".env.example").write_text("REDIS_PASSWORD=\n")
    monkeypatch.setattr(new_env, "FOLDER", tmp_path)
    new_env.main()
    written = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SystemExit, match="left as it is"):
        new_env.main()
    assert (tmp_path / ".env").read_text() == written


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 500)
            self.end_headers()
            self.wfile.write(b'{"dag_processor": {"status": "healthy"}}')

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_a_server_is_well_only_when_it_answers_and_says_so(script: Script, server: str) -> None:
    is_well = script("healthcheck").is_well
    assert is_well(f"{server}/health")
    assert is_well(f"{server}/health", "dag_processor.status=healthy")
    assert not is_well(f"{server}/health", "dag_processor.status=unhealthy")
    assert not is_well(f"{server}/health", "triggerer.status=healthy")
    assert not is_well(f"{server}/broken")
    assert not is_well("http://127.0.0.1:9/")


class _Store:
    """An S3 store in memory that enforces `If-None-Match`, or forgets to."""

    def __init__(self, enforces: bool) -> None:
        self.enforces, self.keys, self.buckets, self._lock = enforces, dict[str, bytes](), list[str](), threading.Lock()

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def create_bucket(self, Bucket: str) -> None:
        self.buckets.append(Bucket)

    def delete_object(self, Bucket: str, Key: str) -> None:
        del self.keys[Key]

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str) -> None:
        from botocore.exceptions import ClientError

        with self._lock:
            if self.enforces and Key in self.keys:
                reply = {"Error": {"Code": "PreconditionFailed"}, "ResponseMetadata": {"HTTPStatusCode": 412}}
                raise ClientError(reply, "PutObject")  # type: ignore[arg-type]
            self.keys[Key] = Body


def test_a_store_that_lets_two_writers_win_is_refused(script: Script) -> None:
    prepare = script("prepare_store").prepare
    good, bad = _Store(enforces=True), _Store(enforces=False)
    good.buckets.append("lake")
    prepare(good, ["lake", "mlflow"])
    assert good.buckets == ["lake", "mlflow"] and not good.keys
    with pytest.raises(SystemExit, match="20 of 20 writers won"):
        prepare(bad, ["lake"])


def test_the_databases_are_made_with_their_own_passwords() -> None:
    text = (DOCKER / "postgres" / "create-databases.sh").read_text()
    assert "for name in airflow mlflow" in text and "REVOKE ALL" in text
    assert os.access(DOCKER / "postgres" / "create-databases.sh", os.X_OK)
    assert subprocess.run(["sh", "-n", str(DOCKER / "postgres" / "create-databases.sh")]).returncode == 0
