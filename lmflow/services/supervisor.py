"""Starts the local services, knows which of them run, and stops exactly those."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from lmflow.errors import ServiceError
from lmflow.lake.lock import exclusive
from lmflow.services import process
from lmflow.services.airflow_home import child_environment, prepare
from lmflow.services.catalogue import Service, catalogue
from lmflow.services.process import Identity
from lmflow.services.secrets import write_private
from lmflow.settings import Settings

READY_WITHIN_S = 180.0
#: One retraining on the sample corpus leaves 0.14 GB behind; room for some, for logs, and for what Spark puts aside.
_NEEDED_BYTES = 2_000_000_000
Say = Callable[[str], None]


@dataclass(frozen=True)
class Running:
    """One service that was started: which process it is, and since when (seconds since the epoch)."""

    name: str
    identity: Identity
    digest: str
    since: float


def running(settings: Settings) -> dict[str, Running]:
    """The services of this home folder that live now, by name."""
    try:
        entries = json.loads((settings.home / "services.json").read_text())
    except FileNotFoundError:
        return {}
    found = (
        Running(name, Identity(entry["pid"], entry["started"]), entry["digest"], entry["since"])
        for name, entry in entries.items()
    )
    return {entry.name: entry for entry in found if entry.identity.is_alive()}


def up(settings: Settings, say: Say) -> list[str]:
    """Start what does not run yet and wait until everything is well; the names of what was started.

    A service whose settings or code changed since it was started is started again.

    Raises:
        ServiceError: a port is taken, or a service does not come up; what this call started is stopped again.
    """
    with exclusive("services", timeout_s=READY_WITHIN_S):
        services, alive = catalogue(settings), running(settings)
        stale = [
            alive.pop(service.name)
            for service in services
            if service.name in alive and alive[service.name].digest != service.digest(settings)
        ]
        if stale:
            say("settings or code changed: starting again " + ", ".join(entry.name for entry in stale))
            process.stop(entry.identity for entry in stale)
        wanted = [service for service in services if service.name not in alive]
        for service in wanted:
            _require_free_port(service, settings)
        if wanted:
            _require_free_disk(settings)
        started: dict[str, Running] = {}
        try:
            _start(wanted, settings, alive, started, say)
            _wait_until_well(services, {**alive, **started}, settings, say)
        except BaseException:
            process.stop(entry.identity for entry in started.values())
            _remember(alive, settings)
            raise
        return [service.name for service in wanted]


def down(settings: Settings, names: Sequence[str] | None = None) -> list[str]:
    """Stop the services of this home folder (or only `names`); the names of those that ran."""
    with exclusive("services", timeout_s=READY_WITHIN_S):
        alive = running(settings)
        ending = {name: entry for name, entry in alive.items() if names is None or name in names}
        process.stop(entry.identity for entry in ending.values())
        _remember({name: entry for name, entry in alive.items() if name not in ending}, settings)
        return list(ending)


def _require_free_disk(settings: Settings) -> None:
    """Raise ServiceError before anything is written that would not fit."""
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free
    if free < _NEEDED_BYTES:
        raise ServiceError(
            f"{settings.home} has {free / 1e9:.1f} GB free, databases, lake and models need {_NEEDED_BYTES / 1e9:.0f} "
            "or more; free some, or set LMFLOW_HOME to a folder on a larger disk"
        )


def _start(
    wanted: Sequence[Service], settings: Settings, alive: Mapping[str, Running], started: dict[str, Running], say: Say
) -> None:
    """Start processes; Airflow's wait for its database, while the others are already on their way."""
    common = child_environment(settings)
    (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
    for service in sorted(wanted, key=lambda service: "airflow" in service.name):
        environment = {**common, **service.environment}
        if "airflow" in service.name and not any("airflow" in name for name in started):
            prepare(settings, environment, settings.home / "logs" / "airflow-database.log")
        since = time.time()
        child = process.start(service.argv, environment, settings.project, service.log(settings))
        # A process that has died already keeps its entry, so that the wait below reports its log.
        identity = Identity.of(child.pid) or Identity(child.pid, 0.0)
        threading.Thread(target=child.wait, daemon=True).start()  # leaves no zombie behind
        started[service.name] = Running(service.name, identity, service.digest(settings), since)
        _remember({**alive, **started}, settings)
    if wanted:
        say("starting " + ", ".join(service.name for service in wanted))


def _wait_until_well(services: Sequence[Service], entries: Mapping[str, Running], settings: Settings, say: Say) -> None:
    waiting = list(services)
    begin = time.monotonic()
    while waiting:
        for service in list(waiting):
            entry = entries[service.name]
            # Asked before the health check: another program on the same port must not answer for a dead service.
            if not entry.identity.is_alive():
                raise ServiceError(f"{service.name} ended while starting: {_last_words(service, settings)}")
            if service.is_well(entry.since):
                waiting.remove(service)
                say(f"{service.name:<22} ready after {time.monotonic() - begin:3.0f} s  {service.url}".rstrip())
        if waiting and time.monotonic() - begin > READY_WITHIN_S:
            raise ServiceError(
                f"{waiting[0].name} did not answer within {READY_WITHIN_S:.0f} s: {_last_words(waiting[0], settings)}"
            )
        time.sleep(0.25 if waiting else 0)


def _last_words(service: Service, settings: Settings, lines: int = 8) -> str:
    log = service.log(settings)
    text = log.read_text(errors="replace") if log.exists() else ""
    last = [line for line in text.splitlines() if line.strip()][-lines:]
    return f"see {log}" + ("".join(f"\n    {line}" for line in last))


def _remember(entries: Mapping[str, Running], settings: Settings) -> None:
    write_private(
        settings.home / "services.json",
        {
            name: {
                "pid": entry.identity.pid,
                "started": entry.identity.started,
                "digest": entry.digest,
                "since": entry.since,
            }
            for name, entry in entries.items()
        },
    )


def _require_free_port(service: Service, settings: Settings) -> None:
    if service.port is None:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, service.port))
        except OSError as error:
            reason = _holder(service.port) or error.strerror
            raise ServiceError(
                f"port {service.port}, wanted by {service.name}, cannot be used: {reason}; stop that program, "
                f"or choose another port: {service.setting}={service.port + 1} make up"
            ) from None


def _holder(port: int) -> str:
    """Which program listens on a port, as far as we may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                owner = psutil.Process(connection.pid)
                return f"{owner.name()} (process {owner.pid}) listens there"
    except psutil.Error:
        pass
    return ""
