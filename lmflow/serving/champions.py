"""The champions in memory: loaded from the registry, exchanged when an alias moves.

A thread asks the registry every few seconds. A new champion is loaded beside the old one, which answers until the new
one is ready. When the registry does not answer, what is loaded goes on serving.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from lmflow import registry, tracking
from lmflow.errors import ServiceError
from lmflow.registry.versions import CHAMPION, LANGUAGES, registered_names

_LOG = logging.getLogger(__name__)

LANGUAGE_MODEL: Final = "lm"
EMBEDDINGS: Final = "embeddings"
#: Languages a person may ask for before anything is registered.
_EXPECTED: Final = ("en", "zh")
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True)
class Loaded:
    """A champion that answers.

    Args:
        version: of the registry.
        model: what `tracking.load_model` gave.
        loaded_at: UTC, ISO 8601.
        turn: one question at a time; models are not promised to be safe for threads.
    """

    version: registry.Version
    model: Any
    loaded_at: str
    turn: threading.Lock = field(default_factory=threading.Lock)

    def predict(self, rows: list[dict[str, Any]], params: Mapping[str, Any]) -> list[Any]:
        """Answers of the model, one a row."""
        import pandas as pd

        with self.turn:
            return list(self.model.predict(pd.DataFrame(rows), params=dict(params)))

    def facts(self) -> dict[str, Any]:
        """What a person wants to know about it."""
        kind, lang = split_name(self.version.name)
        return {
            "name": self.version.name,
            "kind": kind,
            "lang": lang,
            "version": self.version.version,
            "alias": CHAMPION,
            "architecture": self.version.tags.get("architecture", ""),
            "scores": _scores(self.version.tags),
            "verdict": self.version.tags.get("gate_verdict", ""),
            "trained_at": _time(self.version.created_ms / 1000),
            "loaded_at": self.loaded_at,
            "url": registry.model_page(self.version.name, self.version.version),
        }


@dataclass(frozen=True)
class _Failure:
    number: int
    problem: str
    again_at: float


class Champions:
    """Every champion there is. Thread-safe; readers never wait for a load."""

    def __init__(self, poll_seconds: float = 5.0) -> None:
        self._poll_seconds = poll_seconds
        self._loaded: Mapping[str, Loaded] = {}
        self._languages: tuple[str, ...] = _EXPECTED
        self._problems: Mapping[str, str] = {"registry": "not asked yet"}
        self._failed: dict[str, _Failure] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="champions", daemon=True)

    def start(self) -> None:
        """Begin to follow the registry, in the background."""
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join(timeout=10)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages with a registered model, and those the project always expects."""
        return self._languages

    @property
    def problems(self) -> Mapping[str, str]:
        """What went wrong at the last look, by model or `registry`; empty when all is well."""
        return self._problems

    def all(self) -> list[Loaded]:
        """Those that answer now, by name."""
        return [self._loaded[name] for name in sorted(self._loaded)]

    def get(self, kind: str, lang: str) -> Loaded | None:
        """The champion of a kind (`lm`, `embeddings`) and language, if it is loaded."""
        return self._loaded.get(f"{kind}-{lang}")

    def refresh(self) -> None:
        """Look at the registry once: load what is new, drop what has no champion any more."""
        try:
            wanted = {name: registry.aliases(name).get(CHAMPION) for name in registered_names() if split_name(name)[0]}
        except ServiceError as error:
            self._problems = {"registry": str(error)}
            return
        self._languages = tuple(sorted({*_EXPECTED, *(split_name(name)[1] for name in wanted)}))
        problems: dict[str, str] = {}
        for name, number in wanted.items():
            current = self._loaded.get(name)
            if number is None or (current is not None and current.version.version == number):
                self._failed.pop(name, None)
            elif problem := self._try(name, number):
                problems[name] = problem
        for name in [name for name in self._loaded if wanted.get(name) is None]:
            self._exchange(name, None)
        self._problems = problems

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except Exception as error:  # the thread must outlive a registry that answers nonsense
                _LOG.warning("the registry: %s", error)
                self._problems = {"registry": str(error)}
            self._stop.wait(self._poll_seconds)

    def _try(self, name: str, number: int) -> str:
        """Load a champion; the problem if that fails. What failed is not tried again for a minute."""
        failed = self._failed.get(name)
        if failed and failed.number == number and time.monotonic() < failed.again_at:
            return failed.problem
        try:
            self._exchange(name, _load(name, number))
        except Exception as error:  # whatever a model's files do, the others go on serving
            problem = f"version {number} cannot be loaded: {error}"
            _LOG.warning("%s %s", name, problem)
            self._failed[name] = _Failure(number, problem, time.monotonic() + _PATIENCE_S)
            return problem
        self._failed.pop(name, None)
        return ""

    def _exchange(self, name: str, loaded: Loaded | None) -> None:
        rest = {key: value for key, value in self._loaded.items() if key != name}
        self._loaded = rest if loaded is None else {**rest, name: loaded}
        _LOG.info("%s: now serving %s", name, loaded.version.version if loaded else "nothing")


def split_name(name: str) -> tuple[str, str]:
    """Kind and language of a registered name: lm-en -> (lm, en); ("", "") for a name that is not served.

    What was trained on a user's files, such as lm-en-wiki-train, is not: nothing in it but codes is a language.
    """
    kind, _, lang = name.partition("-")
    return (kind, lang) if kind in (LANGUAGE_MODEL, EMBEDDINGS) and LANGUAGES.fullmatch(lang) else ("", "")


def _scores(tags: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Figures among a version's tags, each with its 95 % interval where the tags have one."""
    found: dict[str, dict[str, float]] = {}
    for tag in tags:
        if tag == "test_bits_per_byte" or {f"{tag}_low", f"{tag}_high"} <= tags.keys():
            parts = {"value": tag, "low": f"{tag}_low", "high": f"{tag}_high"}
            found[tag] = {part: float(tags[name]) for part, name in parts.items() if name in tags}
    return found


def _load(name: str, number: int) -> Loaded:
    version = next(each for each in registry.versions(name) if each.version == number)
    return Loaded(version, tracking.load_model(version.uri), _time(datetime.now(UTC).timestamp()))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
