"""The extractors that lmflow is measured against, in a scratch environment of their own (never in requirements.in).

`environment()` makes it on first use, next to nothing else of ours, and returns its Python. `Peer` is one running
extractor: a child process that reads pages once and then converts all of them as often as it is told to, so that
timings of several extractors can be interleaved on a noisy machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Pinned, so that a figure can be made again (licences AGPL-3.0, LGPL-2.1, MIT, GPL-3.0, Apache-2.0; 2026-11-25).
PACKAGES: Final = (
    "wikiextractor==3.1.0",
    "gensim==4.4.0",
    "mwparserfromhell==0.7.2",
    "wikitextparser==3.0.0",
    "wiki2dataset==0.1.0",
)
OURS: Final = "lmflow"
#: Those whose text is compared; `wikiextractor (no templates)` is its faster setting, which drops every template.
NAMES: Final = ("wikiextractor", "gensim", "mwparserfromhell", "wikitextparser", "wiki2dataset")
_WORKER: Final = Path(__file__).with_name("peer_worker.py")
_ROOT: Final = Path(__file__).parents[2]


def environment() -> Path:
    """The Python of the peers' environment, made on first use (LMFLOW_PEERS, else a folder in the temp directory)."""
    digest = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    folder = Path(os.environ.get("LMFLOW_PEERS", Path(tempfile.gettempdir()) / f"lmflow-peers-{digest}"))
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        print(f"making the peers' environment in {folder}", file=sys.stderr, flush=True)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PACKAGES], check=True)
        done.touch()
    return python


@dataclass(frozen=True, slots=True)
class Page:
    """One article: the wiki's language code, its title, its wikitext."""

    lang: str
    title: str
    markup: str


class Peer:
    """One extractor with its pages loaded, in a process of its own."""

    def __init__(self, name: str, pages: Sequence[Page]) -> None:
        self.name = name
        python = Path(sys.executable) if name == OURS else environment()
        self._file = tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8")  # noqa: SIM115
        for page in pages:
            self._file.write(json.dumps([page.lang, page.title, page.markup]) + "\n")
        self._file.flush()
        self._process = subprocess.Popen(
            [python, _WORKER, name, self._file.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT), "RAYON_NUM_THREADS": "1"},
        )
        self._read()

    def seconds(self) -> list[float]:
        """Convert every page once; CPU seconds of each (all threads of the process)."""
        return self._ask("time")

    def texts(self) -> list[str]:
        """What it makes of every page."""
        return self._ask("texts")

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=30)
        self._file.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, verb: str) -> list:  # type: ignore[type-arg]
        assert self._process.stdin is not None
        self._process.stdin.write(verb + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> list:  # type: ignore[type-arg]
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}")
        return json.loads(line)  # type: ignore[no-any-return]


if __name__ == "__main__":
    print(environment())
