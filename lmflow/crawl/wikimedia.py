"""Dumps of Wikimedia projects: which there are, which files they have, and getting them complete.

A dump site has `<wiki>/<date>/dumpstatus.json`, which names every file with size and SHA-1. A download goes on where it
broke off and enters the lake only when its checksum is right.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import urljoin

from lmflow.crawl.dump_names import index_name
from lmflow.crawl.http import Fetch, Fetcher, FetchError, Policy
from lmflow.crawl.pace import retry_after
from lmflow.crawl.urls import authority
from lmflow.errors import InputError, ServiceError
from lmflow.lake import Objects
from lmflow.lake.lock import exclusive
from lmflow.settings import settings

MULTISTREAM: Final = "articlesmultistreamdump"
PLAIN: Final = "articlesdump"
_DATE = re.compile(r"href=\"(?:[^\"]*/)?(\d{8})/\"")
_CHUNK: Final = 1 << 20
_TRIES_IN_VAIN: Final = 4
_WRONG_FILES: Final = 2  # whole ones, of which the checksum was not the announced one
_PASSING: Final = (429, 500, 502, 503, 504)
_ASK_AGAIN_S: Final = 600.0
_DAY_S: Final = 86_400.0
CONNECTIONS: Final = 2


class Bar(Protocol):
    """Progress of a download."""

    def reach(self, done: float) -> None:
        """So much is there."""


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One file of a dump."""

    name: str
    url: str
    size: int
    sha1: str


@dataclass(frozen=True, slots=True)
class DumpPart:
    """A data file, with its index when it is multistream."""

    data: DumpFile
    index: DumpFile | None


@dataclass(frozen=True, slots=True)
class Dump:
    """A finished dump of one wiki."""

    wiki: str
    date: str
    parts: tuple[DumpPart, ...]

    @property
    def digest(self) -> str:
        """What identifies the content: SHA-1 of the data files' SHA-1s."""
        return hashlib.sha1("".join(part.data.sha1 for part in self.parts).encode(), usedforsecurity=False).hexdigest()


class NoStatusError(InputError):
    """Nothing says which files the dump has, how large they are and with which checksums."""


_ELSEWHERE: Final = "; try another --date or --site, or download the files and give them with --file"


class UnfinishedError(InputError):
    """The dump exists and its articles are not complete yet."""


def discover(
    fetcher: Fetcher,
    site: str,
    wiki: str,
    date: str = "latest",
    wait_hours: float = 0,
    say: Callable[[str], None] = lambda news: None,
) -> Dump:
    """Find a dump whose files are complete.

    Args:
        fetcher: does the asking.
        site: e.g. https://dumps.wikimedia.org, or a mirror with the same layout.
        wiki: e.g. `enwiki`.
        date: YYYYMMDD, or `latest`: the newest one. While that is not finished it is waited for as long as
            `wait_hours` says; after that, or at once without it, the newest finished one is taken instead.
        wait_hours: how long to wait for one that is not finished; the site is asked again every ten minutes at most.
        say: told that it waits, and how long it still will; or that an older dump is taken.

    Raises:
        InputError: no such site, wiki or date; the message names the URL.
        UnfinishedError: it was not finished in time, and there is no older one, or a date was named.
    """
    deadline = time.monotonic() + 3600 * wait_hours
    while True:
        dump, unfinished = _find(fetcher, f"{site}/{wiki}/", wiki, date)
        left = deadline - time.monotonic()
        if dump is not None and (not unfinished or left <= 0):
            if unfinished:
                say(f"{unfinished}; taking that of {dump.date}" + ("" if wait_hours else " (or wait: --wait-hours)"))
            return dump
        if left <= 0:
            raise UnfinishedError(unfinished + ("" if wait_hours else "; wait with --wait-hours"))
        pause = min(_ASK_AGAIN_S, max(left / 10, 1.0), left)
        say(f"{unfinished}; asking again in {pause:,.0f} s, for {left / 3600:.1f} hours at most")
        time.sleep(pause)


def _find(fetcher: Fetcher, home: str, wiki: str, date: str) -> tuple[Dump | None, str]:
    """The newest finished dump (of the date, if one is named), and what is not finished that is newer."""
    if date != "latest":
        dates = [date]
    else:
        listing = _required(fetcher, home)
        dates = sorted(set(_DATE.findall(listing.body.decode("utf-8", "replace"))), reverse=True)
    unfinished, untold = "", 0
    for candidate in dates:
        try:
            dump, state = _read_status(fetcher, home, wiki, candidate)
        except NoStatusError:
            if date != "latest":
                raise
            untold += 1  # a folder is there before its status
            dump, state = None, "not begun"
        if dump is not None:
            return dump, unfinished
        unfinished = unfinished or f"the dump {home}{candidate}/ is not finished (its articles are {state})"
    if not dates:
        raise InputError(f"no usable dump at {home}: it lists no dates; try another --site or --lang")
    if untold == len(dates):
        raise NoStatusError(f"no dump at {home} has a dumpstatus.json{_ELSEWHERE}")
    return None, unfinished if len(dates) == 1 else f"{unfinished}, nor is an older one"


def download_all(
    dump: Dump,
    objects: Objects,
    keys: Sequence[tuple[str, str]],
    source: str,
    bar: Callable[[float, str, str, float], AbstractContextManager[Bar]],
) -> None:
    """Bring all files of a dump into the lake, two at a time: Wikimedia asks for at most two connections.

    Args:
        dump: what to get.
        objects: where to.
        keys: names of the objects: (data, index or empty) of every part.
        source: what it is called to a person.
        bar: opens a progress bar: total MB, what is done, the unit, and how much of it is there already.

    Raises:
        ServiceError: a file could not be had complete after several tries, or another process is downloading from
            the same site; another run goes on where this one ended.
    """
    wanted = [(part.data, data) for part, (data, _) in zip(dump.parts, keys, strict=True)]
    wanted += [(part.index, index) for part, (_, index) in zip(dump.parts, keys, strict=True) if part.index]
    there = {file: _bytes_there(file, objects, key) for file, key in wanted}
    total = sum(file.size for file in there)
    _check_disk(total - sum(there.values()))
    patient = replace(Policy.from_settings(100, CONNECTIONS), total_s=_DAY_S)
    lock = threading.Lock()
    with (
        bar(total / 1e6, f"downloading {source}", "MB", sum(there.values()) / 1e6) as shown,
        exclusive(f"downloads from {authority(wanted[0][0].url)}", _DAY_S),
        Fetcher(patient) as fetcher,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):

        def fetch(file: DumpFile, key: str) -> None:
            def count(done: int) -> None:
                with lock:
                    there[file] = done
                    shown.reach(sum(there.values()) / 1e6)

            download(fetcher, file, objects, key, count)

        for future in [pool.submit(fetch, file, key) for file, key in wanted]:
            future.result()


def _check_disk(missing: int) -> None:
    """A download of hours should not end for want of space that was missing from the start."""
    folder = settings().home
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise InputError(
            f"{missing / 1e9:,.1f} GB are to be downloaded and {free / 1e9:,.1f} GB are free under {folder}; "
            "free some, or set LMFLOW_HOME to a larger disk"
        )


def _partial(file: DumpFile) -> Path:
    return settings().home / "downloads" / f"{file.sha1 or hashlib.sha256(file.url.encode()).hexdigest()}.part"


def _validator(partial: Path) -> Path:
    """Where the ETag of a file stands that is being downloaded and whose SHA-1 nobody knows."""
    return partial.with_suffix(".etag")


def _bytes_there(file: DumpFile, objects: Objects, key: str) -> int:
    if objects.exists(key):
        return file.size
    return min(_partial(file).stat().st_size, file.size) if _partial(file).exists() else 0


def download(
    fetcher: Fetcher, file: DumpFile, objects: Objects, key: str, on_bytes: Callable[[int], None] = lambda done: None
) -> str:
    """Bring a file into the lake under `key`, unless it is there with the right checksum; returns the key.

    Args:
        fetcher: does the asking; its total time limit must suit the size.
        file: what to get.
        objects: where to.
        key: name of the object.
        on_bytes: called with the number of bytes that are on disk so far.

    Raises:
        ServiceError: it could not be had complete: several tries in a row brought nothing, or it is not what the site
            says it is; another run goes on where this one ended.
    """
    if objects.exists(key) and _is(objects.local(key), file):
        on_bytes(file.size)
        return key
    partial = _partial(file)
    partial.parent.mkdir(parents=True, exist_ok=True)
    failure, in_vain, reached, wrong = "", 0, 0, 0
    while in_vain < _TRIES_IN_VAIN and wrong < _WRONG_FILES:
        try:
            _continue(fetcher, file, partial, on_bytes)
        except _StatusError as error:
            failure = str(error)
            if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and partial.exists():
                partial.unlink()  # longer than what the site has now; it would be refused for ever
                in_vain += 1
                continue
            if error.status not in _PASSING:
                break
            if (error.retry_after_s or 0) > fetcher.policy.longest_wait_s:
                failure += f", the site asks for {error.retry_after_s:,.0f} s of rest"
                break
            in_vain += 1
            fetcher.pause(file.url, 2.0**in_vain if error.retry_after_s is None else error.retry_after_s)
        except FetchError as error:
            failure = str(error)
            have = partial.stat().st_size if partial.exists() else 0
            in_vain = 0 if have > reached else in_vain + 1  # a connection that breaks again and again still brings it
            reached = max(reached, have)
            fetcher.pause(file.url, 2.0**in_vain)
        else:
            if _is(partial, file):
                objects.take(key, partial)
                _validator(partial).unlink(missing_ok=True)
                return key
            failure = "its SHA-1 is not the one the site names"
            wrong, reached = wrong + 1, 0  # by itself: a connection that breaks on the way would begin the count anew
            partial.unlink()
    raise ServiceError(f"{file.url} could not be downloaded: {failure}; run the same command again to go on")


def _read_status(fetcher: Fetcher, home: str, wiki: str, date: str) -> tuple[Dump | None, str]:
    """The dump of one date, None when its articles are not finished, and the state that the site names.

    Raises:
        InputError: there is no such dump, or its status is not readable.
    """
    url = f"{home}{date}/dumpstatus.json"
    fetch = fetcher.get(url, heed_robots=False)
    if fetch.status == HTTPStatus.NOT_FOUND:
        raise NoStatusError(f"{url} cannot be read (http_404): no such dump, or a mirror without it{_ELSEWHERE}")
    _check(fetch, url)
    try:
        jobs = json.loads(fetch.body)["jobs"]
        for name in (MULTISTREAM, PLAIN):
            job = jobs.get(name, {})
            if job.get("status") == "done" and job.get("files"):
                return Dump(wiki, date, _parts(job["files"], url)), "done"
        return None, str(jobs.get(PLAIN, {}).get("status", "not begun"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{url} is not a dump status ({error!r}); is this a Wikimedia dump site?") from None


def _parts(files: dict[str, Any], base: str) -> tuple[DumpPart, ...]:
    """Data files with their indexes, in page order. They lie beside the status, which names them from the site's root.

    A mirror may keep the site below a path of its own.
    """
    known = {
        name: DumpFile(name, urljoin(base, name), int(entry["size"]), str(entry.get("sha1", "")))
        for name, entry in files.items()
    }
    parts = []
    for name, file in known.items():
        if ".xml" not in name:
            continue
        parts.append(DumpPart(file, known.get(index_name(name))))
    return tuple(sorted(parts, key=lambda part: _page_order(part.data.name)))


def _page_order(name: str) -> tuple[int, str]:
    first = re.search(r"-p(\d+)p", name)
    return int(first[1]) if first else 0, name


def _required(fetcher: Fetcher, url: str) -> Fetch:
    """Robots.txt speaks to crawlers that follow links; a dump is what a person asked for by name."""
    fetch = fetcher.get(url, heed_robots=False)
    _check(fetch, url)
    return fetch


def _check(fetch: Fetch, url: str) -> None:
    if fetch.error:
        raise InputError(f"{url} cannot be read ({fetch.error}{': ' + fetch.detail if fetch.detail else ''}); check it")


def _continue(fetcher: Fetcher, file: DumpFile, partial: Path, on_bytes: Callable[[int], None]) -> None:
    """Append what is missing."""
    have = partial.stat().st_size if partial.exists() else 0
    if have > file.size:
        partial.unlink()
        have = 0
    if have == file.size and file.size:
        return
    headers = {"Accept-Encoding": "identity"}
    validator = _validator(partial)
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator.exists():
            headers["If-Range"] = validator.read_text()  # RFC 9110, 13.1.5: all of it, if it is another file by now
    with fetcher.open(file.url, headers, heed_robots=False) as response:
        if response.status_code not in (200, 206):
            raise _StatusError(response.status_code, response.headers.get("retry-after", ""))
        resumed = response.status_code == 206
        if not resumed and not file.sha1:
            validator.unlink(missing_ok=True)
            partial.unlink(missing_ok=True)
            etag = response.headers.get("etag", "")
            if etag.startswith('"'):  # a weak one does not speak of bytes
                validator.write_text(etag)
        if resumed and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
            raise FetchError("protocol", "another range came than was asked for")
        done = have if resumed else 0
        with partial.open("ab" if resumed else "wb") as target:
            for chunk in response.iter_raw():  # as they come: of a connection that breaks, every byte counts
                _write(target, chunk)
                done += len(chunk)
                on_bytes(done)
                if done > file.size:
                    raise FetchError("too_large", f"more than the {file.size:,} bytes announced")
    if done < file.size:
        raise FetchError("protocol", f"{done:,} of {file.size:,} bytes came")


def _write(target: IO[bytes], chunk: bytes) -> None:
    try:
        target.write(chunk)
        target.flush()  # a full disk is met here, not when the file is closed
    except OSError as error:  # which does not name the file by itself
        raise OSError(error.errno, error.strerror, target.name) from None


class _StatusError(FetchError):
    """The site answered, and not with the file."""

    def __init__(self, status: int, retry_after_header: str) -> None:
        super().__init__(f"http_{status}")
        self.status, self.retry_after_s = status, retry_after(retry_after_header)


def _is(path: Path, file: DumpFile) -> bool:
    """Whether a local file is what the site names: by its SHA-1, or by its size where the site names none."""
    if not file.sha1:
        return path.stat().st_size == file.size
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest() == file.sha1
