"""robots.txt as RFC 9309 has it: what cannot be reached closes the site, what does not exist opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from protego import Protego

#: RFC 9309, 2.5: parsers must take at least 500 KiB.
MAX_BYTES: Final = 512_000
_LIFETIME_S: Final = 24 * 3600.0  # RFC 9309, 2.4
_UNREACHABLE_LIFETIME_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What one site asks of one crawler."""

    allows: Callable[[str], bool]
    delay_s: float = 0.0


def robots_url(url: str) -> str:
    """Where the rules for a URL stand."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/robots.txt"


def lifetime_s(status: int) -> float:
    """How long an answer holds: a day, but a site in trouble is asked again sooner."""
    return _LIFETIME_S if status < 500 and status != 429 else _UNREACHABLE_LIFETIME_S


def rules(status: int, body: bytes, user_agent: str) -> Rules:
    """The rules that a fetch of robots.txt leads to.

    Args:
        status: HTTP status after redirects, 0 when there was no answer at all.
        body: its content.
        user_agent: how the crawler names itself; what stands before the first `/` is matched.
    """
    if 400 <= status < 500 and status != 429:
        return Rules(lambda url: True)  # "unavailable": anything may be fetched
    if not 200 <= status < 300:
        return Rules(lambda url: False)  # "unreachable": nothing may be fetched
    parsed = Protego.parse(body[:MAX_BYTES].decode("utf-8", "replace").lstrip("\ufeff"))
    token = user_agent.partition("/")[0].strip() or "*"
    delay = parsed.crawl_delay(token) or 0.0
    rate = parsed.request_rate(token)
    if rate is not None and rate.requests:
        delay = max(delay, rate.seconds / rate.requests)
    return Rules(lambda url: bool(parsed.can_fetch(url, token)), float(delay))
