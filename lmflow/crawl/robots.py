"""robots.txt as RFC 9309 has it: what cannot be reached closes the site, what does not exist opens it.

An answer is kept on disk for as long as it holds, so that a crawl every hour asks for it once a day.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from protego import Protego

from lmflow.crawl.pace import host_file

#: RFC 9309, 2.5: parsers must take at least 500 KiB.
MAX_BYTES: Final = 512_000
#: The forms of the line that protego reads.
_AGENT_LINE: Final = re.compile(r"\s*user(?:-|\s+)?agent(?:\s*:|\s)\s*(.*)", re.IGNORECASE)
#: RFC 9309, 2.2.1 has letters, `-` and `_`; names with digits are in use too.
_TOKEN: Final = re.compile(r"[\w-]*")
_US: Final = "us"
_OTHERS: Final = "them"
_LIFETIME_S: Final = 24 * 3600.0  # RFC 9309, 2.4
_UNREACHABLE_LIFETIME_S: Final = 600.0
#: A site that asks for more than this between two requests would never be read; others stop here too (Bing: 30 s).
LONGEST_DELAY_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What one site asks of one crawler."""

    allows: Callable[[str], bool]
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site answered when it was asked for its robots.txt, and until when that holds (seconds since 1970)."""

    status: int
    body: bytes
    expires: float


def robots_url(url: str) -> str:
    """Where the rules for a URL stand."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/robots.txt"


def keep(authority: str, status: int, body: bytes) -> Answer:
    """Keep an answer for the next crawl: a day, but a site in trouble is asked again sooner."""
    lifetime = _LIFETIME_S if status < 500 and status != 429 else _UNREACHABLE_LIFETIME_S
    answer = Answer(status, body[:MAX_BYTES], time.time() + lifetime)
    file = _file(authority)
    partial = file.with_suffix(f".{uuid.uuid4().hex}")
    content = {"status": status, "expires": answer.expires, "body": base64.b64encode(answer.body).decode()}
    partial.write_text(json.dumps(content))
    os.replace(partial, file)
    return answer


def kept(authority: str) -> Answer | None:
    """The answer of an earlier crawl, None when there is none that still holds."""
    try:
        content = json.loads(_file(authority).read_text())
        answer = Answer(int(content["status"]), base64.b64decode(content["body"]), float(content["expires"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return answer if time.time() < answer.expires <= time.time() + _LIFETIME_S else None


def rules(status: int, body: bytes, user_agent: str) -> Rules:
    """The rules that a fetch of robots.txt leads to.

    Args:
        status: HTTP status after redirects, 0 when there was no answer at all.
        body: its content.
        user_agent: how the crawler names itself; what stands before the first `/` is matched, whole and in any case
            (RFC 9309, 2.2.1).
    """
    if 400 <= status < 500 and status != 429:
        return Rules(lambda url: True)  # "unavailable": anything may be fetched
    if not 200 <= status < 300:
        return Rules(lambda url: False)  # "unreachable": nothing may be fetched
    text = body[:MAX_BYTES].decode("utf-8", "replace").lstrip("\ufeff")
    parsed = Protego.parse(_addressed(text, token(user_agent.partition("/")[0])))
    delay = parsed.crawl_delay(_US) or 0.0
    rate = parsed.request_rate(_US)
    if rate is not None and rate.requests:
        delay = max(delay, rate.seconds / rate.requests)
    # min() also turns an infinite or absurd delay into one that can be waited for.
    return Rules(lambda url: bool(parsed.can_fetch(url, _US)), min(max(0.0, float(delay)), LONGEST_DELAY_S))


def _addressed(text: str, own: str) -> str:
    """The rules with each group addressed to us, to others or to all.

    Protego takes `User-agent: l` for every name that begins so, and `lmflow/1.0` for no name at all. It also keeps the
    rules of a group once for each of its names: here they are three at most.
    """
    return "\n".join(_named(line, own) for line in text.splitlines())


def _named(line: str, own: str) -> str:
    found = _AGENT_LINE.match(line)
    if not found:
        return line
    name = "*" if found[1].startswith("*") else _US if own and token(found[1]) == own else _OTHERS
    return f"User-agent: {name}"


def token(name: str) -> str:
    """The product token that a name begins with, lower case: `lmflow` of `lmflow/1.0` and of `LMFlow (news)`."""
    found = _TOKEN.match(name.strip())
    return found[0].lower() if found else ""


def _file(authority: str) -> Path:
    return host_file(authority).with_name(host_file(authority).name + ".robots")
