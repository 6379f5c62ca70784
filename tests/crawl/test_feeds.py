"""Feeds of every kind give their items; what is no feed says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmflow.crawl.feeds import FeedError, Item, parse

URL = "https://news.example/feeds/main.xml"
CAPTURED = Path(__file__).resolve().parents[3] / "shared" / "data" / "news" / "feeds"


def test_rss_items_have_absolute_canonical_links_and_utc_dates() -> None:
    rss = """<?xml version="1.0" encoding="gb2312"?><rss version="2.0"><channel><title>新闻</title>
    <item><title>第一条</title><link>/2026/a.html?utm_source=rss#x</link>
    <pubDate>Fri, 02 Jan 2026 08:00:00 +0800</pubDate></item>
    <item><title>again</title><link>https://news.example/2026/a.html</link></item>
    <item><title>by guid</title><guid>https://news.example/2026/b.html</guid></item>
    <item><title>not a link</title><guid isPermaLink="false">tag:1</guid></item>
    <item><title>elsewhere</title><link>javascript:alert(1)</link></item></channel></rss>""".encode("gb2312")
    items = parse(rss, URL, {})
    assert items == [
        Item("https://news.example/2026/a.html", "第一条", datetime(2026, 1, 2, tzinfo=UTC)),
        Item("https://news.example/2026/b.html", "by guid", None),
    ]


def test_atom_and_json_feeds_are_read() -> None:
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><title>A</title>
    <link href="https://x.org/a"/><updated>2026-01-02T03:04:05Z</updated></entry></feed>"""
    assert parse(atom, URL, {}) == [Item("https://x.org/a", "A", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
    json_feed = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "url": "/b", "title": "B"}, 7]}'
    assert parse(json_feed, URL, {}) == [Item("https://news.example/b", "B", None)]
    assert parse(b"\xef\xbb\xbf\n" + json_feed, URL, {}) == [Item("https://news.example/b", "B", None)]


@pytest.mark.parametrize("body", [b"", b"<html><body>Sorry</body></html>", b"{}", b"{", b"\x00\xff"])
def test_what_is_no_feed_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse(body, URL, {})


def test_an_empty_feed_has_no_items() -> None:
    assert parse(b'<rss version="2.0"><channel><title>T</title></channel></rss>', URL, {}) == []


@pytest.mark.skipif(not CAPTURED.is_dir(), reason="captured feeds are not here")
def test_captured_feeds_parse_or_fail_cleanly() -> None:
    read = items = 0
    for path in sorted(file for file in CAPTURED.rglob("*") if file.is_file() and file.name != "LICENSE"):
        try:
            items += len(parse(path.read_bytes(), URL, {}))
            read += 1
        except FeedError:
            pass
    assert read >= 65  # the others are fragments, not feeds
    assert items >= 1500
