"""A news site: article pages, a feed with all of them, a sitemap. See `newspaper` for what it publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from lmflow.samples import newspage
from lmflow.samples.exchange import Response, not_found
from lmflow.samples.newspaper import Edition, Kind, Page, pages
from lmflow.samples.release import Release

LINKS_BESIDE_A_STORY = 8


class NewsSite:
    """One edition under its prefix. Its present is the moment of the newest event that the release makes public."""

    def __init__(self, edition: Edition, base: str, release: Release) -> None:
        self.prefix = edition.prefix
        self._edition, self._base, self._release = edition, base, release

    def respond(self, path: str, query: Mapping[str, str]) -> Response:
        """Answer for the path below the prefix."""
        now = self._now()
        public = self._public(now)
        match path:
            case "":
                return Response(newspage.front_page(self._edition, public[:-31:-1]), modified=now)
            case "about.html":
                return Response(newspage.about_page(self._edition))
            case "feed.xml":
                body = newspage.feed(self._edition, reversed(public), self._base, now)
                return Response(body, "application/rss+xml; charset=utf-8", modified=now)
            case "sitemap.xml":
                body = newspage.sitemap((page for page in public if page.crawlable), self._base, now)
                return Response(body, "application/xml; charset=utf-8", modified=now)
        for number, page in enumerate(public):
            if page.path == self.prefix + path and page.kind is not Kind.DEAD:
                return self._article(page, number, public, now)
        return not_found()

    def _article(self, page: Page, number: int, public: Sequence[Page], now: datetime) -> Response:
        first = max(0, number - LINKS_BESIDE_A_STORY)
        neighbours = [other for other in public[first:number] if other.kind is Kind.ORIGINAL]
        body = newspage.article_page(self._edition, page, self._base, now, neighbours)
        return Response(body, f"text/html; charset={page.encoding}", modified=page.modified(now))

    def _now(self) -> datetime:
        events = _events(self._edition)
        return events[max(self._release.public(len(events)) - 1, 0)]

    def _public(self, now: datetime) -> list[Page]:
        return [page for page in pages(self._edition) if page.published <= now]

    def counts(self) -> dict[str, int]:
        """What a crawl of the feed should find now; `documents` is what a polite crawler can fetch."""
        now = self._now()
        public = self._public(now)
        texts = [page.edition(now).text for page in public if page.crawlable]
        kinds = [page.kind for page in public]
        return {
            "documents": len(texts),
            "listed": len(public),
            "distinct_texts": len(set(texts)),
            "near_duplicates": kinds.count(Kind.EDITED),
            "dead_links": kinds.count(Kind.DEAD),
            "disallowed": kinds.count(Kind.PRIVATE),
            "revised": sum(page.is_revised(now) for page in public),
            "held_back": len(pages(self._edition)) - len(public),
            "text_bytes": sum(len(text.encode()) for text in texts),
        }


@cache
def _events(edition: Edition) -> list[datetime]:
    """Every moment at which something appears or changes, in order."""
    moments = (moment for page in pages(edition) for moment in (page.published, page.revised))
    return sorted(moment for moment in moments if moment is not None)
