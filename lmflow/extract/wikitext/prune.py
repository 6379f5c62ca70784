"""First sweep over wikitext: cut what is not prose, and balance the braces of what stays.

One alternation finds braces, tables, comments and extension tags; a stack pairs the braces as MediaWiki's preprocessor
does (runs of braces, innermost first). Every token is looked at once, so the time is linear whatever the nesting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lmflow.extract.wikitext import tables
from lmflow.extract.wikitext.entities import decoded
from lmflow.extract.wikitext.formulas import Formulas, formula
from lmflow.extract.wikitext.guess import may_show_words
from lmflow.extract.wikitext.templates import dropped, renderer

#: Extension tags whose content is raw: it ends at the first closing tag, whatever is in it.
_RAW: Final = [
    "nowiki",
    "pre",
    "ref",
    "references",
    "gallery",
    "timeline",
    "syntaxhighlight",
    "source",
    "score",
    "imagemap",
    "hiero",
    "graph",
    "mapframe",
    "maplink",
    "templatedata",
    "templatestyles",
    "categorytree",
    "inputbox",
    "includeonly",
    "math",
    "chem",
    "ce",
]
_FORMULAS: Final = frozenset(("math", "chem", "ce"))
_NAME: Final = r"([^\s|{}<>\[\]#][^|{}<>\[\]\n:]*:?|#[a-z]+:)"
_TOKEN: Final = re.compile(
    # Every alternative begins with a literal, or `re` tries them all at every character.
    r"<(ref(?:\s[^<>]*)?(?:/>|>[^<]*</ref\s*>))"
    # A template, whole where nothing is nested in it.
    rf"|\{{\{{(?!\{{)\s*+{_NAME}([^{{}}<]*+\}}\}}(?!\}}))?+"
    rf"|\{{\{{+(?:\s*{_NAME})?"
    r"|\}\}+"
    r"|\{\|"
    r"|\}(?<=\|\})"
    r"|<!--"
    rf"|</?((?i:{'|'.join(_RAW)}|table))\b[^<>]*>"
)
_CLOSING: Final = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in _RAW}
_DEEPEST: Final = 40  # MediaWiki's own limit of nested expansion
_INDENT: Final = 20  # more before a table is not looked at, so that a look is short
#: Characters that mean something in markup, as entities that `layout` turns back.
ESCAPES: Final = str.maketrans({char: f"&#{ord(char)};" for char in "[]{}|<>'*#:;=_&-!"})
_LOST_GAP: Final = frozenset(" ,.;:)\n")


class Pruned(NamedTuple):
    """Markup with value templates, links and data tables only, and the templates dropped from it."""

    markup: str
    unexpanded: list[str]  # each as often as it was dropped
    disambiguation: bool


@dataclass(slots=True)
class _Open:
    start: int
    braces: int
    name: str


@dataclass(slots=True)
class _Pruner:
    """The state of one sweep."""

    markup: str
    lang: str
    formulas: Formulas
    cuts: list[tuple[int, int, str, str]] = field(default_factory=list)  # start, end, put instead, template name
    templates: list[_Open] = field(default_factory=list)
    tables: list[tuple[int, int]] = field(default_factory=list)  # where it begins, where its first line ends
    html_tables: list[tuple[int, int]] = field(default_factory=list)
    unclosed: set[str] = field(default_factory=set)  # tags with no closing tag from here on

    def sweep(self) -> None:
        """Look at every token once."""
        position = 0
        markup, cuts = self.markup, self.cuts
        for token in _TOKEN.finditer(markup):
            start, end = token.span()
            if start < position:
                continue
            group = token.lastindex
            if group == 1:  # a reference without tags in it
                position = end
                cuts.append((start, end, "", ""))
            elif group == 3:
                if self._is_cut(start, end, token[2], len(self.templates) + 1):
                    cuts.append((start, end, "", token[2]))
            elif group == 2:
                self.templates.append(_Open(start, 2, token[2]))
            elif markup[start] == "<":
                position = self._tag(token)
            elif markup[start] == "}":
                if end - start > 1:
                    self._close(start, end)
                else:
                    self._end_of_table(end)
            elif markup[start + 1] == "{":
                braces = (token.start(4) if group else end) - start
                braces = len(markup[start : start + braces].rstrip())
                self.templates.append(_Open(start, braces, token[4] or ""))
            else:
                self._open_table(start)
        if self.templates or self.tables or self.html_tables:
            self._give_up()

    def _open_table(self, start: int) -> None:
        """`{|` at the beginning of a line, with its attributes up to the end of the line."""
        before = start - 1
        while before >= 0 and self.markup[before] in " \t:*#;":
            before -= 1
            if start - before > _INDENT:
                return
        if (before < 0 or self.markup[before] == "\n") and len(self.tables) < _DEEPEST:
            end = self.markup.find("\n", start)
            self.tables.append((before + 1, len(self.markup) if end < 0 else end))

    def _close(self, start: int, end: int) -> None:
        """Pair a run of closing braces with the runs that are open, innermost first: three for three, else two."""
        while end - start >= 2 and self.templates:
            last = self.templates[-1]
            width = 3 if last.braces >= 3 and end - start >= 3 else 2
            opened = last.start + last.braces - width
            name = last.name if width == 2 else ""
            start += width
            if self._is_cut(opened, start, name, len(self.templates)):
                self.cuts.append((opened, start, "", name or "{{…}}"))
                for open_tables in (self.tables, self.html_tables):
                    while open_tables and open_tables[-1][0] > opened:
                        open_tables.pop()
            last.braces -= width
            last.name = ""
            if last.braces < 2:
                self.templates.pop()
                if last.braces:
                    self.cuts.append((last.start, last.start + 1, "", ""))
        if start < end:
            self.cuts.append((start, end, "", ""))

    def _is_cut(self, start: int, end: int, name: str, depth: int) -> bool:
        """Whether a template goes: it is neither listed nor worth guessing at, or too deep in others."""
        if not name or depth > _DEEPEST:
            return True
        if renderer(name, self.lang) is not None:
            return False
        return dropped(name) != "lost" or not may_show_words(self.markup, start, end, name)

    def _end_of_table(self, end: int) -> None:
        """`|}` closes a table at the beginning of a line, indented at most."""
        before = end - 3
        while before >= 0 and self.markup[before] in " \t:":
            before -= 1
            if end - before > _INDENT:
                return
        if before >= 0 and self.markup[before] == "\n":
            self._close_table(self.tables, before, end)

    def _close_table(self, open_tables: list[tuple[int, int]], start: int, end: int) -> None:
        """Drop a table, or mark where it begins and ends."""
        if not open_tables or (self.templates and open_tables[-1][0] < self.templates[-1].start):
            self.cuts.append((start, end, "\n", ""))
            return
        opened, first_line_end = open_tables.pop()
        if tables.is_dropped(self.markup[opened:first_line_end]):
            self.cuts.append((opened, end, "\n", ""))
        else:
            self.cuts.append((opened, first_line_end, f"\n{tables.OPEN}\n", ""))
            self.cuts.append((start, end, f"\n{tables.CLOSE}\n", ""))

    def _tag(self, token: re.Match[str]) -> int:
        """Cut a comment or an extension tag; returns where to read on."""
        markup, start, end = self.markup, token.start(), token.end()
        name = (token[5] or "").lower()
        if not name:
            closed = markup.find("-->", end)
            end = len(markup) if closed < 0 else closed + 3
            self.cuts.append((start, end, "", ""))
            return end
        if name == "table":
            if markup[start + 1] == "/":
                self._close_table(self.html_tables, start, end)
            elif len(self.html_tables) < _DEEPEST:
                self.html_tables.append((start, end))
            return end
        closing = None
        if markup[start + 1] != "/" and markup[end - 2] != "/" and name not in self.unclosed:
            closing = _CLOSING[name].search(markup, end)
            if closing is None:
                self.unclosed.add(name)
        if closing is None:
            self.cuts.append((start, end, "", ""))
            return end
        self.cuts.append((start, closing.end(), self._raw_text(name, markup[end : closing.start()]), ""))
        return closing.end()

    def _raw_text(self, name: str, content: str) -> str:
        """What a reader sees of an extension tag."""
        if name in ("nowiki", "pre"):
            return decoded(content).translate(ESCAPES)
        if name in _FORMULAS:
            return formula(content, self.formulas).translate(ESCAPES)
        return ""

    def _give_up(self) -> None:
        """What nobody closed: a template is dropped to the end of its line, a table ends before the next heading."""
        done = line_end = 0
        for template in self.templates:
            if template.start < done:
                continue
            if template.start >= line_end:
                found = self.markup.find("\n", template.start)
                line_end = len(self.markup) if found < 0 else found
            done = line_end if renderer(template.name, self.lang) is None else self._content(template)
            self.cuts.append((template.start, done, "", template.name))
        end = following = len(self.markup)
        for opened, first_line_end in sorted((*self.tables, *self.html_tables), reverse=True):
            found = self.markup.find("\n==", first_line_end, following)
            end, following = (end if found < 0 else found), opened
            self.cuts.append((opened, first_line_end, f"\n{tables.OPEN}\n", ""))
            self.cuts.append((end, end, f"\n{tables.CLOSE}\n", ""))

    def _content(self, template: _Open) -> int:
        """Where the first argument of an unclosed value template begins."""
        end = self.markup.find(template.name, template.start) + len(template.name)
        return end + 1 if self.markup[end : end + 1] == "|" else end

    def result(self) -> Pruned:
        """What the cuts leave."""
        pieces: list[str] = []
        unexpanded: list[str] = []
        disambiguation = False
        end = 0
        markup = self.markup
        self.cuts.sort()
        for start, stop, instead, name in self.cuts:
            if start < end:
                end = max(end, stop)
                continue
            if instead:
                pieces += (markup[end:start], instead)
            elif start and markup[start - 1] == " " and markup[stop : stop + 1] in _LOST_GAP:
                pieces.append(markup[end : start - 1])  # `a {{b}}, c` without a gap before the comma
            else:
                pieces.append(markup[end:start])
            if name and (kind := dropped(name)) != "noise":
                if kind == "disambiguation":
                    disambiguation = True
                else:
                    unexpanded.append(name.strip().rstrip(":"))
            end = stop
        pieces.append(markup[end:])
        return Pruned("".join(pieces), unexpanded, disambiguation)


def prune(markup: str, lang: str, formulas: Formulas = "readable") -> Pruned:
    """Cut comments, references, boxes and all templates but those that can be put into words."""
    pruner = _Pruner(markup, lang, formulas)
    pruner.sweep()
    return pruner.result()
