"""Third sweep over wikitext: one paragraph, heading or list item a line, and no residue of markup."""

from __future__ import annotations

import html
import re
from typing import Final

_HEADING = re.compile(r"(={1,6})\s*(.*?)\s*=*\s*")
_LIST = re.compile(r"[*#:;]+[ \t]*")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\ufeff]")
_DOUBLE = re.compile("   *")
_BLANKS: Final = ("\t", "\u00a0", "\u2002", "\u2003", "\u2009", "\u200a", "\u202f")
#: Brackets that lost their content (a pronunciation, a coordinate), or its beginning: `(; born 1879)`.
_DEBRIS = re.compile(r"[(（](?: ?[)）]| ?[;,；，、/][;,；，、/: ]*[)）]?)")
#: What may be left of broken markup; any of these strings makes the slower pattern look.
_SIGNS: Final = ("[[", "]]", "{{", "}}", "{|", "|}", "<ref", "<REF", "</ref", "<Ref", "style=", "style =")
_RESIDUE = re.compile(
    r"\[\[+|\]\]+|\{\{+|\}\}+|\{\||\|\}|</?ref\b[^<>\n]{0,200}>?|<ref|style\s*=\s*(?:\"[^\"\n]*\"?|'[^'\n]*'?|[^\s|]*)",
    re.IGNORECASE,
)
_UNSPACED: Final = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def layout(text: str) -> str:
    """Lines as a reader sees them: soft breaks joined, list marks as `- `, headings only where text follows."""
    pieces: list[str] = []
    pending: list[tuple[int, str]] = []  # headings that wait for text
    joinable = False  # whether the last piece is a paragraph that the next line continues
    for raw in _tidy(text).split("\n"):
        line = raw.strip()
        first = line[:1]
        if first == "=" and line[-1] == "=" and (heading := _HEADING.fullmatch(line)) and heading[2]:
            level = len(heading[1])
            pending = [*((above, title) for above, title in pending if above < level), (level, heading[2])]
            joinable = False
            continue
        body, joins = _body(line, raw)
        if not body:
            joinable = False
            continue
        if pending:
            pieces += [f"\n{'=' * max(level, 2)} {title} {'=' * max(level, 2)}" for level, title in pending]
            pending, joinable = [], False
        if joins and joinable:
            pieces += (_gap(pieces[-1], body), body)
        else:
            pieces += ("\n", body)
        joinable = joins
    return _unescape("".join(pieces).lstrip("\n"))


def _body(line: str, raw: str) -> tuple[str, bool]:
    """What a line says, empty for residue of tables; and whether the next line may continue it."""
    first = line[:1]
    if first and first in "*#:;":
        marks = _LIST.match(line)
        body = line[marks.end() :] if marks else line
        return (f"- {body}" if body and marks and ("*" in marks[0] or "#" in marks[0]) else body), False
    if first == "|" or line.startswith(("{|", "----")):
        return "", False
    return line, raw[:1] != " "


def _gap(before: str, after: str) -> str:
    """A soft line break is a space, except between characters of a script without spaces."""
    return "" if _UNSPACED.match(before[-1]) and _UNSPACED.match(after[0]) else " "


def _tidy(text: str) -> str:
    """Single spaces, and no brackets or gaps around what was dropped."""
    text = text.replace("&nbsp;", " ").replace("&thinsp;", " ")
    for blank in _BLANKS:
        text = text.replace(blank, " ")
    text = _DEBRIS.sub(lambda found: "" if found[0][-1] in ")）" else found[0][0], text)
    if "  " in text:
        text = _DOUBLE.sub(" ", text)
    return text.replace(" , ", ", ").replace(" . ", ". ").replace(" )", ")").replace(" .\n", ".\n")


def _unescape(text: str) -> str:
    """Entities as characters, then the guarantee: no control characters, no residue."""
    if "&" in text:
        text = _ENTITY.sub(_character, text)
    if _CONTROL.search(text):
        text = _CONTROL.sub("", text)
    if any(sign in text for sign in _SIGNS):
        text = "\n".join(filter(None, (" ".join(_RESIDUE.sub(" ", line).split()) for line in text.split("\n"))))
    return text


def _character(entity: re.Match[str]) -> str:
    shown = html.unescape(entity[0])
    return " " if shown.isspace() else shown
