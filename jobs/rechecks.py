"""Asking for stored posts again, each in its turn, because what its author withdrew must be forgotten."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from jobs import ingest
from jobs.command import Result
from lmflow.crawl.mastodon import id_order
from lmflow.crawl.sources import SocialSource
from lmflow.crawl.timelines import Reading
from lmflow.extract.documents import social_id
from lmflow.extract.social import site_name
from lmflow.lake import Lake


@dataclass(frozen=True)
class Due:
    """Ids of the stored posts of a timeline whose turn it is, and how many posts of its site are stored."""

    ids: tuple[str, ...] = ()
    known: int = 0


def due(lake: Lake, sources: Mapping[str, SocialSource]) -> dict[str, Due]:
    """By source, what is to be asked for again now.

    All posts of a site take turns in the order of their ids, `recheck` a run; after the last comes the first. So each
    is asked for again within ceil(known / recheck) runs, if the site answers.
    """
    states, gone = ingest.fetch_states(lake, "recheck"), ingest.forgotten(lake)
    found: dict[str, Due] = {}
    turns: dict[str, list[str]] = {}  # timelines of one site share its posts
    taken: Counter[str] = Counter()
    for name, source in sources.items():
        if not source.recheck:
            found[name] = Due()
            continue
        site = site_name(source)
        if site not in turns:
            last = states[_key(site)]["cursor"] if _key(site) in states else ""
            turns[site] = _in_turn(lake, site, last, gone)
        turn = turns[site][taken[site] : taken[site] + source.recheck]
        taken[site] += len(turn)
        found[name] = Due(tuple(turn), len(turns[site]))
    return found


def _in_turn(lake: Lake, site: str, last: str, gone: Collection[str]) -> list[str]:
    """Ids of all stored posts of a site, beginning with the one after `last`."""
    where = (pc.field("source") == "social") & (pc.field("site") == site)
    stored = set(lake.table("documents").read(["doc_id"], where)["doc_id"].to_pylist()) - set(gone)
    ids = sorted((doc_id.removeprefix(social_id(site, "")) for doc_id in stored), key=id_order)
    start = bisect.bisect_right(ids, id_order(last), key=id_order)
    return ids[start:] + ids[:start]


def rows(
    readings: Sequence[Reading], sources: Mapping[str, SocialSource], due_now: Mapping[str, Due]
) -> Iterator[dict[str, Any]]:
    """Rows of `fetches`: the post of each site whose turn was the last, with no turn before it left out."""
    asked = {reading.source: reading for reading in readings}
    reached: dict[str, Reading] = {}
    stopped: set[str] = set()
    for name, source in sources.items():
        site, done = site_name(source), len(asked[name].rechecked) if name in asked else 0
        if site in stopped:
            continue
        if done:
            reached[site] = asked[name]
        if done < len(due_now[name].ids):
            stopped.add(site)
    for site, reading in reached.items():
        yield {
            "key": _key(site),
            "kind": "recheck",
            "cursor": reading.rechecked[-1],
            "status": 200,
            "attempts": 1,
            "error": "",
            "fetched_at": reading.fetched_at,
        }


def summary(readings: Sequence[Reading], due_now: Mapping[str, Due]) -> Result:
    """By timeline: posts of its site that are known, those asked for again, and within how many runs each has its turn.

    Timelines of one site share its posts, so that theirs come sooner than each says.
    """
    return {
        reading.source: {
            "known": now.known,
            "asked": len(reading.rechecked),
            "runs": math.ceil(now.known / len(now.ids)),
        }
        for reading in readings
        for now in (due_now[reading.source],)
        if now.ids
    }


def _key(site: str) -> str:
    return f"recheck {site}"
