"""Items of Hacker News (github.com/HackerNews/API, version 0) as posts: stories with their title, comments, polls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lmflow.extract.posts import Post, Refusal, author_hash, html_text, moment

SITE: Final = "news.ycombinator.com"
_POSTS: Final = frozenset({"story", "comment", "poll"})  # a job is an advertisement, a pollopt half a sentence


def from_hackernews(item: Mapping[str, Any], author_key: bytes) -> Post | Refusal:
    """An item as a post, or why not. `dead` (killed by moderators or users) and `deleted` are taken at their word."""
    number = item.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        return Refusal("", "malformed")
    post_id = str(number)
    if item.get("deleted") is True or item.get("dead") is True:
        return Refusal(post_id, "deleted")
    if item.get("type") not in _POSTS:
        return Refusal(post_id, "not_a_post")
    title = html_text(str(item.get("title") or ""))
    text = html_text(str(item.get("text") or "")) or title
    author = str(item.get("by") or "")
    if not text:
        return Refusal(post_id, "empty")
    return Post(
        post_id=post_id,
        url=f"https://{SITE}/item?id={post_id}",
        text=text,
        author=author_hash(author_key, SITE, author) if author else "",
        published_at=moment(item.get("time")),
        edited_at=None,
        language="",
        parent_id=str(item.get("parent") or ""),
        title=title,
    )
