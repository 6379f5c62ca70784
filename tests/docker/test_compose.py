"""Claims about compose.yaml that hold without an engine: what is reachable, who knows a secret, what waits for what."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lmflow.services.airflow_home import airflow_environment
from lmflow.settings import Settings
from tests.docker.conftest import DOCKER, ROOT, tool

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:[-?])([^}]*))?\}")
CONTROL_PLANE = {"airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}


def _text(name: str = "compose.yaml") -> str:
    return (DOCKER / name).read_text()


def _settings_of_example() -> dict[str, str]:
    lines = _text(".env.example").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_is_in_the_example_with_the_same_default() -> None:
    example = _settings_of_example()
    for text in (_text(), _text("compose.gpu.yaml")):
        for name, operator, word in VARIABLE.findall(text):
            assert name in example
            if operator == ":-":
                assert example[name] == word, name


def test_every_setting_of_the_example_is_used() -> None:
    used = {name for text in (_text(), _text("compose.gpu.yaml")) for name, _, _ in VARIABLE.findall(text)}
    assert set(_settings_of_example()) == used


def test_every_secret_is_required_generated_and_empty_in_the_example(
    compose: dict[str, Any], script: Callable[[str], ModuleType]
) -> None:
    variables = {secret["environment"] for secret in compose["secrets"].values()}
    required = {VARIABLE.fullmatch(line)[1] for line in compose["x-required"]}  # type: ignore[index]
    example = _settings_of_example()
    assert variables == required == set(script("new_env").SECRETS)
    assert {name for name in variables if example[name]} == set()


def test_no_service_gets_a_secret_as_a_variable(compose: dict[str, Any]) -> None:
    secret = {entry["environment"] for entry in compose["secrets"].values()}
    for name, service in compose["services"].items():
        used = {found for found, _, _ in VARIABLE.findall(json.dumps(service))}
        assert not used & secret, name
        for variable in service.get("environment", {}):
            assert not re.search(r"(PASSWORD|SECRET|_KEY|TOKEN)$", variable), (name, variable)


def test_only_the_control_plane_and_mlflow_know_a_database_password(compose: dict[str, Any]) -> None:
    def holders(secret: str) -> set[str]:
        return {name for name, service in compose["services"].items() if secret in service.get("secrets", [])}

    assert holders("airflow_db_password") == CONTROL_PLANE | {"postgres"}
    assert holders("mlflow_db_password") == {"mlflow", "postgres"}
    assert holders("jwt_secret") == CONTROL_PLANE
    assert holders("airflow_admin_password") == {"airflow-init"}
    assert not {"model-page", "samples"} & holders("s3_secret_key")


def test_every_secret_is_declared_and_needed(compose: dict[str, Any], script: Callable[[str], ModuleType]) -> None:
    given = {secret for service in compose["services"].values() for secret in service.get("secrets", [])}
    assert given == set(compose["secrets"])
    entrypoint = script("entrypoint")
    for name, service in compose["services"].items():
        if not _is_ours(service):
            continue
        for secret in service.get("secrets", []):
            made = entrypoint.variables({secret: "value"}, {})
            assert made or secret in ("spark_secret", "airflow_admin_password"), (name, secret)


def test_nothing_is_published_beyond_this_host(compose: dict[str, Any]) -> None:
    published = {name: port for name, s in compose["services"].items() for port in s.get("ports", [])}
    assert set(published) == {"airflow-api-server", "mlflow", "model-page", "spark-master"}
    assert all(port.startswith("127.0.0.1:") for port in published.values())


def test_what_holds_state_has_no_way_out(compose: dict[str, Any]) -> None:
    for store, network in (("postgres", "metadata"), ("redis", "broker"), ("s3", "lake")):
        assert compose["services"][store]["networks"] == [network]
        assert compose["networks"][network] == {"internal": True}


def test_a_service_shares_a_network_with_every_service_it_names(compose: dict[str, Any]) -> None:
    services = compose["services"]
    databases = {"airflow_db_password": "postgres", "mlflow_db_password": "postgres", "redis_password": "redis"}
    for name, service in services.items():
        mine = {key: value for key, value in service.items() if key in ("command", "healthcheck")}
        named = set(re.findall(r"//([a-z][a-z0-9-]*):\d+", json.dumps(mine)))
        named |= {databases[secret] for secret in service.get("secrets", []) if secret in databases}
        if "s3_access_key" in service.get("secrets", []):
            named.add("s3")
        if "spark_secret" in service.get("secrets", []):
            named.add("spark-master")
        for other in named & set(services) - {name}:
            assert set(service["networks"]) & set(services[other]["networks"]), (name, other)


def test_the_worker_reaches_everything_a_job_needs(compose: dict[str, Any]) -> None:
    worker = compose["services"]["airflow-worker"]
    hosts = set(re.findall(r"//([a-z][a-z0-9-]*):\d+", json.dumps(worker["environment"])))
    assert hosts == {"airflow-api-server", "mlflow", "s3", "samples", "spark-master"}
    for host in hosts:
        assert set(worker["networks"]) & set(compose["services"][host]["networks"]), host


def test_a_driver_and_its_executors_know_the_same_settings(compose: dict[str, Any]) -> None:
    worker, executor = (compose["services"][name] for name in ("airflow-worker", "spark-worker"))
    shared = {name for name in worker["environment"] if name.startswith(("LMFLOW_", "AWS_"))}
    assert {name: worker["environment"][name] for name in shared}.items() <= executor["environment"].items()
    assert set(executor["secrets"]) <= set(worker["secrets"])
    assert "home:/var/lib/lmflow/home" in worker["volumes"] and "home:/var/lib/lmflow/home" in executor["volumes"]


def test_a_dependency_is_a_service_that_can_meet_its_condition(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, entry in service.get("depends_on", {}).items():
            condition = entry["condition"]
            if condition == "service_healthy":
                assert "healthcheck" in services[other], (name, other)
            else:
                assert condition == "service_completed_successfully", (name, other)
                assert services[other]["restart"] == "no", (name, other)
            assert set(services[other].get("profiles", [])) <= set(service.get("profiles", [])), (name, other)


def test_what_stays_up_has_a_healthcheck_and_limits(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert ("healthcheck" in service) == (service["restart"] != "no"), name
        assert service["cap_drop"] == ["ALL"] and service["init"] is True, name


def test_images_are_pinned_and_nothing_runs_as_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d+\.\d+", tag) and "latest" not in tag, name
        if _is_ours(service):
            assert "user" not in service, name  # the Dockerfile's
        else:
            assert service["user"] not in ("root", "0", "0:0"), name
    dockerfile = _text("Dockerfile")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert all(base == "base" or re.search(r":\d+\.\d+\.\d+", base) for base in bases)
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["10001:10001"] * 2


def test_files_that_are_mounted_or_run_exist(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).exists(), (name, volume)
            elif not source.startswith("/"):
                assert source in compose["volumes"], (name, volume)
        for path in re.findall(
            r"docker/\w+\.(?:py|sh)", json.dumps([service.get("command"), service.get("healthcheck")])
        ):
            assert (ROOT / path).is_file(), (name, path)


def test_the_cluster_keeps_the_settings_that_the_local_airflow_needs(compose: dict[str, Any], tmp_path: Path) -> None:
    cluster = compose["services"]["airflow-scheduler"]["environment"]
    local = airflow_environment(Settings(home=tmp_path))
    for name in (
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "AIRFLOW__API__WORKERS",
        "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES",
    ):
        assert cluster[name] == local[name], name


def test_settings_are_settings_of_lmflow(compose: dict[str, Any]) -> None:
    known = {f"LMFLOW_{name.upper()}" for name in Settings.model_fields}
    for service in compose["services"].values():
        used = {name for name in service.get("environment", {}) if name.startswith("LMFLOW_")}
        assert used <= known


def test_the_gpu_queue_always_has_exactly_one_kind_of_worker(compose: dict[str, Any], overlay: dict[str, Any]) -> None:
    def queues(service: dict[str, Any]) -> str:
        return service["command"][service["command"].index("--queues") + 1]

    assert queues(compose["services"]["airflow-worker"]) == "default,gpu"
    assert queues(overlay["services"]["airflow-worker"]) == "default"
    assert queues(overlay["services"]["airflow-worker-gpu"]) == "gpu"
    assert 'GPU_QUEUE = "gpu"' in (ROOT / "lmflow" / "orchestration" / "stages.py").read_text()
    assert re.search(r"^FROM base AS gpu$", _text("Dockerfile"), re.MULTILINE)


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.gpu.yaml"]], ids=["base", "gpu"])
def test_docker_compose_accepts_the_files_and_shows_no_secret_to_a_service(
    files: list[str], tmp_path: Path, script: Callable[[str], ModuleType]
) -> None:
    environment = tmp_path / "env"
    environment.write_text(script("new_env").filled(_text(".env.example")))
    done = _config(files, environment)
    assert done.returncode == 0, done.stderr
    services = json.dumps(json.loads(done.stdout)["services"])
    values = dict(line.split("=", 1) for line in environment.read_text().splitlines() if re.match(r"\w+=", line))
    assert not [name for name in script("new_env").SECRETS if values[name] in services]


def test_docker_compose_starts_nothing_without_its_secrets() -> None:
    done = _config(["compose.yaml"], DOCKER / ".env.example")
    assert done.returncode != 0
    assert "S3_SECRET_KEY is missing a value: run: python3 docker/new_env.py" in done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run([tool("hadolint"), str(DOCKER / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def _config(files: list[str], environment: Path) -> subprocess.CompletedProcess[str]:
    chosen = [word for name in files for word in ("-f", str(DOCKER / name))]
    words = [
        tool("docker-compose"),
        *chosen,
        "--env-file",
        str(environment),
        "--profile",
        "*",
        "config",
        "--format=json",
    ]
    return subprocess.run(words, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": "/"})


def _is_ours(service: dict[str, Any]) -> bool:
    return bool(service["image"].startswith("lmflow:"))
