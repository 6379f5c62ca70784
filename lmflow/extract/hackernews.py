"""Items of Hacker News (github.com/HackerNews/API, version 0) as posts: stories with their title, comments, polls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lmflow.extract.posts import Post, Refusal, author_hash, html_text, kept_author, moment

SITE: Final = "news.ycombinator.com"
_POSTS: Final = frozenset({"story", "comment", "poll"})  # a job is an advertisement, a pollopt half a sentence


#: What is stored as it was served.
_KEPT: Final = ("id", "type", "time", "parent", "title", "text")


def keep_hackernews(item: Mapping[str, Any], author_key: bytes) -> dict[str, Any] | Refusal:
    """What may be stored of an item: its post with a keyed hash as `author` in place of `by`; or why nothing may.

    `dead` (killed by moderators or users) and `deleted` are taken at their word.
    """
    number = item.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        return Refusal("", "malformed")
    if item.get("deleted") is True or item.get("dead") is True:
        return Refusal(str(number), "deleted")
    if item.get("type") not in _POSTS:
        return Refusal(str(number), "not_a_post")
    if not (html_text(str(item.get("text") or "")) or html_text(str(item.get("title") or ""))):
        return Refusal(str(number), "empty")
    name = str(item.get("by") or "")
    kept = {key: item[key] for key in _KEPT if item.get(key) is not None}
    return {**kept, "author": author_hash(author_key, SITE, name) if name else kept_author(item)}


def from_hackernews(item: Mapping[str, Any], author_key: bytes) -> Post | Refusal:
    """An item, as it was served or as it was kept, as a post, or why not."""
    kept = keep_hackernews(item, author_key)
    if isinstance(kept, Refusal):
        return kept
    title = html_text(str(kept.get("title") or ""))
    return Post(
        post_id=str(kept["id"]),
        url=f"https://{SITE}/item?id={kept['id']}",
        text=html_text(str(kept.get("text") or "")) or title,
        author=kept["author"],
        published_at=moment(kept.get("time")),
        edited_at=None,
        language="",
        parent_id=str(kept.get("parent") or ""),
        title=title,
    )
