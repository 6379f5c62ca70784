"""Which link targets are not prose: files, categories and links to other languages, in every edition's own words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

_NAMES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_CATEGORIES: Final = frozenset(_NAMES["categories"].split())
_HIDDEN: Final = frozenset(_NAMES["files"].split()) | _CATEGORIES
_LANGUAGE = re.compile(r"(?:[a-z]{2,3}|simple)(?:-(?:x|[a-z]{2,9}))*")  # be-x-old, zh-classical
_PROJECTS: Final = frozenset(_NAMES["projects"].split())
_IMAGE_NAME = re.compile(r"\.(?:jpe?g|png|svg|gif|tiff?|webp|ogg|oga|ogv|webm|djvu|pdf|mp3|mid)\s*$", re.IGNORECASE)


def is_hidden(target: str) -> bool:
    """Whether a link target shows no words where it stands: a file, a category, or a link to another language."""
    prefix, colon, rest = target.partition(":")
    if not colon or not prefix:
        return False
    return _kind(prefix) != "" or _IMAGE_NAME.search(rest) is not None


def looks_like_category(target: str) -> bool:
    """Whether the target of a link that stands alone on its line is a category under a name that is not listed."""
    prefix, colon, rest = target.partition(":")
    if not (colon and prefix.isalpha() and rest) or rest[0] in " :":
        return False
    return prefix.lower() not in _PROJECTS


@lru_cache(maxsize=4096)
def _kind(prefix: str) -> Literal["", "file", "category", "language"]:
    """What a link is by what stands before its colon."""
    key = prefix.strip().replace(" ", "_").lower()
    if key in _CATEGORIES:
        return "category"
    if key in _HIDDEN:
        return "file"
    code = prefix.strip()
    return "language" if code not in _PROJECTS and _LANGUAGE.fullmatch(code) else ""


def categories(hidden_links: Iterable[str]) -> tuple[str, ...]:
    """The categories among hidden link targets, without their namespace, each once."""
    found: dict[str, None] = {}
    for target in hidden_links:
        prefix, _, name = target.partition(":")
        if _kind(prefix) == "category" and name.strip():
            found[name.replace("_", " ").strip()] = None
    return tuple(found)


def language_links(hidden_links: Iterable[str]) -> dict[str, str]:
    """Language code to title, of the links to other editions among hidden link targets."""
    found: dict[str, str] = {}
    for target in hidden_links:
        prefix, _, title = target.partition(":")
        if _kind(prefix) == "language" and title.strip() and not _IMAGE_NAME.search(title):
            found[prefix.strip()] = title.replace("_", " ").strip()
    return found
