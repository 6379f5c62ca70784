"""What a page declares about itself: JSON-LD (schema.org), meta elements, links; read before the tree changes."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from lmflow.crawl.urls import canonical_url

_DATE_METAS: Final = (
    "article:published_time", "og:published_time", "datepublished", "date", "dc.date", "dc.date.issued", "pubdate",
    "publishdate", "publish_date", "parsely-pub-date", "sailthru.date", "weibo:article:create_at", "apub:time",
)  # fmt: skip
_AUTHOR_METAS: Final = ("author", "article:author", "parsely-author", "sailthru.author", "dc.creator", "byl")
#: schema.org's Article and the types below it, which state the article; a WebPage states its page.
_ARTICLE_TYPE = re.compile(r"Article|Posting|Report", re.I)
_PAGE_TYPE = re.compile(r"WebPage", re.I)
#: What hides JSON from parsers of old.
_WRAPPING = re.compile(r"\A\s*(?://\s*)?(?:<!\[CDATA\[|<!--)|(?:(?://\s*)?\]\]>|-->)\s*\Z")
#: How JavaScript writes a date; `+0800` after GMT is an offset.
_SCRIPT_DATE = re.compile(r"^[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d{4}) ([\d:]{8}) GMT([+-]\d{4})\b")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*$")
_BYLINE = re.compile(r"^(?:by|von|par|por|di|door|af|av|od|文|记者|記者)[\s:：]+", re.I)
_TAG = re.compile(r"<[^>]{1,200}>")
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_VALUES: Final = 64


@dataclass(slots=True)
class PageFacts:
    """What the head of a page says. Empty where it says nothing; `body` is the text of JSON-LD's `articleBody`."""

    canonical: str = ""
    language: str = ""
    published_at: datetime | None = None
    title: str = ""
    authors: tuple[str, ...] = ()
    body: str = ""


def read(tree: Any) -> PageFacts:
    """The facts of a parsed page (an lxml tree, unchanged)."""
    metas: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = (
            meta.get("property") or meta.get("name") or meta.get("itemprop") or meta.get("http-equiv") or ""
        ).lower()
        metas.setdefault(name, (meta.get("content") or "").strip())
    linked = _LinkedData.read(tree)
    facts = PageFacts(title=linked.headline or metas.get("og:title", ""), body=linked.body)
    linked_to = (
        link.get("href", "") for link in tree.iter("link") if "canonical" in (link.get("rel") or "").lower().split()
    )
    facts.canonical = _resolved(next(linked_to, "") or metas.get("og:url", ""), tree)
    languages = (tree.get("lang"), tree.get("xml:lang"), metas.get("og:locale"), metas.get("content-language"))
    for tag in (*languages, linked.language):
        if tag and _LANGUAGE_TAG.match(tag.strip()):
            facts.language = re.split("[-_]", tag.strip())[0].lower()
            break
    stamps = [*linked.dates, *(metas[name] for name in _DATE_METAS if metas.get(name))]
    stamps += [element.get("datetime", "") for element, _ in zip(tree.iter("time"), range(3), strict=False)]
    facts.published_at = next((moment for stamp in stamps if (moment := time(stamp))), None)
    named = linked.authors or [metas[name] for name in _AUTHOR_METAS if metas.get(name)][:1]
    facts.authors = tuple(dict.fromkeys(filter(None, map(_person, named))))
    return facts


def _resolved(href: str, tree: Any) -> str:
    """An address as it stands, resolved against the page's `base` element if it has one (WHATWG HTML, 4.2.3)."""
    base = tree.find(".//base[@href]") if href else None
    try:
        return urljoin(base.get("href").strip(), href.strip()) if base is not None else href
    except ValueError:
        return href


def canonical(declared: str, url: str) -> str:
    """The declared canonical address if it is one of the same site and not its front page, else the page's own."""
    own = canonical_url(url)
    if not declared:
        return own
    try:
        address = canonical_url(urljoin(url, declared.strip()))
        parts = urlsplit(address)
    except ValueError:
        return own
    same_site = _bare_host(parts.hostname) == _bare_host(urlsplit(own).hostname)
    return address if parts.scheme in ("http", "https") and same_site and parts.path.strip("/") else own


def time(text: str) -> datetime | None:
    """ISO 8601, RFC 5322 or JavaScript's form, in UTC (assumed where no zone is given); None for impossible years."""
    text = _SCRIPT_DATE.sub(r"\2 \1 \3 \4 \5", text.strip())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, IndexError, TypeError):
            return None
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return moment if _EARLIEST <= moment <= datetime.now(UTC).replace(year=datetime.now(UTC).year + 1, day=1) else None


@dataclass(slots=True)
class _LinkedData:
    """What the JSON-LD blocks say of the article; a block that is no JSON is searched as text for its date."""

    headline: str
    authors: list[str]
    dates: list[str]
    body: str
    language: str

    @classmethod
    def read(cls, tree: Any) -> _LinkedData:
        objects: list[dict[str, Any]] = []
        loose: list[str] = []
        for script in tree.iter("script"):
            content = script.text or ""
            if "ld+json" not in (script.get("type") or "") and "datePublished" not in content:
                continue
            try:
                objects += _objects(json.loads(_unwrapped(content), strict=False))
            except (ValueError, RecursionError):
                loose += re.findall(r"\"datePublished\"\s*:\s*\"([^\"]{8,40})\"", content)[:3]
        named = {one["@id"]: one for one in objects if isinstance(one.get("@id"), str) and "name" in one}
        found = cls("", [], [], "", "")
        # An article's own words first, then its page's; of other things (a site, a film) only the date, and last.
        kinds = [str(one.get("@type", "")) for one in objects]
        for kind in (_ARTICLE_TYPE, _PAGE_TYPE):
            for one, name in zip(objects, kinds, strict=True):
                if kind.search(name):
                    found._add(one, named)
        found.dates += loose
        found.dates += [one["datePublished"] for one in objects if isinstance(one.get("datePublished"), str)]
        return found

    def _add(self, block: dict[str, Any], named: dict[str, dict[str, Any]]) -> None:
        if isinstance(block.get("datePublished"), str):
            self.dates.append(block["datePublished"])
        if not self.headline and isinstance(block.get("headline"), str):
            self.headline = plain(block["headline"])
        if not self.authors:
            self.authors = list(_names(block.get("author"), named))
        if not self.language and isinstance(block.get("inLanguage"), str):
            self.language = block["inLanguage"]
        body = block.get("articleBody")
        if isinstance(body, str) and len(body) > len(self.body):
            self.body = plain(body)


def _unwrapped(content: str) -> str:
    return _WRAPPING.sub("", content) if _WRAPPING.match(content) else content


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON-LD block, outermost first, without recursion; a bounded number of them."""
    queue, seen = [data], 0
    while queue and seen < _MOST_VALUES * 16:
        value = queue.pop(0)
        seen += 1
        if isinstance(value, dict):
            yield value
            queue += [inner for inner in value.values() if isinstance(inner, (dict, list))]
        elif isinstance(value, list):
            queue += [inner for inner in value if isinstance(inner, (dict, list))]


def _names(author: Any, named: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Names of authors: text, objects, or references to objects of the same page (JSON-LD 1.1, 3.3)."""
    for one in (author if isinstance(author, list) else [author])[:_MOST_VALUES]:
        if isinstance(one, dict) and "name" not in one:
            one = named.get(str(one.get("@id")), one)
        name = one.get("name") if isinstance(one, dict) else one
        for each in name if isinstance(name, list) else [name]:
            if isinstance(each, str):
                yield each


def _person(name: str) -> str:
    """A name on one line, without `By`; empty for an address, a handle, or something too long to be one."""
    name = _BYLINE.sub("", " ".join(plain(name).split()))
    return "" if "://" in name or name.startswith("@") or not 1 < len(name) <= 80 else name


def plain(text: str) -> str:
    """Text without markup and character references, which sites leave in JSON-LD (also escaped twice)."""
    if "&" in text:
        text = html.unescape(html.unescape(text))
    return _TAG.sub("\n", text) if "<" in text else text


def _bare_host(host: str | None) -> str:
    return re.sub(r"^(?:www|m|mobile|amp)\.", "", host or "")
