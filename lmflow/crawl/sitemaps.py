"""Sitemaps (sitemaps.org 0.9), in XML or as text, and news sitemaps: the pages or the sitemaps they list."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urljoin

from lxml import etree

from lmflow.crawl.body import EncodingError, TooLargeError, read_body
from lmflow.crawl.feeds import FeedError, Item
from lmflow.crawl.urls import canonical_url

#: The protocol allows 50 MB uncompressed.
_MOST_BYTES: Final = 52_428_800
#: A sitemap has 50,000 addresses at most: twenty parameters each.
_MOST_AMPERSANDS: Final = 1_000_000
_GZIP: Final = b"\x1f\x8b"
_TEXT_LINE: Final = re.compile(rb"https?://[^\s<>]+", re.IGNORECASE)
#: An ampersand that begins no reference, as many write addresses; within CDATA it is one already.
_RAW_AMPERSAND: Final = re.compile(rb"(<!\[CDATA\[.*?(?:\]\]>|\Z))|&(?!#?\w{1,40};)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sitemap:
    """One file: `items` of a set of pages, or `children` (address, last change) of an index."""

    items: list[Item]
    children: list[tuple[str, datetime | None]]


def looks_like_one(body: bytes) -> bool:
    """Whether bytes are a sitemap (gzip'd or not) rather than a feed."""
    head = body[:2048]
    return head.startswith(_GZIP) or b"<urlset" in head or b"<sitemapindex" in head or _is_text(body)


def _is_text(body: bytes) -> bool:
    """Whether it is the protocol's text form: an address a line in UTF-8, and nothing else."""
    lines = body[:2048].removeprefix(codecs.BOM_UTF8).split(b"\n")
    whole = [line.strip() for line in (lines[:-1] if len(body) > 2048 else lines) if line.strip()]
    return bool(whole) and all(_TEXT_LINE.fullmatch(line) for line in whole)


def parse(body: bytes, url: str) -> Sitemap:
    """Read a sitemap as far as it is well formed; an address listed twice comes once.

    Args:
        body: as served, or still in gzip, as `.xml.gz` files are.
        url: where it was found; relative addresses, which the protocol forbids, are resolved against it.

    Raises:
        FeedError: it is no sitemap.
    """
    if body.startswith(_GZIP):
        try:
            body = read_body([body], "gzip", _MOST_BYTES)
        except (EncodingError, TooLargeError, zlib.error) as error:
            raise FeedError(str(error)[:200]) from None
    if _is_text(body):
        lines = body[:_MOST_BYTES].decode("utf-8-sig", "replace").splitlines()
        addresses = filter(None, (_address(line.strip(), url) for line in lines))
        return Sitemap([Item(address, "", None) for address in dict.fromkeys(addresses)], [])
    items: dict[str, Item] = {}
    children: dict[str, datetime | None] = {}
    known = False
    for entry in _entries(body):
        known = True
        address = _address(_child(entry, "loc"), url)
        if not address:
            continue
        changed = _time(_child(entry, "lastmod"))
        if entry.tag.rpartition("}")[2] == "sitemap":  # QName refuses the names that a damaged file may have
            children.setdefault(address, changed)
        else:
            published = _time(_child(entry, "publication_date")) or changed
            title = " ".join(_child(entry, "title").split())
            items.setdefault(address, Item(address, title, published))
    if not known and not looks_like_one(body):
        raise FeedError("no sitemap found")
    return Sitemap(list(items.values()), list(children.items()))


def _entries(body: bytes) -> Iterator[Any]:
    """The `url` and `sitemap` elements; no entities are resolved and nothing is loaded from elsewhere."""
    parser = etree.XMLPullParser(
        events=("end",), tag=("{*}url", "{*}sitemap"), recover=True, resolve_entities=False, no_network=True
    )
    if b"\0" not in body[:4] and body.count(b"&") <= _MOST_AMPERSANDS:  # not UTF-16, no flood
        # Recovering from one, libxml2 goes on and reports no further element.
        body = _RAW_AMPERSAND.sub(lambda found: found[1] or b"&amp;", body)
    try:
        parser.feed(body)
        for _, element in parser.read_events():
            yield element
            element.clear()
    except etree.XMLSyntaxError as error:
        raise FeedError(str(error)[:200]) from None


def _child(entry: Any, name: str) -> str:
    """Text of the first descendant of a local name (`news:title` is two levels down), empty for none."""
    found = entry.find(f".//{{*}}{name}")
    return (found.text or "").strip() if found is not None else ""


def _address(text: str, base: str) -> str:
    try:
        address = canonical_url(urljoin(base, text)) if text else ""
    except ValueError:
        return ""
    return address if address.startswith(("http://", "https://")) else ""


def _time(text: str) -> datetime | None:
    """W3C dates: a year, a month, a day, or a moment."""
    for candidate in (text, f"{text}-01", f"{text}-01-01"):
        try:
            moment = datetime.fromisoformat(candidate)
        except ValueError:
            continue
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (OverflowError, ValueError):
            return None
    return None
