"""Pages that were fetched to news documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lmflow.crawl.pages import Visit
from lmflow.crawl.sources import NewsSource
from lmflow.crawl.urls import authority
from lmflow.crawl.warc import Place, read_response
from lmflow.extract.article import extract
from lmflow.extract.documents import Document, Known, Outcome, news_id
from lmflow.extract.page_facts import time as stated_time
from lmflow.lake import Objects


def documents(
    visits: Iterable[Visit], sources: Mapping[str, NewsSource], known: Known, objects: Objects
) -> Iterator[Outcome]:
    """One outcome for each fetched page; a page without a date has the one that its feed gave it.

    Args:
        visits: with a `raw_key`, in any order; neighbours of one file are read fastest.
        sources: by name.
        known: what the lake has.
        objects: where the pages are.
    """
    for visit in visits:
        with objects.open(visit.raw_key) as file:
            html = read_response(file, Place(visit.offset, visit.length))
        article = extract(html, visit.final_url, visit.charset)
        if not article.text:
            yield Outcome(visit.url, visit.source, "failed:no_text")
            continue
        source = sources[visit.source]
        document = Document(
            doc_id=news_id(article.url),
            revision=int(visit.fetched_at.timestamp() * 1_000_000),
            source="news",
            site=_site(article.url),
            lang_hint=article.language or source.lang,
            url=article.url,
            title=article.title,
            text=article.text,
            published_at=article.published_at or stated_time(visit.listed_at),
            fetched_at=visit.fetched_at,
            license=source.license,
            raw_uri=f"{objects.uri(visit.raw_key)}#offset={visit.offset}&length={visit.length}",
            extra={"feed": source.name, "found_at": visit.url if visit.url != article.url else ""},
        )
        yield Outcome(visit.url, visit.source, known.outcome(document), document)


def _site(url: str) -> str:
    """Host, with its port where that is unusual."""
    return authority(url).removesuffix(":443").removesuffix(":80")
