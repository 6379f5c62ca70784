"""Rows of Stack Exchange dumps (Posts.xml, Comments.xml; archive.org/details/stackexchange) as posts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lmflow.extract.posts import Post, Refusal, author_hash, html_text, moment

_QUESTION, _ANSWER = "1", "2"
_COMMUNITY: Final = "-1"  # the account of background tasks
_TAG = re.compile(r"[<|]([^<>|]+)(?=[>|])")


def from_stackexchange(
    row: Mapping[str, str], site: str, questions: Mapping[str, str], author_key: bytes
) -> Post | Refusal:
    """A question, an answer or a comment as a post, or why not; each keeps the licence that its row names.

    Args:
        row: attributes of a `row` element.
        site: host of the site, e.g. `french.stackexchange.com`.
        questions: answer id to question id, to find the thread of a comment on an answer.
        author_key: key of the authors' hashes.
    """
    number = row.get("Id", "")
    if not number.isdigit():
        return Refusal(number, "malformed")
    if "Text" in row:
        return _comment(row, site, questions, author_key)
    if row.get("PostTypeId") not in (_QUESTION, _ANSWER):
        return Refusal(number, "not_a_post")
    if "DeletionDate" in row:
        return Refusal(number, "deleted")
    text = html_text(row.get("Body", ""))
    if not text:
        return Refusal(number, "empty")
    question = row.get("ParentId", "") if row["PostTypeId"] == _ANSWER else ""
    return Post(
        post_id=number,
        url=f"https://{site}/{'a' if question else 'q'}/{number}",
        text=text,
        author=_author(row, site, author_key, "OwnerUserId", "OwnerDisplayName"),
        published_at=moment(row.get("CreationDate")),
        edited_at=moment(row.get("LastEditDate")),
        language="",
        parent_id=question,
        tags=tuple(_TAG.findall(row.get("Tags", ""))),
        title=" ".join(row.get("Title", "").split()),
        root_id=question or number,
        license=row.get("ContentLicense", ""),
    )


def _comment(row: Mapping[str, str], site: str, questions: Mapping[str, str], author_key: bytes) -> Post | Refusal:
    post_id, on = f"c{row['Id']}", row.get("PostId", "")
    text = " ".join(row["Text"].split())
    if not text or not on:
        return Refusal(post_id, "empty" if on else "malformed")
    if row.get("UserId") == _COMMUNITY:
        return Refusal(post_id, "bot")
    return Post(
        post_id=post_id,
        url=f"https://{site}/q/{questions.get(on, on)}#comment{row['Id']}_{on}",
        text=text,
        author=_author(row, site, author_key, "UserId", "UserDisplayName"),
        published_at=moment(row.get("CreationDate")),
        edited_at=None,
        language="",
        parent_id=on,
        root_id=questions.get(on, on),
        license=row.get("ContentLicense", ""),
    )


def _author(row: Mapping[str, str], site: str, author_key: bytes, *names: str) -> str:
    account = next((row[name] for name in names if row.get(name)), "")
    return author_hash(author_key, site, account) if account else ""
