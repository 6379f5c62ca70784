"""Pages out of a MediaWiki XML export, streamed: a whole dump, or one slice of a multistream dump.

A slice has no root element and a truncated file has no end: both are read as far as they go, and the reader says
whether the end was reached. All export schemas are accepted (their namespace is ignored), entities are never fetched.
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Final

from lxml import etree

_CHUNK: Final = 1 << 20
_CLOSING: Final = b"</mediawiki>"
_HELD_BACK: Final = 64  # bytes of a slice in which its closing tag is looked for
_NAMESPACES: Final = dict(user=2, wikipedia=4, file=6, image=6, mediawiki=8, template=10, help=12, category=14)
_REDIRECT = re.compile(
    r"\s*#\s*(?:redirect(?:ion)?|weiterleitung|redirección|redirecionamento|doorverwijzing|przekieruj|перенаправление|"
    r"перенаправлення|omdirigering|ohjaus|yönlendirme|přesměruj|переадресация|ανακατευθυνση|重定向|重新導向|転送|リダイレクト|넘겨주기)"
    r"\s*:?\s*\[\[([^\]|#]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page with its newest revision in the dump."""

    page_id: int
    title: str
    namespace: int
    revision: int
    timestamp: datetime | None
    redirect: str  # target title, empty for an article
    text: str
    model: str  # `wikitext`, `css`, `javascript`, `Scribunto`, …


@dataclass(slots=True)
class Loss:
    """What a reader could not give: pages without id or revision, and whether the input broke off."""

    broken_pages: int = 0
    truncated: bool = False


def pages(chunks: Iterable[bytes], loss: Loss | None = None) -> Iterator[Page]:
    """Pages of an XML export.

    Args:
        chunks: the decompressed export, or any run of complete `<page>` elements of it, cut anywhere.
        loss: counts here what could not be read.

    Yields:
        One page for every complete `<page>` element; of several revisions the one with the highest id.
    """
    loss = loss if loss is not None else Loss()
    parser = etree.XMLPullParser(events=("end",), tag=("{*}page", "page"), huge_tree=True, resolve_entities=False)
    try:
        for chunk in _with_root(chunks):
            parser.feed(chunk)
            yield from _finished(parser, loss)
    except etree.XMLSyntaxError:
        loss.truncated = True
        yield from _finished(parser, loss)
        return
    if not _is_closed(parser):
        loss.truncated = True


def decompress(file: IO[bytes], length: int | None = None, loss: Loss | None = None) -> Iterator[bytes]:
    """The content of `length` bytes (None: all) of a bz2 file from where it stands, one or many streams.

    What a truncated or damaged stream still gives is given, and the loss is marked.
    """
    loss = loss if loss is not None else Loss()
    left = length
    stream = bz2.BZ2Decompressor()
    started = False
    while left is None or left > 0:
        compressed = file.read(_CHUNK if left is None else min(_CHUNK, left))
        if not compressed:
            break
        left = None if left is None else left - len(compressed)
        while compressed:
            if stream.eof:
                stream = bz2.BZ2Decompressor()
            try:
                content = stream.decompress(compressed)
            except (OSError, EOFError):
                loss.truncated = True
                return
            started = True
            if content:
                yield content
            compressed = stream.unused_data if stream.eof else b""
    if (started and not stream.eof) or (left is not None and left > 0):
        loss.truncated = True


def index_streams(index: Iterable[bytes], size: int) -> list[tuple[int, int, int]]:
    """Streams of a multistream dump from its index (`offset:page id:title` lines).

    Args:
        index: lines of the decompressed index.
        size: size of the dump file in bytes.

    Returns:
        (offset, length, pages) of every stream that holds pages, in file order. The last one reaches to the end of the
        file, so it may be followed by the stream of the closing tag.

    Raises:
        ValueError: a line is not an index line, or an offset lies outside the file.
    """
    counts: dict[int, int] = {}
    for line in index:
        offset, colon, _ = line.partition(b":")
        if not line.strip():
            continue
        if not colon or not offset.strip().isdigit() or int(offset) >= size:
            raise ValueError(f"not a multistream index of this dump: {line[:80]!r}")
        counts[int(offset)] = counts.get(int(offset), 0) + 1
    offsets = sorted(counts)
    ends = [*offsets[1:], size]
    return [(start, end - start, counts[start]) for start, end in zip(offsets, ends, strict=True)]


def _with_root(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give a slice the root element it lacks; a whole export (any encoding, with or without BOM) passes unchanged."""
    iterator = iter(chunks)
    head = b""
    for chunk in iterator:
        head += chunk
        if len(head) >= 64:
            break
    if not head.lstrip().startswith(b"<page"):
        yield head
        yield from iterator
        return
    tail = b"<mediawiki>" + head
    for chunk in iterator:
        tail += chunk
        yield tail[:-_HELD_BACK]
        tail = tail[-_HELD_BACK:]
    # The slice at the end of a file brings the closing tag along, the others do not.
    yield tail.rstrip().removesuffix(_CLOSING) + _CLOSING


def _is_closed(parser: Any) -> bool:
    try:
        parser.close()
    except etree.XMLSyntaxError:
        return False
    return True


def _finished(parser: Any, loss: Loss) -> Iterator[Page]:
    for _, element in parser.read_events():
        page = _page(element)
        if page is None:
            loss.broken_pages += 1
        else:
            yield page
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _page(element: Any) -> Page | None:
    """A page element as a Page; None when it lacks its id or has no revision with one."""
    fields: dict[str, str] = {}
    redirect = ""
    newest: dict[str, str] = {}
    for child in element:
        tag = _local(child)
        if tag == "redirect":
            redirect = child.get("title") or child.text or "?"
        elif tag == "revision":
            revision = {_local(part): part.text or "" for part in child}
            if revision.get("id", "").isdigit() and int(revision["id"]) >= int(newest.get("id", 0)):
                newest = revision
        elif tag:
            fields[tag] = child.text or ""
    if not fields.get("id", "").isdigit() or not newest:
        return None
    text = newest.get("text", "")
    if not redirect and (match := _REDIRECT.match(text[:400])):
        redirect = match[1].strip()
    namespace = fields.get("ns", "").strip()
    return Page(
        page_id=int(fields["id"]),
        title=fields.get("title", ""),
        namespace=int(namespace) if namespace.lstrip("-").isdigit() else _guess_namespace(fields.get("title", "")),
        revision=int(newest["id"]),
        timestamp=_time(newest.get("timestamp", "")),
        redirect=redirect,
        text=text,
        model=newest.get("model") or "wikitext",
    )


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _guess_namespace(title: str) -> int:
    """Schemas before 0.6 carry no `<ns>`: a prefix of MediaWiki's own namespaces is not an article."""
    prefix = title.partition(":")[0].lower() if ":" in title else ""
    known = {
        "user": 2,
        "wikipedia": 4,
        "file": 6,
        "image": 6,
        "mediawiki": 8,
        "template": 10,
        "help": 12,
        "category": 14,
    }
    number = known.get(prefix.removesuffix(" talk"), 1 if prefix == "talk" else 0)
    return number + 1 if prefix.endswith(" talk") else number


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None
