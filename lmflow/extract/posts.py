"""Posts of social networks as plain text, with what their authors asked for honoured.

Nothing but public posts is taken; an author who opted out of search engines, a bot or a boost gives no document.
Names never enter the lake: an author is a keyed hash that only this installation can make.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree
from lxml import html as lxml_html

from lmflow.settings import settings

_BLOCKS: Final = frozenset({"p", "br", "li", "ul", "ol", "blockquote", "div", "pre"})
_AUTHOR_DIGITS: Final = 32
_AUTHOR_HASH: Final = re.compile(rf"[0-9a-f]{{{_AUTHOR_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Post:
    """One public post. Ids are those of the site; `warning` is the author's content warning.

    `root_id` is the id that the thread began with, where the site says it; `license` likewise.
    """

    post_id: str
    url: str
    text: str
    author: str
    published_at: datetime | None
    edited_at: datetime | None
    language: str
    parent_id: str
    warning: str = ""
    sensitive: bool = False
    tags: tuple[str, ...] = ()
    title: str = ""
    root_id: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a post is no document.

    One of `not_public`, `opted_out`, `not_opted_in`, `bot`, `boost`, `empty`, `malformed`, `not_a_post`, and
    `deleted`: its author or its site took it back, so that it must be forgotten if it was stored.
    """

    post_id: str
    reason: str


def author_key() -> bytes:
    """The key of the authors' hashes: the setting, else one made once and kept in <home>, readable by its owner."""
    given = settings().author_key.get_secret_value()
    if given:
        return given.encode()
    path = settings().home / "author.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        fresh = path.with_name(f".author.key.{secrets.token_hex(8)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            os.link(fresh, path)  # unlike a rename, never replaces a key that another process has just made
        finally:
            fresh.unlink()
    return path.read_text().strip().encode()


def author_hash(key: bytes, site: str, account: str) -> str:
    """HMAC-SHA256 of an account, 32 hexadecimal digits. `alice` on her own server and `alice@server` are one author."""
    name, _, host = account.lower().partition("@")
    return hmac.new(key, f"{name}@{host or site.lower()}".encode(), hashlib.sha256).hexdigest()[:_AUTHOR_DIGITS]


def kept_author(entity: Mapping[str, Any]) -> str:
    """The hash in a post that was stored with it in place of its author's name; empty for a post as it was served."""
    author = entity.get("author")
    return author if isinstance(author, str) and _AUTHOR_HASH.fullmatch(author) else ""


def html_text(content: str) -> str:
    """HTML of a post as text: one paragraph or line break a line, links as shown, hidden parts of links left out."""
    if not content.strip():
        return ""
    try:
        root = lxml_html.fragment_fromstring(content, create_parent="div")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ""
    pieces: list[str] = []
    _collect(root, pieces)
    lines = ("".join(pieces).replace("\u00a0", " ").replace("\u200b", "")).split("\n")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


def _collect(element: Any, pieces: list[str]) -> None:
    """Text of an element in document order, without recursion: a hostile post may be nested deeply."""
    stack: list[Any] = [element]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            pieces.append(node)
            continue
        visible = isinstance(node.tag, str) and node.tag not in ("script", "style")
        classes = (node.get("class") or "").split() if visible else []
        if node.tail and node is not element:
            stack.append(node.tail)
        if not visible or "invisible" in classes:
            continue
        block = node.tag in _BLOCKS
        if block:
            stack.append("\n")
        if "ellipsis" in classes:
            stack.append("…")
        stack.extend(reversed(node))
        if node.text:
            stack.append(node.text)
        if block:
            stack.append("\n")


def moment(value: Any) -> datetime | None:
    """ISO 8601, or seconds since 1970, in UTC; None for anything else."""
    try:
        if isinstance(value, int | float) or str(value).replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(value), UTC)
        found = datetime.fromisoformat(str(value))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
