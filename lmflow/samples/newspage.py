"""The HTML and XML of a sample news site: article pages as cluttered as real ones, the feed and the sitemap."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from lmflow.samples.documents import Article
from lmflow.samples.exchange import http_date
from lmflow.samples.newspaper import Edition, Page

SUMMARY_CHARS = 200

_PAGE = """<!DOCTYPE html>
<html lang="{language}" prefix="og: https://ogp.me/ns#">
<head>
<meta charset="{charset}">
<title>{title} - {site}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{summary}">
<meta name="author" content="{author}">
<meta name="dcterms.rights" content="{rights}">
<link rel="canonical" href="{url}">
<link rel="alternate" type="application/rss+xml" title="{site}" href="{home}feed.xml">
<meta property="og:type" content="article">
<meta property="og:site_name" content="{site}">
<meta property="og:title" content="{title}">
<meta property="og:url" content="{url}">
<meta property="article:published_time" content="{published}">
<meta property="article:modified_time" content="{modified}">
<script type="application/ld+json">{linked_data}</script>
<style>.advert{{border:1px solid #ccc}}.cookies{{position:fixed;bottom:0}}</style>
</head>
<body>
<a class="skip-link" href="#content">{skip}</a>
<div class="cookies" id="cookie-banner" role="dialog"><p>{cookies}</p>
<button>{accept}</button><button>{manage}</button></div>
<header class="site-header"><a class="logo" href="{home}">{site}</a><nav class="main-nav"><ul>{nav}</ul></nav>
<div class="subscribe-bar">{subscribe}</div></header>
<aside class="advert" data-slot="leaderboard"><span>{advert}</span><a href="{home}offers">{offer}</a></aside>
<main id="content">
<article class="story">
<header><h1>{title}</h1>
<p class="byline">{byline}</p>
<p class="timestamp">{posted} <time datetime="{published}">{published_words}</time>{updated}</p></header>
<ul class="share-tools">{share}</ul>
<div class="article-body">
{paragraphs}
</div>
</article>
<section class="related"><h2>{related_label}</h2><ul>{related}</ul></section>
<section class="comments"><p>{comments}</p></section>
</main>
<aside class="sidebar"><div class="popular"><h2>{popular_label}</h2><ol>{popular}</ol></div>
<div class="newsletter"><form action="{home}newsletter"><p>{newsletter}</p><input type="email"></form></div>
<div class="advert" data-slot="sidebar">{advert}: <a href="{home}offers">{offer}</a></div></aside>
<footer class="site-footer"><ul>{footer}</ul>
<p class="copyright"><a rel="license" href="{home}about.html">{rights}</a></p></footer>
</body>
</html>
"""


def article_page(edition: Edition, page: Page, base: str, now: datetime, neighbours: Sequence[Page]) -> bytes:
    """The page as it stands at `now`, in its own encoding; `neighbours` fill the lists of links beside the story."""
    article, modified = page.edition(now), page.modified(now)
    labels = edition.labels
    half = len(neighbours) // 2
    values = {
        "language": edition.language,
        "charset": page.encoding,
        "title": escape(article.title),
        "site": edition.name,
        "summary": escape(summary(article)),
        "author": escape(article.author),
        "byline": escape(f"{labels['by']} {article.author}" if article.author else edition.name),
        "rights": escape(edition.rights),
        "url": base + page.path,
        "home": base + edition.prefix,
        "published": page.published.isoformat(),
        "published_words": page.published.strftime("%Y-%m-%d %H:%M"),
        "modified": modified.isoformat(),
        "updated": f" {labels['updated']} {modified:%Y-%m-%d %H:%M}" if page.is_revised(now) else "",
        "linked_data": _linked_data(edition, article, base + page.path, page.published, modified),
        "paragraphs": "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in article.paragraphs),
        "nav": _items(f'<a href="#">{label}</a>' for label in labels["nav"].split("|")),
        "share": _items(f'<a href="#">{label}</a>' for label in labels["share"].split("|")),
        "footer": _items(f'<a href="#">{label}</a>' for label in labels["footer"].split("|")),
        "related_label": labels["related"],
        "related": _items(_link(neighbour) for neighbour in neighbours[:half]),
        "popular_label": labels["popular"],
        "popular": _items(_link(neighbour) for neighbour in neighbours[half:]),
    }
    texts = {name: labels[name] for name in ("skip", "cookies", "accept", "manage", "subscribe", "advert", "offer")}
    texts |= {name: labels[name] for name in ("posted", "comments", "newsletter")}
    return _PAGE.format(**values, **texts).encode(page.encoding)


def front_page(edition: Edition, latest: Iterable[Page]) -> bytes:
    """The newest headlines."""
    return _plain_page(edition, edition.name, f"<ul>{_items(_link(page) for page in latest)}</ul>")


def about_page(edition: Edition) -> bytes:
    """Whose text this is."""
    return _plain_page(edition, edition.labels["footer"].split("|")[0], f"<p>{escape(edition.rights)}</p>")


def summary(article: Article) -> str:
    """The beginning of the story, as feeds and link previews show it."""
    text = " ".join(article.paragraphs)
    return text if len(text) <= SUMMARY_CHARS else text[: SUMMARY_CHARS - 1].rstrip() + "…"


def feed(edition: Edition, pages: Iterable[Page], base: str, now: datetime) -> bytes:
    """RSS 2.0, newest first; a revised story says so with atom:updated."""
    items = "".join(_feed_item(page, base, now) for page in pages)
    home = base + edition.prefix
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">\n<channel>\n<title>{edition.name}</title>\n<link>{home}</link>\n'
        f'<atom:link href="{home}feed.xml" rel="self" type="application/rss+xml"/>\n'
        f"<description>{edition.name}</description>\n<language>{edition.language}</language>\n"
        f"<copyright>{escape(edition.rights)}</copyright>\n<lastBuildDate>{http_date(now)}</lastBuildDate>\n"
        f"{items}</channel>\n</rss>\n"
    ).encode()


def _feed_item(page: Page, base: str, now: datetime) -> str:
    article, url = page.edition(now), base + page.path
    updated = f"<atom:updated>{page.modified(now).isoformat()}</atom:updated>" if page.is_revised(now) else ""
    author = f"<dc:creator>{escape(article.author)}</dc:creator>" if article.author else ""
    return (
        f'<item><title>{escape(article.title)}</title><link>{url}</link><guid isPermaLink="true">{url}</guid>'
        f"<pubDate>{http_date(page.published)}</pubDate>{updated}{author}"
        f"<description>{escape(summary(article))}</description></item>\n"
    )


def sitemap(pages: Iterable[Page], base: str, now: datetime) -> bytes:
    """The addresses with the time each was last written (sitemaps.org 0.9)."""
    entries = "".join(
        f"<url><loc>{base}{page.path}</loc><lastmod>{page.modified(now).isoformat()}</lastmod></url>\n"
        for page in pages
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{entries}</urlset>\n"
    ).encode()


def _linked_data(edition: Edition, article: Article, url: str, published: datetime, modified: datetime) -> str:
    """schema.org NewsArticle. `<` is escaped so that no text can close the script element."""
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "inLanguage": edition.language,
        "datePublished": published.isoformat(),
        "dateModified": modified.isoformat(),
        "mainEntityOfPage": url,
        "publisher": {"@type": "Organization", "name": edition.name},
        "copyrightNotice": edition.rights,
    }
    if article.author:
        data["author"] = {"@type": "Person", "name": article.author}
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


def _plain_page(edition: Edition, title: str, content: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="{edition.language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="alternate" type="application/rss+xml" href="{edition.prefix}feed.xml"></head>\n'
        f"<body><h1>{escape(title)}</h1>{content}</body></html>\n"
    ).encode()


def _items(contents: Iterable[str]) -> str:
    return "".join(f"<li>{content}</li>" for content in contents)


def _link(page: Page) -> str:
    return f'<a href="{page.path}">{escape(page.article.title)}</a>'
