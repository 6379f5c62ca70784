"""Dumps of Wikimedia projects: which there are, which files they have, and getting them complete.

A dump site has `<wiki>/<date>/dumpstatus.json`, which names every file with size and SHA-1. A download goes on where it
broke off and enters the lake only when its checksum is right.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from lmflow.crawl.http import Fetch, Fetcher, FetchError
from lmflow.errors import InputError, ServiceError
from lmflow.lake import Objects
from lmflow.settings import settings

MULTISTREAM: Final = "articlesmultistreamdump"
PLAIN: Final = "articlesdump"
_DATE = re.compile(r"href=\"(?:[^\"]*/)?(\d{8})/\"")
_CHUNK: Final = 1 << 20
_DOWNLOAD_TRIES: Final = 4


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


def wiki_name(lang: str) -> str:
    """Database name of a language edition: `zh-min-nan` is `zh_min_nanwiki`."""
    return lang.replace("-", "_") + "wiki"


def discover(fetcher: Fetcher, site: str, wiki: str, date: str = "latest") -> Dump:
    """Find a dump whose files are complete.

    Args:
        fetcher: does the asking.
        site: e.g. https://dumps.wikimedia.org, or a mirror with the same layout.
        wiki: e.g. `enwiki`.
        date: YYYYMMDD, or `latest` for the newest one that is finished.

    Raises:
        InputError: no such site, wiki or date, or it is not finished; the message names the URL.
    """
    home = f"{site}/{wiki}/"
    if date != "latest":
        dump = _read_status(fetcher, home, wiki, date)
        if dump is None:
            raise InputError(f"the dump {home}{date}/ is not finished; wait, or take --date latest")
        return dump
    listing = _required(fetcher, home)
    dates = sorted(set(_DATE.findall(listing.body.decode("utf-8", "replace"))), reverse=True)
    for candidate in dates:
        dump = _read_status(fetcher, home, wiki, candidate)
        if dump is not None:
            return dump
    found = f"none of {', '.join(dates)} is finished" if dates else "it lists no dates"
    raise InputError(f"no usable dump at {home}: {found}; try another --site or --lang")


def download(
    fetcher: Fetcher, file: DumpFile, objects: Objects, key: str, on_bytes: Callable[[int], None] = lambda done: None
) -> str:
    """Bring a file into the lake under `key`, unless it is there; returns the key.

    Args:
        fetcher: does the asking; its total time limit must suit the size.
        file: what to get.
        objects: where to.
        key: name of the object.
        on_bytes: called with the number of bytes that are on disk so far.

    Raises:
        ServiceError: it could not be had complete after several tries; another run goes on where this one ended.
    """
    if objects.exists(key):
        on_bytes(file.size)
        return key
    partial = settings().home / "downloads" / f"{file.sha1 or hashlib.sha256(file.url.encode()).hexdigest()}.part"
    partial.parent.mkdir(parents=True, exist_ok=True)
    failure = ""
    for attempt in range(_DOWNLOAD_TRIES):
        try:
            _continue(fetcher, file, partial, on_bytes)
        except FetchError as error:
            failure = str(error)
            fetcher.pause(file.url, 2.0**attempt)
            continue
        if not file.sha1 or _sha1(partial) == file.sha1:
            objects.put(key, partial)
            partial.unlink()
            return key
        failure = "its SHA-1 is not the one the site names"
        partial.unlink()
    raise ServiceError(f"{file.url} could not be downloaded: {failure}; run the same command again to go on")


def _read_status(fetcher: Fetcher, home: str, wiki: str, date: str) -> Dump | None:
    """The dump of one date, None when its articles are not finished.

    Raises:
        InputError: there is no such dump, or its status is not readable.
    """
    url = f"{home}{date}/dumpstatus.json"
    fetch = _required(fetcher, url)
    try:
        jobs = json.loads(fetch.body)["jobs"]
        for name in (MULTISTREAM, PLAIN):
            job = jobs.get(name, {})
            if job.get("status") == "done" and job.get("files"):
                return Dump(wiki, date, _parts(job["files"], url))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{url} is not a dump status ({error!r}); is this a Wikimedia dump site?") from None
    return None


def _parts(files: dict[str, Any], base: str) -> tuple[DumpPart, ...]:
    """Data files with their indexes, in page order."""
    known = {
        name: DumpFile(name, urljoin(base, entry["url"]), int(entry["size"]), str(entry.get("sha1", "")))
        for name, entry in files.items()
    }
    parts = []
    for name, file in known.items():
        if ".xml" not in name:
            continue
        index = re.sub(r"multistream(\d*)\.xml", r"multistream-index\1.txt", name) if "multistream" in name else ""
        parts.append(DumpPart(file, known.get(index)))
    return tuple(sorted(parts, key=lambda part: _page_order(part.data.name)))


def _page_order(name: str) -> tuple[int, str]:
    first = re.search(r"-p(\d+)p", name)
    return int(first[1]) if first else 0, name


def _required(fetcher: Fetcher, url: str) -> Fetch:
    """Robots.txt speaks to crawlers that follow links; a dump is what a person asked for by name."""
    fetch = fetcher.get(url, heed_robots=False)
    if fetch.error:
        raise InputError(f"{url} cannot be read ({fetch.error}{': ' + fetch.detail if fetch.detail else ''}); check it")
    return fetch


def _continue(fetcher: Fetcher, file: DumpFile, partial: Path, on_bytes: Callable[[int], None]) -> None:
    """Append what is missing."""
    have = partial.stat().st_size if partial.exists() else 0
    if have > file.size:
        partial.unlink()
        have = 0
    if have == file.size and file.size:
        return
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with fetcher.open(file.url, headers, heed_robots=False) as response:
        if response.status_code not in (200, 206):
            raise FetchError(f"http_{response.status_code}")
        resumed = response.status_code == 206
        done = have if resumed else 0
        with partial.open("ab" if resumed else "wb") as target:
            for chunk in response.iter_raw(_CHUNK):
                target.write(chunk)
                done += len(chunk)
                on_bytes(done)
                if done > file.size:
                    raise FetchError("too_large", f"more than the {file.size:,} bytes announced")
    if done < file.size:
        raise FetchError("protocol", f"{done:,} of {file.size:,} bytes came")


def _sha1(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
