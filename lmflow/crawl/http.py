"""A polite, safe HTTP client whose every outcome is a record: it never raises because of what a site does.

One host is one queue (`pace`), robots.txt is asked first (`robots`), addresses are judged where connections are made
(`address`), requests are made one at a time (`exchange`), bodies are read under a cap (`body`), redirects are followed
by hand: each hop passes the same checks.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urljoin

import httpcore

from lmflow.crawl import robots
from lmflow.crawl.address import GuardedBackend, RequestLimits
from lmflow.crawl.body import ACCEPT_ENCODING, EncodingError, TooLargeError, read_body, read_start
from lmflow.crawl.exchange import Address, Connections, FetchError, Response
from lmflow.crawl.pace import HostClosedError, HostQueue, retry_after
from lmflow.crawl.resolve import Resolver
from lmflow.settings import settings

__all__ = ["Fetch", "FetchError", "Fetcher", "Policy", "charset_of"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Errors that another try may cure, and how many tries they are worth.
_TRIES: Final = {"http_429": 5, "http_503": 5, "http_500": 2, "http_502": 3, "http_504": 3, "timeout": 2, "connect": 2}
#: Errors that speak of the host and not of the page: after some in a row the host is left alone.
_OF_THE_HOST: Final = frozenset({*_TRIES, "dns", "tls"})
_FIRST_BACKOFF_S: Final = 1.0
_LONGEST_VALIDATOR: Final = 1000
_CHARSET: Final = re.compile(r"\bcharset\s*=[\s\"']*([^\s;,\"']+)", re.IGNORECASE)


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
    failures_in_a_row: int = 5  # a host that fails so often is left alone
    leave_alone_s: float = 1800.0  # for so long
    nameservers: tuple[str, ...] = ()  # `address:port`; none for the system's resolver
    ca_file: str = ""  # certificates to trust; none for the usual ones

    @classmethod
    def from_settings(cls, rate: float = 1.0, concurrency: int = 1, max_bytes: int = 20_000_000) -> Policy:
        """The policy of this installation, with a source's own rate."""
        now = settings()
        agent = f"{now.user_agent} (+{now.contact})" if now.contact else now.user_agent
        return cls(
            agent,
            now.private_hosts,
            rate=rate,
            concurrency=concurrency,
            max_bytes=max_bytes,
            nameservers=now.nameservers,
            ca_file=str(now.ca_file or ""),
        )

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """From what `json.dumps(asdict(policy))` wrote."""
        values = json.loads(text)
        names = ("private_hosts", "nameservers")
        return cls(**{**values, **{name: tuple(values[name]) for name in names}})


@dataclass(frozen=True, slots=True)
class Fetch:
    """The outcome of asking for one URL.

    `error` is empty on success (200 to 299, and 304), else a kind: `http_<status>`, `robots`, `address`, `url`, `dns`,
    `connect`, `tls`, `timeout`, `protocol`, `redirects`, `too_large`, `encoding`, `content_type`, and `waiting`:
    nothing was asked, because the host is left alone until `retry_at`.
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
        return charset_of(self.headers.get("content-type", ""))

    @property
    def content_type(self) -> str:
        """The media type alone, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Fetcher:
    """Fetches URLs. Safe to share between threads; close it, or use it in a with-block.

    Args:
        policy: how hosts are treated.
        wire: makes the connections, below every check; the network, unless something else stands for it.

    Example:
        >>> with Fetcher(Policy.from_settings()) as fetcher:
        ...     fetcher.get("https://example.org/feed.xml").status
    """

    def __init__(self, policy: Policy, wire: httpcore.NetworkBackend | None = None) -> None:
        self.policy = policy
        limits = RequestLimits()
        guard = GuardedBackend(limits, Resolver(policy.nameservers), wire)
        self._connections = Connections(guard, limits, policy.ca_file, policy.connect_s, policy.read_s)
        self._inside = frozenset(host.lower().strip("[]") for host in policy.private_hosts)
        self._headers = {"User-Agent": policy.user_agent, "Accept-Encoding": ACCEPT_ENCODING, "Accept": "*/*"}
        self._queues: dict[str, HostQueue] = {}
        self._rules: dict[str, tuple[robots.Rules, float]] = {}
        self._lock = threading.Lock()
        self._robots_locks: dict[str, threading.Lock] = {}

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def get(
        self,
        url: str,
        etag: str = "",
        last_modified: str = "",
        heed_robots: bool = True,
        content_types: Collection[str] = (),
    ) -> Fetch:
        """Ask for a URL, patiently: redirects, waits and further tries included.

        Args:
            url: what to fetch.
            etag: validator of what we have; the answer may then be 304.
            last_modified: likewise.
            heed_robots: False only for what a person named (a dump to download), never for links that were found.
            content_types: media types that are wanted; the body of another is not read. None given: any.
        """
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in validators.items() if _is_sendable(value)}
        attempt = 0
        while True:
            attempt += 1
            fetch = self._once(url, headers, heed_robots, content_types)
            if fetch.error == "waiting":
                return replace(fetch, attempts=attempt - 1)
            fetch = replace(fetch, attempts=attempt)
            wait = self._wait_before_retry(fetch, attempt)
            if wait > self.policy.longest_wait_s:
                wait = self._close(fetch, wait)
                return replace(fetch, retry_at=fetch.fetched_at + timedelta(seconds=wait))
            if attempt >= _TRIES.get(fetch.error, 1):
                return self._count(fetch)
            self._pause(fetch.final_url or url, wait)

    def pause(self, url: str, seconds: float) -> None:
        """Leave a host alone for a while, because it said that a limit is near."""
        self._pause(url, min(seconds, self.policy.longest_wait_s))

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str] | None = None, heed_robots: bool = True) -> Iterator[Response]:
        """A response whose body is still to be read, redirects followed; holds the host's place until the block ends.

        Raises:
            FetchError: no such response.
        """
        address = Address(url)
        origin = address.authority
        for _ in range(self.policy.max_redirects + 1):
            is_inside = address.host.lower() in self._inside
            if is_inside and address.authority != origin:
                raise FetchError("address", f"redirect from {origin} to the private host {address.host}")
            if heed_robots and not self._allowed(address):
                raise FetchError("robots", address.text[:200])
            with self._turn(address), self._request(address, headers or {}, is_inside) as response:
                location = response.headers.get("location", "")
                if response.status_code not in _REDIRECTS or not location:
                    yield response
                    return
                response.drain()
            try:
                url = urljoin(address.text, location)
            except ValueError:
                raise FetchError("url", location[:200]) from None
            address = Address(url)
        raise FetchError("redirects", f"more than {self.policy.max_redirects}")

    def _request(
        self, address: Address, headers: Mapping[str, str], is_inside: bool
    ) -> AbstractContextManager[Response]:
        return self._connections.request(address, {**self._headers, **headers}, self.policy.total_s, is_inside)

    @contextmanager
    def _turn(self, address: Address) -> Iterator[None]:
        queue = self._queue(address)
        try:
            with queue.turn():
                yield
        except HostClosedError as closed:
            raise _WaitingError(str(closed), closed.until) from None

    def _once(
        self,
        url: str,
        headers: Mapping[str, str],
        heed_robots: bool,
        content_types: Collection[str] = (),
        is_robots: bool = False,
    ) -> Fetch:
        try:
            with self.open(url, headers, heed_robots) as response:
                fetch = Fetch(
                    url, response.status_code, final_url=response.url, headers=response.headers, error=_error(response)
                )
                if fetch.error or fetch.not_modified:
                    response.drain()
                elif content_types and fetch.content_type and fetch.content_type not in content_types:
                    fetch = replace(fetch, error="content_type", detail=fetch.content_type[:100])
                else:
                    body = _robots_body(response) if is_robots else self._body(response)
                    fetch = replace(fetch, body=body)
            return fetch
        except _WaitingError as failure:
            return Fetch(url, error=failure.kind, detail=failure.detail, retry_at=failure.until)
        except FetchError as failure:
            return Fetch(url, error=failure.kind, detail=failure.detail)
        except TooLargeError as failure:
            return Fetch(url, error="too_large", detail=str(failure))
        except EncodingError as failure:
            return Fetch(url, error="encoding", detail=str(failure))
        except Exception as failure:  # whatever a site makes our libraries throw is that site's record
            return Fetch(url, error="protocol", detail=repr(failure)[:200])

    def _body(self, response: Response) -> bytes:
        cap = self.policy.max_bytes
        length = response.headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) > cap:
            raise TooLargeError(f"{length[:40]} bytes announced")
        return read_body(response.iter_raw(), response.headers.get("content-encoding", ""), cap)

    def _allowed(self, address: Address) -> bool:
        """Whether robots.txt lets us fetch an address; asked once a day for each site.

        Raises:
            FetchError: the site cannot be reached at all.
        """
        site = address.authority
        with self._lock:
            lock = self._robots_locks.setdefault(site, threading.Lock())
        with lock:
            known, expires = self._rules.get(site, (None, 0.0))
            if known is None or expires < datetime.now(UTC).timestamp():
                answer = robots.kept(site)
                if answer is None:
                    url = robots.robots_url(address.text)
                    fetch = self._once(url, {}, heed_robots=False, is_robots=True)
                    if fetch.retry_at is not None:
                        raise _WaitingError(fetch.detail, fetch.retry_at)
                    if not fetch.status:
                        raise FetchError(fetch.error, f"robots.txt: {fetch.detail}")
                    answer = robots.keep(site, fetch.status, fetch.body)
                known = robots.rules(answer.status, answer.body, self.policy.user_agent)
                self._rules[site] = known, answer.expires
                self._queue(address).slow_to(known.delay_s)
        return known.allows(address.text)

    def _queue(self, address: Address) -> HostQueue:
        with self._lock:
            name = address.authority
            return self._queues.setdefault(name, HostQueue(name, self.policy.rate, self.policy.concurrency))

    def _pause(self, url: str, seconds: float) -> None:
        self._queue(Address(url)).pause(seconds)

    def _close(self, fetch: Fetch, seconds: float) -> float:
        return self._queue(Address(fetch.final_url or fetch.url)).close(seconds)

    def _count(self, fetch: Fetch) -> Fetch:
        """Leave a host alone that fails URL after URL: waiting for each of them would take the whole crawl."""
        if fetch.error == "url":
            return fetch
        queue = self._queue(Address(fetch.url))
        if queue.count_failure(fetch.error in _OF_THE_HOST) >= self.policy.failures_in_a_row:
            queue.close(self.policy.leave_alone_s)
        return fetch

    def _wait_before_retry(self, fetch: Fetch, attempt: int) -> float:
        """What the host asked for, else exponential back-off with full jitter."""
        if fetch.error not in _TRIES:
            return 0.0
        asked = retry_after(fetch.headers.get("retry-after", ""))
        return asked if asked is not None else random.uniform(0.5, 1.0) * _FIRST_BACKOFF_S * 2 ** (attempt - 1)


class _WaitingError(FetchError):
    """The host is left alone for now."""

    def __init__(self, detail: str, until: datetime) -> None:
        super().__init__("waiting", detail)
        self.until = until


def charset_of(content_type: str) -> str:
    """The charset parameter of a Content-Type, whose name has no case (RFC 9110, 5.6.6); empty when there is none."""
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def _robots_body(response: Response) -> bytes:
    """What of a robots.txt is heeded: of a longer one the beginning (RFC 9309, 2.5)."""
    return read_start(response.iter_raw(), response.headers.get("content-encoding", ""), robots.MAX_BYTES)


def _error(response: Response) -> str:
    status = response.status_code
    return "" if 200 <= status < 300 or status == 304 else f"http_{status}"


def _is_sendable(validator: str) -> bool:
    """A validator is sent back as it came, unless a server made it to hurt the next request."""
    return 0 < len(validator) <= _LONGEST_VALIDATOR and validator.isascii() and validator.isprintable()
