"""Which assessed documents enter the corpus, and in which split: what takes looking at other documents.

Revisions, forgotten documents, duplicates, clusters and splits, over a whole unit of work and what was decided before
it. Nothing here reads or writes the lake (see `ledger`), and no text is needed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from lmflow.corpus import kin
from lmflow.corpus import split as splits
from lmflow.corpus.dedup import NEAR, Keeping, Match, Stored, cluster
from lmflow.corpus.fingerprint import Fingerprints, joined
from lmflow.corpus.policy import Failure

#: Rules of this module, beside those of the policy.
SUPERSEDED: Final = "superseded"  # value: its revision; threshold: the newest one
REPEATED: Final = "repeated_revision"  # the same revision was fetched before
FORGOTTEN: Final = "forgotten"  # a tombstone stands for it
EXACT: Final = "exact_duplicate"
NEAR_DUPLICATE: Final = "near_duplicate"  # value: estimated similarity
SAME_URL: Final = "duplicate_url"  # another text at the same address is kept; value: 1, threshold: 0

#: What these say of a version is no matter of its text: it has passed the policy of its language.
_NOT_OF_POLICY: Final = frozenset({SUPERSEDED, REPEATED, EXACT, NEAR_DUPLICATE, SAME_URL})

_NO_TIME: Final = datetime.max.replace(tzinfo=UTC)


class Member(NamedTuple):
    """A document of the corpus as it stands, without its text."""

    doc_id: str
    revision: int
    lang: str
    source: str
    cluster_id: str
    split: str
    kin_id: str


class Place(NamedTuple):
    """Where a kept document stands: its duplicate cluster, its split, and the kin group that decided the split."""

    cluster_id: str
    split: str
    kin_id: str


@dataclass(frozen=True)
class Before:
    """What was decided before this unit of work.

    Attributes:
        newest: the newest revision known of each document that the unit brings again; those that came while a
            tombstone stood do not count.
        members: the corpus, by doc_id.
        stored: fingerprints that share a key with the unit's (of the text, of a band, or one of `kin`), earliest first,
            without the documents that the unit replaces; `kept` and `cluster_ids` as they are now.
        forgotten: doc_ids with a tombstone.
        again: the unit is the corpus itself, decided on again: members are in it, and keep their split.
        addresses: of the unit's documents, row for row, from `address.shared`; left out: none is shared.
        since: the ingest batch that first brought a version which passed the policy, of documents that have one.
    """

    newest: Mapping[str, int]
    members: Mapping[str, Member]
    stored: Stored
    forgotten: Collection[str] = frozenset()
    again: bool = False
    addresses: Sequence[str] = ()
    since: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Admission:
    """What became of every document of the unit (one entry a row), and of stored ones that it touches.

    Attributes:
        failures: all rules a document broke; none means that it is kept.
        duplicate_of: the kept document it is a copy of.
        cluster_ids: its duplicate cluster; None for documents that were never compared.
        places: of kept documents; None for the others.
        superseded: stored documents replaced by a newer revision -> that revision.
        withdrawn: members of the corpus that leave it as copies (see `dedup.Clustering`) -> the failure and its copy.
        moved: members of the corpus whose place has changed.
    """

    failures: list[list[Failure]]
    duplicate_of: list[str | None]
    cluster_ids: list[str | None]
    places: list[Place | None]
    superseded: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[str, tuple[Failure, str]] = field(default_factory=dict)
    moved: dict[str, Place] = field(default_factory=dict)

    @property
    def kept(self) -> list[bool]:
        """Whether each document enters the corpus."""
        return [not failures for failures in self.failures]


def admit(
    unit: pa.Table,
    prints: Fingerprints,
    before: Before,
    regime: splits.Regime | None = None,
    keeping: Keeping | None = None,
) -> Admission:
    """Decide on a whole unit of work.

    Args:
        unit: assessed documents (columns assess.SUMMARY).
        prints: their fingerprints, row for row; zeros for documents that failed the policy.
        before: what was decided earlier.
        regime: how to split; None: by the size of the corpus.
        keeping: what is kept of duplicates; None: the earliest copy.
    """
    size = unit.num_rows
    policy = [[Failure(**failure) for failure in row] for row in unit["failures"].to_pylist()]
    outcome = Admission(policy, [None] * size, [None] * size, [None] * size)
    doc_ids = unit["doc_id"].to_pylist()
    _judge_revisions(unit, doc_ids, before, outcome)
    for row, doc_id in enumerate(doc_ids):
        if doc_id in before.forgotten:
            outcome.failures[row].append(Failure(FORGOTTEN, 1.0, 0.0))
    merged = _deduplicate(unit, doc_ids, prints, before, outcome, keeping or Keeping())
    _assign_splits(unit, doc_ids, prints, merged, before, outcome, regime)
    return outcome


def first_batches(rows: pa.Table) -> dict[str, int]:
    """Of documents of which a version passed its policy, the earliest ingest batch that brought one.

    Args:
        rows: versions of documents (columns batch_id, doc_id, failures).
    """
    found: dict[str, int] = {}
    columns = (rows[name].to_pylist() for name in ("batch_id", "doc_id", "failures"))
    for batch, doc_id, failures in zip(*columns, strict=True):
        if all(failure["rule"] in _NOT_OF_POLICY for failure in failures or ()):
            found[doc_id] = min(batch, found.get(doc_id, batch))
    return found


def in_order(
    unit: pa.Table, rows: Sequence[int], since: Mapping[str, int], keeping: Keeping | None = None
) -> list[int]:
    """These rows in the order of preference: by ingest batch, then as the keep policy has it, then earliest first.

    A new revision holds the place of its document: the batch of the first version that passed the policy, in the unit
    or (`since`) before it, and not its own. So it stands before what came later at its address or with its text,
    whether batches are built one by one or together.

    Earliest goes by the time of publication (else of fetching), then by doc_id. Longest goes by characters, best
    quality by `quality` and then characters.
    """
    batches, doc_ids = unit["batch_id"].to_pylist(), unit["doc_id"].to_pylist()
    first = first_batches(unit.select(["batch_id", "doc_id", "failures"]))
    places = [
        min(batch, first.get(doc_id, batch), since.get(doc_id, batch))
        for batch, doc_id in zip(batches, doc_ids, strict=True)
    ]
    published, fetched = unit["published_at"].to_pylist(), unit["fetched_at"].to_pylist()
    preferred: list[tuple[float, ...]] = [()] * len(doc_ids)
    policy = keeping.policy if keeping else "earliest"
    if policy == "longest":
        preferred = [(-length,) for length in unit["n_chars"].to_pylist()]
    elif policy == "best_quality":
        lengths, signals = unit["n_chars"].to_pylist(), unit["signals"].to_pylist()
        preferred = [(-quality(dict(its)), -length) for its, length in zip(signals, lengths, strict=True)]
    return sorted(
        rows,
        key=lambda row: (places[row], preferred[row], published[row] or fetched[row] or _NO_TIME, doc_ids[row]),
    )


def quality(signals: Mapping[str, float]) -> float:
    """How good a text is beside its copies, from 0 to 1: sure of its language, finished lines, little said twice."""
    return (
        signals["language_score"]
        * signals["terminal_line_ratio"]
        * (1 - signals["duplicate_5gram_chars"])
        * (1 - signals["symbol_char_ratio"])
    )


def _judge_revisions(unit: pa.Table, doc_ids: Sequence[str], before: Before, outcome: Admission) -> None:
    """The newest revision of a document speaks for it, even when the policy drops that revision."""
    revisions, batches = unit["revision"].to_pylist(), unit["batch_id"].to_pylist()
    newest: dict[str, tuple[int, int]] = {}  # doc_id -> (revision, row that brings it; -1: stored)
    for row in sorted(range(len(doc_ids)), key=lambda row: (batches[row], row)):
        doc_id = doc_ids[row]
        known = newest.setdefault(doc_id, (before.newest.get(doc_id, revisions[row] - 1), -1))
        if revisions[row] > known[0]:
            newest[doc_id] = (revisions[row], row)
    for row, doc_id in enumerate(doc_ids):
        latest, speaker = newest[doc_id]
        if row == speaker:
            if doc_id in before.newest:
                outcome.superseded[doc_id] = latest
            continue
        rule = SUPERSEDED if revisions[row] < latest else REPEATED
        outcome.failures[row].append(Failure(rule, float(revisions[row]), float(latest)))


def _deduplicate(
    unit: pa.Table,
    doc_ids: Sequence[str],
    prints: Fingerprints,
    before: Before,
    outcome: Admission,
    keeping: Keeping,
) -> Mapping[str, str]:
    """Drop copies; returns the stored clusters that were joined to another one."""
    passed = [row for row, failures in enumerate(outcome.failures) if not failures]
    rows = in_order(unit, passed, before.since, keeping)
    sources, addresses = unit["source"].to_pylist(), before.addresses or [""] * unit.num_rows
    found = cluster(
        [doc_ids[row] for row in rows],
        prints.take(rows),
        before.stored,
        keeping,
        [sources[row] for row in rows],
        [addresses[row] for row in rows],
    )
    for row in rows:
        outcome.cluster_ids[row] = found.clusters[doc_ids[row]]
        match = found.duplicates.get(doc_ids[row])
        if match is not None:
            outcome.duplicate_of[row] = match.duplicate_of
            outcome.failures[row].append(_failure(match))
    for doc_id, match in found.withdrawn.items():
        outcome.withdrawn[doc_id] = (_failure(match), match.duplicate_of)
    return found.merged


def _failure(match: Match) -> Failure:
    if match.by_address:
        return Failure(SAME_URL, 1.0, 0.0)
    return Failure(EXACT, match.similarity, 1.0) if match.exact else Failure(NEAR_DUPLICATE, match.similarity, NEAR)


def _assign_splits(
    unit: pa.Table,
    doc_ids: Sequence[str],
    prints: Fingerprints,
    merged: Mapping[str, str],
    before: Before,
    outcome: Admission,
    regime: splits.Regime | None,
) -> None:
    """Give every kept document the split of its kin group; members whose group has changed move."""
    kept = in_order(unit, [row for row, failures in enumerate(outcome.failures) if not failures], before.since)
    leaving = outcome.superseded.keys() | outcome.withdrawn.keys() | (set(doc_ids) if before.again else set())
    staying = [member for member in before.members.values() if member.doc_id not in leaving]
    group_of = _kin_groups(kept, prints, staying, merged, before, outcome)
    groups = {row: group_of[str(outcome.cluster_ids[row])] for row in kept}
    parts: defaultdict[str, set[str]] = defaultdict(set)
    for member in staying:
        parts[group_of[member.cluster_id]].add(member.split)
    for row in kept:  # a new revision stays where the old one was
        if doc_ids[row] in before.members and (before.again or doc_ids[row] in outcome.superseded):
            parts[groups[row]].add(before.members[doc_ids[row]].split)
    split_of = {group: splits.joined(found) for group, found in parts.items()}

    counts: defaultdict[splits.Stratum, Counter[str]] = defaultdict(Counter)
    for member in staying:
        group = group_of[member.cluster_id]
        counts[member.lang, member.source][split_of[group]] += 1
        place = Place(merged.get(member.cluster_id, member.cluster_id), split_of[group], group)
        if place != (member.cluster_id, member.split, member.kin_id):
            outcome.moved[member.doc_id] = place

    strata: dict[str, splits.Stratum] = {}
    sizes: Counter[str] = Counter()
    langs, sources = unit["lang"].to_pylist(), unit["source"].to_pylist()
    for row in kept:
        if groups[row] in split_of:
            counts[langs[row], sources[row]][split_of[groups[row]]] += 1
        else:
            strata.setdefault(groups[row], (langs[row], sources[row]))
            sizes[groups[row]] += 1
    split_of |= splits.choose(strata, sizes, counts, regime or splits.regime_of(len(staying) + len(kept)))
    for row in kept:
        outcome.places[row] = Place(str(outcome.cluster_ids[row]), split_of[groups[row]], groups[row])


def _kin_groups(
    kept: Sequence[int],
    prints: Fingerprints,
    staying: Sequence[Member],
    merged: Mapping[str, str],
    before: Before,
    outcome: Admission,
) -> Mapping[str, str]:
    """The kin group of every duplicate cluster that has a document in the corpus, before this unit or after it."""
    known = {member.cluster_id: member.kin_id for member in staying}
    stored, names = before.stored, {member.doc_id for member in staying}
    clusters = [*stored.cluster_ids, *(str(outcome.cluster_ids[row]) for row in kept)]
    compared = [*(doc_id in names for doc_id in stored.doc_ids), *[True] * len(kept)]
    joined_to = kin.join_groups(
        [known.get(cluster_id, cluster_id) for cluster_id in clusters],
        [merged.get(cluster_id, cluster_id) for cluster_id in clusters],
        np.array(compared, np.bool_),
        joined(stored.fingerprints, prints.take(kept)),
        len(stored.doc_ids),
    )
    groups = known | {cluster_id: known.get(cluster_id, cluster_id) for cluster_id in clusters}
    return {cluster_id: joined_to.get(group, group) for cluster_id, group in groups.items()}
