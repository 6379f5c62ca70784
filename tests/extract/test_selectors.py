"""A loop over attributes chooses the elements that trafilatura's own XPath expressions choose."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml.etree import XPath, tostring
from lxml.html import HtmlElement
from trafilatura.settings import BASIC_CLEAN_XPATH
from trafilatura.utils import load_html

from lmflow.extract import selectors
from lmflow.extract.charset import decode
from lmflow.extract.page_tree import parse
from lmflow.samples import newspage
from lmflow.samples.newspaper import CHINESE, ENGLISH, pages

RE = {"re": "http://exslt.org/regular-expressions"}
NOW = datetime(2002, 1, 1, tzinfo=UTC)


def untouched() -> ModuleType:
    """trafilatura's expressions as its file has them, whatever this process has installed."""
    spec = importlib.util.find_spec("trafilatura.xpaths")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OWN = untouched()
LISTS = (
    "RAW_TREE_PRUNE_XPATH", "REMOVE_COMMENTS_AND_LISTS_XPATH", "OVERALL_DISCARD_XPATH", "TEASER_DISCARD_XPATH",
    "DISCARD_IMAGE_ELEMENTS", "BODY_XPATH",
)  # fmt: skip
EXPRESSIONS = [(name, expression) for name in LISTS for expression in getattr(OWN, name)]
EXPRESSIONS.append(("BASIC_CLEAN_XPATH", BASIC_CLEAN_XPATH))

VALUES = [
    *("article", "post", "entry", "Comments", "commentary", "comment-list", "mvp-post-add-box", "infinite-scroll"),
    *("share-bar", "^shar", "cookie", "cookie-banner", "Consent-Manager", "teaser", "Teaser", "caption", "footer"),
    *("main-content", "Main-Content", "page-Content", "story-body", "fulltext", "FullText", "a hidden", "hidden"),
    *("reply-1", "widget", "navbar", "Navigation", "menu", "display:none", "true", "", " ", "post-body x", "content"),
    *("elementor-share-buttons", "MostPopularStories", "articleBody"),
]
ATTRIBUTES = [
    *("class", "id", "role", "style", "itemprop", "aria-hidden", "data-component", "data-lp-replacement-content")
]
NAMES = [
    *("div", "section", "article", "main", "p", "span", "ul", "ol", "list", "item", "aside", "details", "footer", "h1")
]


@st.composite
def trees(draw: st.DrawFn) -> HtmlElement:
    root = HtmlElement()
    elements = [root]
    for _ in range(draw(st.integers(1, 25))):
        element = HtmlElement()
        element.tag = draw(st.sampled_from(NAMES))
        for name in draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, max_size=4)):
            element.set(name, " ".join(draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3))))
        draw(st.sampled_from(elements)).append(element)
        elements.append(element)
    return root


def chosen(expression: Any, tree: Any, name: str) -> Any:
    """Of a body only the first element counts, of what is cleaned not the order."""
    found = expression(tree)
    return found[:1] if name == "BODY_XPATH" else set(found) if name == "BASIC_CLEAN_XPATH" else found


@settings(max_examples=200, deadline=None)
@given(trees())
def test_every_expression_chooses_the_same_of_any_tree(tree: HtmlElement) -> None:
    for name, expression in EXPRESSIONS:
        assert chosen(selectors.quick(expression), tree, name) == chosen(expression, tree, name), expression.path


def articles() -> Iterator[bytes]:
    for language in (ENGLISH, CHINESE):
        for page in islice(pages(language), 0, 60, 12):
            yield newspage.article_page(language, page, "http://x", NOW, [])


def test_every_expression_chooses_the_same_of_articles() -> None:
    for html in articles():
        tree = load_html(html)
        for name, expression in EXPRESSIONS:
            assert chosen(selectors.quick(expression), tree, name) == chosen(expression, tree, name), expression.path


def test_all_expressions_but_one_are_understood() -> None:
    left = [expression.path for _, expression in EXPRESSIONS if selectors.quick(expression) is expression]
    assert len(left) <= 1, left  # `main` in BODY_XPATH, the last that is asked


@pytest.mark.parametrize(
    "path",
    [
        ".//div[@class='a' and @id='b']",
        ".//div[re:test(@class, 'a*')]",
        ".//div[contains(@class, '')]",
        ".//div[text()='x']",
        "//div[@class='a']",
        ".//div/p[@class='a']",
        ".//div[not(@class='a')]",
        ".//div[string-length(@class) > 3]",
    ],
)
def test_an_expression_of_another_form_is_left_to_lxml(path: str) -> None:
    expression = XPath(path, namespaces=RE)
    assert selectors.quick(expression) is expression


STRANGE = [
    "<!DOCTYPE html SYSTEM 'a/b.dtd'>\n<html><body><p>doctype with a slash</p><p>two</p></body></html>",
    "<!doctype html>\n<html lang='en' />\n<body><p>closed html</p><p>two</p></body></html>",
    "<!doctype html>\n<html><body><p>a control \x0b\x00 character</p><p>\ufffe and none</p></body></html>",
    "<?xml version='1.0' encoding='utf-8'?>\n<html><body><p>named encoding, ä</p><p>two</p></body></html>",
    "<p>one</p><p>only paragraphs</p>",
    "<html><body><!-- comment --><?pi?><p>汉字 &amp; &nbsp; &euro;</p><script>1<2</script></body></html>",
    "<!doctype html><html>" + "<p>one line only</p>" * 300 + "</html>",
]


def test_a_page_becomes_the_tree_that_trafilatura_makes_of_it() -> None:
    for html in [*STRANGE, *(decode(html) for html in articles())]:
        assert tostring(parse(html)) == tostring(load_html(html)), html[:80]


def test_what_is_no_page_is_none() -> None:
    assert parse("not a page") is None and load_html("not a page") is None
