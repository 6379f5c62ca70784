"""Parts of a dump to documents, with an account of every page: what became of it, and what was lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, Final
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lmflow.extract.documents import CHANGED, NEW, UNCHANGED, Document, wikipedia_id
from lmflow.extract.dumpfile import Part, pages_of
from lmflow.extract.wikidump import Loss, Page
from lmflow.extract.wikitext import PlainText, plain

_WORST_TEMPLATES: Final = 200  # named in the report of one part
_FAILURES_NAMED: Final = 20  # in the report of one part
#: Outcomes of pages that are no articles; every other page is one.
NO_ARTICLE: Final = ("skipped:other_namespace", "skipped:redirect", "skipped:not_wikitext")

#: The list of pages of a dump: what each was and what became of it. Redirects are kept here and nowhere else.
PAGES: Final = pa.schema(
    [
        ("page_id", pa.int64()),
        ("revision", pa.int64()),
        ("namespace", pa.int32()),
        ("title", pa.string()),
        ("redirect", pa.string()),
        ("outcome", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Edition:
    """One dump of one language edition."""

    code: str  # en, zh, simple: part of every identity
    lang: str
    site: str  # en.wikipedia.org
    date: str  # YYYYMMDD, empty when it is not known
    license: str


@dataclass(slots=True)
class Report:
    """What was read of a dump, by counts. `Report.join` adds up those of its parts."""

    pages: int = 0
    by_namespace: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    unexpanded: Counter[str] = field(default_factory=Counter)  # the most frequent templates, by name
    templates_unexpanded: int = 0  # all of them
    failures: Counter[str] = field(default_factory=Counter)  # some of them, by page and error
    broken_pages: int = 0
    damaged_blocks: int = 0
    truncated_parts: int = 0
    missing_pages: int = 0  # pages that the index names and the part did not hold
    markup_bytes: int = 0
    text_bytes: int = 0

    @property
    def lost(self) -> int:
        """Pages that are known to be lost, and breaks behind which there may be more; 0 for a dump read whole."""
        return self.broken_pages + self.missing_pages + self.damaged_blocks + self.truncated_parts

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in values.items()}

    @classmethod
    def join(cls, reports: Iterable[Mapping[str, Any]]) -> Report:
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

    def revision(self, page_id: int) -> int:
        """The newest revision known, -1 for a page that is not."""
        place = int(np.searchsorted(self.page_ids, page_id))
        return int(self.revisions[place]) if place < len(self.page_ids) and self.page_ids[place] == page_id else -1


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one page, with its document when it is to be stored."""

    page: Page
    outcome: str
    document: Document | None = None

    def row(self) -> dict[str, Any]:
        """As a row of PAGES."""
        names = ("page_id", "revision", "namespace", "title", "redirect")
        return {**{name: getattr(self.page, name) for name in names}, "outcome": self.outcome}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads parts of one dump."""

    edition: Edition
    known: KnownPages
    forgotten: frozenset[str]
    namespaces: Mapping[str, int]

    def read(
        self, file: IO[bytes], part: Part, uri: str, report: Report, on_bytes: Callable[[int], None] = lambda done: None
    ) -> Iterator[Reading]:
        """Every page of a part, each once; articles that are new or have a newer revision come with their document.

        Args:
            file: the stored dump file, seekable.
            part: which of it.
            uri: where the file lies, for the documents' `raw_uri`.
            report: counts here.
            on_bytes: called with the number of bytes of the part that have been read so far.
        """
        loss, seen = Loss(), 0
        for page in pages_of(file, part, loss, self.namespaces):
            seen += 1
            on_bytes(min(file.tell(), part.end) - part.start)
            report.by_namespace[str(page.namespace)] += 1
            report.markup_bytes += len(page.text.encode())
            reading = self._reading(page, uri, report)
            report.outcomes[reading.outcome] += 1
            yield reading
        report.pages += seen
        report.broken_pages += loss.broken_pages
        report.damaged_blocks += loss.damaged_blocks
        report.truncated_parts += loss.truncated
        report.missing_pages += max(0, part.pages - seen - loss.broken_pages)
        report.unexpanded = Counter(dict(report.unexpanded.most_common(_WORST_TEMPLATES)))

    def _reading(self, page: Page, uri: str, report: Report) -> Reading:
        outcome = self._outcome(page)
        if outcome not in (NEW, CHANGED):
            return Reading(page, outcome)
        try:
            found = plain(page.text, self.edition.lang)
        except Exception as error:  # a page that no rule foresaw must not end the reading of millions
            self._fail(page, repr(error), report)
            return Reading(page, "failed:extraction")
        report.unexpanded.update(found.unexpanded)
        report.templates_unexpanded += len(found.unexpanded)
        if not found.text:
            self._fail(page, "no text", report)
            return Reading(page, "failed:no_text")
        report.text_bytes += len(found.text.encode())
        return Reading(page, outcome, self._document(page, found, uri))

    @staticmethod
    def _fail(page: Page, reason: str, report: Report) -> None:
        if len(report.failures) < _FAILURES_NAMED:
            report.failures[f"{page.page_id} {page.title}: {reason[:200]}"] += 1

    def _outcome(self, page: Page) -> str:
        if page.namespace != 0:
            return "skipped:other_namespace"
        if page.redirect:
            return "skipped:redirect"
        if page.model != "wikitext":
            return "skipped:not_wikitext"
        if wikipedia_id(self.edition.code, page.page_id) in self.forgotten:
            return "skipped:forgotten"
        revision = self.known.revision(page.page_id)
        if revision < 0:
            return NEW
        return CHANGED if page.revision > revision else UNCHANGED

    def _document(self, page: Page, found: PlainText, uri: str) -> Document:
        edition = self.edition
        return Document(
            doc_id=wikipedia_id(edition.code, page.page_id),
            revision=page.revision,
            source="wikipedia",
            site=edition.site,
            lang_hint=edition.lang,
            url=f"https://{edition.site}/wiki/{quote(page.title.replace(' ', '_'), safe='/:(),!*')}",
            title=page.title,
            text=found.text,
            published_at=page.timestamp,
            fetched_at=datetime.now(UTC),
            license=edition.license,
            raw_uri=uri,
            extra={
                "dump": edition.date,
                "page_id": str(page.page_id),
                "namespace": str(page.namespace),
                "categories": "|".join(found.categories),  # no title holds a `|`
                "language_links": "|".join(f"{code}:{title}" for code, title in found.language_links.items()),
                "disambiguation": "yes" if found.disambiguation else "",
            },
        )
