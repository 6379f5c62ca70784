"""Third sweep over wikitext: one paragraph, heading, list item or table row a line, and no residue of markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lmflow.extract.wikitext.entities import INVISIBLE, decoded
from lmflow.extract.wikitext.tables import CLOSE, OPEN, Row, is_parameter

_BLANKS: Final = ("\t", "\r", "\u00a0", "\u2002", "\u2003", "\u2009", "\u200a", "\u202f")
#: What is left of a line that was a citation: `* {{cite book|…}}.`
_LEFT_OVER: Final = frozenset((*".,;:。，、；", ".,", ",.", ", .", ";.", ". .", "; .", "..", "()"))
#: What a line begins with that lost its beginning: `* {{flag icon|…}}, 1999`.
_STRAY: Final = re.compile(r"(?:[.,;:] +|[，、；。：] *)+")
_STOPS: Final = frozenset(".,;:，、；。：(")  # what that or something left over begins with
_NEVER: Final = ("\x00", "\x0b", "\x0c", OPEN, CLOSE)  # other control characters cannot occur in XML
#: What stands between the contents of brackets; a slash with sounds behind it does not: `(/ˈtaʊər/)`.
_BETWEEN: Final = r"(?:[;,；，、]|/(?=[ ;,；，、/:)）]))"
#: Brackets that lost their content (a coordinate, a link to a sound), or its beginning: `(; born 1879)`.
_DEBRIS: Final = (
    ("(", re.compile(rf"\( *(?:\)|{_BETWEEN}(?:{_BETWEEN}|[: ])*\)?)")),
    ("（", re.compile(rf"（ *(?:）|{_BETWEEN}(?:{_BETWEEN}|[: ])*）?)")),
)
_RESIDUE = re.compile(
    r"\[\[+|\]\]+|\{\{+|\}\}+|\{\||\|\}|</?ref\b[^<>\n]{0,200}>?|</?ref|style\s*=\s*(?:\"[^\"\n]*\"?|'[^'\n]*'?|[^\s|]*)",
    re.IGNORECASE,
)
_UNSPACED: Final = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def layout(text: str) -> str:
    """Lines as a reader sees them: soft breaks joined, list marks as `- `, headings only where text follows."""
    page = _Page()
    pieces = page.pieces
    for raw in _tidy(text).split("\n"):
        line = raw.strip()
        if not line:
            page.joinable = False
        elif block := _BLOCKS.get(line[0]):
            block(page, line)
        elif page.tables:
            page.tables[-1].extend(line)
        elif page.joinable or page.pending or len(line) < 4:
            page.paragraph(line, raw[0] != " ")
        else:
            pieces.append("\n")
            pieces.append(line)
            page.joinable = raw[0] != " "
    while page.tables:
        page.close_table(CLOSE)
    return _unescape("".join(page.pieces).lstrip("\n"))


class _Page:
    """The lines so far, the headings that wait for text, and the tables that are open."""

    __slots__ = ("joinable", "pending", "pieces", "tables")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.pending: list[tuple[int, str]] = []
        self.tables: list[Row] = []
        self.joinable = False  # whether the last piece is a paragraph that the next line continues

    def paragraph(self, line: str, joins: bool) -> None:
        """A line of prose; it continues the one before when no blank line stands between."""
        if line in _LEFT_OVER and not self.joinable:
            return
        if self.pending:
            self._headings()
        if joins and self.joinable:
            self.pieces += (_gap(self.pieces[-1], line), line)
        else:
            self.pieces += ("\n", line)
        self.joinable = joins

    def cells(self, line: str) -> None:
        """A line of cells. Outside a table it is left over from a broken one, or from a broken template."""
        if self.tables:
            row = self.tables[-1]
            if line.startswith("|-"):
                self._row()
                return
            if row.is_caption or line.startswith("|+"):
                self._row()
            row.feed(line)
        elif not is_parameter(line):
            row = Row()
            row.feed(line)
            self._put(row.text())

    def header_cells(self, line: str) -> None:
        """A line that begins with `!`."""
        if self.tables:
            self.cells(line)
        else:
            self.paragraph(line, True)

    def item(self, line: str) -> None:
        """An item of a list, a term or its definition, or a line that is only indented."""
        body = line.lstrip("*#:;")
        marks = line[: len(line) - len(body)]
        body = body.lstrip(" \t")
        if body and body[0] in _STOPS:
            if stray := _STRAY.match(body):
                body = body[stray.end() :]
            if body in _LEFT_OVER:
                body = ""
        if not body:
            self.joinable = False
            return
        is_item = "*" in marks or "#" in marks
        if self.tables:
            row = self.tables[-1]
            if not row.is_empty:
                row.extend(body, "; " if is_item else " ")
                return
        self._put(f"- {body}" if is_item else body)

    def heading(self, line: str) -> None:
        """A heading, which waits for text; else a line that begins with `=`."""
        level = min(6, len(line) - len(line.lstrip("=")))
        title = line[level:].rstrip("=").strip()
        if title and line[-1] == "=":
            self._row()
            self.pending = [above for above in self.pending if above[0] < level]
            self.pending.append((level, title))
        elif title or line == "=":
            self._other(line)
        else:  # its title was dropped
            self.joinable = False

    def stray(self, line: str) -> None:
        """A line that begins with a comma: it goes on, or has lost its beginning."""
        if self.tables or self.joinable:
            self._other(line)
        else:
            found = _STRAY.match(line)
            line = line[found.end() :] if found else line
            if line:
                self.paragraph(line, True)

    def rule(self, line: str) -> None:
        """A horizontal rule with what follows it, or a line that begins with a dash."""
        if line.startswith("----"):
            self._put(line.lstrip("-").strip())
        else:
            self._other(line)

    def open_table(self, line: str) -> None:
        """What stands before a nested table is a row of its own."""
        self._row()
        self.tables.append(Row())

    def close_table(self, line: str) -> None:
        """Its last row, then what stands around it goes on."""
        if self.tables:
            self._row()
            self.tables.pop()

    def _other(self, line: str) -> None:
        if self.tables:
            self.tables[-1].extend(line)
        else:
            self.paragraph(line, True)

    def _row(self) -> None:
        if self.tables:
            row = self.tables[-1]
            if not row.is_empty:
                self._put(row.text())
            row.clear()
        self.joinable = False

    def _put(self, line: str) -> None:
        """A line of its own."""
        if line:
            if self.pending:
                self._headings()
            self.pieces += ("\n", line)
        self.joinable = False

    def _headings(self) -> None:
        for level, title in self.pending:
            mark = "=" * max(level, 2)
            self.pieces.append(f"\n{mark} {title} {mark}")
        self.pending, self.joinable = [], False


#: How a line is read, by its first character; any other is prose.
_BLOCKS: Final[dict[str, Callable[[_Page, str], None]]] = {
    **dict.fromkeys("*#:;", _Page.item),
    "|": _Page.cells,
    "!": _Page.header_cells,
    "=": _Page.heading,
    "-": _Page.rule,
    **dict.fromkeys(".,，、；。：", _Page.stray),
    OPEN: _Page.open_table,
    CLOSE: _Page.close_table,
}


def _gap(before: str, after: str) -> str:
    """A soft line break is a space, except between characters of a script without spaces."""
    return "" if _UNSPACED.match(before[-1]) and _UNSPACED.match(after[0]) else " "


def _tidy(text: str) -> str:
    """Single spaces, and no brackets around what was dropped."""
    if "&" in text:
        text = text.replace("&nbsp;", " ").replace("&thinsp;", " ").replace("&#160;", " ").replace("\n&#32;", "\n")
    if not text.isascii():
        for blank in _BLANKS:
            text = text.replace(blank, " ")
        for char in INVISIBLE:
            text = text.replace(char, "")
    elif "\t" in text or "\r" in text:
        text = text.replace("\t", " ").replace("\r", " ")
    for bracket, debris in _DEBRIS:
        if bracket in text:
            text = debris.sub(lambda found: "" if found[0][-1] in ")）" else found[0][0], text)
    while "  " in text:
        text = text.replace("  ", " ")
    return text.replace(" )", ")") if " )" in text else text


def _unescape(text: str) -> str:
    """Entities as characters, then the guarantee: no control characters, no residue."""
    text = decoded(text)
    for char in _NEVER:
        if char in text:
            text = text.replace(char, "")
    if _may_hold_residue(text) and _RESIDUE.search(text):
        text = "\n".join(filter(None, (_scrub(line) for line in text.split("\n"))))
    return text


def _may_hold_residue(text: str) -> bool:
    """Cheap looks for single characters first: the pattern costs more than all of them."""
    return (
        "{" in text
        or "}" in text
        or ("[" in text and "[[" in text)
        or "]]" in text
        or ("<" in text and "ref" in text.lower())
        or "style=" in text
        or "style =" in text
    )


def _scrub(line: str) -> str:
    """Taking residue out can bring two halves of a mark together, so until nothing is left."""
    while _RESIDUE.search(line):
        line = " ".join(_RESIDUE.sub(" ", line).split())
    return line.strip()
