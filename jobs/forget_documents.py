"""Forget documents for good: out of every table, the raw objects and the datasets, and never taken in again.

    python -m jobs.forget_documents --doc-id social:mastodon.social:113 --reason "asked by its author"
    python -m jobs.forget_documents --ids-file ids.txt --reason "publisher's request"
    python -m jobs.forget_documents                     what sites said they deleted, as the ingests noted it

The tombstone comes first and blocks re-ingest from then on. Then models that saw the text are marked as not
reproducible, datasets of its language are deleted (build_dataset makes them anew), raw records are overwritten, rows
leave verdicts, fingerprints, lines, documents and corpus, and files of earlier table versions that held them are
deleted. Killed at any moment and run again, it ends in the same state. Raw files that are not lmflow's own, such as a
dump or a user's file, are named in the answer and left as they are.

The JSON line: requested, forgotten (documents that had rows), unknown (ids never seen, blocked all the same), raw
{records, files, left}, datasets_deleted, models (that saw the text), versions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from jobs import crawls, ingest
from jobs.command import Options, Progress, Result, main
from lmflow import tracking
from lmflow.corpus.ledger import Ledger
from lmflow.crawl.erasure import erase_pages, erase_posts
from lmflow.crawl.urls import canonical_url
from lmflow.crawl.warc import Place, read_metadata
from lmflow.errors import InputError
from lmflow.extract.documents import news_id
from lmflow.lake import Lake, Table, faults, transaction_key
from lmflow.lake.lock import exclusive
from lmflow.registry.versions import registered_names, versions

_DOC_ID = re.compile(r"(?:wikipedia|news|social|file):\S{1,500}$")
_PLACE = re.compile(r"#offset=(\d+)&length=(\d+)$")
_RAW: Final = ("raw/news/", "raw/social/")


class ForgetDocuments(Options):
    """Options of forget_documents."""

    doc_id: tuple[str, ...] = Field((), description="Documents, by their id.", examples=["social:mastodon.social:113"])
    ids_file: Path | None = Field(None, description="A file of ids, one a line.")
    reason: str = Field("", max_length=500, description="Why; kept with the tombstone. Needed with ids.")


@dataclass
class _Raw:
    """What happened to raw objects."""

    records: int = 0
    files: int = 0
    left: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"records": self.records, "files": self.files, "left": self.left}


def run(options: ForgetDocuments, progress: Progress) -> Result:
    """Forget what is named, and whatever tombstone has not been applied yet."""
    named = _named(options)
    lake = Lake.open()
    with exclusive("forget_documents"), exclusive("build_corpus"):
        requested = _bury(lake, named, options.reason)
        faults.point("forget:after_tombstones")
        pending = _pending(lake)
        if not pending:
            return {"status": "nothing_new", "reason": "every tombstone has been applied", **_result(lake, requested)}
        rows = _rows(lake, pending)
        progress.say(f"forgetting {len(pending)} documents, {len({row['doc_id'] for row in rows})} of them with rows")
        models = _mark_models(lake, pending)
        datasets = _delete_datasets(lake, pending)
        raw = _erase_raw(lake, rows, pending, progress)
        faults.point("forget:after_raw")
        key = transaction_key("forget_documents", ids=_digest(pending))
        for name in Ledger(lake).forget(key, pending):
            lake.table(name).erase(pending)
        faults.point("forget:after_erase")
        _settle(lake, pending)
        return {
            **_result(lake, requested),
            "forgotten": len({row["doc_id"] for row in rows}),
            "unknown": len(pending) - len({row["doc_id"] for row in rows}),
            "raw": raw.as_json(),
            "datasets_deleted": datasets,
            "models": models,
        }


def _result(lake: Lake, requested: int) -> Result:
    tables = ("documents", "verdicts", "fingerprints", "lines", "corpus", "tombstones")
    return {
        "requested": requested,
        "forgotten": 0,
        "unknown": 0,
        "raw": _Raw().as_json(),
        "datasets_deleted": [],
        "models": [],
        "versions": {name: lake.table(name).version() for name in tables},
    }


# Tombstones -----------------------------------------------------------------------------------------------------------


def _named(options: ForgetDocuments) -> list[str]:
    ids = list(options.doc_id)
    if options.ids_file is not None:
        try:
            ids += options.ids_file.read_text(encoding="utf-8").split()
        except OSError as error:
            raise InputError(f"--ids-file {options.ids_file}: {error.strerror}") from None
    for doc_id in ids:
        if not _DOC_ID.match(doc_id):
            raise InputError(f"{doc_id!r} is no document id; they look like news:<sha1> or social:<site>:<id>")
    if ids and len(options.reason.strip()) < 3:
        raise InputError("--reason is needed with ids: it is kept with the tombstone")
    return list(dict.fromkeys(ids))


def _bury(lake: Lake, ids: Sequence[str], reason: str) -> int:
    """Write tombstones for ids that have none; returns how many."""
    known = set(lake.table("tombstones").read(["doc_id"])["doc_id"].to_pylist())
    fresh = [doc_id for doc_id in ids if doc_id not in known]
    if fresh:
        ingest.bury(lake, fresh, reason)
    return len(fresh)


def _pending(lake: Lake) -> list[str]:
    """Documents whose tombstone is not applied, or that an ingest which ran at the same time brought back."""
    stones = lake.table("tombstones").read(["doc_id", "applied_at"])
    every = pc.unique(stones["doc_id"])
    open_ = set(stones.filter(pc.is_null(stones["applied_at"]))["doc_id"].to_pylist())
    for name in ("documents", "corpus"):
        present = lake.table(name).read(["doc_id"], pc.field("doc_id").isin(every))
        open_.update(present["doc_id"].to_pylist())
    return sorted(open_)


def _settle(lake: Lake, pending: Collection[str]) -> None:
    """Note on the tombstones that they are applied."""
    table, now = lake.table("tombstones"), datetime.now(UTC)
    rows = table.read(where=pc.field("doc_id").isin(pa.array(sorted(pending), pa.string()))).to_pylist()
    applied = {row["doc_id"]: {**row, "applied_at": now} for row in rows}
    key = f"{transaction_key('tombstones applied', ids=_digest(pending))}@{table.version()}"
    table.append(key, pa.Table.from_pylist(list(applied.values()), schema=table.schema), drop=list(applied))


def _rows(lake: Lake, ids: Collection[str]) -> list[dict[str, Any]]:
    columns = ["doc_id", "source", "site", "url", "raw_uri", "extra"]
    where = pc.field("doc_id").isin(pa.array(sorted(ids), pa.string()))
    return list(lake.table("documents").read(columns, where).to_pylist())


def _digest(ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


# Models and datasets --------------------------------------------------------------------------------------------------


def _languages(lake: Lake, ids: Collection[str]) -> set[str]:
    where = pc.field("doc_id").isin(pa.array(sorted(ids), pa.string()))
    return set(lake.table("corpus").read(["lang"], where)["lang"].to_pylist())


def _mark_models(lake: Lake, ids: Collection[str]) -> list[str]:
    """Tag the registered versions made from a corpus that held any of these; returns them as models:/name/version."""
    languages = _languages(lake, ids)
    if not languages:
        return []
    corpus, seen = lake.table("corpus"), dict[int, bool]()
    where = pc.field("doc_id").isin(pa.array(sorted(ids), pa.string()))
    marked = []
    for name in registered_names():
        for version in versions(name):
            made_from = version.tags.get("corpus_version", "")
            if not made_from.isdigit() or int(made_from) > corpus.version():
                continue
            number = int(made_from)
            if number not in seen:
                seen[number] = _held_any(corpus, where, number)
            if seen[number] and languages & set(name.split("-")):
                tracking.client().set_model_version_tag(name, str(version.version), "lmflow.reproducible", "false")
                marked.append(version.uri)
    return marked


def _held_any(corpus: Table, where: pc.Expression, version: int) -> bool:
    """Whether a version of the corpus held any of the documents; a version that cannot be read any more may have."""
    try:
        return bool(corpus.read(["doc_id"], where, version).num_rows)
    except OSError:
        return True


def _delete_datasets(lake: Lake, ids: Collection[str]) -> list[str]:
    """Delete the token shards of the languages concerned; returns where they were."""
    folders, languages = set(), _languages(lake, ids)
    for key in list(lake.objects.list("datasets/")):
        if languages & set(key.split("/")[1].split("-")):  # datasets/en/…, and datasets/en-zh/…
            folders.add(key.rpartition("/")[0])
            lake.objects.delete(key)
    return sorted(folder for folder in folders if folder.count("/") == 2)


# Raw objects ----------------------------------------------------------------------------------------------------------


def _erase_raw(lake: Lake, rows: Sequence[Mapping[str, Any]], ids: Collection[str], progress: Progress) -> _Raw:
    """Overwrite what was fetched: where rows point, and wherever else the same pages and posts were fetched."""
    root = f"{lake.objects.uri('')}"
    raw = _Raw()
    pointed: dict[str, list[Place]] = {}
    for row in rows:
        uri = str(row["raw_uri"] or "")
        key = uri.partition("#")[0].removeprefix(root)
        if uri.startswith(root) and key.startswith(_RAW):
            found = _PLACE.search(uri)
            pointed.setdefault(key, []).extend([Place(int(found[1]), int(found[2]))] if found else [])
        elif uri:
            raw.left.append(uri)
    raw.left = sorted(set(raw.left))[:1000]
    pages, posts = set(ids), {doc_id.rpartition(":")[2] for doc_id in ids if doc_id.startswith("social:")}
    addresses = {
        address for row in rows for address in (row["url"], dict(row["extra"] or []).get("found_at")) if address
    }
    keys = [*_news_files(lake, pages, addresses), *_social_files(lake, pointed)]
    candidates = sorted({*pointed, *keys})
    with progress.bar(len(candidates), "raw files", "files") as bar:
        for key in candidates:
            content = lake.objects.get(key)
            if key.endswith(".warc.gz"):
                content, count = erase_pages(content, lambda url: _is_page(url, pages, addresses), pointed.get(key, ()))
            else:
                content, count = erase_posts(content, posts)
            if count:
                lake.objects.put(key, content)
                raw.records += count
                raw.files += 1
            bar.advance()
    return raw


def _is_page(url: str, ids: Collection[str], addresses: Collection[str]) -> bool:
    try:
        address = canonical_url(url)
    except ValueError:
        return False
    return address in addresses or news_id(address) in ids


def _news_files(lake: Lake, ids: Collection[str], addresses: Collection[str]) -> list[str]:
    """Files of pages that hold one of them: a crawl's files say which pages they hold, those of archives are read."""
    if not any(doc_id.startswith("news:") for doc_id in ids):
        return []
    found = []
    for key in _files(lake, "raw/news/"):
        with lake.objects.open(key) as file:
            try:
                visits = [json.loads(line) for line in read_metadata(file)[0].decode().splitlines()]
            except ValueError:
                found.append(key)
                continue
        if any(_is_page(url, ids, addresses) for visit in visits for url in (visit["url"], visit["final_url"]) if url):
            found.append(key)
    return found


def _social_files(lake: Lake, pointed: Collection[str]) -> list[str]:
    """All files of the sources concerned: ids are a site's own, another site's may be equal."""
    sources = {crawls.source_of(key) for key in pointed if key.startswith("raw/social/")}
    return [key for key in _files(lake, "raw/social/") if crawls.source_of(key) in sources] if sources else []


def _files(lake: Lake, prefix: str) -> list[str]:
    return list(lake.objects.list(prefix))


if __name__ == "__main__":
    main(ForgetDocuments, run, __doc__)
