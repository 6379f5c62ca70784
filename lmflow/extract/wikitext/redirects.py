"""Where a redirect page leads, in every edition's own words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

_NAMES: Final = tomllib.loads(Path(__file__).with_name("namespaces.toml").read_text(encoding="utf-8"))
_WORDS: Final = "|".join(re.escape(word).replace("_", "[ _]") for word in _NAMES["redirects"].split())
_REDIRECT: Final = re.compile(
    rf"\s*#\s*(?:{_WORDS})\s*:?\s*\[\[\s*:?\s*([^\]|#\n]*[^\]|#\n\s])",
    re.IGNORECASE,
)
_FARTHEST: Final = 400  # characters in which a redirect must stand


def redirect_target(markup: str) -> str:
    """The title that a page redirects to, without its section; empty for an article."""
    if "#" not in markup[:100]:
        return ""
    found = _REDIRECT.match(markup[:_FARTHEST])
    return found[1].replace("_", " ") if found else ""
