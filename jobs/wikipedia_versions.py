"""What the lake has of a language edition: the newest version of each page, and the pages that a dump no longer held.

A page that a newer, complete dump does not hold as an article gets a tombstone whose reason starts with `absent:`. Such
a tombstone speaks of the versions before it and is lifted when the page comes back; those that a person asked for stand
for ever (`jobs.ingest.forgotten`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs import ingest
from lmflow.extract.documents import CHANGED, NEW, wikipedia_id
from lmflow.extract.wikipedia import NO_ARTICLE, KnownPages
from lmflow.lake import Commit, Lake, Objects
from lmflow.lake.storage import filesystem

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Versions:
    """Arrays over the pages of an edition, sorted by page id; `alive` is False where an `absent` tombstone stands."""

    page_ids: Ids
    revisions: Ids
    dates: Ids  # of the dump a version came from, YYYYMMDD; 0 when it is not known
    alive: NDArray[np.bool_]
    buried: Ids  # pages with an `absent` tombstone

    def known(self) -> KnownPages:
        """The pages that need a newer revision to be stored again."""
        return KnownPages(self.page_ids[self.alive], self.revisions[self.alive])

    def absent(self, date: int, articles: Ids) -> Ids:
        """Pages of older dumps that are not among the articles of a complete dump of `date`."""
        older = self.page_ids[self.alive & (self.dates < date) & (self.dates > 0)]
        return older[~np.isin(older, articles)]

    def restored(self, articles: Ids) -> Ids:
        """Pages with an `absent` tombstone that are articles again."""
        return self.buried[np.isin(self.buried, articles)]


def versions(lake: Lake, code: str) -> Versions:
    """The newest version of every page of an edition."""
    prefix = _prefix(code)
    ours = pc.starts_with(pc.field("doc_id"), prefix)
    columns: list[list[Ids]] = [[], [], [], []]
    for batch in lake.table("documents").scan(["doc_id", "revision", "batch_id", "extra"], ours):
        dates = pc.map_lookup(batch["extra"], "dump", "last")
        dates = pc.if_else(pc.match_substring_regex(dates, r"^\d{8}$"), dates, pa.scalar(None, pa.string()))
        for column, values in zip(
            columns,
            (_page_ids(batch["doc_id"], prefix), batch["revision"], batch["batch_id"], pc.cast(dates, pa.int64())),
            strict=True,
        ):
            column.append(pc.fill_null(values, 0).to_numpy(zero_copy_only=False).astype(np.int64))
    # One column after the other, and what it was made of let go: a large wiki has tens of millions of versions.
    ids, revisions, batches, dates = (np.concatenate([*columns.pop(0), np.empty(0, np.int64)]) for _ in range(4))
    last = _newest(ids, revisions, batches)
    ids = ids[last]
    revisions = revisions[last]
    batches = batches[last]
    dates = dates[last]
    buried, buried_in = _buried(lake, prefix, ours)
    alive = np.ones(len(ids), dtype=bool)
    held = np.isin(buried, ids)
    places = np.searchsorted(ids, buried[held])
    alive[places] = batches[places] > buried_in[held]
    return Versions(ids, revisions, dates, alive, buried)


def _buried(lake: Lake, prefix: str, ours: pc.Expression) -> tuple[Ids, Ids]:
    """Pages with an `absent` tombstone, sorted, and the batch of the newest one of each."""
    pages, batches = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for tombstones in lake.table("tombstones").scan(["doc_id", "batch_id", "reason"], ours):
        absent = tombstones.filter(pc.starts_with(tombstones["reason"], ingest.ABSENT))
        pages.append(_page_ids(absent["doc_id"], prefix).to_numpy(zero_copy_only=False))
        batches.append(absent["batch_id"].to_numpy(zero_copy_only=False))
    buried, buried_in = np.concatenate(pages), np.concatenate(batches)
    last = _newest(buried, buried_in)
    return buried[last], buried_in[last]


def _newest(ids: Ids, *ranks: Ids) -> Ids:
    """Where the highest of each id stands, by the first of the ranks and, among equals, by the next; sorted by id."""
    order = np.lexsort((*reversed(ranks), ids))
    in_order = ids[order]
    is_last = np.ones(len(ids), dtype=bool)
    is_last[:-1] = in_order[1:] != in_order[:-1]
    return order[is_last]


def _prefix(code: str) -> str:
    """How the identities of an edition's pages begin."""
    return wikipedia_id(code, 0).removesuffix("0")


def _page_ids(doc_ids: pa.Array, prefix: str) -> pa.Array:
    return pc.cast(pc.utf8_slice_codeunits(doc_ids, len(prefix)), pa.int64())


def articles(objects: Objects, page_lists: Iterable[str]) -> Ids:
    """Ids of all pages of a dump that are articles, sorted."""
    found = [np.empty(0, np.int64)]
    for key in page_lists:
        pages = pq.read_table(BytesIO(objects.get(key)), columns=["page_id", "outcome"])
        is_article = pc.invert(pc.is_in(pages["outcome"], value_set=pa.array(NO_ARTICLE)))
        found.append(pages.filter(is_article)["page_id"].to_numpy())
    return np.unique(np.concatenate(found))


def drop_other_lists(objects: Objects, page_lists: Sequence[str]) -> None:
    """Remove from the folder of a dump's lists what killed readings left, which may have cut it into more parts."""
    folder = page_lists[0].rpartition("/")[0] + "/"
    for key in set(objects.list(folder)).difference(page_lists):
        objects.delete(key)
    objects.sweep(folder)


def drop_copies(objects: Objects, staged: str, files: list[tuple[str, str]]) -> dict[str, int]:
    """Keep of a page that a dump holds several times only its newest revision, once.

    Args:
        objects: where the lists of pages are.
        staged: the folder of the documents' Parquet files, which are rewritten where needed.
        files: (list of pages, name of the documents' file or empty) of every part.

    Returns:
        How many documents were dropped, by the outcome they had been counted under.
    """
    ids = np.concatenate([_stored(objects, page_list)["page_id"].to_numpy() for page_list, _ in files])
    ids.sort()
    twice = np.unique(ids[1:][ids[1:] == ids[:-1]])
    if not len(twice):
        return {}
    lists = []
    for place, (page_list, _) in enumerate(files):
        rows = _stored(objects, page_list)
        rows = rows.filter(pc.is_in(rows["page_id"], value_set=pa.array(twice)))
        lists.append(rows.append_column("place", pa.array([place] * rows.num_rows, pa.int64())))
    copies = pa.concat_tables(lists)
    winners: dict[int, tuple[int, int]] = {}  # page -> newest revision, and the first part that holds it
    places: set[int] = set()
    for row in copies.to_pylist():
        places.add(row["place"])
        offered = (row["revision"], -row["place"])
        winners[row["page_id"]] = max(winners.get(row["page_id"], offered), offered)
    for place in sorted(places):
        _rewrite(f"{staged}/{files[place][1]}", place, winners)
    dropped: dict[str, int] = {}
    seen: set[int] = set()
    for row in copies.to_pylist():
        if row["page_id"] in seen:
            dropped[row["outcome"]] = dropped.get(row["outcome"], 0) + 1
        seen.add(row["page_id"])
    return dropped


def _stored(objects: Objects, page_list: str) -> pa.Table:
    """The pages of one part whose documents are to be stored."""
    rows = pq.read_table(BytesIO(objects.get(page_list)), columns=["page_id", "revision", "outcome"])
    return rows.filter(pc.is_in(rows["outcome"], value_set=pa.array([NEW, CHANGED])))


def _rewrite(uri: str, place: int, winners: dict[int, tuple[int, int]]) -> None:
    system, path = filesystem(uri)
    rows = pq.read_table(path, filesystem=system)
    taken: set[int] = set()
    keep = []
    for doc_id, revision in zip(rows["doc_id"].to_pylist(), rows["revision"].to_pylist(), strict=True):
        page = int(doc_id.rpartition(":")[2])
        wanted = page not in winners or (winners[page] == (revision, -place) and page not in taken)
        keep.append(wanted)
        if wanted:
            taken.add(page)
    pq.write_table(rows.filter(pa.array(keep)), path, filesystem=system)


def bury(lake: Lake, key: str, code: str, batch_id: int, gone: dict[str, Ids], restored: Ids) -> Commit:
    """Commit tombstones by reason, and lift those of pages that came back, in one transaction.

    It is made for every dump, with or without tombstones: with it the reading of a dump is complete.
    """
    table = lake.table("tombstones")
    now = datetime.now(UTC)
    parts = [table.schema.empty_table()]
    for reason, pages in gone.items():
        values = {
            "batch_id": pa.array(np.full(len(pages), batch_id)),
            "doc_id": pc.binary_join_element_wise(_prefix(code), pc.cast(pa.array(pages), pa.string()), ""),
            "reason": pa.repeat(reason, len(pages)),
            "requested_at": pa.repeat(pa.scalar(now, table.schema.field("requested_at").type), len(pages)),
        }
        columns = [values.get(column.name, pa.nulls(len(pages), column.type)) for column in table.schema]
        parts.append(pa.table(columns, schema=table.schema))
    return table.append(key, pa.concat_tables(parts), drop={wikipedia_id(code, int(page)) for page in restored})
