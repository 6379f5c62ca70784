"""Second sweep over wikitext: links, value templates, language variants and inline tags become the words they show.

The input comes from `prune`, so braces are balanced; links may not be. Frames on a stack collect the arguments of what
is open; what is never closed gives its text back.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from lmflow.extract.wikitext.arguments import arguments
from lmflow.extract.wikitext.guess import guess
from lmflow.extract.wikitext.namespaces import is_hidden, looks_like_category
from lmflow.extract.wikitext.templates import renderer

_MARKS: Final = (
    r"\[\[([^\[\]{}|<>\n]*)(?:\|([^\[\]{}|<\n]*))?\]\]"
    r"|\[\["
    r"|\]\]"
    r"|\{\{\s*(#[a-z]+:|[^|{}<>\[\]\n:]*:?)"
    r"|\}\}"
    # A bar, or the cells that a line begins with, and all plain text behind it.
    r"|\|[^\[\]{}<'_\-]*"
    r"|\n[|!][^\[\]{}<'_\-]*"
    r"|\[(?:(?:https?|ftp|irc|news|gopher)://|mailto:|//)[^\s\[\]<>|{}]*[ \t]*"
    r"|\]"
    r"|''+"
    r"|<sup>([-+−–\d]{1,12})</sup>"
    r"|<(?:span|div|small)\b[^<>]*display\s*:\s*none[^<>]*>[^<>\n]*</(?:span|div|small)>"
    r"|</?([a-zA-Z][a-zA-Z0-9]*)(?:[\s/][^<>]*)?>"
    r"|__[^\W\d_]{3,30}__"
)
_ANY_TOKEN: Final = re.compile(_MARKS)
_ANY_TOKEN_OR_VARIANT: Final = re.compile(_MARKS + r"|-\{(?!\{)|\}-")
#: What a tag puts in its place, by the tag's name with its slash.
_TAGS: Final = {
    **dict.fromkeys(
        ("br", "/br", "hr", "p", "/p", "div", "/div", "blockquote", "/blockquote", "center", "/center"), "\n"
    ),
    **dict.fromkeys(("ul", "/ul", "ol", "/ol", "dl", "/dl", "dd", "/dd", "dt", "/dt", "/li", "poem", "/poem"), "\n"),
    **dict.fromkeys(("h1", "/h1", "h2", "/h2", "h3", "/h3", "h4", "/h4", "h5", "/h5", "h6", "/h6", "section"), "\n"),
    "li": "\n* ",
    "tr": "\n|-\n",
    "td": "\n| |",
    "th": "\n| |",
    "caption": "\n|+",
    "/caption": "\n",
    "rt": "(",
    "/rt": ")",
}
_RUBY_BRACKETS: Final = ("(", "（", "[")
_SUPERSCRIPT: Final = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_DEEPEST: Final = 40
#: Editions written in several scripts, with the variants we prefer, best first.
_VARIANTS: Final = {
    "zh": ("zh-hans", "zh-cn", "zh-sg", "zh-my", "zh", "zh-hant", "zh-tw", "zh-hk", "zh-mo"),
    "sr": ("sr-ec", "sr-cyrl", "sr-el"),
    "kk": ("kk-cyrl", "kk-kz"),
    "uz": ("uz-latn",),
    "tg": ("tg-cyrl", "tg"),
    "gan": ("gan-hans", "gan"),
    "crh": ("crh-latn",),
    "ku": ("ku-latn",),
    "iu": ("ike-cans",),
}
_VARIANT_RULE = re.compile(r"\s*(?:[^;:]*=>)?\s*([a-z]{2,3}(?:-[a-z]+)?)\s*:\s*(.*)", re.DOTALL)


@dataclass(slots=True)
class _Frame:
    """Something open: its kind (`[` link, `{` template, `-` variants), and the text collected so far."""

    kind: str
    name: str = ""
    done: list[str] = field(default_factory=list)  # arguments before the last `|`
    text: list[str] = field(default_factory=list)

    def arguments(self) -> list[str]:
        return [*self.done, "".join(self.text)]

    def next_arguments(self, run: str) -> list[str]:
        """A run of text with bars: each ends an argument. Returns where the last one is collected."""
        head, *rest = run.split("|")
        self.text.append(head)
        for argument in rest:
            self.done.append("".join(self.text))
            self.text = [argument]
        return self.text


@dataclass(frozen=True, slots=True)
class Rendered:
    """The words of a page, and what was hidden on the way."""

    text: str
    hidden_links: list[str]  # `Category:X`, `de:Y`, `File:Z`
    unexpanded: Counter[str]


def render(markup: str, lang: str) -> Rendered:
    """The words of pruned markup; line structure is left as it was."""
    rendering = _Rendering(lang)
    rendering.sweep(markup)
    return Rendered(rendering.finish(), rendering.hidden_links, rendering.unexpanded)


class _Rendering:
    """The state of one sweep."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._variants = _VARIANTS.get(lang.partition("-")[0], ())
        self._frames = [_Frame("")]
        self._labels = 0  # external links whose label is being read
        self._in_ruby = False  # whether a reading was put into brackets of ours
        self.hidden_links: list[str] = []
        self.unexpanded: Counter[str] = Counter()

    def sweep(self, markup: str) -> None:
        """Look at every token once."""
        position = 0
        frames = self._frames
        text = frames[-1].text
        tokens = _ANY_TOKEN_OR_VARIANT if self._variants else _ANY_TOKEN
        for token in tokens.finditer(markup):
            start, end = token.span()
            group = token.lastindex
            if group is None:
                first = markup[start]
                if first in "|\n":
                    if len(frames) == 1:
                        continue  # cells of a table: `layout` reads them
                    text.append(markup[position:start])
                    text = frames[-1].next_arguments(token[0])
                    position = end
                    continue
                if start > position:
                    text.append(markup[position:start])
                if first != "'":
                    self._mark(token[0])
                    text = frames[-1].text
                elif end - start == 4:
                    text.append("'")
            else:
                if start > position:
                    text.append(markup[position:start])
                if group <= 2:
                    target, label = token.group(1, 2)
                    if ":" in target and looks_like_category(target) and _is_alone(markup, start, end):
                        self.hidden_links.append(target)
                    else:
                        text.append(self._simple_link(target, label))
                elif group == 3:
                    self._open_template(token[3])
                    text = frames[-1].text
                elif group == 4:
                    text.append(token[4].translate(_SUPERSCRIPT))
                else:
                    self._tag(token[5].lower(), markup[start + 1] == "/", text)
            position = end
        text.append(markup[position:])

    def finish(self) -> str:
        """Everything, with what was never closed given back as text."""
        while len(self._frames) > 1:
            self._give_back()
        return "".join(self._frames[0].text)

    def _mark(self, mark: str) -> None:
        """A token without content."""
        frame = self._frames[-1]
        first = mark[0]
        if mark == "[[":
            if len(self._frames) <= _DEEPEST:
                self._frames.append(_Frame("["))
        elif mark == "]]":
            self._close("[")
        elif mark == "}}":
            self._close("{")
        elif first == "[":
            self._labels += 1
        elif mark == "]":
            if self._labels:
                self._labels -= 1
            else:
                frame.text.append("]")
        elif mark == "-{":
            if len(self._frames) <= _DEEPEST:
                self._frames.append(_Frame("-"))
        elif mark == "}-":
            self._close("-")

    def _tag(self, name: str, closing: bool, text: list[str]) -> None:
        """An HTML tag: a new line, a cell, brackets around a reading, or nothing."""
        put = _TAGS.get(f"/{name}" if closing else name)
        if put is None:
            return
        if name == "rt":
            if not closing:
                self._in_ruby = not (text and text[-1].endswith(_RUBY_BRACKETS))
            if not self._in_ruby:
                return
            self._in_ruby = not closing
        text.append(put)

    def _open_template(self, name: str) -> None:
        function, colon, argument = name.partition(":")
        frame = _Frame("{", function + colon)
        frame.text.append(argument)
        if len(self._frames) <= _DEEPEST:
            self._frames.append(frame)

    def _close(self, kind: str) -> None:
        """Close the innermost frame of a kind. A link or variant does not reach out of the template it stands in."""
        depth = len(self._frames) - 1
        while depth and self._frames[depth].kind != kind:
            if self._frames[depth].kind == "{":
                return
            depth -= 1
        if not depth:
            return
        while len(self._frames) - 1 > depth:
            self._give_back()
        frame = self._frames.pop()
        self._frames[-1].text.append(self._words(frame))

    def _give_back(self) -> None:
        frame = self._frames.pop()
        if frame.kind != "{":
            self._frames[-1].text.append("|".join(frame.arguments()))

    def _words(self, frame: _Frame) -> str:
        if frame.kind == "{":
            return self._template(frame.name, frame.arguments())
        if frame.kind == "-":
            return self._variant(frame.arguments())
        target, *labels = frame.arguments()
        if "\n" in target:  # an unclosed link swallowed prose: give it back
            return "|".join([target, *labels])
        if is_hidden(target):
            self.hidden_links.append(target)
            return ""
        return "|".join(labels) if any(labels) else target.lstrip(":")

    def _simple_link(self, target: str, label: str | None) -> str:
        """`[[target]]` or `[[target|label]]` without anything nested."""
        if ":" in target:
            if is_hidden(target):
                self.hidden_links.append(target)
                return ""
            target = target.lstrip(":")
        shown = label or target
        return shown.replace("'''", "").replace("''", "") if "''" in shown else shown

    def _template(self, name: str, raw: list[str]) -> str:
        """A template that is listed, or one that may be guessed."""
        args = arguments(raw if name.endswith(":") else raw[1:], self._lang)
        if render := renderer(name, self._lang):
            return render(args)
        words = guess(name, args)
        if not words:
            self.unexpanded[name.strip()] += 1
        return words

    def _variant(self, parts: list[str]) -> str:
        """`-{zh-hans:信息;zh-hant:資訊}-` in the variant we prefer; hidden rules show nothing."""
        flags = parts[0].strip() if len(parts) > 1 else ""
        if flags and set(flags) & set("HT-"):
            return ""
        content = parts[-1]
        rules = [_VARIANT_RULE.fullmatch(rule) for rule in content.split(";") if rule.strip()]
        found = {rule[1]: rule[2].strip() for rule in rules if rule}
        if not found:
            return content
        return next((found[variant] for variant in self._variants if variant in found), next(iter(found.values())))


def _is_alone(markup: str, start: int, end: int) -> bool:
    """Whether a link fills its line, alone or with others of its kind."""
    return markup[start - 1 : start] in ("", "\n", "]") and markup[end : end + 1] in ("", "\n", "[")
