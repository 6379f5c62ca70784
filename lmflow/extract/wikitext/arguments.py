"""The arguments of a template call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Arguments(NamedTuple):
    """A template's arguments, already plain text: by position (stripped), by name (lower case); and the edition."""

    positional: tuple[str, ...]
    named: dict[str, str]
    lang: str

    def at(self, index: int) -> str:
        """The argument at a position from 0, empty when it is missing."""
        if index < len(self.positional):
            return self.positional[index]
        return self.named.get(str(index + 1), "")


#: What a template shows; None when its arguments do not say, so that it is counted as not expanded.
Renderer = Callable[[Arguments], str | None]

_NAMED = re.compile(r"\s*([\w][\w .-]{0,40}?)\s*=(.*)", re.DOTALL)


def arguments(raw: Iterable[str], lang: str) -> Arguments:
    """Split each argument at its first `=` if what stands before is a name."""
    positional: list[str] = []
    named: dict[str, str] = {}
    for text in raw:
        match = _NAMED.match(text) if "=" in text else None
        if match:
            named[match[1].lower()] = match[2].strip()
        else:
            positional.append(text.strip())
    if "1" in named and not positional:  # {{nowrap|1=a=b}}
        positional = [named[str(n)] for n in range(1, 10) if str(n) in named]
    return Arguments(tuple(positional), named, lang)
