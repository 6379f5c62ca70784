"""Which word tests there are for a language, and where each lies: those of data/catalogue.toml, and a user's own.

Files are looked for anywhere under the setting `evaluation_dir`, then beside the catalogue and in gensim's wheel: a
user's own copy takes the place of the one that ships, and the edition says which was read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import lzma
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from lmflow.errors import InputError
from lmflow.settings import settings

Kind = Literal["similarity", "analogy"]

_DATA: Final = Path(__file__).with_name("data")
_SUFFIXES: Final = (".tsv", ".txt")


@dataclass(frozen=True)
class Entry:
    """A test that the catalogue names; its fields are explained in data/catalogue.toml."""

    name: str
    lang: str
    kind: Kind
    files: tuple[str, ...]
    shipped: str
    sha256: str
    licence: str
    source: str
    syntactic_sections: str = ""


@dataclass(frozen=True)
class TestFile:
    """A test that was found.

    Args:
        name: of its metrics.
        kind: what its lines are.
        text: its content.
        edition: the first letters of its SHA-256; `other` follows when the catalogue knows another edition.
        syntactic_sections: sections that begin so are a test of their own, <name>_syntactic, the rest <name>_semantic.
    """

    name: str
    kind: Kind
    path: Path
    text: str
    edition: str
    syntactic_sections: str = ""


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every test known by name."""
    listed = tomllib.loads((_DATA / "catalogue.toml").read_text(encoding="utf-8"))["test"]
    return tuple(Entry(**{**test, "files": tuple(test["files"])}) for test in listed)


def find_tests(lang: str) -> list[TestFile]:
    """The tests of a language that are in place: those of the catalogue, then those a user added.

    A user's own test is a file <evaluation_dir>/<lang>/<name>.tsv or .txt; it is an analogy test when its first line
    begins with a colon.

    Raises:
        InputError: a file is not UTF-8.
    """
    entries = [entry for entry in catalogue() if entry.lang == lang]
    folder = evaluation_dir()
    there = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    found, taken = [], set()
    for entry in entries:
        path = _locate(entry, there, folder / lang)
        if path is not None:
            taken.add(path)
            found.append(_read(entry, path))
    names = {test.name for test in found}
    for path in there:
        own = path.parent == folder / lang and path.suffix in _SUFFIXES and path not in taken
        if own and path.stem not in names:
            found.append(_read(None, path))
    return found


def evaluation_dir() -> Path:
    """Where a user puts tests that may not be shipped."""
    return settings().evaluation_dir or settings().home / "evaluation"


def gensim_test_data() -> Path:
    """The folder of gensim's wheel that holds evaluation files; gensim itself is not imported."""
    spec = importlib.util.find_spec("gensim")
    if spec is None or spec.origin is None:
        raise InputError("gensim is not installed: its wheel holds the English word tests; install requirements.txt")
    return Path(spec.origin).parent / "test" / "test_data"


def _locate(entry: Entry, there: list[Path], folder: Path) -> Path | None:
    """A user's copy by one of the usual file names, or <folder>/<name>.tsv or .txt; else the one that ships."""
    own = [path for name in entry.files for path in there if path.name == name]
    own += [path for path in there if path.parent == folder and path.stem == entry.name and path.suffix in _SUFFIXES]
    if own:
        return own[0]
    if entry.shipped == "lmflow":
        return _DATA / entry.name.partition("_")[0] / entry.files[0]
    return gensim_test_data() / entry.files[0] if entry.shipped == "gensim" else None


def _read(entry: Entry | None, path: Path) -> TestFile:
    content = path.read_bytes()
    if path.suffix == ".xz":
        content = lzma.decompress(content)
    digest = hashlib.sha256(content).hexdigest()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}); convert it first") from None
    if entry is None:
        return TestFile(path.stem, "analogy" if text.lstrip().startswith(":") else "similarity", path, text, digest[:8])
    edition = digest[:8] if digest == entry.sha256 else f"{digest[:8]}, other than the catalogue's"
    return TestFile(entry.name, entry.kind, path, text, edition, entry.syntactic_sections)
