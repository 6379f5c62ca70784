"""A page's text as an lxml tree, read as trafilatura reads it, with elements made in C.

lxml.html asks a Python function which class an element gets each time one is looked at, which happens a thousand times
a page; here every element gets the same. trafilatura takes such a tree as it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

#: What XML 1.0 does not allow and pages hold; and two characters beyond ASCII (section 2.2).
_CONTROLS: Final = bytes(code for code in range(32) if code not in b"\t\n\r")
_NO_CHARACTERS: Final = ("\ufffe", "\uffff")
#: As far as trafilatura looks for a faulty doctype or `<html/>`.
_BEGINNING: Final = 4096


def parse(text: str) -> Any | None:
    """The tree of a page, without comments; None for what is no page.

    Raises:
        ValueError, lxml.etree.LxmlError: lxml cannot read the text at all, such as an empty one.
    """
    from lxml.etree import LxmlError
    from lxml.html import fromstring
    from trafilatura.utils import is_dubious_html

    beginning = text[:50].lower()
    text = _repaired(text, beginning)
    try:
        tree = fromstring(text, parser=_parser())
        again = len(tree) < 1
    except (ValueError, LxmlError):  # such as text that names an encoding, which lxml takes only as bytes
        again = True
    if again:
        tree = fromstring(text.encode("utf-8", "surrogatepass"), parser=_parser())
    return None if is_dubious_html(beginning) and len(tree) < 2 else tree


def _repaired(text: str, beginning: str) -> str:
    """What trafilatura repairs, without its search of the whole page for characters that hardly any page has."""
    from trafilatura.utils import repair_faulty_html

    encoded = text.encode("utf-8", "surrogatepass")
    is_clean = len(encoded.translate(None, _CONTROLS)) == len(encoded)
    if is_clean and not any(character in text for character in _NO_CHARACTERS):
        head = text[:_BEGINNING]
        if "\n" in head:
            return str(repair_faulty_html(head, beginning)) + text[_BEGINNING:]
    return str(repair_faulty_html(text, beginning))


@cache
def _parser() -> Any:
    from lxml.etree import ElementDefaultClassLookup
    from lxml.html import HtmlElement, HTMLParser

    parser = HTMLParser(
        collect_ids=False, default_doctype=False, encoding="utf-8", remove_comments=True, remove_pis=True
    )
    parser.set_element_class_lookup(ElementDefaultClassLookup(element=HtmlElement))
    return parser
