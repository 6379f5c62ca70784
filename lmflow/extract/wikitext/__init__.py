"""MediaWiki markup to plain text, in linear time, with the words and numbers a reader sees.

Three sweeps over ever shorter text, each one compiled alternation and an explicit stack: `prune` cuts what is not prose
(references, navigation templates, tables, files), `render` turns what is left of the markup into words (links, value
templates, language variants), `layout` gives one paragraph, heading or list item a line. No sweep can be made slow by
nested or unbalanced markup, and no markup residue is left (`[[ ]] {{ }} {| |} <ref style=`).

Stated rules: tables, galleries, source code and images with their captions are dropped; a heading is kept as
`== Title ==` when text follows it; a list item starts with `- `; a formula is kept when it is one short line without
TeX commands, else it becomes `[formula]`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lmflow.extract.wikitext.layout import layout
from lmflow.extract.wikitext.prune import prune
from lmflow.extract.wikitext.render import render

__all__ = ["PlainText", "plain", "to_text"]


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text, and what it cost: templates that were dropped although a reader may see words in their place."""

    text: str
    unexpanded: Counter[str]


def to_text(markup: str, lang: str) -> str:
    """Markup to text.

    Args:
        markup: wikitext of one page.
        lang: language code of the wiki (`en`, `zh`, …); chooses template names and script variants.

    Returns:
        One paragraph, heading or list item a line; empty when the page holds no prose.
    """
    return plain(markup, lang).text


def plain(markup: str, lang: str) -> PlainText:
    """Like `to_text`, with the names and counts of templates left unexpanded."""
    pruned = prune(markup, lang)
    return PlainText(layout(render(pruned.markup, lang)), pruned.unexpanded)
