"""A page's own refusal, in its headers or its meta elements: what robots.txt says of a site, a page says of itself.

What counts, for a corpus that is a lasting copy of texts which models are trained on:

- `noindex` and `none` of `X-Robots-Tag` and `<meta name="robots">`, addressed to all or to us, and `unavailable_after`
  when its date has passed (developers.google.com/search/docs/crawling-indexing/robots-meta-tag). A rule for another
  crawler's name is not ours; our name is what robots.txt calls us (RFC 9309, 2.2.1). Of several the strictest holds.
- `noai`: the page is not for training (DeviantArt, 2022).
- A reservation of text and data mining, `tdm-reservation: 1`, as header or meta element (W3C TDMRep, 2024).

What does not: `noimageai` and `noimageindex` speak of images, `noarchive` of a cached copy shown to readers,
`nosnippet` of what a result shows, `nofollow` of links. `Content-Usage` is not read: its draft
(draft-ietf-aipref-attach-04) expired in May 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Final

from lmflow.crawl.robots import token

#: Fields whose repetitions must stay apart, because an agent's name holds to the end of its own; see `join_field`.
_APART: Final = frozenset({"x-robots-tag"})
_BETWEEN: Final = ",\n"
_REFUSING: Final = frozenset({"noindex", "none", "noai"})
#: Rules that have a value behind a colon: the word before it is no agent.
_WITH_VALUE: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
#: Bytes of a page that are searched: a head is smaller.
_HEAD_BYTES: Final = 256_000
_BODY: Final = re.compile(rb"<body[\s>]", re.I)
#: What is no markup. Each ends with the page at the latest, so that many that do not end take no more time than one.
_NO_MARKUP: Final = re.compile(rb"<!--.*?(?:-->|\Z)|<(script|style|noscript|template)\b.*?(?:</\1|\Z)", re.I | re.S)
_META: Final = re.compile(rb"<meta[\s/]([^<>]{1,2000})>")
_ATTRIBUTE: Final = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_AGENT: Final = re.compile(r"\s*([\w-]+)\s*:(.*)", re.S)

#: What a page that refuses is recorded as; no failure, and nothing of the page is kept.
REFUSALS: Final = frozenset({"noindex", "tdm_reserved"})


def refusal(headers: Mapping[str, str], body: bytes | memoryview, user_agent: str, now: datetime) -> str:
    """Why a page may not be stored, one of `REFUSALS`; empty when it may.

    Args:
        headers: of the response, names in lower case.
        body: the page decoded; empty for a 304, whose headers speak for the page that is known.
        user_agent: how the crawler names itself.
        now: the moment that `unavailable_after` is compared with.
    """
    own = token(user_agent.partition("/")[0])
    for line in headers.get("x-robots-tag", "").split(_BETWEEN):
        if _refuses(line, own, now):
            return "noindex"
    if headers.get("tdm-reservation", "").strip() == "1":
        return "tdm_reserved"
    head = bytes(body[:_HEAD_BYTES])
    if not _of_metas(head, own, now):  # nearly all pages; taking out what is no markup takes ten times as long
        return ""
    markup = _NO_MARKUP.sub(b" ", head)
    end = _BODY.search(markup)
    return _of_metas(markup[: end.start()] if end else markup, own, now)


def join_field(name: str, known: str, value: str) -> str:
    """A repeated header as one (RFC 9110, 5.3): joined by commas, with a line end where the parts must stay apart."""
    return f"{known}{_BETWEEN if name in _APART else ', '}{value}"


def is_kept_apart(name: str) -> bool:
    """Whether all repetitions of a header count, each by itself."""
    return name in _APART


def _refuses(rules: str, own: str, now: datetime) -> bool:
    """Whether a list of rules refuses; an agent's name before a colon addresses what follows it."""
    is_ours = True
    parts = rules.split(",")
    for at, part in enumerate(parts):
        rule, value = part.strip().lower(), ""
        found = _AGENT.match(part)
        while found:
            name = found[1].lower()
            if name in _WITH_VALUE:
                rule, value = name, found[2]
                break
            is_ours = token(name) == own
            rule = found[2].strip().lower()
            found = _AGENT.match(found[2])
        if not is_ours:
            continue
        if rule in _REFUSING:
            return True
        # RFC 850 and RFC 822 have a comma behind the day of the week.
        if rule == "unavailable_after" and _is_past((value, ",".join([value, *parts[at + 1 : at + 2]])), now):
            return True
    return False


def _is_past(writings: tuple[str, ...], now: datetime) -> bool:
    """Whether the first of these that is a date has passed; a date that cannot be read refuses nothing."""
    for text in writings:
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                moment = read(text.strip().upper())
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) <= now
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
    return False


def _of_metas(markup: bytes, own: str, now: datetime) -> str:
    """What the meta elements named `robots`, as we are, or `tdm-reservation` say, as `refusal` says it."""
    for element in _META.finditer(markup.lower()):
        values = {
            found[1]: unescape(found[2] or found[3] or found[4] or "")
            for found in _ATTRIBUTE.finditer(element[1].decode("utf-8", "replace"))
        }
        name, content = values.get("name", "").strip(), values.get("content", "")
        if name == "tdm-reservation":
            if content.strip() == "1":
                return "tdm_reserved"
        elif name and name in ("robots", own) and _refuses(content, own, now):
            return "noindex"
    return ""
