"""200 Usenet posts of April and May 1993 (sci.space, alt.atheism), out of gensim's `mini_newsgroup`.

They are a part of the 20 Newsgroups collection (Ken Lang), public postings by their authors; the package states no
terms for them; gensim itself is under LGPL-2.1. The file is a zlib-compressed pickle of protocol 0. It is never
unpickled, because loading a pickle may run code: its strings are read with `pickletools`, which only parses.
"""

from __future__ import annotations

import email
import pickletools
import re
import zlib
from datetime import UTC, datetime
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from functools import cache

from lmflow.samples.documents import Post, packaged

SOURCE = ("gensim", "test/test_data/mini_newsgroup")
SIGNATURE_MAX_LINES = 12

_MESSAGE_ID = re.compile(r"<[^<>\s]+>")


@cache
def newsgroup_posts() -> tuple[Post, ...]:
    """All posts, oldest first. Headers become fields; the signature is cut; quoted lines keep their `>`."""
    strings = pickletools.genops(zlib.decompress(packaged(*SOURCE).read_bytes()))
    messages = [email.message_from_string(str(value)) for code, value, _ in strings if code.name == "UNICODE"]
    known = {message["Message-ID"] for message in messages}
    return tuple(sorted((_post(message, known) for message in messages), key=lambda post: (post.published, post.key)))


def _post(message: Message, known: set[str]) -> Post:
    name, address = parseaddr(message["From"])
    subject = " ".join(message["Subject"].split())
    references = _MESSAGE_ID.findall(f"{message['References']} {message['In-Reply-To']}")
    return Post(
        key=message["Message-ID"],
        author=re.sub(r"[^A-Za-z0-9_]+", "_", address.partition("@")[0]).strip("_"),
        name=name,
        subject="" if subject.lower().startswith("re:") else subject,
        text=_without_signature(str(message.get_payload())),
        published=_date(message["Date"]),
        tags=tuple(re.sub(r"\W", "_", group.strip()) for group in message["Newsgroups"].split(",")),
        parent=next((reference for reference in reversed(references) if reference in known), None),
    )


def _date(header: str) -> datetime:
    date = parsedate_to_datetime(header)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)


def _without_signature(body: str) -> str:
    """Cut at a line of `--`, unless so much follows that it is a rule inside the text."""
    lines = body.rstrip().split("\n")
    for i, line in enumerate(lines):
        if line.rstrip() == "--" and len(lines) - i - 1 <= SIGNATURE_MAX_LINES:
            lines = lines[:i]
            break
    return "\n".join(lines).strip("\n")
