"""One spelling for an address, so that one page has one identity however it was linked."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TRACKING = re.compile(
    r"utm_\w+|fbclid|gclid|dclid|msclkid|yclid|igshid|mc_[ce]id|_hs(?:enc|mi)|ref_src|cmpid|ns_(?:campaign|mchannel)"
    r"|at_(?:medium|campaign|format)|spm|share_token|wt_mc|ftag|smid|srnd",
    re.IGNORECASE,
)
#: Characters that stand for themselves in a path (RFC 3986), and `%` because escapes stay as they are.
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


def canonical_url(url: str) -> str:
    """The address without fragment, tracking parameters, default port and user, host in lower-case ASCII.

    Raises:
        ValueError: it is not an address (a bad port, a broken IPv6 host).
    """
    parts = urlsplit(url.strip())
    url.encode()  # a lone surrogate, as JSON can spell it, is no address and fits no table
    host = (parts.hostname or "").rstrip(".")
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError as error:
        raise ValueError(f"bad host in {url!r}: {error}") from None
    if ":" in host:
        host = f"[{host}]"
    scheme = parts.scheme.lower()
    port = parts.port
    authority = host if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{host}:{port}"
    return urlunsplit(
        (scheme, authority, quote(parts.path or "/", safe=_PATH_SAFE), _without_tracking(parts.query), "")
    )


def _without_tracking(query: str) -> str:
    """The other parameters as they were written: in which encoding their escapes are only their site knows."""
    return "&".join(pair for pair in query.split("&") if not _TRACKING.fullmatch(unquote(pair.partition("=")[0])))


def authority(url: str) -> str:
    """`host:port` of an address: what a queue, a robots.txt and a rate belong to. Empty when there is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return ""
    return f"{parts.hostname.lower()}:{port}" if parts.hostname else ""
