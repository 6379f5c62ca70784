"""An article out of a web page: its text without the page around it, and what the page says about itself.

The text comes from trafilatura with its fall-backs on, from a page freed of what is never the article (`boilerplate`).
Title, authors and date come from what the page declares (`page_facts`); only where it is silent is trafilatura asked.
"""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from lmflow.crawl.urls import canonical_url
from lmflow.extract import boilerplate, page_facts, page_tree, second_opinion, selectors
from lmflow.extract.charset import decode

_DENSE_SCRIPTS: Final = frozenset({"zh", "ja", "ko", "yue", "wuu"})
#: Han, kana, hangul: pages in them often do not name their language.
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}")


_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")


@dataclass(frozen=True, slots=True)
class Article:
    """What a page says. `text` is empty when no article was found; `url` is the page's canonical address."""

    title: str
    text: str
    authors: tuple[str, ...]
    published_at: datetime | None
    language: str
    url: str


def extract(html: bytes, url: str, charset: str = "") -> Article:
    """Read an article from a page.

    Args:
        html: the page as served, decompressed.
        url: where it was found, after redirects.
        charset: from the Content-Type header, if it named one.

    Returns:
        The article, one paragraph a line; never raises for broken pages.
    """
    from trafilatura import bare_extraction

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    logging.getLogger("htmldate").setLevel(logging.CRITICAL)
    second_opinion.install()
    selectors.install()
    nothing = Article("", "", (), None, "", canonical_url(url))
    try:
        tree = page_tree.parse(decode(html, charset))
        if tree is None:
            return nothing
        facts = page_facts.read(tree)
        _complete(facts, tree)
        boilerplate.prune(tree)
        paragraphs = boilerplate.paragraphs(tree) if facts.body else []
        dense = facts.language in _DENSE_SCRIPTS or _DENSE.search(facts.title) is not None
        config = _dense_script_config() if dense else _config()
        found = bare_extraction(tree, url=url, include_comments=False, config=config)
    except Exception:  # a page that breaks the parser or the extractor is a page without text, not the end of a crawl
        return nothing
    lines = [line.strip() for line in (found.text or "").split("\n") if line.strip()] if found else []
    lines = boilerplate.recover(lines, paragraphs, facts.body)
    if not lines:
        return nothing
    return Article(
        title=facts.title,
        text="\n".join(boilerplate.tidy(lines, facts.title, facts.body)),
        authors=facts.authors,
        published_at=facts.published_at,
        language=facts.language,
        url=page_facts.canonical(facts.canonical, url),
    )


def _complete(facts: page_facts.PageFacts, tree: Any) -> None:
    """Title, authors and date as trafilatura finds them in the page itself, where its head does not say."""
    from trafilatura.metadata import extract_author, extract_title

    facts.title = _heading(tree, facts.title) or facts.title
    facts.title = _one_line(facts.title or extract_title(tree) or "")
    if not facts.authors:
        facts.authors = tuple(filter(None, (_one_line(name) for name in (extract_author(tree) or "").split(";"))))
    if facts.published_at is None:
        from htmldate import find_date

        facts.published_at = page_facts.time(find_date(tree, extensive_search=False, original_date=True) or "")


def _heading(tree: Any, declared: str) -> str:
    """The headline as a reader sees it, without the name of the site; empty where no heading is known to be it.

    The only main heading within an `article`, else the only one of the page. That may be the site's name: it is when it
    has no word of the title that the page declares, and in the page's `header` when it has less than half of them.
    """
    every = list(tree.iter("h1"))
    own = [heading for heading in every if next(heading.iterancestors("article"), None) is not None]
    headings = own if len(own) == 1 else every
    if len(headings) != 1:
        return ""
    heading = _one_line("".join(headings[0].itertext()))
    if own or not declared:
        return heading
    words, stated = set(_WORD.findall(heading.lower())), set(_WORD.findall(declared.lower()))
    least = min(len(words), len(stated)) / 2 if next(headings[0].iterancestors("header"), None) is not None else 1
    return heading if len(words & stated) >= least else ""


@cache
def _config() -> Any:
    from trafilatura.settings import use_config

    return use_config()


@cache
def _dense_script_config() -> Any:
    """Half the length under which trafilatura does not believe what it found.

    A Chinese character says what three letters do: with the 250 meant for letters, a short article is given up and the
    whole page is returned instead (48 of 548 articles of the Chinese sample; none with 125).
    """
    config = deepcopy(_config())
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", str(config.getint("DEFAULT", "MIN_EXTRACTED_SIZE") // 2))
    return config


def _one_line(text: str) -> str:
    return " ".join(text.split())
