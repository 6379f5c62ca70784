"""One document's whole story, from the lake: what was fetched, measured, decided, and what it is a copy of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from lmflow.corpus.policy import Policies
from lmflow.errors import InputError
from lmflow.lake import Lake

_MOST_RELATIVES = 20


@dataclass(frozen=True)
class Chapter:
    """A heading and lines of text under it."""

    heading: str
    lines: list[str]


def story(lake: Lake, doc_id: str, policies: Policies) -> list[Chapter]:
    """Every version of a document in order, then its duplicate cluster and its place in the corpus.

    Raises:
        InputError: no such document; names some that begin alike.
    """
    where = pc.field("doc_id") == doc_id
    columns = ["batch_id", "doc_id", "revision", "source", "url", "title", "fetched_at", "license", "raw_uri"]
    fetched = lake.table("documents").read(columns, where).sort_by("revision").to_pylist()
    decided = {row["revision"]: row for row in lake.table("verdicts").read(where=where).to_pylist()}
    if not fetched and not decided:
        raise InputError(f"no document {doc_id!r} in {lake.root}{_alike(lake, doc_id)}")
    chapters = []
    for row in fetched:
        chapters.append(Chapter(f"revision {row['revision']}", _fetch_lines(row)))
        chapters += _verdict_chapters(decided.get(row["revision"]), row["source"], policies)
    tombstones = lake.table("tombstones").read(["reason"], where).to_pylist()
    chapters += [Chapter("forgotten", [f"on request: {row['reason']}"]) for row in tombstones]
    return [*chapters, *_place(lake, doc_id)]


def _fetch_lines(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {row[name]}" for name in ("title", "url", "source", "fetched_at", "license", "raw_uri") if row[name]
    ] + [f"ingest batch: {row['batch_id']}"]


def _verdict_chapters(verdict: Mapping[str, Any] | None, source: str, policies: Policies) -> list[Chapter]:
    if verdict is None:
        return [Chapter("not decided yet", ["build_corpus has not seen this version"])]
    signals = dict(verdict["signals"] or ())
    failures = [
        f"{failure['rule']}: {failure['value']:.4g}, allowed {failure['threshold']:.4g}"
        for failure in verdict["failures"] or ()
    ]
    if verdict["duplicate_of"]:
        failures.append(f"copy of {verdict['duplicate_of']}")
    asked: dict[str, list[str]] = {}
    for name, rule in policies.of(verdict["lang"]).rules_for(source).items():
        bound = f"at least {rule.at_least:g}" if rule.at_least is not None else f"at most {rule.at_most:g}"
        asked.setdefault(rule.signal, []).append(f"{name}: {bound}")
    measured = [
        f"{name} = {value:.4g}" + (f"   ({'; '.join(asked[name])})" if name in asked else "")
        for name, value in signals.items()
    ]
    private = [f"{kind}: {count}" for kind, count in verdict["pii"] or ()]
    return [
        Chapter("kept" if verdict["kept"] else "dropped", failures or ["no rule was broken"]),
        Chapter(
            f"language {verdict['lang']} ({verdict['lang_score']:.3f}), policy {verdict['policy_digest']}", measured
        ),
        *([Chapter("private data replaced", private)] if private else []),
    ]


def _place(lake: Lake, doc_id: str) -> list[Chapter]:
    """Its cluster, and where it is in the corpus."""
    corpus, verdicts = lake.table("corpus"), lake.table("verdicts")
    member = corpus.read(["cluster_id", "split", "n_chars", "n_words"], pc.field("doc_id") == doc_id).to_pylist()
    lines = [
        f"in the corpus: {row['split']}, {row['n_chars']:,} characters, {row['n_words']:,} words" for row in member
    ] or ["not in the corpus"]
    copies = verdicts.read(["doc_id"], pc.field("duplicate_of") == doc_id)["doc_id"].unique().to_pylist()
    if copies:
        lines.append(f"dropped as copies of it: {_some(copies)}")
    if member:
        same = corpus.read(["doc_id"], pc.field("cluster_id") == member[0]["cluster_id"])["doc_id"].to_pylist()
        lines.append(f"cluster {member[0]['cluster_id']}: {_some(same)}")
    return [Chapter("its place", lines)]


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_MOST_RELATIVES])
    return shown + (f" and {len(names) - _MOST_RELATIVES} more" if len(names) > _MOST_RELATIVES else "")


def _alike(lake: Lake, doc_id: str) -> str:
    known = lake.table("documents").read(["doc_id"])["doc_id"].unique().to_pylist()
    alike = sorted(name for name in known if name.startswith(doc_id) or doc_id in name)[:5]
    alike = alike or sorted(name for name in known if name.split(":")[0] == doc_id.split(":")[0])[:5]
    return f"; there are {', '.join(alike or sorted(known)[:5])}" if known else "; it holds no documents yet"
