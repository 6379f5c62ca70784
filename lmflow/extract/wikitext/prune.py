"""First sweep over wikitext: cut what is not prose, and balance the braces of what stays.

One alternation finds braces, tables, comments and extension tags; a stack pairs the braces as MediaWiki's preprocessor
does (runs of braces, innermost first). Every token is looked at once, so the time is linear whatever the nesting.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from lmflow.extract.wikitext.templates import is_noise, renderer

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
    "math",
    "chem",
    "ce",
]
_TOKEN: Final = re.compile(
    r"\{\{+(?:\s*([^\s|{}<>\[\]#][^|{}<>\[\]\n:]*:?))?"
    r"|\}\}+"
    r"|\{\|"
    r"|\n[ \t:]*\|\}(?!\})"
    r"|<!--"
    rf"|</?((?i:{'|'.join(_RAW)}|table))\b[^<>]*>"
)
_CLOSING: Final = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in _RAW}
_SIMPLE_FORMULA: Final = re.compile(r"[^\\{}\n]{1,40}")
_DEEPEST: Final = 40  # MediaWiki's own limit of nested expansion
#: Characters that mean something in markup, as entities that `layout` turns back.
_ESCAPES: Final = str.maketrans({char: f"&#{ord(char)};" for char in "[]{}|<>'*#:;=_&-"})


@dataclass(frozen=True, slots=True)
class Pruned:
    """Markup with value templates and links only, and the templates dropped from it."""

    markup: str
    unexpanded: Counter[str]


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
    cuts: list[tuple[int, int, str, str]] = field(default_factory=list)  # start, end, put instead, template name
    templates: list[_Open] = field(default_factory=list)
    tables: list[int] = field(default_factory=list)
    html_tables: list[int] = field(default_factory=list)
    unclosed: set[str] = field(default_factory=set)  # tags with no closing tag from here on

    def sweep(self) -> None:
        """Look at every token once."""
        position = 0
        markup = self.markup
        for token in _TOKEN.finditer(markup):
            start = token.start()
            if start < position:
                continue
            first = markup[start]
            if first == "{":
                name = token[1]
                if markup[start + 1] == "{":
                    braces = (token.start(1) if name else token.end()) - start
                    braces = len(markup[start : start + braces].rstrip())
                    self.templates.append(_Open(start, braces, name or ""))
                elif self._starts_line(start):
                    self.tables.append(start)
            elif first == "}":
                self._close(start, token.end())
            elif first == "\n":
                self._close_table(self.tables, token.end() - 2, token.end())
            else:
                position = self._tag(token)
        self._give_up()

    def _starts_line(self, position: int) -> bool:
        before = position - 1
        while before >= 0 and self.markup[before] in " \t:*#;":
            before -= 1
            if position - before > 20:
                return False
        return before < 0 or self.markup[before] == "\n"

    def _close(self, start: int, end: int) -> None:
        """Pair a run of closing braces with the runs that are open, innermost first: three for three, else two."""
        while end - start >= 2 and self.templates:
            last = self.templates[-1]
            width = 3 if last.braces >= 3 and end - start >= 3 else 2
            opened = last.start + last.braces - width
            name = last.name if width == 2 else ""
            if not name or len(self.templates) > _DEEPEST or renderer(name, self.lang) is None:
                self.cuts.append((opened, start + width, "", name or "{{…}}"))
            start += width
            last.braces -= width
            last.name = ""
            if last.braces < 2:
                self.templates.pop()
                if last.braces:
                    self.cuts.append((last.start, last.start + 1, "", ""))
        if start < end:
            self.cuts.append((start, end, "", ""))

    def _close_table(self, tables: list[int], start: int, end: int) -> None:
        self.cuts.append((tables.pop() if tables else start, end, "", ""))

    def _tag(self, token: re.Match[str]) -> int:
        """Cut a comment or an extension tag; returns where to read on."""
        markup, start, end = self.markup, token.start(), token.end()
        name = (token[2] or "").lower()
        if not name:
            closed = markup.find("-->", end)
            end = len(markup) if closed < 0 else closed + 3
            self.cuts.append((start, end, "", ""))
            return end
        if name == "table":
            if markup[start + 1] == "/":
                self._close_table(self.html_tables, start, end)
            else:
                self.html_tables.append(start)
            return end
        closing = None
        if markup[start + 1] != "/" and markup[end - 2] != "/" and name not in self.unclosed:
            closing = _CLOSING[name].search(markup, end)
            if closing is None:
                self.unclosed.add(name)
        if closing is None:
            self.cuts.append((start, end, "", ""))
            return end
        self.cuts.append((start, closing.end(), _raw_text(name, markup[end : closing.start()]), ""))
        return closing.end()

    def _give_up(self) -> None:
        """Templates that nobody closed: drop each to the end of its line, the rest of the page is prose."""
        done = line_end = 0
        for template in self.templates:
            if template.start < done:
                continue
            if template.start >= line_end:
                found = self.markup.find("\n", template.start)
                line_end = len(self.markup) if found < 0 else found
            done = line_end if renderer(template.name, self.lang) is None else self._content(template)
            self.cuts.append((template.start, done, "", template.name))

    def _content(self, template: _Open) -> int:
        """Where the first argument of an unclosed value template begins."""
        end = self.markup.find(template.name, template.start) + len(template.name)
        return end + 1 if self.markup[end : end + 1] == "|" else end

    def result(self) -> Pruned:
        """What the cuts leave."""
        pieces: list[str] = []
        unexpanded: Counter[str] = Counter()
        end = 0
        for start, stop, instead, name in sorted(self.cuts):
            if start < end:
                end = max(end, stop)
                continue
            pieces.append(self.markup[end:start])
            if instead:
                pieces.append(instead)
            if name and not is_noise(name):
                unexpanded[name.strip().rstrip(":")] += 1
            end = stop
        pieces.append(self.markup[end:])
        return Pruned("".join(pieces), unexpanded)


def prune(markup: str, lang: str) -> Pruned:
    """Cut comments, references, tables and all templates but those that `templates` can put into words."""
    pruner = _Pruner(markup, lang)
    pruner.sweep()
    return pruner.result()


def _raw_text(name: str, content: str) -> str:
    """What a reader sees of an extension tag."""
    if name in ("nowiki", "pre"):
        return content.translate(_ESCAPES)
    if name in ("math", "chem", "ce"):
        formula = content.strip()
        return formula.translate(_ESCAPES) if _SIMPLE_FORMULA.fullmatch(formula) else "&#91;formula&#93;"
    return ""
