import re
from urllib.parse import urlsplit

import feedparser
import httpx
import pytest
from lxml import html as lxml_html
from protego import Protego

from lmflow.samples import newspaper
from lmflow.samples.newspaper import Kind

EDITIONS = [newspaper.ENGLISH, newspaper.CHINESE]


def feed_of(site: httpx.Client, edition: newspaper.Edition) -> feedparser.FeedParserDict:
    return feedparser.parse(site.get(edition.prefix + "feed.xml").content)


def body_of(response: httpx.Response) -> str:
    tree = lxml_html.fromstring(response.content.decode(response.charset_encoding or ""))
    return "\n".join(p.text_content() for p in tree.xpath('//div[@class="article-body"]/p'))


@pytest.mark.parametrize("edition", EDITIONS, ids=["en", "zh"])
def test_the_feed_is_valid_and_lists_every_page_newest_first(site, edition):
    feed = feed_of(site, edition)
    assert feed.bozo == 0
    assert feed.version == "rss20"
    assert feed.feed.language == edition.language
    assert feed.feed.rights == edition.rights
    paths = [urlsplit(entry.link).path for entry in feed.entries]
    assert paths == [page.path for page in reversed(newspaper.pages(edition))]
    moments = [entry.published_parsed for entry in feed.entries]
    assert moments == sorted(moments, reverse=True)
    assert all(entry.id == entry.link and entry.summary for entry in feed.entries)


@pytest.mark.parametrize("edition", EDITIONS, ids=["en", "zh"])
def test_every_page_of_the_feed_holds_its_article_or_is_gone(site, edition):
    pages = {page.path: page for page in newspaper.pages(edition)}
    for entry in feed_of(site, edition).entries:
        path = urlsplit(entry.link).path
        response = site.get(path)
        if pages[path].kind is Kind.DEAD:
            assert response.status_code == 404
        else:
            assert response.status_code == 200
            assert body_of(response) == pages[path].article.text
            assert f'<link rel="canonical" href="{entry.link}">'.encode() in response.content


def test_a_page_carries_the_metadata_that_crawlers_read(site):
    page = newspaper.pages(newspaper.ENGLISH)[5]
    tree = lxml_html.fromstring(site.get(page.path).content)
    assert tree.xpath('//meta[@property="article:published_time"]/@content') == [page.published.isoformat()]
    assert tree.xpath("//script[@type='application/ld+json']")[0].text.count('"NewsArticle"') == 1
    assert tree.xpath('//a[@rel="license"]')[0].text == newspaper.ENGLISH.rights
    assert tree.xpath('//link[@rel="alternate"]/@href') == [str(site.base_url).rstrip("/") + "/news-en/feed.xml"]
    assert len(tree.xpath('//div[@class="popular"]//a')) > 0


def test_one_chinese_section_is_gb18030_and_says_so(site):
    section = [page for page in newspaper.pages(newspaper.CHINESE) if page.path.startswith("/news-zh/GB/")]
    assert len(section) >= 100
    for page in section[:20]:
        response = site.get(page.path)
        assert response.headers["Content-Type"] == "text/html; charset=gb18030"
        assert b'<meta charset="gb18030">' in response.content
        assert page.article.title in response.content.decode("gb18030")
        with pytest.raises(UnicodeDecodeError):
            response.content.decode("utf-8")


def test_robots_close_one_section_and_a_crawler_that_ignores_them_is_seen(site):
    robots = Protego.parse(site.get("/robots.txt").text)
    for edition in EDITIONS:
        for page in newspaper.pages(edition):
            assert robots.can_fetch(page.path, "lmflow/0.1") == (page.kind is not Kind.PRIVATE)
    assert [urlsplit(url).path for url in robots.sitemaps] == ["/news-en/sitemap.xml", "/news-zh/sitemap.xml"]


def test_the_sitemap_lists_what_may_be_crawled(site):
    text = site.get("/news-en/sitemap.xml").text
    paths = [urlsplit(url).path for url in re.findall(r"<loc>(.*?)</loc>", text)]
    assert paths == [page.path for page in newspaper.pages(newspaper.ENGLISH) if page.crawlable]


@pytest.mark.parametrize("path", ["/news-en/feed.xml", newspaper.pages(newspaper.ENGLISH)[0].path])
def test_unchanged_pages_are_not_sent_again(site, path):
    first = site.get(path)
    for header, value in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        assert site.get(path, headers={header: first.headers[value]}).status_code == 304
    assert site.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert site.get(path, headers={"If-Modified-Since": "yesterday"}).status_code == 200


def test_pages_are_compressed_for_those_who_ask(site):
    packed = site.get("/news-zh/feed.xml", headers={"Accept-Encoding": "br, gzip"})
    plain = site.get("/news-zh/feed.xml", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["Content-Length"]) < 0.6 * len(plain.content)
    assert packed.headers["ETag"] == "W/" + plain.headers["ETag"]


def test_advancing_publishes_new_stories_and_revises_old_ones(growing_site):
    edition = newspaper.ENGLISH
    before = {entry.link: entry for entry in feed_of(growing_site, edition).entries}
    pages = newspaper.pages(edition)
    revised = next(page for page in pages if page.revised)
    old = growing_site.get(revised.path)
    etag = growing_site.get("/news-en/feed.xml").headers["ETag"]

    growing_site.post("/_advance", params={"percent": 100})

    assert growing_site.get("/news-en/feed.xml", headers={"If-None-Match": etag}).status_code == 200
    after = {entry.link: entry for entry in feed_of(growing_site, edition).entries}
    assert before.keys() < after.keys()
    assert len(after) == len(pages)
    newest_before = max(entry.published_parsed for entry in before.values())
    assert all(after[link].published_parsed > newest_before for link in after.keys() - before.keys())
    new = growing_site.get(revised.path, headers={"If-None-Match": old.headers["ETag"]})
    assert new.status_code == 200
    assert body_of(new).startswith(body_of(old))
    assert body_of(new) == revised.article.text != body_of(old)
    assert after[str(new.url)].updated == revised.revised.isoformat()
    assert "updated" not in before[str(new.url)]
