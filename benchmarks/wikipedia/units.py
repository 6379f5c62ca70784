"""What there is to keep on a page, by rules that no extractor shares; README.md states them."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

KINDS: Final = ("prose", "list items", "definitions", "table rows", "numbers")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_REFERENCE = re.compile(r"<ref\b[^<>]*/>|<ref\b[^<>]*>.*?</ref\s*>", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(r"\[\[([^\[\]{}|<>:]+)(?:\|([^\[\]{}|<>]*))?\]\]")
_MARKUP = re.compile(r"[{}\[\]<>|]|''|__|://|~~~")
_DEPTH = re.compile(r"\{\{|\}\}|\{\||(?:^|(?<=\n))\s*\|\}(?!\})")
_IGNORED = re.compile(
    r"<(nowiki|pre|math|gallery|syntaxhighlight|source|timeline|score|imagemap|table|div|poem)\b", re.I
)
_WORD = re.compile(r"[^\W_]")
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class Units:
    """Letters and digits of each unit by kind, and the numbers in them."""

    texts: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS[:4]})
    numbers: Counter[str] = field(default_factory=Counter)


def squeezed(text: str) -> str:
    """Letters and digits only, in order."""
    return _NOT_WORD.sub("", html.unescape(text))


def numbers(text: str) -> Counter[str]:
    """Runs of digits, with how often each occurs."""
    return Counter(_NUMBER.findall(html.unescape(text)))


def units(markup: str) -> Units:
    """The units of one page."""
    found = Units()
    markup = _REFERENCE.sub("", _COMMENT.sub("", markup))
    templates = tables = 0
    row: list[str | None] = []
    for line in markup.split("\n"):
        inside_template, inside_table = templates > 0, tables > 0
        for token in _DEPTH.findall(line):
            token = token.strip()
            if token == "{{":
                templates += 1
            elif token == "}}":
                templates = max(0, templates - 1)
            elif token == "{|":
                tables += 1
            else:
                tables = max(0, tables - 1)
        if _IGNORED.search(line):
            return found  # what follows may be raw: leave the rest of the page out
        if inside_template or templates:
            row = _end_row(found, row)
        elif inside_table or tables:
            stripped = line.strip()
            if tables != 1 or not inside_table or stripped.startswith(("|-", "|}", "|+", "{|")):
                row = _end_row(found, row)
            elif stripped[:1] in ("|", "!") and stripped:
                row += [_cell(cell) for cell in re.split(r"\|\||!!", stripped[1:])]
            else:
                row = [*row[:-1], None]  # a cell of several lines
        else:
            row = _end_row(found, row)
            _line(found, line)
    return found


def _line(found: Units, line: str) -> None:
    mark, kind, least = line[:1], "prose", 20
    if mark in ("*", "#"):
        kind, least = "list items", 4
    elif mark in (";", ":"):
        kind, least = "definitions", 4
    elif mark in ("=", " ", "|", "!", "-", ""):
        return
    text = _plain(line.lstrip("*#;:") if kind != "prose" else line)
    if text is not None and len(_WORD.findall(text)) >= least:
        found.texts[kind].append(squeezed(text))
        found.numbers += numbers(text)


def _plain(text: str) -> str | None:
    """The words of a line when it holds nothing but words and simple links, else None."""
    text = _LINK.sub(lambda link: link[2] or link[1], text)
    return (
        None if _MARKUP.search(text.replace("'''", "").replace("''", "")) else text.replace("''", "").replace("'", "")
    )


def _cell(cell: str) -> str | None:
    attributes, bar, content = _LINK.sub(lambda link: link[2] or link[1], cell).partition("|")
    return _plain(content if bar else attributes)


def _end_row(found: Units, row: list[str | None]) -> list[str | None]:
    """The longest run of plain cells becomes a unit."""
    if row:
        runs: list[list[str]] = [[]]
        for cell in row:
            if cell is None:
                runs.append([])
            else:
                runs[-1].append(cell)
        best = max(runs, key=len)
        if len(best) >= 2 and len(_WORD.findall("".join(best))) >= 4:
            found.texts["table rows"].append(squeezed(" ".join(best)))
            found.numbers += numbers(" ".join(best))
    return []
