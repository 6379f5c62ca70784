"""Deciding again on everything with other thresholds, from the signals that verdicts hold.

Text is read only of documents that enter the corpus now, and of those that pass now and were never fingerprinted, or
whose signals an older version of lmflow did not measure yet. All that pass are then deduplicated anew, as if they had
come together; a member of the corpus keeps its split.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lmflow.corpus.admission import FORGOTTEN, REPEATED, SUPERSEDED, Admission, Before, Member, admit
from lmflow.corpus.assess import ASSESSED, READ, SUMMARY, assess
from lmflow.corpus.contamination import CONTAMINATED, SIGNAL, Evaluations
from lmflow.corpus.dedup import Keeping, Stored
from lmflow.corpus.fingerprint import fingerprint
from lmflow.corpus.language import Detected
from lmflow.corpus.ledger import Ledger, fingerprints_of
from lmflow.corpus.policy import Failure, Policies, decide
from lmflow.corpus.split import Regime
from lmflow.lake.storage import filesystem

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
    """

    unit: pa.Table
    outcome: Admission
    members: dict[str, Member]
    read: list[str]


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
        evaluations: registered evaluation sets, for documents that are read.
        keeping: what is kept of duplicates; None: the earliest copy.
        regime: how to split; None: by the size of the corpus.
    """
    rows = _current(ledger)
    read = []
    for row in rows:
        signals = dict(row["signals"])
        try:
            broken = decide(Detected(row["lang"], row["lang_score"]), signals, row["source"], policies)
        except KeyError:  # measured before this signal existed
            read.append(row["doc_id"])
            continue
        if signals.get(SIGNAL):
            broken.append(Failure(CONTAMINATED, signals[SIGNAL], 0.0))
        row["failures"] = [failure._asdict() for failure in broken]
        row["policy_digest"] = policies.of(row["lang"]).digest
        if not broken and row["bands"] is None:
            read.append(row["doc_id"])
    fresh = {row["doc_id"]: row for row in _read(ledger, rows, read, policies, assessed, evaluations)}
    schema = pa.schema([ASSESSED.field(name) for name in SUMMARY])
    unit = pa.Table.from_pylist([fresh.get(row["doc_id"], row) for row in rows], schema)
    members = ledger.members()
    before = Before({}, members, Stored([], [], [], fingerprint([])), again=True)
    outcome = admit(unit, fingerprints_of(unit), before, regime, keeping)
    # Former copies of a document that is kept no longer: fingerprinted, but their text is nowhere in the corpus.
    doc_ids = unit["doc_id"].to_pylist()
    late = [
        doc_id
        for doc_id, enters in zip(doc_ids, outcome.kept, strict=True)
        if enters and doc_id not in members and doc_id not in fresh
    ]
    read += [row["doc_id"] for row in _read(ledger, rows, late, policies, assessed, evaluations)]
    return Redecision(unit, outcome, members, read)


def _current(ledger: Ledger) -> list[dict[str, Any]]:
    """The newest version of every document as it was decided on, in the columns SUMMARY."""
    verdicts = ledger.verdicts.read(version=ledger.pinned(ledger.verdicts)).to_pylist()
    prints = {
        tuple(row[name] for name in _IDENTITY): row
        for row in ledger.fingerprints.read(version=ledger.pinned(ledger.fingerprints)).to_pylist()
    }
    columns = [*_IDENTITY, "source", "published_at", "fetched_at"]
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


def _read(
    ledger: Ledger,
    rows: list[dict[str, Any]],
    doc_ids: list[str],
    policies: Policies,
    assessed: str,
    evaluations: Evaluations | None,
) -> Iterator[dict[str, Any]]:
    """Assess the text of some documents into the folder `assessed`; their rows in the columns SUMMARY."""
    if not doc_ids:
        return
    wanted = {tuple(row[name] for name in _IDENTITY) for row in rows if row["doc_id"] in set(doc_ids)}
    system, folder = filesystem(assessed)
    with pq.ParquetWriter(f"{folder}/{uuid.uuid4().hex}.parquet", ASSESSED, filesystem=system) as writer:
        for batch in ledger.documents.scan(list(READ), pc.field("doc_id").isin(doc_ids)):
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                part = batch.slice(start, _BATCH_ROWS)
                identities = zip(*(part[name].to_pylist() for name in _IDENTITY), strict=True)
                mine = part.filter(pa.array([identity in wanted for identity in identities], pa.bool_()))
                found = assess(mine, policies, evaluations)
                writer.write_batch(found)
                yield from found.select(list(SUMMARY)).to_pylist()
