"""Which link targets are not prose: files, categories and links to other languages, in every edition's own words."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

_NAMES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_HIDDEN: Final = frozenset(_NAMES["files"].split()) | frozenset(_NAMES["categories"].split())
_LANGUAGE = re.compile(r"(?:[a-z]{2,3}|simple)(?:-[a-z]{2,8})*")
_NOT_LANGUAGES: Final = frozenset({"wp", "wt", "mw", "voy", "doi", "rfc"})
_IMAGE_NAME = re.compile(r"\.(?:jpe?g|png|svg|gif|tiff?|webp|ogg|oga|ogv|webm|djvu|pdf|mp3|mid)\s*$", re.IGNORECASE)


def is_hidden(target: str) -> bool:
    """Whether a link target shows no words where it stands: a file, a category, or a link to another language."""
    prefix, colon, rest = target.partition(":")
    if not colon or not prefix:
        return False
    return _is_hidden_prefix(prefix) or _IMAGE_NAME.search(rest) is not None


@lru_cache(maxsize=4096)
def _is_hidden_prefix(prefix: str) -> bool:
    name = prefix.strip()
    if name.replace(" ", "_").lower() in _HIDDEN:
        return True
    return name not in _NOT_LANGUAGES and _LANGUAGE.fullmatch(name) is not None
