"""Deciding again on everything with other thresholds, from the signals that verdicts hold.

Text is read only of documents that enter the corpus now, and of those that pass now and were never fingerprinted, whose
signals an older version of lmflow did not measure yet or whose fingerprint it made from text folded otherwise, or whose
text was prepared in another way (`preparation`), measured by another model (`reference`) or compared with other
evaluation sets (`contamination`). When a policy has begun, ceased or changed to take out what other documents had
first (`repeats`), all text is read, for that depends on all of it. All that pass are then deduplicated anew, as if they
had come together; a member of the corpus keeps its split.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lmflow.corpus import repeats
from lmflow.corpus.address import shared
from lmflow.corpus.admission import FORGOTTEN, REPEATED, SUPERSEDED, Admission, Before, Member, admit
from lmflow.corpus.assess import ASSESSED, READ, SUMMARY, assess
from lmflow.corpus.contamination import CONTAMINATED, EVALUATED_BY, SIGNAL, Evaluations
from lmflow.corpus.dedup import Keeping, Stored
from lmflow.corpus.entries import fingerprints_of
from lmflow.corpus.fingerprint import fingerprint
from lmflow.corpus.language import Detected
from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import Failure, Policies, decide
from lmflow.corpus.preparation import PREPARED_BY
from lmflow.corpus.reference import SCORED_BY
from lmflow.corpus.split import Regime
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.storage import filesystem
from lmflow.text.shingles import FOLDING

_FINAL = (SUPERSEDED, REPEATED, FORGOTTEN)
_IDENTITY = ("batch_id", "doc_id", "revision")
_BATCH_ROWS = 512


@dataclass(frozen=True)
class Redecision:
    """What deciding again came to.

    Attributes:
        unit: the current version of every document, columns assess.SUMMARY.
        outcome: what is decided on it now, row for row.
        members: the corpus before.
        read: doc_ids whose text was read.
        lines: who had which line first, anew; None: as it was.
    """

    unit: pa.Table
    outcome: Admission
    members: dict[str, Member]
    read: list[str]
    lines: pa.Table | None = None


def redecide(
    ledger: Ledger,
    policies: Policies,
    assessed: str,
    evaluations: Evaluations | None = None,
    keeping: Keeping | None = None,
    regime: Regime | None = None,
) -> Redecision:
    """Decide again on the newest version of every document.

    Args:
        ledger: the tables; nothing is committed here.
        policies: as they are now.
        assessed: URI of an empty folder; documents whose text is read are written there, columns ASSESSED.
        evaluations: registered evaluation sets; None takes back what was found in earlier ones.
        keeping: what is kept of duplicates; None: the earliest copy.
        regime: how to split; None: by the size of the corpus.
    """
    rows = _current(ledger)
    asked = [policies.of(row["lang"]).repeated_text for row in rows]
    measured = [repeats.measured_by(dict(row["signals"])) for row in rows]
    anew = any((its.unit if its else None) != unit for its, unit in zip(asked, measured, strict=True))
    anew = anew or (any(asked) and ledger.has_old_fingerprints())  # lines were folded as the fingerprints were
    owned = SCHEMAS["lines"].empty_table() if anew else ledger.owned_lines()
    reader = _Reader(ledger, rows, policies, assessed, evaluations, owned)
    lines = reader.attribute_all() if anew else None
    read = [row["doc_id"] for row in rows] if anew else []
    for row in () if anew else rows:
        signals, policy = dict(row["signals"]), policies.of(row["lang"])
        if evaluations is None:
            row["signals"] = [pair for pair in signals.items() if pair[0] not in (SIGNAL, EVALUATED_BY)]
            signals = dict(row["signals"])
        prepared = signals.get(PREPARED_BY) == (policy.prepare.number if policy.prepare else None)
        compared = evaluations is None or signals.get(EVALUATED_BY) == evaluations.number
        if not (prepared and compared) or (policy.reference and signals.get(SCORED_BY) != policy.reference.number):
            read.append(row["doc_id"])
            continue
        try:
            broken = decide(Detected(row["lang"], row["lang_score"]), signals, row["source"], policies)
        except KeyError:  # measured before this signal existed
            read.append(row["doc_id"])
            continue
        if signals.get(SIGNAL):
            broken.append(Failure(CONTAMINATED, signals[SIGNAL], 0.0))
        row["failures"] = [failure._asdict() for failure in broken]
        row["policy_digest"] = policy.digest
        if not broken and row["bands"] is None:
            read.append(row["doc_id"])
    fresh = {row["doc_id"]: row for row in reader.read(read)}
    schema = pa.schema([ASSESSED.field(name) for name in SUMMARY])
    unit = pa.Table.from_pylist([fresh.get(row["doc_id"], row) for row in rows], schema)
    members = ledger.members()
    addresses = shared(unit["doc_id"], unit["source"], unit["url"])
    nothing = Stored([], [], [], fingerprint([]))
    before = Before({}, members, nothing, again=True, addresses=addresses, since=ledger.since())
    outcome = admit(unit, fingerprints_of(unit), before, regime, keeping)
    # Former copies of a document that is kept no longer: fingerprinted, but their text is nowhere in the corpus.
    doc_ids = unit["doc_id"].to_pylist()
    late = [
        doc_id
        for doc_id, enters in zip(doc_ids, outcome.kept, strict=True)
        if enters and doc_id not in members and doc_id not in fresh
    ]
    read += [row["doc_id"] for row in reader.read(late)]
    return Redecision(unit, outcome, members, read, lines)


def _current(ledger: Ledger) -> list[dict[str, Any]]:
    """The newest version of every document as it was decided on, in the columns SUMMARY."""
    verdicts = ledger.verdicts.read(version=ledger.pinned(ledger.verdicts)).to_pylist()
    prints = {
        tuple(row[name] for name in _IDENTITY): row
        for row in ledger.fingerprints.read(
            where=pc.field("folding") == FOLDING, version=ledger.pinned(ledger.fingerprints)
        ).to_pylist()
    }
    columns = [*_IDENTITY, "source", "published_at", "fetched_at", "url"]
    fetched = {tuple(row[name] for name in _IDENTITY): row for row in ledger.documents.read(columns).to_pylist()}
    rows = []
    for verdict in verdicts:
        identity = tuple(verdict[name] for name in _IDENTITY)
        if identity in fetched and not any(failure["rule"] in _FINAL for failure in verdict["failures"]):
            signals = dict(verdict["signals"])
            known = {**verdict, **fetched[identity], **prints.get(identity, {})}
            counts = {"n_chars": int(signals["n_chars"]), "n_words": int(signals["n_words"])}
            rows.append({name: {**known, **counts}.get(name) for name in SUMMARY})
    return sorted(rows, key=lambda row: tuple(row[name] for name in _IDENTITY))


class _Reader:
    """Assesses the text of some documents into the folder `assessed`."""

    def __init__(
        self,
        ledger: Ledger,
        rows: list[dict[str, Any]],
        policies: Policies,
        assessed: str,
        evaluations: Evaluations | None,
        owned: pa.Table,
    ) -> None:
        self._ledger = ledger
        self._identities = {row["doc_id"]: tuple(row[name] for name in _IDENTITY) for row in rows}
        self._policies, self._evaluations, self._assessed = policies, evaluations, assessed
        self._compares = any(policies.repeated_units.values())
        self._owned = owned

    def attribute_all(self) -> pa.Table:
        """Say of every part of every document decided on who had it first; returns that for the table `lines`."""
        settled = self._ledger.verdicts.batches(self._ledger.pinned(self._ledger.verdicts))
        found = self._find(pc.field("batch_id").isin(sorted(settled)))
        self._owned = repeats.attribute(found, self._owned, self._ledger.forgotten(found["doc_id"])).owned
        return self._owned

    def read(self, doc_ids: Collection[str]) -> Iterator[dict[str, Any]]:
        """Assess documents; their rows in the columns SUMMARY."""
        if not doc_ids:
            return
        where = pc.field("doc_id").isin(pa.array(sorted(doc_ids), pa.string()))
        wanted = {self._identities[doc_id] for doc_id in doc_ids}
        repeated = self._repeated(where)
        system, folder = filesystem(self._assessed)
        with pq.ParquetWriter(f"{folder}/{uuid.uuid4().hex}.parquet", ASSESSED, filesystem=system) as writer:
            for part in self._parts(list(READ), where):
                identities = list(zip(*(part[name].to_pylist() for name in _IDENTITY), strict=True))
                lists = pa.array(
                    [repeated.get(identity) for identity in identities], repeats.REPEATED.field("repeated").type
                )
                mine = pa.array([identity in wanted for identity in identities], pa.bool_())
                found = assess(part.append_column("repeated", lists).filter(mine), self._policies, self._evaluations)
                writer.write_batch(found)
                yield from found.select(list(SUMMARY)).to_pylist()

    def _repeated(self, where: pc.Expression) -> Mapping[tuple[Any, ...], list[int]]:
        """What is to be taken out of these documents."""
        if not self._compares:
            return {}
        lost = repeats.attribute(self._find(where), self._owned).repeated.to_pylist()
        return {tuple(row[name] for name in _IDENTITY): row["repeated"] for row in lost}

    def _find(self, where: pc.Expression) -> pa.Table:
        found = [repeats.find(part, self._policies.repeated_units) for part in self._parts(list(repeats.READ), where)]
        return pa.Table.from_batches(found, repeats.FOUND)

    def _parts(self, columns: list[str], where: pc.Expression) -> Iterator[pa.RecordBatch]:
        for batch in self._ledger.documents.scan(columns, where):
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                yield batch.slice(start, _BATCH_ROWS)
