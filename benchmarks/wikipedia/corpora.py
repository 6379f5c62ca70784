"""Real wikitext to measure on: every dump that can be found, as articles (namespace 0, no redirects).

The sample of the English Wikipedia that ships with gensim is always there; the rest is read from the folder named by
LMFLOW_WIKIPEDIA_DUMPS (default `../shared/data/wikipedia`) when it exists.
"""

from __future__ import annotations

import bz2
import lzma
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from benchmarks.wikipedia.peers import Page
from lmflow.extract.wikidump import Loss, pages

_ROOT = Path(__file__).parents[2]


def folder() -> Path:
    """Where further dumps lie."""
    return Path(os.environ.get("LMFLOW_WIKIPEDIA_DUMPS", _ROOT.parent / "shared" / "data" / "wikipedia"))


def dumps() -> dict[str, list[Path]]:
    """Dump files by the name of the corpus that they make up."""
    data = Path(str(files("gensim").joinpath("test/test_data")))
    found = {"enwiki (gensim)": sorted(data.glob("enwiki-latest-pages-articles1*.bz2"))}
    for path in sorted(folder().glob("*.xml.*")):
        found[path.name.split(".")[0].split("-")[0]] = [path]
    if minidumps := sorted(folder().glob("minidumps/*.xml.bz2")):
        found["minidumps"] = minidumps
    return found


def language(path: Path) -> str:
    """The wiki's language code, from the file's name."""
    name = path.name.lower()
    if name.startswith("wp2txt"):
        return "ja"
    if name.startswith("smallwiki"):
        return "ltg"
    return name.partition("wiki")[0].strip("-") or "en"


def articles(path: Path) -> Iterator[Page]:
    """The articles of one dump, as far as it can be read."""
    opener = lzma.open if path.suffix == ".xz" else bz2.open
    with opener(path) as file:
        for page in pages(_chunks(file), Loss()):
            if page.namespace == 0 and not page.redirect and page.model == "wikitext" and page.text:
                yield Page(language(path), page.title, page.text)


def _chunks(file: object) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(1 << 20)  # type: ignore[attr-defined]
        except EOFError:
            return
        if not chunk:
            return
        yield chunk


def sample(name: str, megabytes: float = 1e9) -> list[Page]:
    """The first articles of a corpus, up to a size of markup in UTF-8."""
    taken: list[Page] = []
    size = 0.0
    for path in dumps()[name]:
        for page in articles(path):
            if size >= megabytes:
                return taken
            taken.append(page)
            size += len(page.markup.encode()) / 1e6
    return taken
