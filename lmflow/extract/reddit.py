"""Submissions and comments of Reddit dumps (Pushshift's JSON lines, fields as in Reddit's API) as posts."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from lmflow.extract.posts import Post, Refusal, author_hash, moment

SITE: Final = "reddit.com"
#: What Reddit writes in the place of what it no longer shows: `[removed]`, `[deleted by user]`, `[ Removed by Reddit on
#: account of violating the [content policy](/help/contentpolicy). ]`. `[Deleted scenes] of a film [HD]` is none.
_GONE: Final = re.compile(r"\s*\[\s*(?:removed|deleted)(?:\s*|\s+by\s(?:[^\[\]]|\[[^\[\]]*\])*)\]\s*", re.IGNORECASE)
_LONGEST_NOTICE: Final = 500
_BOTS: Final = frozenset({"automoderator"})
_CLOSED: Final = frozenset({"private", "employees_only", "gold_restricted", "user"})


def from_reddit(item: Mapping[str, Any], author_key: bytes) -> Post | Refusal:
    """A submission (`title`) or a comment (`body`) as a post, or why not.

    Reddit flags no bots but its own; `over_18` and `spoiler` become a content warning.
    """
    is_comment = "body" in item
    short, body = str(item.get("id") or ""), item.get("body" if is_comment else "selftext") or ""
    name = str(item.get("name") or (f"{'t1' if is_comment else 't3'}_{short}" if short else ""))
    if not name or not isinstance(body, str) or not (is_comment or isinstance(item.get("title"), str)):
        return Refusal(name, "malformed")
    author = str(item.get("author") or "")
    if _is_gone(body) or item.get("removed_by_category") or _is_gone(str(item.get("title") or "")):
        return Refusal(name, "deleted")
    if item.get("subreddit_type") in _CLOSED:
        return Refusal(name, "not_public")
    if author.lower() in _BOTS:
        return Refusal(name, "bot")
    title = " ".join(html.unescape(str(item.get("title") or "")).split())
    text = _text(body) or title
    if not text:
        return Refusal(name, "empty")
    warnings = [word for word, key in (("nsfw", "over_18"), ("spoiler", "spoiler")) if item.get(key) is True]
    subreddit, link = str(item.get("subreddit") or ""), str(item.get("permalink") or "")
    if subreddit.lower().startswith("u_") or link.lower().startswith(("/r/u_", "/u/", "/user/")):
        subreddit = link = ""  # a page of its author, which has the author's name
    return Post(
        post_id=name,
        url=f"https://www.{SITE}{link}" if link.startswith("/") else "",
        text=text,
        author=author_hash(author_key, SITE, author) if author and not _is_gone(author) else "",
        published_at=moment(item.get("created_utc")),
        edited_at=moment(item["edited"]) if item.get("edited") not in (None, False, True) else None,
        language="",
        parent_id=str(item.get("parent_id") or "") if is_comment else "",
        warning=", ".join(warnings),
        sensitive=bool(warnings),
        tags=(subreddit,) if subreddit else (),
        title=title,
        root_id=str(item.get("link_id") or "") if is_comment else name,
    )


def _is_gone(text: str) -> bool:
    return len(text) <= _LONGEST_NOTICE and _GONE.fullmatch(text) is not None


def _text(body: str) -> str:
    """Markdown as it was written, one line a line, character references resolved (dumps escape `&`, `<` and `>`)."""
    lines = html.unescape(body).replace("\u200b", "").replace("\r", "\n").split("\n")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))
