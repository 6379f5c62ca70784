"""MediaWiki markup to plain text, in linear time, with the words and numbers a reader sees.

Three sweeps over ever shorter text, each one compiled alternation and an explicit stack: `prune` cuts what is not prose
(references, boxes, navigation, files), `render` turns what is left of the markup into words (links, value templates,
language variants), `layout` gives one paragraph, heading, list item or table row a line. No sweep can be made slow by
nested or unbalanced markup, and no markup residue is left (`[[ ]] {{ }} {| |} <ref style=`).

Stated rules:
- a line of a stop or comma alone, which stood behind something dropped, goes;
- a heading is kept as `== Title ==` when text follows it; a list item starts with `- `; a term and its definition are
  lines of their own;
- a table is written row by row, cells joined by ` | `, empty cells left out; a table whose class says infobox,
  navigation or notice, or that is hidden, is dropped (`tables`);
- references, galleries, source code, images with their captions, and templates without prose (citations, boxes,
  hatnotes, notices, flags, links to other sites) are dropped;
- a template that `templates.toml` lists is read as it says; an unlisted one inside a line is read when its arguments
  say what it shows (`guess`), else dropped and counted; so is one whose words only its source knows (a population,
  an age today);
- a pronunciation is kept as it stands (`/ˈtaʊər/`), the label of a sound file too;
- a formula becomes readable text in a line, or `[formula]` when it takes more than that; or its TeX, by option
  (`formulas`).
"""

from __future__ import annotations

from typing import NamedTuple

from lmflow.extract.wikitext.formulas import Formulas
from lmflow.extract.wikitext.layout import layout
from lmflow.extract.wikitext.namespaces import categories, language_links
from lmflow.extract.wikitext.prune import prune
from lmflow.extract.wikitext.redirects import redirect_target
from lmflow.extract.wikitext.render import render

__all__ = ["Formulas", "PlainText", "plain", "redirect_target", "to_text"]


class PlainText(NamedTuple):
    """A page as text, what its markup says about it, and what the text cost.

    `unexpanded` names the templates that were dropped although a reader may see words in their place, each as often.
    """

    text: str
    unexpanded: list[str]
    categories: tuple[str, ...]  # without the namespace, in order
    language_links: dict[str, str]  # language code to title
    disambiguation: bool


def to_text(markup: str, lang: str, formulas: Formulas = "readable") -> str:
    """Markup to text.

    Args:
        markup: wikitext of one page.
        lang: language code of the wiki (`en`, `zh`, …); chooses template names, dates and script variants.
        formulas: `readable` text where that is possible in a line, `tex` source, or a `placeholder`.

    Returns:
        One paragraph, heading, list item or table row a line; empty when the page holds no prose.
    """
    return plain(markup, lang, formulas).text


def plain(markup: str, lang: str, formulas: Formulas = "readable") -> PlainText:
    """Like `to_text`, with what the same sweeps learn about the page."""
    pruned = prune(markup, lang, formulas)
    rendered = render(pruned.markup, lang)
    return PlainText(
        layout(rendered.text),
        pruned.unexpanded + rendered.unexpanded,
        categories(rendered.hidden_links),
        language_links(rendered.hidden_links),
        pruned.disambiguation or rendered.disambiguation,
    )
