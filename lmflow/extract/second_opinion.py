"""trafilatura's second opinion, not asked for where it could change nothing: a seventh of the time of a page.

trafilatura runs readability on every page, and takes its text in the place of its own when that is more than twice as
long, or its own is without a paragraph or mostly tables (`trafilatura.external._prefer_readability`, 2.3).
readability's text is a part of the page's, so that a page without enough text decides beforehand. Its other
comparisons stay.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import Any, Final

from lxml.etree import XPath
from lxml.html import HtmlElement

_PARAGRAPH_TEXT: Final = XPath("boolean(.//p//text())")
#: How much longer than trafilatura's own text readability's must be, by what trafilatura is asked to favour.
_LONGER: Final = {"balanced": 2.0, "recall": 1.0}
#: What readability writes in the place of an embedded film.
_FILM: Final = "VIDEO"


@cache
def install() -> None:
    """Have trafilatura ask readability only where its answer may count."""
    from trafilatura import core
    from trafilatura.external import compare_extraction
    from trafilatura.main_extractor import extract_content

    def extract_and_compare(cleaned_tree: Any, before_conversion: Any, tree: Any, options: Any) -> Any:
        body, text = extract_content(cleaned_tree, options)
        if options.fast:
            return body, text
        asked = copy(tree) if may_count(tree, body, text, options) else HtmlElement()
        return compare_extraction(before_conversion, asked, body, text, options)

    core._extract_and_compare = extract_and_compare


def may_count(page: Any, body: Any, text: str, options: Any) -> bool:
    """Whether readability's text of a page may be taken in the place of trafilatura's own.

    Args:
        page: the tree that readability would read.
        body: what trafilatura extracted, as a tree.
        text: the same as text.
        options: trafilatura's.
    """
    if not text or options.focus not in _LONGER:
        return True
    longest = _longest(page)
    if longest > _LONGER[options.focus] * len(text):
        return True
    enough = longest > 2 * options.min_extracted_size
    return enough and (not _PARAGRAPH_TEXT(body) or len(body.findall(".//table")) > len(body.findall(".//p")))


def _longest(page: Any) -> int:
    """Characters of a page without its scripts, white space as one: what is left out cannot make the rest longer."""
    length = len(" ".join(page.text_content().split()))
    for unread in page.iter("script", "style"):
        length += 2 - len(" ".join((unread.text or "").split()))  # a word may have ended on each side of it
    return length + len(_FILM) * sum(1 for _ in page.iter("iframe"))
