"""The books of the corpus in the lake: what is still to do, what was decided before, and the commits of a unit.

A unit of work is a set of ingest batches. Its verdicts are committed first, then its fingerprints, then the lines that
it was first to have (if a policy compares lines), then its documents in the table corpus, with the versions of the
others: readers start from corpus, so that a unit is there as a whole or not at all. Everything earlier is read at the
versions that corpus names. A unit that was killed half way is therefore decided again from the same state, with the
same result, and commits already made are not made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lmflow.corpus import kin
from lmflow.corpus.address import ADDRESSED, shared
from lmflow.corpus.admission import SUPERSEDED, Admission, Before, Member, Place, first_batches
from lmflow.corpus.contamination import EVALUATED_BY
from lmflow.corpus.dedup import Stored
from lmflow.corpus.entries import (
    cluster_now,
    fingerprint_rows,
    fingerprints_of,
    kin_keys_of,
    newest_revisions,
    scan,
    spoken_for,
    verdict_rows,
    with_places,
)
from lmflow.errors import ServiceError
from lmflow.lake import Lake, Table
from lmflow.lake.history import changed_since
from lmflow.lake.storage import filesystem
from lmflow.text.shingles import FOLDING


@dataclass(frozen=True)
class Unit:
    """Ingest batches that are decided on together.

    Attributes:
        batches: their ids.
        interrupted: a run that was killed has committed verdicts on them.
        documents: version of the table documents they are read at.
    """

    batches: frozenset[int]
    interrupted: bool
    documents: int


class Ledger:
    """The tables of one lake that building the corpus reads and writes."""

    def __init__(self, lake: Lake) -> None:
        self.documents = lake.table("documents")
        self.verdicts = lake.table("verdicts")
        self.fingerprints = lake.table("fingerprints")
        self.lines = lake.table("lines")
        self.corpus = lake.table("corpus")
        self._tombstones = lake.table("tombstones")

    # ------------------------------------------------------------------ read

    def pinned(self, table: Table) -> int:
        """The version of a table that the corpus as it stands was made with; -1 before there is a corpus."""
        version = self.corpus.pin(table.name)
        return -1 if version is None else version

    def units(self) -> list[Unit]:
        """What is to do, in order: an interrupted unit as it was, then everything that has come since."""
        documents = self.documents.version()
        settled = self.verdicts.batches(self.pinned(self.verdicts))
        begun = self.verdicts.batches() - settled
        pending = self.documents.batches(documents) - settled - begun
        units = [Unit(frozenset(begun), True, documents)] if begun else []
        return units + ([Unit(frozenset(pending), False, documents)] if pending else [])

    def is_torn(self, units: Sequence[Unit]) -> bool:
        """Whether verdicts were changed and the corpus did not follow: deciding again, or forgetting, was killed.

        Everything must be decided again before anything is added to those verdicts. Units that were interrupted are
        another matter: they are finished from the same state.

        Args:
            units: what there is to do, from `units`.
        """
        if self.corpus.version() < 0 or any(unit.interrupted for unit in units):
            return False
        tables = (self.verdicts, self.fingerprints)
        return any(changed_since(table.uri, self.pinned(table), table.version()) for table in tables)

    def has_old_fingerprints(self) -> bool:
        """Whether an earlier version made fingerprints from text folded otherwise: those are like no new one."""
        stored = self.fingerprints.read(["folding"], version=self.pinned(self.fingerprints))["folding"]
        return bool((stored.fill_null(0).to_numpy() != FOLDING).any())

    def evaluated_by(self) -> set[float | None]:
        """Which evaluation sets the members of the corpus were compared with (signal EVALUATED_BY; None: none)."""
        found: set[float | None] = set()
        for batch in self.verdicts.scan(["signals"], pc.field("kept"), self.pinned(self.verdicts)):
            numbers = pc.map_lookup(batch["signals"], pa.scalar(EVALUATED_BY), "last")
            found.update(pc.unique(numbers).to_pylist())
        return found

    def count(self, unit: Unit) -> int:
        """How many versions of documents a unit has."""
        where = pc.field("batch_id").isin(sorted(unit.batches))
        return int(self.documents.read(["batch_id"], where, unit.documents).num_rows)

    def before(self, unit: pa.Table) -> Before:
        """What was decided before on the documents of a unit and on those that resemble them (columns SUMMARY)."""
        earlier = spoken_for(self._verdicts_on(unit["doc_id"], ["batch_id", "doc_id", "revision", "failures"]))
        newest = newest_revisions(earlier)
        brought = newest_revisions(unit)
        replaced = {doc_id for doc_id, revision in newest.items() if brought[doc_id] > revision}
        members = self.members()
        addresses, theirs = self._addresses(unit)
        stored = self._relatives(unit, replaced, members, theirs)
        forgotten, since = self.forgotten(unit["doc_id"]), first_batches(earlier)
        return Before(newest, members, stored, forgotten, addresses=addresses, since=since)

    def since(self) -> dict[str, int]:
        """When each document first had a version that passed its policy (see `admission.first_batches`)."""
        columns = ["batch_id", "doc_id", "failures"]
        return first_batches(spoken_for(self.verdicts.read(columns, version=self.pinned(self.verdicts))))

    def forgotten(self, doc_ids: pa.ChunkedArray) -> set[str]:
        """Those of these documents that have a tombstone."""
        return set(self._tombstones.read(["doc_id"], _one_of("doc_id", doc_ids))["doc_id"].to_pylist())

    def owned_lines(self) -> pa.Table:
        """The lines and paragraphs that documents decided on were first to have (the table `lines`)."""
        return self.lines.read(version=self.pinned(self.lines))

    def members(self) -> dict[str, Member]:
        """The corpus as it stands, by doc_id."""
        rows = self.corpus.read(list(Member._fields))
        kin_ids = pc.coalesce(rows["kin_id"], rows["cluster_id"])  # a corpus that was made without kin groups
        rows = rows.set_column(rows.schema.get_field_index("kin_id"), "kin_id", kin_ids)
        return {row[0]: Member(*row) for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)}

    def _verdicts_on(self, doc_ids: pa.Array | pa.ChunkedArray, columns: list[str] | None = None) -> pa.Table:
        return _rows_on(self.verdicts, doc_ids, self.pinned(self.verdicts), columns)

    def _relatives(
        self,
        unit: pa.Table,
        replaced: Collection[str],
        members: Mapping[str, Member],
        addresses: Mapping[str, str],
    ) -> Stored:
        """Stored fingerprints that share a key with the unit's, and those with these addresses, earliest first.

        Of those that share no more than a key of kin, only what is kept: nothing else has a split.
        """
        version = self.pinned(self.fingerprints)
        stored = self.fingerprints.read(["doc_id", "bands", "kin_keys"], version=version)
        bands = stored["bands"].combine_chunks()
        shared = pc.is_in(bands.flatten(), pc.unique(pc.list_flatten(unit["bands"])))
        rows = pc.unique(pc.list_parent_indices(bands).filter(shared))
        have, keys = kin_keys_of(stored)
        mine = fingerprints_of(unit)
        alike = have[kin.sharing(keys, kin.keys_of(mine.signatures[mine.n_shingles > 0]))]
        doc_ids = {*stored["doc_id"].take(rows).to_pylist(), *addresses}
        doc_ids |= {name for name in stored["doc_id"].take(alike).to_pylist() if name in members}
        doc_ids -= {*replaced}
        named = pa.array(sorted(doc_ids), pa.string())
        found = _rows_on(self.fingerprints, named, version).sort_by(
            [("batch_id", "ascending"), ("doc_id", "ascending")]
        )
        dropped = pa.array([name for name in sorted(doc_ids) if name not in members], pa.string())
        columns = ["doc_id", "duplicate_of", "cluster_id"]
        verdicts = {row["doc_id"]: row for row in self._verdicts_on(dropped, columns).to_pylist()}
        names = found["doc_id"].to_pylist()
        return Stored(
            names,
            [name in members for name in names],
            [cluster_now(name, verdicts, members) for name in names],
            fingerprints_of(found),
            [members[name].source if name in members else "" for name in names],
            [addresses.get(name, "") for name in names],
        )

    def _addresses(self, unit: pa.Table) -> tuple[list[str], dict[str, str]]:
        """Addresses that documents of the unit, row for row, and members of the corpus share with other collections."""
        if not set(ADDRESSED) & set(unit["source"].to_pylist()):
            return [], {}
        columns = ["doc_id", "source", "url"]
        members = self.corpus.read(columns, pc.field("source").isin(pa.array(ADDRESSED, pa.string())))
        both = pa.concat_tables([unit.select(columns), members])
        found = shared(both["doc_id"], both["source"], both["url"])
        theirs = zip(members["doc_id"].to_pylist(), found[unit.num_rows :], strict=True)
        mine = set(found[: unit.num_rows])
        return found[: unit.num_rows], {name: address for name, address in theirs if address and address in mine}

    # ----------------------------------------------------------------- write

    def forget(self, key: str, doc_ids: Collection[str]) -> Mapping[str, int]:
        """Take documents out of all tables; corpus goes last and pins the others. Returns the versions.

        Run again after it was killed, it does what is left.

        Raises:
            ServiceError: a build was interrupted, whose half must be finished first.
        """
        if any(unit.interrupted for unit in self.units()):
            raise ServiceError(
                "build_corpus was interrupted between its commits; run it to its end, then forget_documents again "
                "(what is to be forgotten is blocked already)"
            )
        versions: dict[str, int] = {}
        tables = (self.verdicts, self.fingerprints, self.lines, self.documents)
        for table in tables:
            held = self._held(table, doc_ids)
            if held:
                table.append(f"{key}@{table.version()}", table.schema.empty_table(), drop=held)
            if table.version() >= 0:
                versions[table.name] = table.version()
        held = self._held(self.corpus, doc_ids)
        stale = any(self.pinned(table) != table.version() for table in tables[:-1])
        if self.corpus.version() >= 0 and (held or stale):
            self.corpus.append(f"{key}@{self.corpus.version()}", self.corpus.schema.empty_table(), versions, held)
        return {**versions, "corpus": self.corpus.version()}

    def _held(self, table: Table, doc_ids: Collection[str]) -> list[str]:
        if not doc_ids:
            return []
        found = table.read(["doc_id"], _one_of("doc_id", pa.array(sorted(doc_ids), pa.string())))
        return sorted(set(found["doc_id"].to_pylist()))

    def settle(
        self,
        key: str,
        unit: pa.Table,
        assessed: str,
        outcome: Admission,
        documents: int,
        lines: pa.Table | None = None,
    ) -> Mapping[str, int]:
        """Make the commits of a unit; returns the versions of all tables.

        Args:
            key: of this piece of work, from `lake.transaction_key`.
            unit: the assessed documents, columns SUMMARY, in the order of `outcome`.
            assessed: URI of a folder of Parquet files with the same documents, columns ASSESSED.
            outcome: what `admission.admit` decided.
            documents: version of the table documents that the unit was read at.
            lines: what its documents were first to have (see `repeats.attribute`).
        """
        touched = pc.unique(pa.chunked_array([*unit["doc_id"].chunks, pa.array(list(outcome.withdrawn), pa.string())]))
        verdicts = pa.concat_tables([verdict_rows(unit, outcome), self._restated(unit, outcome)])
        fingerprints = pa.concat_tables([fingerprint_rows(unit, outcome), self._remaining_fingerprints(unit, outcome)])
        versions = {
            "documents": documents,
            "verdicts": _replace(self.verdicts, key, verdicts.to_batches(), touched),
            "fingerprints": _replace(self.fingerprints, key, fingerprints.to_batches(), pc.unique(unit["doc_id"])),
            **self._settle_lines(key, unit, lines),
        }
        done = self.corpus.find(key)
        if done is None:
            leaving = set(self._held(self.corpus, outcome.superseded.keys() | outcome.withdrawn.keys()))
            staged = _stage(self.corpus, self._corpus_rows(unit, assessed, outcome))
            done = self.corpus.commit(key, staged, pins=versions, drop=leaving | outcome.moved.keys())
        return {**versions, "corpus": done.version}

    def settle_again(
        self,
        key: str,
        unit: pa.Table,
        assessed: str,
        outcome: Admission,
        members: Mapping[str, Member],
        lines: pa.Table | None = None,
    ) -> Mapping[str, int]:
        """Make the commits of deciding again on everything (see `redecision`); returns the tables' versions.

        Members that stay where they are keep their rows in the table corpus unread. `lines` takes the place of all
        there are.
        """
        identities = set(zip(*(unit[name].to_pylist() for name in ("batch_id", "doc_id", "revision")), strict=True))
        touched = pc.unique(unit["doc_id"])
        others = [
            row
            for row in self._verdicts_on(touched).to_pylist()
            if (row["batch_id"], row["doc_id"], row["revision"]) not in identities
        ]
        verdicts = pa.concat_tables([verdict_rows(unit, outcome), pa.Table.from_pylist(others, self.verdicts.schema)])
        versions = {
            "documents": self.pinned(self.documents),
            "verdicts": _replace(self.verdicts, key, verdicts.to_batches(), touched),
            "fingerprints": _replace(self.fingerprints, key, fingerprint_rows(unit, outcome).to_batches(), touched),
            **self._all_lines(key, lines),
        }
        done = self.corpus.find(key)
        if done is None:
            fresh = {doc_id for batch in scan(assessed, ["doc_id"]) for doc_id in batch["doc_id"].to_pylist()}
            places = zip(unit["doc_id"].to_pylist(), outcome.places, strict=True)
            kept = {doc_id: place for doc_id, place in places if place is not None}
            for doc_id, member in members.items():
                place = kept.get(doc_id)
                if place and doc_id not in fresh and place != (member.cluster_id, member.split, member.kin_id):
                    outcome.moved[doc_id] = place
            leaving = {doc_id for doc_id in members if doc_id not in kept or doc_id in fresh}
            staged = _stage(self.corpus, self._corpus_rows(unit, assessed, outcome))
            done = self.corpus.commit(key, staged, pins=versions, drop=leaving | outcome.moved.keys())
        return {**versions, "corpus": done.version}

    def _settle_lines(self, key: str, unit: pa.Table, lines: pa.Table | None) -> dict[str, int]:
        """Add what a unit was first to have; the version, if there are such lines at all."""
        if lines is None and self.lines.version() < 0:
            return {}
        touched = pc.unique(unit["doc_id"])
        owned = _rows_on(self.lines, touched, self.pinned(self.lines))
        rows = [owned] if lines is None else [owned, lines]
        return {"lines": _replace(self.lines, key, pa.concat_tables(rows).to_batches(), touched)}

    def _all_lines(self, key: str, lines: pa.Table | None) -> dict[str, int]:
        """Put these lines in the place of all there are; None leaves them as they are."""
        if lines is None:
            pinned = self.pinned(self.lines)
            return {"lines": pinned} if pinned >= 0 else {}
        touched = pc.unique(
            pa.chunked_array([*self.lines.read(["doc_id"])["doc_id"].chunks, *lines["doc_id"].chunks], pa.string())
        )
        return {"lines": _replace(self.lines, key, lines.to_batches(), touched)}

    def _restated(self, unit: pa.Table, outcome: Admission) -> pa.Table:
        """Earlier verdicts on documents of the unit and on withdrawn ones.

        Where they kept an older revision, they now call it superseded; where they kept a withdrawn document, a copy.
        """
        doc_ids = pa.array([*pc.unique(unit["doc_id"]).to_pylist(), *outcome.withdrawn], pa.string())
        rows = self._verdicts_on(doc_ids).to_pylist()
        for row in rows:
            if row["kept"] and row["doc_id"] in outcome.withdrawn:
                broken, row["duplicate_of"] = outcome.withdrawn[row["doc_id"]]
                row["kept"], row["failures"] = False, [broken._asdict()]
            newest = outcome.superseded.get(row["doc_id"])
            if row["kept"] and newest is not None:
                row["kept"] = False
                failure = {"rule": SUPERSEDED, "value": float(row["revision"]), "threshold": float(newest)}
                row["failures"] = [failure]
        return pa.Table.from_pylist(rows, self.verdicts.schema)

    def _remaining_fingerprints(self, unit: pa.Table, outcome: Admission) -> pa.Table:
        """Stored fingerprints of documents that the unit brings again but does not replace."""
        stored = _rows_on(self.fingerprints, unit["doc_id"], self.pinned(self.fingerprints))
        replaced = pa.array(sorted(outcome.superseded), pa.string())
        return stored.filter(pc.invert(pc.is_in(stored["doc_id"], replaced)))

    def _corpus_rows(self, unit: pa.Table, assessed: str, outcome: Admission) -> Iterator[pa.RecordBatch]:
        """The kept documents with their text, and the members that move."""
        placed = {
            (batch_id, doc_id, revision): place
            for batch_id, doc_id, revision, place in zip(
                *(unit[name].to_pylist() for name in ("batch_id", "doc_id", "revision")), outcome.places, strict=True
            )
            if place is not None
        }
        columns = [name for name in self.corpus.schema.names if name not in Place._fields]
        for batch in scan(assessed, columns):
            identities = zip(*(batch[name].to_pylist() for name in ("batch_id", "doc_id", "revision")), strict=True)
            places = [placed.pop(identity, None) for identity in identities]
            kept = batch.filter(pa.array([place is not None for place in places], pa.bool_()))
            yield with_places(kept, [place for place in places if place is not None])
        moving = _rows_on(self.corpus, pa.array(sorted(outcome.moved), pa.string()))
        for batch in moving.to_batches():
            yield with_places(batch, [outcome.moved[doc_id] for doc_id in batch["doc_id"].to_pylist()])


def _one_of(column: str, values: pa.Array | pa.ChunkedArray) -> pc.Expression:
    distinct = pc.unique(values)
    return pc.field(column).isin(distinct)


def _rows_on(
    table: Table, doc_ids: pa.Array | pa.ChunkedArray, version: int | None = None, columns: list[str] | None = None
) -> pa.Table:
    """The rows of a table on these documents.

    Most documents that come are new, and Arrow decodes all columns before it filters: the ids are looked at first.
    """
    where = _one_of("doc_id", doc_ids)
    if not len(doc_ids) or not table.read(["doc_id"], where, version).num_rows:
        return table.read(columns, version=-1)
    return table.read(columns, where, version)


def _stage(table: Table, rows: Iterator[pa.RecordBatch] | Sequence[pa.RecordBatch]) -> str:
    """Write rows into a fresh staged folder, one file an ingest batch, so that file statistics name its rows."""
    staged = table.stage()
    system, folder = filesystem(staged)
    writers: dict[int, pq.ParquetWriter] = {}
    with ExitStack() as stack:
        for batch in rows:
            for batch_id in pc.unique(batch["batch_id"]).to_pylist():
                if batch_id not in writers:
                    path = f"{folder}/part-{len(writers):05}.parquet"
                    writers[batch_id] = stack.enter_context(pq.ParquetWriter(path, table.schema, filesystem=system))
                part = batch.filter(pc.equal(batch["batch_id"], batch_id))
                writers[batch_id].write_batch(part.select(table.schema.names).cast(table.schema))
    return staged


def _replace(table: Table, key: str, rows: Sequence[pa.RecordBatch], touched: pa.Array) -> int:
    """Commit rows in place of all the table holds on the documents they are about; returns the version.

    What it holds may come from a run that was killed and had other options, so that its rows must give way. A number
    recorded with each commit says whose rows are there: if they are of this very work, they stay.
    """
    work = int(key.rpartition(":")[2][:15], 16)
    if table.pin("unit") == work:
        return table.version()
    held = table.read(["doc_id"], _one_of("doc_id", touched))["doc_id"]
    staged = _stage(table, rows)
    return table.commit(f"{key}@{table.version()}", staged, {"unit": work}, pc.unique(held).to_pylist()).version
