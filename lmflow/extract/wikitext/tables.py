"""Tables row by row: the cells of a row on one line, joined by ` | `.

`prune` marks where a table that is kept begins and ends, and drops the others: a table whose class says that it is an
infobox, navigation or a notice, or that is hidden (`is_dropped`). A nested table gives rows of its own. Attributes of
cells go; a cell without words leaves no gap.
"""

from __future__ import annotations

import re
from typing import Final

#: Private marks in the text between the sweeps; control characters cannot occur in XML.
OPEN: Final = "\x02"
CLOSE: Final = "\x03"

#: Parts of the classes of tables that are no data.
_DROPPED: Final = (
    *("navbox", "navframe", "navigat", "basis-nav", "basisnav", "toccolours-nav", "infobox", "taxobox", "sinottico"),
    *("metadata", "mbox", "sidebar", "noprint", "nomobile", "messagebox", "bandeau", "avviso", "succession"),
    "catlinks",
)
_HIDDEN = re.compile(r"display\s*:\s*none")
#: Possessive: `a=ba=ba=b…` could else be cut into attributes in exponentially many ways.
_ATTRIBUTES = re.compile(r"(?:\s*+[A-Za-z-]++\s*+=\s*+(?:\"[^\"]*+\"?+|'[^']*+'?+|[^\s\"'|]++))++\s*+")
#: Attributes that a template ends with a bar of its own: `| rowspan=2 {{won}}`.
_OPEN_ATTRIBUTES = re.compile(
    r"(?:(?:(?:row|col)span\s*+=\s*+\"?+\d++\"?+|(?:v?align|scope)\s*+=\s*+\"?+[a-z]++\"?+"
    r"|(?:style|class|width|height|bgcolor|data-sort-\w++)\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'))\s++)++",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"\|(?:[-+}]|\s*[\w][^=|]{0,60}=|\s*$)")


def is_dropped(attributes: str) -> bool:
    """Whether a table is navigation, an infobox, a notice or hidden, by the attributes of its first line."""
    attributes = attributes.lower()
    return any(part in attributes for part in _DROPPED) or _HIDDEN.search(attributes) is not None


def is_parameter(line: str) -> bool:
    """Whether a line with a leading bar, outside any table, is left over from a broken template."""
    return _PARAMETER.match(line) is not None


class Row:
    """The row of a table that is being read."""

    __slots__ = ("_cells", "_has_words", "_is_header", "_more", "is_caption", "is_empty")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin the next row."""
        self._cells: list[str] = []  # those with words
        self._has_words = False  # whether the last cell has
        self._more: list[str] = []  # further lines of the last cell
        self._is_header = False
        self.is_caption = False  # which ends with its line
        self.is_empty = True  # nothing of the row has words yet

    def feed(self, line: str) -> None:
        """A line that begins with `|` or `!`: cells or a caption."""
        self._is_header = line[0] == "!"
        self.is_caption = line.startswith("|+")
        if self._more:
            self._end_cell()
        body = line[2 if self.is_caption else 1 :]
        if self._is_header or ("||" in body and not self.is_caption):
            for cell in self._split(body):
                self._add(cell)
        else:
            self._add(body)

    def extend(self, line: str, joint: str = " ") -> None:
        """A further line of the last cell, which a line break within a row may have cut: then cells follow in it."""
        if "||" in line or (self._is_header and "!!" in line):
            line, *cells = self._split(line)
            if line.strip():
                self.extend(line.strip(), joint)
            self._end_cell()
            for cell in cells:
                self._add(cell)
            return
        if self._has_words and not self._more:
            self._more.append(self._cells.pop())
        if self._more:
            self._more.append(joint)
        self._more.append(line)
        self.is_empty = False

    def text(self) -> str:
        """The row as one line, empty when no cell has words."""
        self._end_cell()
        return " | ".join(self._cells)

    def _split(self, line: str) -> list[str]:
        if self._is_header and "!!" in line:
            line = line.replace("!!", "||")
        return line.split("||") if "||" in line else [line]

    def _add(self, cell: str) -> None:
        """A cell without its attributes, which stand before the first single bar."""
        if "|" in cell:
            attributes, _, cell = cell.partition("|")
            if not attributes and "|" in cell:
                # `a=b|||c=d|e`: the bar of a cell before whose template was dropped, then attributes of its own.
                attributes, _, rest = cell.partition("|")
                cell = rest if _ATTRIBUTES.fullmatch(attributes) else cell
        cell = cell.strip()
        if "=" in cell and (opened := _OPEN_ATTRIBUTES.match(cell)):
            cell = cell[opened.end() :]
        self._has_words = bool(cell) and not ("=" in cell and _ATTRIBUTES.fullmatch(cell))
        if self._has_words:
            self._cells.append(cell)
            self.is_empty = False

    def _end_cell(self) -> None:
        if self._more:
            self._cells.append("".join(self._more))
            self._more = []
            self._has_words = True
