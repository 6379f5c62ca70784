"""trafilatura's second opinion, not asked for where it could change nothing: a seventh of the time of a page.

trafilatura runs readability on every page, and takes its text in the place of its own when that is more than twice as
long, or its own is without a paragraph or mostly tables (`trafilatura.external._prefer_readability`, 2.3).
readability's text is a part of the page's, so that a page without enough text decides beforehand. Its other
comparisons stay.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from lxml.etree import XPath
from lxml.html import HtmlElement

_TEXT: Final = XPath("//text()[not(parent::script or parent::style)]")
_PARAGRAPH_TEXT: Final = XPath("boolean(.//p//text())")
#: How much longer than trafilatura's own text readability's must be, by what trafilatura is asked to favour.
_LONGER: Final = {"balanced": 2.0, "recall": 1.0}


@cache
def install() -> None:
    """Have trafilatura ask readability only where its answer may count."""
    from trafilatura import core
    from trafilatura.external import compare_extraction

    def compare(cleaned_tree: Any, raw_tree: Any, body: Any, text: str, options: Any) -> Any:
        asked = raw_tree if may_count(raw_tree, body, text, options) else HtmlElement()
        return compare_extraction(cleaned_tree, asked, body, text, options)

    core.compare_extraction = compare


def may_count(page: Any, body: Any, text: str, options: Any) -> bool:
    """Whether readability's text of a page may be taken in the place of trafilatura's own.

    Args:
        page: the tree that readability would read.
        body: what trafilatura extracted, as a tree.
        text: the same as text.
        options: trafilatura's.
    """
    longest = sum(len(" ".join(part.split())) + 1 for part in _TEXT(page))
    if not text or options.focus not in _LONGER or longest > _LONGER[options.focus] * len(text):
        return True
    enough = longest > 2 * options.min_extracted_size
    return enough and (not _PARAGRAPH_TEXT(body) or len(body.findall(".//table")) > len(body.findall(".//p")))
