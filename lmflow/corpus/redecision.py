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

import numpy as np
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
from lmflow.corpus.signals import MEASURES
from lmflow.corpus.split import Regime
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.storage import filesystem
from lmflow.text.shingles import FOLDING

_FINAL = (SUPERSEDED, REPEATED, FORGOTTEN)
_IDENTITY = ("batch_id", "doc_id", "revision")
_BATCH_ROWS = 512
_SUMMARY = pa.schema([ASSESSED.field(name) for name in SUMMARY])


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
    anew = _compares_anew(rows, policies)
    anew = anew or (any(policies.repeated_units.values()) and ledger.has_old_fingerprints())  # folded as lines are
    owned = SCHEMAS["lines"].empty_table() if anew else ledger.owned_lines()
    reader = _Reader(ledger, rows, policies, assessed, evaluations, owned)
    lines = reader.attribute_all() if anew else None
    if anew:
        read, parts = rows["doc_id"].to_pylist(), list[pa.RecordBatch]()
    else:
        read, parts = _decide_again(rows, policies, evaluations)
    parts += reader.read(read)
    unit = pa.Table.from_batches(parts, _SUMMARY).sort_by([(name, "ascending") for name in _IDENTITY])
    fresh = set(read)
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
    reader.read(late)
    return Redecision(unit, outcome, members, [*read, *late], lines)


def _compares_anew(rows: pa.Table, policies: Policies) -> bool:
    """Whether a policy takes other parts of a text out now than when its documents were measured."""
    for batch in rows.select(["lang", "signals"]).to_batches(_BATCH_ROWS):
        for lang, signals in zip(batch["lang"].to_pylist(), batch["signals"].to_pylist(), strict=True):
            asked = policies.of(lang).repeated_text
            if (asked.unit if asked else None) != repeats.measured_by(dict(signals)):
                return True
    return False


def _decide_again(
    rows: pa.Table, policies: Policies, evaluations: Evaluations | None
) -> tuple[list[str], list[pa.RecordBatch]]:
    """Decide from stored signals: the documents whose text must be read, and the rows of all others."""
    read: list[str] = []
    parts = []
    for batch in rows.to_batches(_BATCH_ROWS):
        fingerprinted = batch["bands"].is_valid().to_pylist()
        columns = (batch[name].to_pylist() for name in ("doc_id", "lang", "lang_score", "source", "signals"))
        given: dict[str, list[Any]] = {"signals": [], "failures": [], "policy_digest": []}
        stays = []
        for at, (doc_id, lang, score, source, pairs) in enumerate(zip(*columns, strict=True)):
            signals = dict(pairs)
            if evaluations is None:
                signals = {name: value for name, value in signals.items() if name not in (SIGNAL, EVALUATED_BY)}
            broken = _from_signals(Detected(lang, score), signals, source, policies, evaluations)
            stays.append(broken is not None and (bool(broken) or fingerprinted[at]))
            if not stays[-1]:
                read.append(doc_id)
            given["signals"].append(list(signals.items()))
            given["failures"].append([failure._asdict() for failure in broken or ()])
            given["policy_digest"].append(policies.of(lang).digest)
        made = [
            pa.array(given[field.name], field.type) if field.name in given else batch[field.name] for field in _SUMMARY
        ]
        parts.append(pa.RecordBatch.from_arrays(made, schema=_SUMMARY).filter(pa.array(stays, pa.bool_())))
    return read, parts


def _from_signals(
    detected: Detected,
    signals: Mapping[str, float],
    source: str,
    policies: Policies,
    evaluations: Evaluations | None,
) -> list[Failure] | None:
    """The rules that a document breaks by its stored signals; None where they do not say."""
    policy = policies.of(detected.lang)
    prepared = signals.get(PREPARED_BY) == (policy.prepare.number if policy.prepare else None)
    scored = not policy.reference or signals.get(SCORED_BY) == policy.reference.number
    compared = not evaluations or signals.get(EVALUATED_BY) == evaluations.number
    if not (prepared and scored and compared) or signals.get("measures") != MEASURES:
        return None
    try:
        broken = decide(detected, signals, source, policies)
    except KeyError:  # measured before this signal existed
        return None
    return [*broken, Failure(CONTAMINATED, signals[SIGNAL], 0.0)] if signals.get(SIGNAL) else broken


def _current(ledger: Ledger) -> pa.Table:
    """The newest version of every document as it was decided on, columns SUMMARY, sorted by _IDENTITY.

    Bands and signatures are null where there are none, or those of an earlier folding.
    """
    verdicts = ledger.verdicts.read(version=ledger.pinned(ledger.verdicts)).combine_chunks()
    failures = verdicts["failures"].combine_chunks()
    is_final = pc.is_in(pc.struct_field(failures.flatten(), "rule"), pa.array(_FINAL))
    final = pc.unique(pc.list_parent_indices(failures).filter(is_final))
    verdicts = verdicts.filter(pc.invert(pc.is_in(_places(verdicts), final)))
    columns = [*_IDENTITY, "source", "published_at", "fetched_at", "url"]
    fetched = ledger.documents.read(columns)
    prints = ledger.fingerprints.read(where=pc.field("folding") == FOLDING, version=ledger.pinned(ledger.fingerprints))
    # Lists cannot be joined: the places of their rows are.
    keys = verdicts.select(list(_IDENTITY)).append_column("verdict", _places(verdicts))
    keys = keys.join(fetched, list(_IDENTITY), join_type="inner")
    placed = prints.select(list(_IDENTITY)).append_column("print", _places(prints))
    keys = keys.join(placed, list(_IDENTITY), join_type="left outer")
    keys = keys.sort_by([(name, "ascending") for name in _IDENTITY])
    decided, printed = verdicts.take(keys["verdict"]), prints.take(keys["print"])
    signals = decided["signals"].combine_chunks()
    known = {name: keys[name] for name in columns}
    known |= {name: decided[name] for name in ("lang", "lang_score", "signals", "policy_digest", "failures", "pii")}
    known |= {name: printed[name] for name in ("n_shingles", "signature", "bands")}
    known |= {name: pc.map_lookup(signals, pa.scalar(name), "first") for name in ("n_chars", "n_words")}
    empty = pa.nulls(keys.num_rows)
    return pa.table([known.get(field.name, empty).cast(field.type) for field in _SUMMARY], schema=_SUMMARY)


def _places(rows: pa.Table) -> pa.Array:
    return pa.array(np.arange(rows.num_rows, dtype=np.int32))


class _Reader:
    """Assesses the text of some documents into the folder `assessed`."""

    def __init__(
        self,
        ledger: Ledger,
        rows: pa.Table,
        policies: Policies,
        assessed: str,
        evaluations: Evaluations | None,
        owned: pa.Table,
    ) -> None:
        self._ledger = ledger
        identities = zip(*(rows[name].to_pylist() for name in _IDENTITY), strict=True)
        self._identities = {identity[1]: identity for identity in identities}
        self._policies, self._evaluations, self._assessed = policies, evaluations, assessed
        self._compares = any(policies.repeated_units.values())
        self._owned = owned

    def attribute_all(self) -> pa.Table:
        """Say of every part of every document decided on who had it first; returns that for the table `lines`."""
        settled = self._ledger.verdicts.batches(self._ledger.pinned(self._ledger.verdicts))
        found = self._find(pc.field("batch_id").isin(sorted(settled)))
        self._owned = repeats.attribute(found, self._owned, self._ledger.forgotten(found["doc_id"])).owned
        return self._owned

    def read(self, doc_ids: Collection[str]) -> list[pa.RecordBatch]:
        """Assess documents; their rows in the columns SUMMARY."""
        if not doc_ids:
            return []
        rows = []
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
                rows.append(found.select(list(SUMMARY)))
        return rows

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
