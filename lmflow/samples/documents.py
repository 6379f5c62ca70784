"""What the sample sites publish, before any site has given it a URL or a format; and where packaged text lies."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lmflow.errors import InputError


@dataclass(frozen=True)
class Article:
    """One news article: real text under a headline, with the time the site claims for it."""

    title: str
    paragraphs: tuple[str, ...]
    published: datetime
    author: str = ""

    @property
    def text(self) -> str:
        """The paragraphs, one a line."""
        return "\n".join(self.paragraphs)


@dataclass(frozen=True)
class Post:
    """One message of a social site. `key` names it within its collection; `parent` is the key it answers, if known."""

    key: str
    author: str
    text: str
    published: datetime
    name: str = ""
    subject: str = ""
    tags: tuple[str, ...] = ()
    parent: str | None = None


def packaged(package: str, path: str) -> Path:
    """The file `path` inside an installed package, found without importing or running anything of the package.

    Raises:
        InputError: the package or the file is not there.
    """
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise InputError(
            f"package {package} is not installed, and the sample corpus is read from it: pip install {package}"
        )
    file = Path(folders[0]) / path
    if not file.is_file():
        raise InputError(f"{file} is missing: install the version of {package} that requirements.txt names")
    return file
