"""Items out of RSS, Atom and JSON feeds, in the order of the feed."""

from __future__ import annotations

import json
from calendar import timegm
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from lmflow.crawl.urls import canonical_url


class FeedError(ValueError):
    """The bytes are no feed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a feed. `url` is canonical; dates are UTC."""

    url: str
    title: str
    published_at: datetime | None


def parse(body: bytes, url: str, headers: Mapping[str, str]) -> list[Item]:
    """Items of a feed; an entry without a usable link is left out, an address listed twice comes once.

    Args:
        body: the feed as served, decompressed.
        url: where it was found; relative links are resolved against it.
        headers: of the response, names in lower case; they may name the character set.

    Raises:
        FeedError: it is not a feed.
    """
    unmarked = body.removeprefix(BOM_UTF8)
    is_json = unmarked.lstrip()[:1] == b"{"
    items = _json_items(unmarked, url) if is_json else _xml_items(body, url, headers)
    unique: dict[str, Item] = {}
    for item in items:
        unique.setdefault(item.url, item)
    return list(unique.values())


def _xml_items(body: bytes, url: str, headers: Mapping[str, str]) -> list[Item]:
    import feedparser

    known = {"content-location": url, "content-type": headers.get("content-type", "application/xml")}
    parsed = feedparser.parse(body, response_headers=known, sanitize_html=False)
    if not parsed.get("version") and not parsed.entries:
        raise FeedError(str(parsed.get("bozo_exception", "no feed found"))[:200])
    return _items(
        (entry.get("link") or _permalink(entry), entry.get("title", ""), _parsed_time(entry), url)
        for entry in parsed.entries
    )


def _json_items(body: bytes, url: str) -> list[Item]:
    """JSON Feed 1.1 (jsonfeed.org/version/1.1)."""
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FeedError(str(error)[:200]) from None
    entries = feed.get("items")
    if not isinstance(entries, list):
        raise FeedError("JSON without `items`")
    return _items(
        (
            entry.get("url") or entry.get("external_url"),
            entry.get("title") or "",
            _iso(entry.get("date_published")),
            url,
        )
        for entry in entries
        if isinstance(entry, dict)
    )


def _items(found: Iterable[tuple[Any, Any, datetime | None, str]]) -> list[Item]:
    items = []
    for link, title, published, base in found:
        try:
            address = canonical_url(urljoin(base, str(link or "").strip())) if link else ""
        except ValueError:
            continue
        if address.startswith(("http://", "https://")):
            items.append(Item(address, " ".join(str(title).split()), published))
    return items


def _permalink(entry: Mapping[str, Any]) -> str:
    """An RSS guid is an address unless it says that it is not."""
    guid = str(entry.get("id", ""))
    return guid if guid.startswith(("http://", "https://")) and entry.get("guidislink", True) else ""


def _parsed_time(entry: Mapping[str, Any]) -> datetime | None:
    stamp = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        return datetime.fromtimestamp(timegm(stamp), UTC) if stamp else None
    except (ValueError, OverflowError, OSError):
        return None


def _iso(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
