"""Statuses of Mastodon's API (any server that speaks it) as posts, and what of a status may be stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree
from lxml import html as lxml_html

from lmflow.crawl.mastodon import status_url
from lmflow.extract.posts import Post, Refusal, author_hash, html_text, kept_author, moment

#: What is stored as it was served. It names nobody; `url` and `uri` hold the account, so that they do not.
_KEPT: Final = (
    *("id", "created_at", "edited_at", "in_reply_to_id", "visibility", "language", "spoiler_text", "sensitive"),
)
_MENTION_DIGITS: Final = 12
#: What people write into their profiles to keep programs away, since before servers had a setting for it.
_KEEPS_BOTS_AWAY: Final = re.compile(r"#no(?:bots?|index)\b", re.IGNORECASE)


def keep_mastodon(status: Mapping[str, Any], site: str, author_key: bytes) -> dict[str, Any] | Refusal:
    """What may be stored of a status: its post without anybody's name; or why nothing may.

    The author is `author`, the keyed hash; accounts that the text mentions are the first digits of theirs. Everything
    else that names or shows people (account, mentions, pictures, cards, addresses) is left out. A status that was
    kept already stays as it is.

    An account's `noindex` says that its owner opted out of search engines (Mastodon 4.0, local accounts only). Its
    `indexable` (4.2) says whether its owner opted in to having public posts found by search; false is where it starts,
    so it is no opt-out, but who did not agree to be found by search did not agree to this either.
    `#nobot`, `#nobots` and `#noindex` in a profile's `note` are an older convention, of accounts of any server.

    Args:
        status: the JSON entity.
        site: host of the server it was read from; part of the author's identity.
        author_key: key of the HMAC that stands for an author.
    """
    post_id = str(status.get("id") or "")
    if status.get("deleted") is True:  # what the crawl notes of a status that the server no longer has
        return Refusal(post_id, "deleted")
    account, content = status.get("account"), status.get("content")
    known = kept_author(status) if account is None else ""
    if not post_id or not isinstance(content, str) or not (known or isinstance(account, Mapping)):
        return Refusal(post_id, "malformed")
    reason = "not_public" if status.get("visibility") != "public" else "boost" if status.get("reblog") else ""
    if isinstance(account, Mapping):
        reason = reason or _reason_of(account)
        known = author_hash(author_key, site, str(account.get("acct") or account.get("id") or ""))
        content = _without_names(content, status.get("mentions"), site, author_key)
    if not reason and not html_text(content):
        reason = "empty"
    if reason:
        return Refusal(post_id, reason)
    tags = [{"name": str(tag.get("name", ""))} for tag in status.get("tags") or [] if isinstance(tag, Mapping)]
    kept = {name: status[name] for name in _KEPT if status.get(name) is not None}
    return {**kept, "content": content, "tags": tags, "author": known}


def _reason_of(account: Mapping[str, Any]) -> str:
    """Why the posts of an account are not taken, empty when they are."""
    note = account.get("note")
    if account.get("noindex") is True or (isinstance(note, str) and _KEEPS_BOTS_AWAY.search(html_text(note))):
        return "opted_out"
    if account.get("indexable") is False:
        return "not_opted_in"
    return "bot" if account.get("bot") is True else ""


def from_mastodon(status: Mapping[str, Any], site: str, author_key: bytes, api: str = "") -> Post | Refusal:
    """A status, as it was served or as it was kept, as a post, or why not; arguments as of `keep_mastodon`.

    Args:
        status: the JSON entity.
        site: host of the server.
        author_key: key of the authors' hashes.
        api: base address of the server; the post's address is the one that its API has for it, which names nobody.
    """
    kept = keep_mastodon(status, site, author_key)
    if isinstance(kept, Refusal):
        return kept
    parent = kept.get("in_reply_to_id")
    return Post(
        post_id=str(kept["id"]),
        url=status_url(api or f"https://{site}", str(kept["id"])),
        text=html_text(kept["content"]),
        author=kept["author"],
        published_at=moment(kept.get("created_at")),
        edited_at=moment(kept.get("edited_at")),
        language=str(kept.get("language") or "").partition("-")[0].lower(),
        parent_id=str(parent) if parent else "",
        warning=" ".join(str(kept.get("spoiler_text") or "").split()),
        sensitive=bool(kept.get("sensitive")),
        tags=tuple(tag["name"] for tag in kept["tags"]),
    )


def _without_names(content: str, mentions: Any, site: str, author_key: bytes) -> str:
    """HTML of a status, each link that mentions an account replaced by `@` and the first digits of its hash.

    Cleaning knows that for a handle as it knows `@alice`. Names that are no such link, which the author typed, stay.
    """
    if "mention" not in content:
        return content
    try:
        root = lxml_html.fragment_fromstring(content, create_parent="div")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return content
    listed = [mention for mention in mentions or [] if isinstance(mention, Mapping)] if mentions else []
    accounts = {str(mention.get("url")): str(mention.get("acct") or "") for mention in listed}
    for link in list(root.iter("a")):
        classes = (link.get("class") or "").split()
        if "mention" in classes and "hashtag" not in classes:
            shown = "".join(link.itertext()).strip().removeprefix("@")
            account = accounts.get(link.get("href") or "") or shown
            link.clear(keep_tail=True)
            link.text = f"@{author_hash(author_key, site, account)[:_MENTION_DIGITS]}"
    return str(etree.tostring(root, encoding="unicode", method="html"))
