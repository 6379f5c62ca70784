"""Character references, as MediaWiki reads them: only those that end in a semicolon, and whole names only."""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import Final

INVISIBLE: Final = ("\u200e", "\u200f", "\ufeff", "\u00ad", "\u2060")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")


def decoded(text: str) -> str:
    """Entities as the characters that a reader sees; blanks of all kinds are a space."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(entity: re.Match[str]) -> str:
    # `html.unescape` would take the first letters of `&ampamp;` and `&notit;` for an entity.
    shown = html.unescape(entity[0]) if entity[0][1] == "#" else html5.get(entity[0][1:], entity[0])
    return " " if shown.isspace() else shown if shown.isprintable() and shown not in INVISIBLE else ""
