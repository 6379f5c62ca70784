"""Secrets are made once, and nobody else on the machine can read them."""

from __future__ import annotations

from pathlib import Path

from lmflow.services import local
from lmflow.services.secrets import Secrets
from lmflow.settings import Settings


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first = Secrets.of(settings)
    assert Secrets.of(settings) == first
    assert Secrets.of(Settings(home=tmp_path / "other")) != first
    assert [path.stat().st_mode & 0o777 for path in settings.home.iterdir()] == [0o600]
    assert len(first.jwt) >= 64


def test_a_password_of_ones_own_is_used(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", airflow_password="open sesame")
    assert local.places(settings)[0].login == "admin / open sesame"
