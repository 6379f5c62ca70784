"""What stands in an article's place on a page without being part of it: taken out before and after the extractor.

Before: elements by what they are (captions, embedded posts of other sites, lists of nothing but links, the second of
several articles that a page loads below each other). After: the headline repeated, notices repeated between
paragraphs, and the lines that a site's own statement of its article (JSON-LD `articleBody`) does not have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

#: Posts of other sites in an article are their authors' words: the classes that the sites' embedding code gives them.
_EMBEDS: Final = frozenset(
    {"twitter-tweet", "twitter-video", "instagram-media", "tiktok-embed", "fb-post", "bluesky-embed", "mastodon-embed"}
)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
_LINK_SHARE: Final = 0.9
_FEWEST_LINKS: Final = 2
#: An `article` with fewer characters in paragraphs than this is a teaser.
_LEAST_ARTICLE: Final = 200
#: A statement of the article is taken at its word when it has this share of what was extracted, ...
_LEAST_SHARE: Final = 0.5
#: ... and this share of its own words is found there.
_LEAST_FOUND: Final = 0.9
#: Below this share of a statement the extractor has lost a part of the article.
_LOST_SHARE: Final = 0.75
#: A line that stands in an article so often is a notice, such as a placeholder for a video.
_NOTICE_TIMES: Final = 3
_NOTICE_WORDS: Final = 3
#: A line belongs to the article when this share of its words, three at a time, is in the statement.
_LINE_SHARE: Final = 0.5


def prune(tree: Any) -> None:
    """Take elements out of a parsed page (an lxml tree, changed in place)."""
    _drop_unread(tree)
    captions = tree.findall(".//figcaption")
    if sum(map(_length, captions)) > _length_of_paragraphs(tree):
        captions = []  # a story told in captions
    doomed = [*captions, *(element for element in tree.iter("blockquote", "ul", "ol") if _is_beside(element))]
    doomed += _later_articles(tree)
    for element in doomed:
        parent = element.getparent()
        if parent is not None:
            element.drop_tree()


def _drop_unread(tree: Any) -> None:
    """Drop what no extractor reads (scripts but JSON-LD, styles, links): each would copy and search it."""
    for element in list(tree.iter("script", "style")):
        if element.get("type") != "application/ld+json":
            element.drop_tree()
    for head in tree.findall("head"):
        for element in list(head.iterchildren("link", "meta")):
            element.drop_tree()


def _is_beside(element: Any) -> bool:
    if element.tag == "blockquote":
        return not _EMBEDS.isdisjoint((element.get("class") or "").split())
    links = element.findall(".//a")
    if len(links) < _FEWEST_LINKS:
        return False
    linked = sum(map(_length, links))
    return linked >= _LINK_SHARE * len("".join(element.text_content().split()))


def _later_articles(tree: Any) -> list[Any]:
    """Of several `article` elements that each have a main heading of their own, those behind the first real one."""
    headed = [article for article in tree.iter("article") if article.find(".//h1") is not None]
    long = (number for number, article in enumerate(headed) if _length_of_paragraphs(article) >= _LEAST_ARTICLE)
    first = next(long, len(headed))
    return [article for article in headed[first + 1 :] if headed[first] not in article.iterancestors()]


def _length_of_paragraphs(element: Any) -> int:
    return sum(map(_length, element.findall(".//p")))


def _length(element: Any) -> int:
    return len(element.text_content().strip())


def tidy(lines: Sequence[str], title: str, stated: str) -> list[str]:
    """Lines of an extracted article without the repeated headline and without what its site does not count to it.

    Args:
        lines: paragraphs in order.
        title: of the article.
        stated: JSON-LD's `articleBody`, empty for none.
    """
    words = [_WORD.findall(line.lower()) for line in lines]
    heading = _WORD.findall(title.lower())
    start = 1 if len(lines) > 1 and heading and words[0] == heading else 0
    times = Counter(map(tuple, words))
    kept = [
        number
        for number in range(start, len(lines))
        if times[tuple(words[number])] < _NOTICE_TIMES or len(words[number]) < _NOTICE_WORDS
    ]
    lines, words = [lines[number] for number in kept], [words[number] for number in kept]
    own = _WORD.findall(stated.lower())
    if not own or not _is_complete(own, [word for line in words for word in line]):
        return lines
    known = set(zip(own, own[1:], own[2:], strict=False))
    inside = [_share(line, known, own) >= _LINE_SHARE for line in words]
    if True not in inside:
        return lines
    first, last = inside.index(True), len(inside) - 1 - inside[::-1].index(True)
    # What comes before is the lead; one line before a paragraph is its heading.
    return [
        line
        for number, line in enumerate(lines)
        if number < first or inside[number] or (number < last and inside[number + 1] and inside[number - 1])
    ]


def paragraphs(tree: Any) -> list[str]:
    """Every paragraph of a pruned page, in order; one line each."""
    return [" ".join(element.text_content().split()) for element in tree.iter("p", "h2", "h3")]


def recover(lines: list[str], page: Sequence[str], stated: str) -> list[str]:
    """Lines of an article of which the extractor lost a part, out of the page's own paragraphs; else as they are.

    Args:
        lines: as extracted.
        page: from `paragraphs`.
        stated: JSON-LD's `articleBody`, empty for none.
    """
    own = _WORD.findall(stated.lower())
    if not own or sum(len(_WORD.findall(line.lower())) for line in lines) >= _LOST_SHARE * len(own):
        return lines
    known = set(zip(own, own[1:], own[2:], strict=False))
    words = [_WORD.findall(line.lower()) for line in page]
    chosen = [line for line, said in zip(page, words, strict=True) if said and _share(said, known, own) >= _LEAST_FOUND]
    size = sum(len(_WORD.findall(line.lower())) for line in chosen)
    if _LEAST_FOUND * len(own) <= size <= len(own) / _LEAST_FOUND:
        return chosen
    return lines or [line.strip() for line in stated.split("\n") if line.strip()]


def _is_complete(own: Sequence[str], found: Sequence[str]) -> bool:
    """Whether a statement is the article as found, or most of it: sites also state a summary, or another text."""
    same = sum((Counter(own) & Counter(found)).values())
    return len(own) >= _LEAST_SHARE * len(found) and same >= _LEAST_FOUND * len(own)


def _share(line: Sequence[str], known: set[tuple[str, str, str]], own: Sequence[str]) -> float:
    grams = list(zip(line, line[1:], line[2:], strict=False))
    if not grams:  # too short to be judged by three words at a time
        return 1.0 if set(line) <= set(own) else 0.0
    return sum(gram in known for gram in grams) / len(grams)
