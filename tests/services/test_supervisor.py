"""Services start together, are known again, and stop together; nobody else's process is ever touched."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lmflow.errors import ServiceError
from lmflow.services import supervisor
from lmflow.services.catalogue import Service, answers
from lmflow.services.process import Identity
from lmflow.settings import Settings
from tests.conftest import free_port

# Starts a grandchild that ignores SIGTERM, tells its id, then serves.
STUBBORN = """
import http.server, pathlib, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
    "print(flush=True); time.sleep(600)"], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
pathlib.Path(sys.argv[2]).write_text(str(child.pid))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def web_service(name: str, port: int) -> Service:
    argv = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    url = f"http://127.0.0.1:{port}"
    return Service(name, argv, lambda _: answers(url), port=port, setting="LMFLOW_WEB_PORT", url=url)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def services(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Service]]:
    """Two small servers in place of the large ones; real processes all the same."""
    chosen = [web_service("one", free_port()), web_service("two", free_port())]
    monkeypatch.setattr(supervisor, "catalogue", lambda _: chosen)
    yield chosen
    supervisor.down(settings)


def say_nothing(_: str) -> None:
    pass


def test_up_starts_what_is_missing_and_leaves_the_rest_alone(settings: Settings, services: list[Service]) -> None:
    assert supervisor.up(settings, say_nothing) == ["one", "two"]
    first = supervisor.running(settings)
    assert supervisor.up(settings, say_nothing) == []
    assert supervisor.down(settings, ["two"]) == ["two"]
    assert supervisor.up(settings, say_nothing) == ["two"]
    assert supervisor.running(settings)["one"] == first["one"]


def test_down_ends_every_process_of_ours_and_no_other(settings: Settings, services: list[Service]) -> None:
    told, port = settings.home / "child", free_port()
    url = f"http://127.0.0.1:{port}"
    argv = (sys.executable, "-c", STUBBORN, str(port), str(told))
    services.append(Service("stubborn", argv, lambda _: answers(url), port=port, url=url))
    with subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(free_port())]) as stranger:
        supervisor.up(settings, say_nothing)
        leaders = [entry.identity for entry in supervisor.running(settings).values()]
        grandchild = Identity.of(int(told.read_text()))
        assert grandchild and len(leaders) == 3
        assert sorted(supervisor.down(settings)) == ["one", "stubborn", "two"]
        assert not [each for each in [*leaders, grandchild] if each.is_alive()]
        assert supervisor.down(settings) == []
        assert stranger.poll() is None
        stranger.terminate()


def test_a_process_that_got_the_number_of_a_dead_service_is_not_stopped(settings: Settings) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        settings.home.mkdir()
        entry = {"pid": stranger.pid, "started": 1.0, "digest": "", "since": 0.0}
        (settings.home / "services.json").write_text(json.dumps({"mlflow": entry}))
        assert supervisor.running(settings) == {}
        assert supervisor.down(settings) == []
        assert stranger.poll() is None
        stranger.terminate()


def test_a_busy_port_is_named_with_its_holder_and_the_way_out(settings: Settings, services: list[Service]) -> None:
    with socket.create_server(("127.0.0.1", services[1].port or 0)):
        with pytest.raises(ServiceError) as caught:
            supervisor.up(settings, say_nothing)
        message = str(caught.value)
    assert f"port {services[1].port}, wanted by two, cannot be used: {psutil.Process().name()} (process " in message
    assert f"LMFLOW_WEB_PORT={(services[1].port or 0) + 1} make up" in message
    assert "\n" not in message
    assert supervisor.running(settings) == {}


def test_a_full_disk_is_said_before_anything_starts(
    settings: Settings, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_NEEDED_BYTES", 5 * 10**18)
    with pytest.raises(ServiceError, match=r"[\d.]+ GB free, .* need 5000000000 or more; free some, or set LMFLOW"):
        supervisor.up(settings, say_nothing)
    assert supervisor.running(settings) == {}


def test_a_service_that_dies_is_reported_with_its_last_words_and_the_others_end(
    settings: Settings, services: list[Service]
) -> None:
    services.append(Service("ill", (sys.executable, "-c", "raise SystemExit('no such database')"), lambda _: False))
    with pytest.raises(ServiceError, match=r"(?s)ill ended while starting: see .*ill\.log.*no such database"):
        supervisor.up(settings, say_nothing)
    assert supervisor.running(settings) == {}
    assert not any(answers(service.url) for service in services[:2])


def test_a_service_whose_settings_changed_is_started_again(settings: Settings, services: list[Service]) -> None:
    supervisor.up(settings, say_nothing)
    old = supervisor.running(settings)
    services[0] = web_service("one", free_port())
    assert supervisor.up(settings, say_nothing) == ["one"]
    new = supervisor.running(settings)
    assert not old["one"].identity.is_alive()
    assert new["two"] == old["two"]


def test_a_service_that_runs_our_code_is_started_again_after_an_update(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmflow.settings.PROJECT", tmp_path)
    (tmp_path / "lmflow").mkdir()
    (tmp_path / "requirements.txt").write_text("mlflow==1")
    module = tmp_path / "lmflow" / "page.py"
    module.write_text("old = True")
    ours = Service("page", (sys.executable, "-m", "lmflow.page"), lambda _: True)
    theirs = Service("mlflow", (sys.executable, "-m", "mlflow"), lambda _: True)
    before = [service.digest(settings) for service in (ours, theirs)]
    module.write_text("old = False")
    after = [service.digest(settings) for service in (ours, theirs)]
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)
    (tmp_path / "requirements.txt").write_text("mlflow==2")
    assert theirs.digest(settings) != after[1]
