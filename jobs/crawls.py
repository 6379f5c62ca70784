"""Runs that read sites or archives say so in the lake until they are accounted for, so that killed ones leave nothing.

`crawls/<kind>/<batch>.json` stands from before the first raw file of a run until its outcome is in `fetches`. The next
run of the same sources finds it: `ingest_news` goes on with what the killed crawl fetched, the others read anew and
remove what it stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import pyarrow.compute as pc

from lmflow.errors import InputError
from lmflow.lake import Lake

#: Where a kind of run keeps what it fetched.
_FOLDERS: Final = {"news": "raw/news", "archives": "raw/news", "social": "raw/social"}


def open_crawl(lake: Lake, kind: str, batch_id: int, sources: Collection[str]) -> None:
    """Say that a run is under way, before its first raw file is stored.

    Args:
        lake: to say it in.
        kind: `news`, `archives` or `social`.
        batch_id: of this run.
        sources: by name; the caller holds their locks.
    """
    content = json.dumps({"batch_id": batch_id, "sources": sorted(sources)})
    lake.objects.put(_marker(kind, batch_id), content.encode())


def interrupted(lake: Lake, kind: str, sources: Collection[str]) -> Iterator[tuple[int, frozenset[str]]]:
    """Batches of killed runs that had any of these sources, whose locks the caller holds; with all of their sources."""
    for key in lake.objects.list(f"crawls/{kind}/"):
        try:
            crawl = json.loads(lake.objects.get(key))
        except InputError:  # a run of other sources has just ended
            continue
        if set(crawl["sources"]) & set(sources):
            yield crawl["batch_id"], frozenset(crawl["sources"])


def close_crawls(lake: Lake, kind: str, batches: Iterable[int]) -> None:
    """Their outcomes are in `fetches`: nothing is left to go on with."""
    for batch_id in batches:
        lake.objects.sweep(f"{_FOLDERS[kind]}/{batch_id}/")
        lake.objects.delete(_marker(kind, batch_id))


def clear_interrupted(lake: Lake, kind: str, sources: Collection[str]) -> int:
    """Remove what killed runs of these sources stored and no document points to; returns the number of files."""
    removed = 0
    for batch_id, theirs in list(interrupted(lake, kind, sources)):
        removed += sweep(lake, kind, batch_id, theirs & set(sources))
        left = theirs - set(sources)  # another run's, which may be under way
        if left:
            open_crawl(lake, kind, batch_id, left)
        else:
            close_crawls(lake, kind, [batch_id])
    return removed


def sweep(lake: Lake, kind: str, batch_id: int, sources: Collection[str]) -> int:
    """Remove the raw files of a run that no document points to, such as those of posts that were stored already.

    Returns:
        How many files went.
    """
    root = lake.objects.uri("")
    rows = lake.table("documents").read(["raw_uri"], pc.field("batch_id") == batch_id)
    pointed = {str(uri).partition("#")[0].removeprefix(root) for uri in rows["raw_uri"].to_pylist()}
    doomed = [
        key
        for key in lake.objects.list(f"{_FOLDERS[kind]}/{batch_id}/")
        if key not in pointed and source_of(key) in sources
    ]
    for key in doomed:
        lake.objects.delete(key)
    return len(doomed)


def source_of(key: str) -> str:
    """The source that a raw file of an archive or a timeline came from, by its name `<source>-<number>.<type>.gz`."""
    return re.sub(r"-\d+\.\w+\.gz$", "", key.rpartition("/")[2])


def _marker(kind: str, batch_id: int) -> str:
    return f"crawls/{kind}/{batch_id}.json"
