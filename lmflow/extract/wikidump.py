"""Pages out of a MediaWiki XML export, streamed: of a whole dump, or of a part that begins and ends anywhere.

Pages are cut out at their tags, which cannot occur in their text (`<` is escaped there), and parsed one by one: a
broken page costs only itself. All export schemas are accepted (their namespace is ignored), entities are never fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from lmflow.extract.wikitext import redirect_target

_OPEN = re.compile(rb"<page[\s>]")
_CLOSE: Final = b"</page>"
CLOSING: Final = b"</mediawiki"
_TAG_BEGINS = re.compile(rb"<(?:p(?:a(?:ge?)?)?)?\Z")  # what may turn out to be _OPEN
_LONG: Final = 32 << 20  # bytes of a page from which on its older revisions are dropped as they come
_TOO_LONG: Final = 256 << 20  # a page that is longer than this without them is lost
_NAMESPACE = re.compile(r'<namespace key="(-?\d+)"[^<>]*>([^<]+)</namespace>')
_REVISION = re.compile(rb"<revision>\s*<id>(\d+)</id>.*?</revision>", re.DOTALL)
#: Namespaces that every wiki knows by these names too.
CANONICAL: Final = {
    "talk": 1, "user": 2, "user talk": 3, "wikipedia": 4, "wikipedia talk": 5, "project": 4, "project talk": 5,
    "file": 6, "file talk": 7, "image": 6, "image talk": 7, "mediawiki": 8, "mediawiki talk": 9, "template": 10,
    "template talk": 11, "help": 12, "help talk": 13, "category": 14, "category talk": 15,
}  # fmt: skip


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
    """What a reader could not give.

    Attributes:
        broken_pages: pages without id or revision, that are not XML, or that damage or the end cut off.
        damaged_blocks: blocks of the file that could not be decompressed; how many pages were in them is not known.
        truncated: the export has no end.
    """

    broken_pages: int = 0
    damaged_blocks: int = 0
    truncated: bool = False


def pages(
    content: Iterable[bytes | None],
    loss: Loss | None = None,
    beyond: Iterable[bytes | None] = (),
    must_close: bool | None = None,
    namespaces: Mapping[str, int] = CANONICAL,
) -> Iterator[Page]:
    """Pages of an XML export, or of a part of one: those whose tag begins in it.

    Args:
        content: the decompressed export or part, in UTF-8, cut anywhere; None where something is missing.
        loss: counts here what could not be read.
        beyond: what follows the part, of which only the end of its last page is read.
        must_close: whether the export's end must be in this part; None: when its beginning is.
        namespaces: numbers by name in lower case, for schemas before 0.6, which name them only in titles.

    Yields:
        One page for every `<page>` element; of several revisions the one with the highest id.
    """
    cutter = _Cutter(loss if loss is not None else Loss())
    parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
    for element in cutter.cut(content, beyond, must_close):
        page = _parsed(element, parser, namespaces)
        if page is None:
            cutter.loss.broken_pages += 1
        else:
            yield page


def site_namespaces(head: bytes) -> dict[str, int]:
    """Namespace numbers by name (lower case) from the head of an export, beside the names that every wiki knows."""
    found = _NAMESPACE.findall(head.decode("utf-8", "replace"))
    return {**CANONICAL, **{name.strip().lower(): int(key) for key, name in found}}


class _Cutter:
    """Cuts `<page>` elements out of chunks; `loss` says what fell off."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self._rest = b""  # an open page, or what may be the beginning of a tag
        self._closed = False
        self._tidy_at = _LONG

    def cut(
        self, content: Iterable[bytes | None], beyond: Iterable[bytes | None], must_close: bool | None
    ) -> Iterator[bytes]:
        """Every element that begins in `content`."""
        first = b""
        for chunk in content:
            if chunk is None:
                self.loss.damaged_blocks += 1
                self._give_up()
                continue
            if len(first) < len(_CLOSE):
                first = (first + chunk).lstrip()
            yield from self._add(chunk)
        if self._rest:
            yield from self._finish(beyond)
        must_close = not _OPEN.match(first) if must_close is None else must_close
        if must_close and not self._closed:
            self.loss.truncated = True

    def _add(self, chunk: bytes) -> Iterator[bytes]:
        data, at = self._rest + chunk, 0
        while found := _OPEN.search(data, at):
            start = found.start()
            end = data.find(_CLOSE, start)
            if end < 0:
                self._rest = data[start:]
                self._tidy()
                return
            while again := _OPEN.search(data, start + 1, end):  # a page that never ended
                self.loss.broken_pages += 1
                start = again.start()
            at = end + len(_CLOSE)
            yield data[start:at]
        self._closed = self._closed or data.find(CLOSING, at) >= 0
        self._rest = data[max(at, len(data) - len(CLOSING) + 1) :]

    def _finish(self, beyond: Iterable[bytes | None]) -> Iterator[bytes]:
        """The last page, when it begins in the part and ends behind it."""
        begun = _OPEN.match(self._rest) or _TAG_BEGINS.search(self._rest)
        if begun is None:
            return
        self._rest = self._rest[begun.start() :]
        for chunk in beyond:
            if chunk is None:
                return self._give_up()
            self._rest += chunk
            if len(self._rest) < len(_CLOSE):
                continue
            if not _OPEN.match(self._rest):
                return
            end = self._rest.find(_CLOSE)
            if _OPEN.search(self._rest, 1, end if end >= 0 else len(self._rest)):
                return self._give_up()
            if end >= 0:
                yield self._rest[: end + len(_CLOSE)]
                return
            self._tidy()
        self.loss.truncated = self.loss.truncated or _OPEN.match(self._rest) is not None
        self._give_up()

    def _give_up(self) -> None:
        """Forget the open page, if there is one."""
        self.loss.broken_pages += _OPEN.match(self._rest) is not None
        self._rest = b""

    def _tidy(self) -> None:
        """Cut an open page that has grown long to the newest of its complete revisions."""
        if len(self._rest) < self._tidy_at:
            return
        revisions = list(_REVISION.finditer(self._rest))
        if len(revisions) > 1:
            newest = max(revisions, key=lambda found: int(found[1]))
            self._rest = self._rest[: revisions[0].start()] + newest[0] + self._rest[revisions[-1].end() :]
        self._tidy_at = max(_LONG, 2 * len(self._rest))
        if len(self._rest) > _TOO_LONG:
            self._give_up()


def _parsed(element: bytes, parser: etree.XMLParser, namespaces: Mapping[str, int]) -> Page | None:
    """A page element as a Page; None when it is no XML, lacks its id or has no revision with one."""
    try:
        root = etree.fromstring(element, parser)
    except etree.XMLSyntaxError:
        return None
    fields: dict[str, str] = {}
    redirect = ""
    newest: dict[str, str] = {}
    for child in root:
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
    title, namespace = fields.get("title", ""), fields.get("ns", "").strip()
    return Page(
        page_id=int(fields["id"]),
        title=title,
        namespace=int(namespace) if namespace.lstrip("-").isdigit() else _namespace_of(title, namespaces),
        revision=int(newest["id"]),
        timestamp=_time(newest.get("timestamp", "")),
        redirect=redirect or redirect_target(text),
        text=text,
        model=newest.get("model") or "wikitext",
    )


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _namespace_of(title: str, namespaces: Mapping[str, int]) -> int:
    prefix, colon, _ = title.partition(":")
    return namespaces.get(prefix.strip().lower().replace("_", " "), 0) if colon else 0


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None
