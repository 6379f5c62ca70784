"""Second sweep over wikitext: links, value templates, language variants and inline tags become the words they show.

The input comes from `prune`, so braces are balanced; links may not be. Quotes and links of plain words go first, all of
a page at once; then a token is a whole link or template where nothing is nested in it. Frames on a stack say where what
is open begins; what is never closed gives its text back.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lmflow.extract.wikitext.arguments import arguments
from lmflow.extract.wikitext.guess import guess
from lmflow.extract.wikitext.namespaces import is_hidden, looks_like_category
from lmflow.extract.wikitext.quantities import lowered, raised
from lmflow.extract.wikitext.quotes import without_quotes
from lmflow.extract.wikitext.templates import renderer

#: A link of plain words, whose only group is what it shows: most links are such, and `split` takes them out at once.
_PLAIN_LINK: Final = re.compile(r"\[\[(?<![<\[_-]..)(?:[^\[\]{}|<>\n:]++\|)?+([^\[\]{}|<>\n:_]++)\]\]")
_MARKS: Final = (
    r"\[\[([^\[\]{}|<>\n]*)(?:\|([^\[\]{}<\n]*))?\]\]"
    r"|\[\["
    r"|\]\]"
    # A template, with its arguments where nothing is nested in them.
    r"|\{\{\s*(#[a-z]+:|[^|{}<>\[\]\n:]*:?)(?:([^\[\]{}<_]*+)\}\})?+"
    r"|\}\}"
    # An external link, with its label where nothing is nested in it.
    r"|\[(?:(?:https?|ftp|irc|news|gopher)://|mailto:|//)(?:\[[0-9A-Fa-f:.]+\])?"
    r"[^\s\[\]<>|{}]*[ \t]*(?:([^\[\]{}<_\n]*+)\])?+"
    r"|\]"
    r"|<(su[bp])>([^<>{}\[\]|\n]{1,24})</su[bp]>"
    r"|<(?:span|div|small)\b(?>[^<>]*?display\s*:\s*none)[^<>]*>[^<>\n]*</(?:span|div|small)>"
    r"|</?([a-zA-Z][a-zA-Z0-9]*)(?:[\s/][^<>]*)?>"
    r"|__(?:[^\W\d_]|_(?!_)){3,40}__"
)
_ANY_TOKEN: Final = re.compile(_MARKS)
_ANY_TOKEN_OR_VARIANT: Final = re.compile(_MARKS + r"|-\{(?!\{)|\}-")
#: A bar in words that stand in something open, whose arguments it does not part. It is a bar again at the end.
_BAR: Final = "\x04"
#: What a tag puts in its place, by the tag's name with its slash.
_TAGS: Final = {
    **dict.fromkeys(
        (
            "br",
            "/br",
            "hr",
            "p",
            "/p",
            "div",
            "/div",
            "blockquote",
            "/blockquote",
            "center",
            "/center",
            "poem",
            "/poem",
        ),
        "\n\n",  # a line by itself, where a line break alone would be a gap
    ),
    **dict.fromkeys(("ul", "/ul", "ol", "/ol", "dl", "/dl", "/dd", "/dt", "/li"), "\n"),
    **dict.fromkeys(("h1", "/h1", "h2", "/h2", "h3", "/h3", "h4", "/h4", "h5", "/h5", "h6", "/h6", "section"), "\n"),
    "li": "\n* ",
    "dt": "\n; ",
    "dd": "\n: ",
    "tr": "\n|-\n",
    "td": "\n| |",
    "th": "\n| |",
    "caption": "\n|+",
    "/caption": "\n",
    "rt": "(",
    "/rt": ")",
}
_RUBY_BRACKETS: Final = ("(", "（", "[")
_RAISED_NUMBER: Final = re.compile(r"[⁰¹²³⁴-⁹]{1,4}")
_PLAIN: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_LONGEST_RAISED: Final = 24  # characters
_FRACTION: Final = re.compile(r"\d{1,9}/\d")
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
#: Flags of a rule that shows nothing where it stands; a flag may also be a variant: `-{zh-hans|甲}-`.
_HIDDEN_RULE: Final = frozenset("HT-")
_VARIANT_RULE = re.compile(r"(?:[^;:]*=>\s*+)?([a-z]{2,3}(?:-[a-z]+)?)\s*+:(.*)", re.DOTALL)


class _Frame(NamedTuple):
    """Something open: its kind (`[` link, `{` template, `-` variants), and which piece of the text is its first."""

    kind: str
    name: str
    begin: int


class Rendered(NamedTuple):
    """The words of a page, and what was hidden on the way."""

    text: str
    hidden_links: list[str]  # `Category:X`, `de:Y`, `File:Z`
    unexpanded: list[str]  # templates that could not be guessed, each as often as it stands there
    disambiguation: bool  # whether `__DISAMBIG__`, of MediaWiki's extension Disambiguator, stands there


def render(markup: str, lang: str) -> Rendered:
    """The words of pruned markup; line structure is left as it was."""
    if "''" in markup:
        markup = without_quotes(markup)
    rendering = _Rendering(lang)
    rendering.sweep("".join(_PLAIN_LINK.split(markup)))
    return Rendered(rendering.finish(), rendering.hidden_links, rendering.unexpanded, rendering.disambiguation)


class _Rendering:
    """The state of one sweep."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._variants = _VARIANTS.get(lang.partition("-")[0], ())
        self._pieces: list[str] = []
        self._frames: list[_Frame] = []
        self._labels = 0  # external links whose label is being read
        self._in_ruby = False  # whether a reading was put into brackets of ours
        self._verses: int | None = None  # which piece is the first of a poem
        self._raised: int | None = None  # which piece is the first of something raised
        self.disambiguation = False
        self.hidden_links: list[str] = []
        self.unexpanded: list[str] = []

    def sweep(self, markup: str) -> None:
        """Look at every token once."""
        position = 0
        pieces = self._pieces
        tokens = _ANY_TOKEN_OR_VARIANT if self._variants else _ANY_TOKEN
        for token in tokens.finditer(markup):
            start, end = token.span()
            if start > position:
                pieces.append(markup[position:start])
            position = end
            group = token.lastindex
            if group is None:
                self._mark(token[0])
            elif group <= 2:
                target, label = token.group(1, 2)
                if ":" in target and looks_like_category(target) and _is_alone(markup, start, end):
                    self.hidden_links.append(target)
                else:
                    self._put(self._simple_link(target, label))
            elif group == 3:
                if len(self._frames) < _DEEPEST:
                    self._frames.append(_Frame("{", token[3], len(pieces)))
            elif group == 4:
                self._put(self._template(token[3], token[4].split("|")))
            elif group == 5:
                pieces.append(token[5])
            elif group == 7:
                if token[6] == "sub" and self._last() in ("/", "⁄") and self._over(token[7]):
                    continue
                pieces.append(_shifted(token[6], token[7], self._last(), markup[end : end + 1]))
            else:
                self._tag(token[8].lower(), markup[start + 1] == "/")
        pieces.append(markup[position:])

    def finish(self) -> str:
        """Everything, with what was never closed given back as text."""
        while self._frames:
            self._give_back()
        text = "".join(self._pieces)
        return text.replace(_BAR, "|") if _BAR in text else text

    def _put(self, words: str) -> None:
        """Words; inside of something open, their bars part no arguments."""
        self._pieces.append(words.replace("|", _BAR) if self._frames and "|" in words else words)

    def _mark(self, mark: str) -> None:
        """A token without content."""
        if mark in ("[[", "-{"):
            if len(self._frames) < _DEEPEST:
                self._frames.append(_Frame(mark[0], "", len(self._pieces)))
        elif mark == "]]":
            self._close("[")
        elif mark == "}}":
            self._close("{")
        elif mark == "}-":
            self._close("-")
        elif mark == "]":
            if self._labels:
                self._labels -= 1
            else:
                self._pieces.append("]")
        elif mark[0] == "[":
            self._labels += 1
        elif mark == "__DISAMBIG__":
            self.disambiguation = True

    def _tag(self, name: str, closing: bool) -> None:
        """An HTML tag: a new line, a cell, brackets around a reading, or nothing."""
        put = _TAGS.get(f"/{name}" if closing else name)
        if put is None:
            if name == "sup":
                self._superscript(closing)
            return
        if name == "rt":
            if not closing:
                self._in_ruby = not (self._pieces and self._pieces[-1].endswith(_RUBY_BRACKETS))
            if not self._in_ruby:
                return
            self._in_ruby = not closing
        elif name == "poem":
            self._poem(closing)
        self._put(put)

    def _over(self, below: str) -> bool:
        """Makes a fraction of a raised number, a stroke and a lowered one: `8<sup>1</sup>/<sub>2</sub>` is `8 1/2`."""
        pieces = self._pieces
        if len(pieces) < 2 or len(pieces[-1]) > 1 or not below.isdecimal() or not _RAISED_NUMBER.fullmatch(pieces[-2]):
            return False
        del pieces[-1]
        above = pieces.pop().translate(_PLAIN)
        pieces.append(f"{' ' if self._last().isdecimal() else ''}{above}/{below}")
        return True

    def _superscript(self, closing: bool) -> None:
        """Where something raised begins that holds more than plain text; where it ends, what it came to is raised."""
        if closing and self._raised is not None and self._raised <= len(self._pieces):  # a fraction may reach before it
            raised = "".join(self._pieces[self._raised :])
            before = self._pieces[self._raised - 1][-1:] if self._raised else ""
            if raised and len(raised) <= _LONGEST_RAISED:
                self._pieces[self._raised :] = [_shifted("sup", raised, before, "")]
        self._raised = None if closing else len(self._pieces)

    def _poem(self, closing: bool) -> None:
        """Where a poem begins; where it ends, its lines get a blank line between them, so that each stays a line."""
        if closing and self._verses is not None:
            verses = self._pieces[self._verses :]
            self._pieces[self._verses :] = [piece.replace("\n", "\n\n") for piece in verses]
        self._verses = None if closing else len(self._pieces)

    def _close(self, kind: str) -> None:
        """Close the innermost frame of a kind. A link or variant does not reach out of the template it stands in."""
        depth = len(self._frames) - 1
        while depth >= 0 and self._frames[depth].kind != kind:
            if self._frames[depth].kind == "{":
                return
            depth -= 1
        if depth < 0:
            return
        while len(self._frames) - 1 > depth:
            self._give_back()
        frame = self._frames.pop()
        self._put(self._words(frame, self._since(frame).split("|")))

    def _give_back(self) -> None:
        frame = self._frames.pop()
        text = self._since(frame)
        if frame.kind != "{":
            self._put(text)

    def _since(self, frame: _Frame) -> str:
        """Takes back the text since a frame was opened."""
        text = "".join(self._pieces[frame.begin :])
        del self._pieces[frame.begin :]
        if self._raised is not None and self._raised > frame.begin:  # `{{a|<sup>b}}</sup>`
            self._raised = None
        return text

    def _words(self, frame: _Frame, arguments: list[str]) -> str:
        if frame.kind == "{":
            return self._template(frame.name, arguments)
        if frame.kind == "-":
            return self._variant(arguments)
        target, *labels = arguments
        if "\n" in target:  # an unclosed link swallowed prose: give it back
            return "|".join(arguments)
        if is_hidden(target):
            self.hidden_links.append(target)
            return ""
        if target.startswith("["):  # `[[[Bush]]] said`: a bracket of the text, and a link
            return "[" + ("|".join(labels) if any(labels) else target[1:])
        return "|".join(labels) if any(labels) else target.lstrip(":")

    def _simple_link(self, target: str, label: str | None) -> str:
        """`[[target]]` or `[[target|label]]` without anything nested; a file's label has several parts."""
        if ":" in target:
            if is_hidden(target):
                self.hidden_links.append(target)
                return ""
            target = target.lstrip(":")
        return label if label and label.strip("|") else target

    def _template(self, name: str, raw: list[str]) -> str:
        """A template that is listed, or one that may be guessed."""
        args = arguments(raw if name.endswith(":") else raw[1:], self._lang)
        if render := renderer(name, self._lang):
            try:
                words = render(args)
            except ValueError:  # a number of thousands of digits
                words = args.at(0)
        else:
            words = guess(name, args) or None
        if words is None:
            self.unexpanded.append(name.strip().rstrip(":"))
            return ""
        if words[:1].isdecimal() and _FRACTION.match(words) and self._last().isdecimal():
            return f" {words}"  # 8{{frac|1|2}}
        return words

    def _last(self) -> str:
        """The last character so far."""
        return self._pieces[-1][-1:] if self._pieces else ""

    def _variant(self, parts: list[str]) -> str:
        """`-{zh-hans:信息;zh-hant:資訊}-` in the variant we prefer; hidden rules show nothing."""
        flags = parts[0].split(";") if len(parts) > 1 else ()
        if not _HIDDEN_RULE.isdisjoint(flag.strip() for flag in flags):
            return ""
        content = parts[-1]
        rules = [_VARIANT_RULE.fullmatch(rule.strip()) for rule in content.split(";") if rule.strip()]
        found = {rule[1]: rule[2].strip() for rule in rules if rule}
        if not found:
            return content
        return next((found[variant] for variant in self._variants if variant in found), next(iter(found.values())))


def _shifted(tag: str, text: str, before: str, after: str) -> str:
    """What is raised or lowered, kept from running into a number beside it: `10⁶`, `2^(n+1)`, `101₂`, `H2O`."""
    if tag == "sup":
        return raised(text, before)
    return lowered(text) if before.isdecimal() or after.isdecimal() else text


def _is_alone(markup: str, start: int, end: int) -> bool:
    """Whether a link fills its line, alone or with others of its kind."""
    return markup[start - 1 : start] in ("", "\n", "]") and markup[end : end + 1] in ("", "\n", "[")
