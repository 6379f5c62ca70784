"""Sitemaps list pages; an index is followed to the newest of its sitemaps, on the same site only."""

import contextlib
import gzip
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.crawl.feeds import FeedError, Item
from lmflow.crawl.http import Fetcher
from lmflow.crawl.listings import MOST_SITEMAPS, read_listing
from lmflow.crawl.sitemaps import looks_like_one, parse
from tests.crawl.site import Site

URL = "https://news.example/news.xml"
NEWS = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><loc>https://news.example/a?utm_source=x</loc><news:news><news:publication><news:name>The Paper</news:name>
 <news:language>en</news:language></news:publication><news:publication_date>2026-01-02T08:00:00+08:00</news:publication_date>
 <news:title> A  title </news:title></news:news><lastmod>2026-02-01</lastmod></url>
<url><loc>https://news.example/a</loc></url><url><loc>https://news.example/b</loc><lastmod>2026-01</lastmod>
 <image:image><image:loc>https://news.example/b.jpg</image:loc></image:image></url>
<url><loc>javascript:alert(1)</loc></url><url/></urlset>"""  # fmt: skip


def test_a_news_sitemap_gives_addresses_titles_and_dates() -> None:
    expected = [
        Item("https://news.example/a", "A title", datetime(2026, 1, 2, tzinfo=UTC)),
        Item("https://news.example/b", "", datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    assert parse(NEWS.encode(), URL).items == expected
    assert parse(gzip.compress(NEWS.encode()), URL).items == expected


def test_a_sitemap_that_breaks_off_gives_what_came_before() -> None:
    assert [item.url for item in parse(NEWS[: NEWS.index("<url><loc>java")].encode(), URL).items][:1] == [
        "https://news.example/a"
    ]


@pytest.mark.parametrize("raw", ["a=1&b=2", "a=1&amp;b=2", "<![CDATA[a=1&b=2]]>", "a=1&b=2&"])
def test_a_raw_ampersand_takes_no_page_away(raw: str) -> None:
    pages = [f"<url><loc>https://news.example/{query}</loc></url>" for query in ("first", f"?{raw}", "last")]
    found = [item.url for item in parse(f"<urlset>{''.join(pages)}</urlset>".encode(), URL).items]
    asked = raw.replace("&amp;", "&").removeprefix("<![CDATA[").removesuffix("]]>")
    assert found == ["https://news.example/first", f"https://news.example/?{asked}", "https://news.example/last"]


def test_ampersands_and_open_cdata_take_linear_time() -> None:
    for unit in (b"&", b"&a", b"<![CDATA[", b"&#"):
        started = time.process_time()
        with contextlib.suppress(FeedError):
            parse(b"<urlset><url><loc>" + unit * (4_000_000 // len(unit)), URL)
        assert time.process_time() - started < 5


def test_entities_are_not_expanded() -> None:
    bomb = (
        '<!DOCTYPE urlset [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        "<urlset><url><loc>https://news.example/&b;&f;</loc></url></urlset>"
    )
    assert all("xxxx" not in item.url and "root" not in item.url for item in parse(bomb.encode(), URL).items)


@pytest.mark.parametrize("form", [bytes, gzip.compress, lambda body: b"\xef\xbb\xbf" + body])
def test_a_sitemap_may_be_a_list_of_addresses_as_text(form: Any) -> None:
    body = form(b"https://news.example/a?x=1&y=2\r\n\nhttps://news.example/b\nhttps://news.example/b\n")
    assert looks_like_one(body)
    assert [item.url for item in parse(body, URL).items] == [
        "https://news.example/a?x=1&y=2",
        "https://news.example/b",
    ]
    long = b"".join(b"https://news.example/%d\n" % number for number in range(1000))
    assert len(parse(form(long), URL).items) == 1000
    assert not looks_like_one(b"https://news.example/a\nSee also https://news.example/b\n")


@pytest.mark.parametrize(
    "body", [b"", b"\x1f\x8b\x00broken", b"<html><body>no</body></html>", b"{}", b"\x00\xff<urlse"]
)
def test_what_is_no_sitemap_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse(body, URL)


@given(st.binary(max_size=200), st.integers(0, len(NEWS)))
def test_no_bytes_do_anything_else(noise: bytes, at: int) -> None:
    with contextlib.suppress(FeedError):
        parse(NEWS[:at].encode() + noise + NEWS[at:].encode(), URL)


def test_an_index_is_followed_to_its_newest_sitemaps_of_the_same_site(site: Site, fetcher: Fetcher) -> None:
    children = "".join(
        f"<sitemap><loc>{site.url}/part{n}.xml</loc><lastmod>2026-01-{n + 1:02d}</lastmod></sitemap>"
        for n in range(MOST_SITEMAPS + 3)
    )
    other = "<sitemap><loc>http://localhost:1/inside.xml</loc></sitemap>"
    site.pages["/index.xml"] = f"<sitemapindex>{children}{other}</sitemapindex>".encode()
    for n in range(MOST_SITEMAPS + 3):
        site.pages[f"/part{n}.xml"] = f"<urlset><url><loc>{site.url}/p{n}.html</loc></url></urlset>".encode()
    site.robots = (200, b"User-agent: *\nAllow: /\n")
    listing = read_listing(fetcher, f"{site.url}/index.xml")
    newest = [f"{site.url}/p{n}.html" for n in range(MOST_SITEMAPS + 2, 2, -1)]
    assert ([item.url for item in listing.items], listing.complete) == (newest, True)
    del site.pages["/part5.xml"]
    listing = read_listing(fetcher, f"{site.url}/index.xml")
    assert (len(listing.items), listing.complete, listing.problem) == (MOST_SITEMAPS - 1, False, "")
