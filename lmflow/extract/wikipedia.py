"""Streams of a dump to documents, with a report of what was read and what was lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from lmflow.extract.documents import Document, Outcome, wikipedia_id
from lmflow.extract.wikidump import Loss, Page, decompress, pages
from lmflow.extract.wikitext import plain
from lmflow.lake import Objects

_WORST_TEMPLATES = 200  # named in the report of one stream


@dataclass(frozen=True, slots=True)
class Stream:
    """A run of bytes of a dump file that holds complete pages; `expected` pages by the index, -1 when unknown."""

    raw_key: str
    offset: int
    length: int
    expected: int


@dataclass(frozen=True, slots=True)
class Edition:
    """One dump of one language edition."""

    code: str  # en, zh, simple: part of every identity
    lang: str
    site: str  # en.wikipedia.org
    date: str
    license: str


@dataclass(slots=True)
class Report:
    """What was read of a dump, by counts. `Report.join` adds up those of its streams."""

    pages: int = 0
    by_namespace: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    unexpanded: Counter[str] = field(default_factory=Counter)
    broken_pages: int = 0
    truncated_streams: int = 0
    missing_pages: int = 0  # pages that the index names and the stream did not hold
    markup_bytes: int = 0
    text_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in values.items()}

    @classmethod
    def join(cls, reports: Iterator[Mapping[str, Any]]) -> Report:
        """The sum of several."""
        total = cls()
        for report in reports:
            for name, value in report.items():
                if isinstance(value, dict):
                    getattr(total, name).update(value)
                else:
                    setattr(total, name, getattr(total, name) + value)
        return total


@dataclass(frozen=True, slots=True)
class KnownPages:
    """Which revision of which page the lake has, as two sorted arrays: seven million pages in 112 MB."""

    page_ids: NDArray[np.int64]
    revisions: NDArray[np.int64]

    @classmethod
    def of(cls, revisions: Mapping[int, int]) -> KnownPages:
        """From a mapping of page id to newest revision."""
        ids = np.array(sorted(revisions), dtype=np.int64)
        return cls(ids, np.array([revisions[int(page)] for page in ids], dtype=np.int64))

    def revision(self, page_id: int) -> int:
        """The newest revision known, -1 for a page that is not."""
        place = int(np.searchsorted(self.page_ids, page_id))
        return int(self.revisions[place]) if place < len(self.page_ids) and self.page_ids[place] == page_id else -1


def documents(
    stream: Stream, edition: Edition, known: KnownPages, forgotten: frozenset[str], objects: Objects, report: Report
) -> Iterator[Outcome]:
    """The articles of a stream that are new or have a newer revision; everything else is counted in `report`."""
    loss, seen, uri = Loss(), 0, objects.uri(stream.raw_key)
    with objects.open(stream.raw_key) as file:
        file.seek(stream.offset)
        chunks = decompress(file, stream.length if stream.length >= 0 else None, loss)
        for page in pages(chunks, loss):
            seen += 1
            report.by_namespace[str(page.namespace)] += 1
            report.markup_bytes += len(page.text.encode())
            outcome = _outcome(page, edition, known, forgotten)
            document = None
            if outcome in ("new", "changed"):
                found = plain(page.text, edition.lang)
                report.unexpanded.update(found.unexpanded)
                if found.text:
                    document = _document(page, found.text, edition, f"{uri}#offset={stream.offset}")
                    report.text_bytes += len(found.text.encode())
                else:
                    outcome = "failed:no_text"
            report.outcomes[outcome] += 1
            if document is not None:
                yield Outcome(document.doc_id, edition.code, outcome, document)
    report.pages += seen
    report.broken_pages += loss.broken_pages
    report.truncated_streams += loss.truncated
    report.missing_pages += max(0, stream.expected - seen - loss.broken_pages)
    report.unexpanded = Counter(dict(report.unexpanded.most_common(_WORST_TEMPLATES)))


def _outcome(page: Page, edition: Edition, known: KnownPages, forgotten: frozenset[str]) -> str:
    if page.namespace != 0:
        return "skipped:other_namespace"
    if page.redirect:
        return "skipped:redirect"
    if page.model != "wikitext":
        return "skipped:not_wikitext"
    if wikipedia_id(edition.code, page.page_id) in forgotten:
        return "skipped:forgotten"
    revision = known.revision(page.page_id)
    if revision < 0:
        return "new"
    return "changed" if page.revision > revision else "unchanged"


def _document(page: Page, text: str, edition: Edition, raw_uri: str) -> Document:
    return Document(
        doc_id=wikipedia_id(edition.code, page.page_id),
        revision=page.revision,
        source="wikipedia",
        site=edition.site,
        lang_hint=edition.lang,
        url=f"https://{edition.site}/wiki/{quote(page.title.replace(' ', '_'), safe='/:(),!*')}",
        title=page.title,
        text=text,
        published_at=page.timestamp,
        fetched_at=datetime.now(UTC),
        license=edition.license,
        raw_uri=raw_uri,
        extra={"dump": edition.date},
    )
