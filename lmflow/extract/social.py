"""Stored posts to social documents: of timelines, of Hacker News, of dumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from lmflow.crawl.sources import SocialSource
from lmflow.extract.documents import Document, Known, Outcome, social_id
from lmflow.extract.hackernews import from_hackernews, keep_hackernews
from lmflow.extract.mastodon import from_mastodon, keep_mastodon
from lmflow.extract.posts import Post, Refusal
from lmflow.extract.reddit import from_reddit
from lmflow.extract.stackexchange import from_stackexchange

#: Refusals after which a post that was stored before must be forgotten: its author or its site withdrew it.
WITHDRAWN: Final = frozenset({"deleted", "not_public", "opted_out", "not_opted_in"})


def site_name(source: SocialSource) -> str:
    """Name of a site in identities: its host, with port and path where an API has them."""
    if source.site:
        return source.site
    parts = urlsplit(source.api)
    return (parts.netloc + parts.path).rstrip("/")


def reader(
    source: SocialSource, author_key: bytes, questions: Mapping[str, str] | None = None
) -> Callable[[Mapping[str, Any]], Post | Refusal]:
    """What turns an entity of this source into a post, or says why it is none."""
    site = site_name(source)
    match source.kind:
        case "hackernews":
            return lambda item: from_hackernews(item, author_key)
        case "reddit":
            return lambda item: from_reddit(item, author_key)
        case "stackexchange":
            return lambda row: from_stackexchange(row, site, questions or {}, author_key)
    return lambda status: from_mastodon(status, _host(source), author_key, source.api)


def keeper(source: SocialSource, author_key: bytes) -> Callable[[Mapping[str, Any]], dict[str, Any] | str]:
    """What makes of an entity as it is served the one that is stored, without names; or says why nothing is."""

    def keep(entity: Mapping[str, Any]) -> dict[str, Any] | str:
        if source.kind == "hackernews":
            kept = keep_hackernews(entity, author_key)
        else:
            kept = keep_mastodon(entity, _host(source), author_key)
        return kept.reason if isinstance(kept, Refusal) else kept

    return keep


def _host(source: SocialSource) -> str:
    return urlsplit(source.api).hostname or site_name(source)


def documents(
    entities: Iterable[Mapping[str, Any]],
    source: SocialSource,
    threads: Mapping[str, str],
    known: Known,
    read: Callable[[Mapping[str, Any]], Post | Refusal],
    raw_uri: str,
    fetched_at: datetime,
) -> Iterator[Outcome]:
    """One outcome for each entity; `skipped:withdrawn` for what must be forgotten, with its doc_id as the item.

    Args:
        entities: of the API or the dump, in any order.
        source: where they come from.
        threads: post id to the id its thread began with, as far as it is known; a post's own word comes first.
        known: what the lake has.
        read: from `reader`.
        raw_uri: where the entities are stored.
        fetched_at: when they were read.
    """
    site = site_name(source)
    for entity in entities:
        post = read(entity)
        if isinstance(post, Refusal):
            yield refused(post, source, known)
            continue
        document = _document(post, source, site, threads, raw_uri, fetched_at)
        yield Outcome(post.post_id, source.name, known.outcome(document), document)


def refused(refusal: Refusal, source: SocialSource, known: Known) -> Outcome:
    """The outcome of a post that is not taken; `skipped:withdrawn`, with its doc_id, of one that must be forgotten."""
    doc_id = social_id(site_name(source), refusal.post_id)
    if refusal.reason in WITHDRAWN and doc_id in known.digests and doc_id not in known.forgotten:
        return Outcome(doc_id, source.name, "skipped:withdrawn")
    kind = "failed:malformed" if refusal.reason == "malformed" else f"skipped:{refusal.reason}"
    return Outcome(refusal.post_id or "?", source.name, kind)


def _document(
    post: Post, source: SocialSource, site: str, threads: Mapping[str, str], raw_uri: str, fetched_at: datetime
) -> Document:
    root = post.root_id or threads.get(post.post_id, post.parent_id or post.post_id)
    return Document(
        doc_id=social_id(site, post.post_id),
        revision=int(fetched_at.timestamp() * 1_000_000),
        source="social",
        site=site,
        lang_hint=post.language or source.lang,
        url=post.url,
        title=post.title,
        text=post.text,
        published_at=post.published_at,
        fetched_at=fetched_at,
        license=post.license or source.license,
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
