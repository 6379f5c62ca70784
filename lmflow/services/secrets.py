"""Secrets of this installation: made once, at random, readable by their owner alone."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lmflow.settings import Settings


@dataclass(frozen=True)
class Secrets:
    """What Airflow signs and encrypts with, and the password of its user `admin`."""

    jwt: str
    fernet: str
    session: str
    password: str

    @classmethod
    def of(cls, settings: Settings) -> Secrets:
        """The secrets kept under the home folder; made now if there are none."""
        path = settings.home / "secrets.json"
        if path.exists():
            kept = cls(**json.loads(path.read_text()))
        else:
            kept = cls(
                jwt=secrets.token_urlsafe(64),
                fernet=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                session=secrets.token_urlsafe(32),
                password="-".join(secrets.token_hex(2) for _ in range(3)),
            )
            write_private(path, asdict(kept))
        chosen = settings.airflow_password.get_secret_value()
        return cls(kept.jwt, kept.fernet, kept.session, chosen) if chosen else kept


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON that only its owner may read; a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    fresh.replace(path)
