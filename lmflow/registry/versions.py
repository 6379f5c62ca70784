"""Registered versions and their aliases, as they are now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmflow import tracking
from lmflow.errors import InputError

CHALLENGER: Final = "challenger"
CHAMPION: Final = "champion"
PREVIOUS_CHAMPION: Final = "previous_champion"
#: What follows the kind in the name of a model of a corpus (lm-en, lm-en-zh), and in that of no other.
LANGUAGES: Final = re.compile("[a-z]{2,3}(-[a-z]{2,3})*")


@dataclass(frozen=True)
class Version:
    """One registered version of a model, with its lineage tags."""

    name: str
    version: int
    run_id: str
    created_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """What `mlflow.pyfunc.load_model` takes."""
        return f"models:/{self.name}/{self.version}"


def place(name: str, version: int, run_id: str) -> dict[str, Any]:
    """Where a version and the run that made it are, as jobs report it."""
    return {
        "model": name,
        "version": version,
        "model_uri": f"models:/{name}/{version}",
        "run_id": run_id,
        "run_url": tracking.run_url(run_id),
    }


def versions(name: str) -> list[Version]:
    """Every version of a model that finished registering, oldest first; none when the name is not registered."""
    client = tracking.client()
    found: list[Version] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{_checked(name)}'", page_token=token)
        found += [
            Version(entry.name, int(entry.version), entry.run_id, int(entry.creation_timestamp), dict(entry.tags))
            for entry in page
            if entry.status == "READY"
        ]
        token = page.token
        if not token:
            return sorted(found, key=lambda version: version.version)


def registered_names() -> list[str]:
    """Every registered model, in alphabetical order."""
    client = tracking.client()
    names: list[str] = []
    token = None
    while True:
        page = client.search_registered_models(page_token=token)
        names += [entry.name for entry in page]
        token = page.token
        if not token:
            return sorted(names)


def find(name: str, tags: Mapping[str, str]) -> Version | None:
    """The newest version that carries all these tags."""
    hits = [version for version in versions(name) if all(version.tags.get(key) == tags[key] for key in tags)]
    return hits[-1] if hits else None


def version(name: str, number: int) -> Version:
    """One version.

    Raises:
        InputError: there is none with that number.
    """
    found = versions(name)
    for each in found:
        if each.version == number:
            return each
    there = ", ".join(str(each.version) for each in found) or "none"
    raise InputError(f"{name} has no version {number} (there are: {there}); see {model_page(name)}")


def resolve(uri: str, option: str) -> Version:
    """The version that a URI names.

    Args:
        uri: models:/<name>/<version> or models:/<name>@<alias>.
        option: the one that gave it, for the message.

    Raises:
        InputError: there is none.
    """
    name, _, number = uri.removeprefix("models:/").replace("@", "/@").partition("/")
    found = {str(version.version): version for version in versions(name)}
    named = {f"@{alias}": str(version) for alias, version in aliases(name).items()}
    chosen = found.get(named.get(number, number))
    if chosen is None:
        there = ", ".join([*found, *named]) or "none: train one"
        raise InputError(f"{option} {uri}: there is no such version (there are: {there})")
    return chosen


def aliases(name: str) -> dict[str, int]:
    """Alias -> version number; empty when the name is not registered."""
    from mlflow.exceptions import MlflowException

    try:
        registered = tracking.client().get_registered_model(_checked(name))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: int(number) for alias, number in registered.aliases.items()}


def nominate(name: str, number: int) -> None:
    """Point `challenger` at a freshly trained version. It says "newest", not "better": the gate judges."""
    tracking.client().set_registered_model_alias(name, CHALLENGER, str(number))


def model_page(name: str, number: int | None = None) -> str:
    """Page of a model, or of one version, in MLflow's UI."""
    from lmflow.settings import settings

    page = f"{settings().mlflow_uri.rstrip('/')}/#/models/{name}"
    return page if number is None else f"{page}/versions/{number}"


def _checked(name: str) -> str:
    if not name or not all(character.isalnum() or character in "-_." for character in name):
        raise InputError(f"{name!r} is no model name; they look like lm-en or embeddings-zh")
    return name
