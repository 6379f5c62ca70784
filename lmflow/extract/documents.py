"""What the three ingests share: a document as a row, its identity, and whether it is news to the lake."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from lmflow.lake.schemas import SCHEMAS

#: What can happen to an item, beside `failed:<kind>` and `skipped:<reason>`.
NEW: Final = "new"
CHANGED: Final = "changed"
UNCHANGED: Final = "unchanged"

#: Rows that a worker gives back: a document's columns (null where there is none), and what happened to the item.
OUTCOMES: Final = pa.schema(
    [*SCHEMAS["documents"], ("item", pa.string()), ("origin", pa.string()), ("outcome", pa.string())]
)
_ROWS: Final = 256


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document, as the table `documents` has it."""

    doc_id: str
    revision: int
    source: str
    site: str
    url: str
    title: str
    text: str
    license: str
    raw_uri: str
    fetched_at: datetime
    lang_hint: str = ""
    published_at: datetime | None = None
    author: str = ""
    thread_id: str = ""
    parent_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_sha256(self) -> str:
        """Digest of what a reader would notice: title and text."""
        return hashlib.sha256(f"{self.title}\n{self.text}".encode("utf-8", "replace")).hexdigest()

    def row(self, batch_id: int) -> dict[str, Any]:
        """As a row of the table."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        extra = [(key, value) for key, value in sorted(self.extra.items()) if value]
        return {**values, "batch_id": batch_id, "content_sha256": self.content_sha256, "extra": extra}


@dataclass(frozen=True, slots=True)
class Known:
    """What the lake has: content digest and revision of each document's newest version, and what it must forget."""

    digests: Mapping[str, str]
    forgotten: Collection[str]
    revisions: Mapping[str, int] = field(default_factory=dict)

    def outcome(self, document: Document) -> str:
        """Whether a document is to be stored."""
        if document.doc_id in self.forgotten:
            return "skipped:forgotten"
        known = self.digests.get(document.doc_id)
        if known is None:
            return NEW
        if known == document.content_sha256:
            return UNCHANGED
        return "skipped:older" if document.revision < self.revisions.get(document.doc_id, 0) else CHANGED


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one item of one source, with its document if there is one."""

    item: str
    origin: str
    outcome: str
    document: Document | None = None

    def row(self, batch_id: int) -> dict[str, Any]:
        """As a row of OUTCOMES; the text travels only when it is to be stored."""
        values = dict.fromkeys(OUTCOMES.names)
        if self.document is not None:
            values.update(self.document.row(batch_id))
            if self.outcome not in (NEW, CHANGED):
                values["text"] = None
        return {**values, "item": self.item, "origin": self.origin, "outcome": self.outcome}


def record_batches(outcomes: Iterable[Outcome], batch_id: int) -> Iterator[pa.RecordBatch]:
    """Outcomes as Arrow batches of OUTCOMES."""
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        rows.append(outcome.row(batch_id))
        if len(rows) >= _ROWS:
            yield pa.RecordBatch.from_pylist(rows, schema=OUTCOMES)
            rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=OUTCOMES)


def news_id(url: str) -> str:
    """Identity of a news article: the SHA-1 of its canonical address."""
    return "news:" + hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()


def social_id(site: str, post_id: str) -> str:
    """Identity of a post."""
    return f"social:{site}:{post_id}"


def wikipedia_id(edition: str, page_id: int) -> str:
    """Identity of a page of a language edition."""
    return f"wikipedia:{edition}:{page_id}"
