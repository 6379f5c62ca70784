"""Visits to the pages of hosts: fetch politely, keep each page as fetched in WARC files, say what happened to each.

Plain functions from targets to visit records; a job gives each Spark task some hosts, so that a host has one queue
however many executors there are.

What a task has done is kept in segments: WARC files that are stored every few seconds, and whose second record says
what came of every target since the segment before. A task that is killed and begins again reads what it has done
already; what it loses is the requests that were in flight and one segment.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from typing import Final

from lmflow.crawl.http import Fetch, Fetcher, Policy
from lmflow.crawl.refusals import refusal
from lmflow.crawl.warc import info_record, metadata_record, read_metadata, response_record
from lmflow.lake import Objects

#: Media types of pages; what else is linked is not read. A page without a type is.
PAGE_TYPES: Final = ("text/html", "application/xhtml+xml")
#: Waiting takes no core: most threads sleep until their host may be asked again.
_THREADS: Final = 256
#: A segment is stored when it has grown to so many bytes or visits, or is so many seconds old.
_SEGMENT_BYTES: Final = 16_000_000
_SEGMENT_VISITS: Final = 100
_SEGMENT_S: Final = 15.0
_COUNT: Final = re.compile(r"-(\d+)\.warc\.gz$")
_VISITS_TYPE: Final = "application/x-ndjson; profile=lmflow-visits"


@dataclass(frozen=True, slots=True)
class Target:
    """A page to visit, with the validators of what is known of it."""

    url: str
    source: str
    etag: str = ""
    last_modified: str = ""
    listed_at: str = ""  # the date that its feed gives it, ISO 8601


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a target. `raw_key` names the WARC file of a page that was fetched, else it is empty."""

    url: str
    source: str
    status: int
    error: str
    detail: str
    attempts: int
    etag: str
    last_modified: str
    fetched_at: datetime
    retry_at: datetime | None
    final_url: str = ""
    charset: str = ""
    raw_key: str = ""
    offset: int = 0
    length: int = 0
    listed_at: str = ""  # as of the target


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is to be done at one host."""

    policy: Policy
    targets: tuple[Target, ...]

    def as_json(self) -> str:
        """To travel to a worker."""
        return json.dumps({"policy": asdict(self.policy), "targets": [asdict(target) for target in self.targets]})

    @classmethod
    def from_json(cls, text: str) -> HostPlan:
        """What `as_json` wrote."""
        values = json.loads(text)
        policy = Policy.from_json(json.dumps(values["policy"]))
        return cls(policy, tuple(Target(**target) for target in values["targets"]))


def visit_hosts(
    hosts: Sequence[HostPlan], objects: Objects, prefix: str, until: datetime | None = None
) -> Iterator[Visit]:
    """Visit all targets, many hosts at once, each at its own pace.

    Args:
        hosts: what is to be done, one entry a host.
        objects: where pages are kept.
        prefix: folder of the segments, e.g. `raw/news/<batch>`; what they hold already is not fetched again.
        until: targets that are not reached by then are left for another crawl (error `waiting`).

    Yields:
        A visit for every target, once; its page is stored by then.
    """
    done = {visit.url: visit for visit in stored_visits(objects, prefix)}
    wanted = {target.url for host in hosts for target in host.targets}
    yield from (visit for url, visit in done.items() if url in wanted)
    left = [replace(host, targets=tuple(t for t in host.targets if t.url not in done)) for host in hosts]
    segment = _Segment(objects, prefix)
    for fetched in _Crew([host for host in left if host.targets], until).fetched():
        if fetched is not None:
            segment.add(*fetched)
        if segment.is_due:
            yield from segment.store()
    yield from segment.store()


def stored_visits(objects: Objects, prefix: str) -> Iterator[Visit]:
    """What the segments below a prefix say was done."""
    for key in objects.list(f"{prefix}/"):
        with objects.open(key) as file:
            content, start = read_metadata(file)
        for line in content.decode().splitlines():
            values = json.loads(line)
            values["fetched_at"] = datetime.fromisoformat(values["fetched_at"])
            values["retry_at"] = datetime.fromisoformat(values["retry_at"]) if values["retry_at"] else None
            if values["length"]:
                values |= {"raw_key": key, "offset": start + values["offset"]}
            yield Visit(**values)


def count_stored(objects: Objects, prefix: str) -> int:
    """How many visits the segments below a prefix account for, by their names alone."""
    return sum(int(found[1]) for key in objects.list(f"{prefix}/") if (found := _COUNT.search(key)))


class _Segment:
    """A WARC file in the making, with the visits it is to account for. Stored whole or not at all."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        self._objects = objects
        self._base = f"{prefix}/{uuid.uuid4().hex[:12]}"
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._visits: list[Visit] = []  # offsets count from the first page
        self._records: list[bytes] = []
        self._size = 0
        self._began = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is large or old enough to be stored."""
        return bool(self._visits) and (
            self._size >= _SEGMENT_BYTES
            or len(self._visits) >= _SEGMENT_VISITS
            or time.monotonic() - self._began >= _SEGMENT_S
        )

    def add(self, visit: Visit, record: bytes) -> None:
        """Account for a target, with its page if there is one."""
        if record:
            visit = replace(visit, offset=self._size, length=len(record))
            self._records.append(record)
            self._size += len(record)
        self._visits.append(visit)

    def store(self) -> list[Visit]:
        """Store what there is, and begin anew."""
        if not self._visits:
            return []
        key = f"{self._base}-{self._number:05d}-{len(self._visits)}.warc.gz"
        lines = (json.dumps(asdict(visit), default=datetime.isoformat) for visit in self._visits)
        head = info_record("lmflow") + metadata_record("\n".join(lines).encode(), _VISITS_TYPE)
        self._objects.put(key, b"".join([head, *self._records]))
        visits = [
            replace(visit, raw_key=key, offset=len(head) + visit.offset) if visit.length else visit
            for visit in self._visits
        ]
        self._number += 1
        self._begin()
        return visits


class _Host:
    """Work that is left at one host, and the fetcher that its threads share; the last one to go closes it."""

    def __init__(self, plan: HostPlan) -> None:
        self.threads = min(plan.policy.concurrency, len(plan.targets))
        self._left = deque(plan.targets)
        self._fetcher = Fetcher(plan.policy)
        self._working = self.threads
        self._lock = threading.Lock()

    @property
    def user_agent(self) -> str:
        """How it is asked."""
        return self._fetcher.policy.user_agent

    def next_target(self) -> Target | None:
        """A target that nobody works on, None when there is none."""
        with self._lock:
            return self._left.popleft() if self._left else None

    def get(self, target: Target) -> Fetch:
        """Ask for a target's page."""
        return self._fetcher.get(target.url, target.etag, target.last_modified, content_types=PAGE_TYPES)

    def leave(self) -> None:
        """One thread has nothing more to do here."""
        with self._lock:
            self._working -= 1
            is_last = not self._working
        if is_last:
            self._fetcher.close()


class _Crew:
    """Threads that fetch: as many for a host as it may be asked at once."""

    def __init__(self, hosts: Sequence[HostPlan], until: datetime | None) -> None:
        self._hosts = hosts
        self._until = until
        self._results: Queue[tuple[Visit, bytes] | Exception] = Queue(maxsize=_SEGMENT_VISITS)
        self._stop = threading.Event()

    def fetched(self) -> Iterator[tuple[Visit, bytes] | None]:
        """Visits with their pages' records as they come; None now and then, when nothing comes for a second."""
        left = sum(len(host.targets) for host in self._hosts)
        if not left:
            return
        hosts = [_Host(plan) for plan in self._hosts]
        pool = ThreadPoolExecutor(min(_THREADS, sum(host.threads for host in hosts)), "fetch")
        try:
            for host in hosts:
                for _ in range(host.threads):
                    pool.submit(self._work, host)
            while left:
                try:
                    result = self._results.get(timeout=1)
                except Empty:
                    yield None
                    continue
                if isinstance(result, Exception):
                    raise result
                left -= 1
                yield result
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)

    def _work(self, host: _Host) -> None:
        try:
            while not self._stop.is_set() and (target := host.next_target()) is not None:
                self._put(self._visit(host, target))
        except Exception as error:  # a fault of ours, not of the site: the task must fail
            self._put(error)
        finally:
            host.leave()

    def _visit(self, host: _Host, target: Target) -> tuple[Visit, bytes]:
        now = datetime.now(UTC)
        if self._until is not None and now >= self._until:
            late = Fetch(target.url, error="waiting", detail="no time was left", attempts=0, retry_at=now)
            return _visit(target, late), b""
        answer = host.get(target)
        record = b""
        if not answer.error and (why := refusal(answer.headers, answer.body, host.user_agent, now)):
            return _visit(target, replace(answer, error=why)), b""
        if not answer.error and not answer.not_modified:
            record = response_record(answer.final_url, answer.status, answer.headers, answer.body, answer.fetched_at)
        return _visit(target, answer), record

    def _put(self, result: tuple[Visit, bytes] | Exception) -> None:
        while not self._stop.is_set():
            try:
                self._results.put(result, timeout=0.5)
                return
            except Full:
                continue


def _visit(target: Target, answer: Fetch) -> Visit:
    known = target if answer.not_modified else None
    return Visit(
        url=target.url,
        source=target.source,
        status=answer.status,
        error=answer.error,
        detail=answer.detail,
        attempts=answer.attempts,
        etag=answer.headers.get("etag", "") or (known.etag if known else ""),
        last_modified=answer.headers.get("last-modified", "") or (known.last_modified if known else ""),
        fetched_at=answer.fetched_at,
        retry_at=answer.retry_at,
        final_url=answer.final_url,
        charset=answer.charset,
        listed_at=target.listed_at,
    )
