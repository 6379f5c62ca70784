"""Stored pages of a timeline to social documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from lmflow.crawl.sources import SocialSource
from lmflow.extract.documents import Document, Known, Outcome, social_id
from lmflow.extract.posts import Post, Refusal, from_mastodon


def site_name(api: str) -> str:
    """Name of a server in identities: its host, with port and path where it has them."""
    parts = urlsplit(api)
    return (parts.netloc + parts.path).rstrip("/")


def documents(
    statuses: Iterable[Mapping[str, Any]],
    source: SocialSource,
    threads: Mapping[str, str],
    known: Known,
    author_key: bytes,
    raw_uri: str,
    fetched_at: datetime,
) -> Iterator[Outcome]:
    """One outcome for each status.

    Args:
        statuses: entities of the API, in any order.
        source: where they come from.
        threads: post id to the id its thread began with, as far as it is known.
        known: what the lake has.
        author_key: key of the authors' hashes.
        raw_uri: where the statuses are stored.
        fetched_at: when they were read.
    """
    site = site_name(source.api)
    for status in statuses:
        post = from_mastodon(status, urlsplit(source.api).hostname or site, author_key)
        if isinstance(post, Refusal):
            kind = "failed:malformed" if post.reason == "malformed" else f"skipped:{post.reason}"
            yield Outcome(post.post_id or "?", source.name, kind)
            continue
        document = _document(post, source, site, threads, raw_uri, fetched_at)
        yield Outcome(post.post_id, source.name, known.outcome(document), document)


def _document(
    post: Post, source: SocialSource, site: str, threads: Mapping[str, str], raw_uri: str, fetched_at: datetime
) -> Document:
    root = threads.get(post.post_id, post.parent_id or post.post_id)
    return Document(
        doc_id=social_id(site, post.post_id),
        revision=int(fetched_at.timestamp() * 1_000_000),
        source="social",
        site=site,
        lang_hint=post.language or source.lang,
        url=post.url,
        title="",
        text=post.text,
        published_at=post.published_at,
        fetched_at=fetched_at,
        license=source.license,
        author=post.author,
        thread_id=social_id(site, root),
        parent_id=social_id(site, post.parent_id) if post.parent_id else "",
        raw_uri=raw_uri,
        extra={
            "content_warning": post.warning,
            "sensitive": "true" if post.sensitive else "",
            "edited_at": post.edited_at.isoformat() if post.edited_at else "",
            "tags": " ".join(post.tags),
        },
    )


def thread_roots(parents: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """For each post the id its thread began with; posts that name each other in a circle are threads of their own.

    Args:
        parents: post id to parent id, empty for a post that answers none.
        known: post id to the root of its thread, for posts of earlier crawls.
    """
    roots: dict[str, str] = {}
    for post in parents:
        path, current = {post: None}, post
        while current not in roots and current not in known and parents.get(current):
            current = parents[current]
            if current in path:
                current = post
                break
            path[current] = None
        root = roots.get(current) or known.get(current) or current
        roots.update(dict.fromkeys(path, root))
    return roots
