"""Bold and italics go; an apostrophe that stands beside their quotes stays (`l'''Arena''`, `''Time'''s cover`).

The rule is MediaWiki's, which looks at each line by itself (`Parser::doQuotes`, includes/parser/Parser.php of 1.43).
"""

from __future__ import annotations

import re
from typing import Final

_ITALICS: Final = "''"
_BOLD: Final = "'''"
_RUN: Final = re.compile("''+")


def without_quotes(markup: str) -> str:
    """Markup without the quotes of bold and italics.

    Of a run of four, one is an apostrophe; a run of six stands around something that was cut. In a line with an odd
    number of both bold and italic quotes one bold is an apostrophe and italics.
    """
    pieces: list[str] = []
    done = 0
    found = markup.find(_BOLD)
    while found >= 0:
        end = markup.find("\n", found)
        if end < 0:
            end = len(markup)
        if markup.count(_BOLD, found, end) % 2:
            start = max(done, markup.rfind("\n", done, found) + 1)
            apostrophe = _apostrophe(markup[start:end])
            if apostrophe >= 0:
                pieces += (_plain(markup[done : start + apostrophe]), "'")
                done = start + apostrophe + len(_BOLD)
        found = markup.find(_BOLD, end)
    pieces.append(_plain(markup[done:]))
    return "".join(pieces)


def _plain(markup: str) -> str:
    return markup.replace(_BOLD, "").replace(_ITALICS, "")


def _apostrophe(line: str) -> int:
    """Where, in a line with an odd number of bold quotes, those stand that are an apostrophe and italics; -1 if none.

    The first behind a word of one letter, else the first behind a longer one, else the first behind a space.
    """
    runs = [(run.start(), run.end() - run.start()) for run in _RUN.finditer(line)]
    italics = sum(length in (2, 5) for _, length in runs)
    bold = [place for place, length in runs if length == len(_BOLD)]
    if italics % 2 == 0 or not bold:
        return -1
    return min(bold, key=lambda place: (_rank(line, place), place))


def _rank(line: str, place: int) -> int:
    if line[place - 1 : place] == " ":
        return 2
    return 0 if line[place - 2 : place - 1] == " " else 1
