"""A polite, safe HTTP client whose every outcome is a record: it never raises because of what a site does.

One host is one queue (`pace`), robots.txt is asked first (`robots`), addresses are judged where connections are made
(`address`), bodies are read under a cap (`body`), redirects are followed by hand: each hop passes the same checks.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from lmflow.crawl import robots
from lmflow.crawl.address import Deadline, ForbiddenAddressError, GuardedBackend
from lmflow.crawl.body import ACCEPT_ENCODING, EncodingError, TooLargeError, read_body
from lmflow.crawl.pace import HostQueue, retry_after
from lmflow.crawl.urls import authority
from lmflow.settings import settings

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Errors that another try may cure, and how many tries they are worth.
_TRIES: Final = {"http_429": 5, "http_503": 5, "http_500": 2, "http_502": 3, "http_504": 3, "timeout": 2, "connect": 2}
_FIRST_BACKOFF_S: Final = 1.0
_LONGEST_URL: Final = 8000


@dataclass(frozen=True, slots=True)
class Policy:
    """How hosts are treated. Plain values, so that it travels to Spark's workers."""

    user_agent: str
    private_hosts: tuple[str, ...] = ()
    rate: float = 1.0  # requests a second to one host
    concurrency: int = 1  # requests at once to one host
    connect_s: float = 10.0
    read_s: float = 20.0
    total_s: float = 60.0  # one request, from connect to the last byte
    max_bytes: int = 20_000_000
    max_redirects: int = 5
    longest_wait_s: float = 120.0  # a host that asks for more is left alone until then

    @classmethod
    def from_settings(cls, rate: float = 1.0, concurrency: int = 1) -> Policy:
        """The policy of this installation, with a source's own rate."""
        now = settings()
        agent = f"{now.user_agent} (+{now.contact})" if now.contact else now.user_agent
        return cls(agent, now.private_hosts, rate=rate, concurrency=concurrency)

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """From what `json.dumps(asdict(policy))` wrote."""
        values = json.loads(text)
        return cls(**{**values, "private_hosts": tuple(values["private_hosts"])})


@dataclass(frozen=True, slots=True)
class Fetch:
    """The outcome of asking for one URL.

    `error` is empty on success (200 to 299, and 304), else a kind: `http_<status>`, `robots`, `address`, `url`, `dns`,
    `connect`, `tls`, `timeout`, `protocol`, `redirects`, `too_large`, `encoding`.
    """

    url: str
    status: int = 0
    error: str = ""
    detail: str = ""
    final_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    attempts: int = 1
    fetched_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    retry_at: datetime | None = None  # when the host said it may be asked again

    @property
    def not_modified(self) -> bool:
        """Whether the host says that what we know is still true."""
        return self.status == 304

    @property
    def charset(self) -> str:
        """The charset parameter of Content-Type, empty when there is none."""
        _, found, value = self.headers.get("content-type", "").partition("charset=")
        return value.partition(";")[0].strip("\"' ") if found else ""

    @property
    def content_type(self) -> str:
        """The media type alone, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class FetchError(Exception):
    """A request that cannot be made or did not end well, by kind. Only this room and its downloads see it."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.detail = kind, detail


class Fetcher:
    """Fetches URLs. Safe to share between threads; close it, or use it in a with-block.

    Example:
        >>> with Fetcher(Policy.from_settings()) as fetcher:
        ...     fetcher.get("https://example.org/feed.xml").status
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._deadline = Deadline()
        self._guard = GuardedBackend(policy.private_hosts, self._deadline)
        self._queues: dict[str, HostQueue] = {}
        self._rules: dict[str, tuple[robots.Rules, float]] = {}
        self._lock = threading.Lock()
        self._robots_locks: dict[str, threading.Lock] = {}
        transport = httpx.HTTPTransport(trust_env=False)
        # httpx offers no public way to choose the network backend; httpcore, which it stands on, does.
        transport._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=64,
            keepalive_expiry=10.0,
            http2=True,
            network_backend=self._guard,
        )
        timeout = httpx.Timeout(policy.read_s, connect=policy.connect_s)
        headers = {"User-Agent": policy.user_agent, "Accept-Encoding": ACCEPT_ENCODING, "Accept": "*/*"}
        self._client = httpx.Client(transport=transport, timeout=timeout, headers=headers, trust_env=False)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, url: str, etag: str = "", last_modified: str = "", heed_robots: bool = True) -> Fetch:
        """Ask for a URL, patiently: redirects, waits and further tries included.

        Args:
            url: what to fetch.
            etag: validator of what we have; the answer may then be 304.
            last_modified: likewise.
            heed_robots: False only for what a person named (a dump to download), never for links that were found.
        """
        headers = {
            name: value for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified)) if value
        }
        attempt = 0
        while True:
            attempt += 1
            fetch = replace(self._once(url, headers, heed_robots), attempts=attempt)
            tries = _TRIES.get(fetch.error, 1)
            wait = self._wait_before_retry(fetch, attempt)
            if wait > self.policy.longest_wait_s:
                return replace(fetch, retry_at=fetch.fetched_at + timedelta(seconds=wait))
            if attempt >= tries:
                return fetch
            self._queue(fetch.final_url or url).pause(wait)

    def pause(self, url: str, seconds: float) -> None:
        """Leave a host alone for a while, because it said that a limit is near."""
        self._queue(url).pause(min(seconds, self.policy.longest_wait_s))

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, heed_robots: bool = True
    ) -> Iterator[httpx.Response]:
        """A response whose body is still to be read, redirects followed; holds the host's place until the block ends.

        Raises:
            FetchError: no such response.
        """
        origin = authority(url)
        for _ in range(self.policy.max_redirects + 1):
            self._check(url, origin)
            if heed_robots and not self._allowed(url):
                raise FetchError("robots", url)
            with self._queue(url).turn(), self._responding(url, headers or {}) as response:
                location = response.headers.get("location", "")
                if response.status_code not in _REDIRECTS or not location:
                    yield response
                    return
            try:
                url = urljoin(url, location)
            except ValueError:
                raise FetchError("url", location[:200]) from None
        raise FetchError("redirects", f"more than {self.policy.max_redirects}")

    def _once(self, url: str, headers: Mapping[str, str], heed_robots: bool, max_bytes: int | None = None) -> Fetch:
        try:
            with self.open(url, headers, heed_robots) as response:
                answer = {name.lower(): value for name, value in response.headers.items()}
                status, final = response.status_code, str(response.url)
                error = "" if status < 300 or status == 304 else f"http_{status}"
                body = b"" if error else self._body(response, max_bytes or self.policy.max_bytes)
            return Fetch(url, status, error, final_url=final, headers=answer, body=body)
        except FetchError as failure:
            return Fetch(url, error=failure.kind, detail=failure.detail)
        except TooLargeError as failure:
            return Fetch(url, error="too_large", detail=str(failure))
        except EncodingError as failure:
            return Fetch(url, error="encoding", detail=str(failure))
        except Exception as failure:  # whatever a site makes our libraries throw is that site's record
            return Fetch(url, error="protocol", detail=repr(failure)[:200])

    def _body(self, response: httpx.Response, cap: int) -> bytes:
        length = response.headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) > cap:
            raise TooLargeError(f"{length} bytes announced")
        return read_body(response.iter_raw(), response.headers.get("content-encoding", ""), cap)

    @contextmanager
    def _responding(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """One request, its every failure as a FetchError."""
        self._deadline.start(self.policy.total_s)
        try:
            with self._client.stream("GET", url, headers=dict(headers), follow_redirects=False) as response:
                yield response
        except ForbiddenAddressError as error:
            raise FetchError("address", str(error)) from None
        except httpx.TimeoutException as error:
            raise FetchError("timeout", str(error)) from None
        except httpx.ConnectError as error:
            text = str(error)
            kind = "dns" if text.startswith("name resolution") else "tls" if _is_tls(text) else "connect"
            raise FetchError(kind, text[:200]) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise FetchError("url", str(error)[:200]) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise FetchError("tls" if _is_tls(str(error)) else "protocol", str(error)[:200]) from None

    def _check(self, url: str, origin: str) -> None:
        """Refuse what is no web address, and what leads from the outside to a private host."""
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - reading it is what validates it
        except ValueError as error:
            raise FetchError("url", str(error)) from None
        if (
            parts.scheme.lower() not in ("http", "https")
            or not parts.hostname
            or "@" in parts.netloc
            or len(url) > 8000
        ):
            raise FetchError("url", url[:200])
        if self._guard.is_private_host(parts.hostname or "") and authority(url) != origin:
            raise FetchError("address", f"redirect from {origin} to the private host {parts.hostname}")

    def _allowed(self, url: str) -> bool:
        """Whether robots.txt lets us fetch a URL; asked once a day for each site.

        Raises:
            FetchError: the site cannot be reached at all.
        """
        site = authority(url)
        with self._lock:
            lock = self._robots_locks.setdefault(site, threading.Lock())
        with lock:
            known, expires = self._rules.get(site, (None, 0.0))
            if known is None or expires < time.monotonic():
                answer = self._once(robots.robots_url(url), {}, heed_robots=False, max_bytes=robots.MAX_BYTES)
                if not answer.status:
                    raise FetchError(answer.error, answer.detail)
                known = robots.rules(answer.status, answer.body, self.policy.user_agent)
                self._rules[site] = known, time.monotonic() + robots.lifetime_s(answer.status)
                self._queue(url).slow_to(known.delay_s)
        return known.allows(url)

    def _queue(self, url: str) -> HostQueue:
        with self._lock:
            return self._queues.setdefault(authority(url), HostQueue(self.policy.rate, self.policy.concurrency))

    def _wait_before_retry(self, fetch: Fetch, attempt: int) -> float:
        """What the host asked for, else exponential back-off with full jitter."""
        if fetch.error not in _TRIES:
            return 0.0
        asked = retry_after(fetch.headers.get("retry-after", ""))
        return asked if asked is not None else random.uniform(0.5, 1.0) * _FIRST_BACKOFF_S * 2 ** (attempt - 1)


def _is_tls(text: str) -> bool:
    return "SSL" in text or "certificate" in text.lower() or "TLS" in text
