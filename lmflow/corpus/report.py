"""What a run did to the corpus, for people: counts that add up, one picture, samples of what was dropped and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lmflow.corpus.admission import Admission
from lmflow.corpus.policy import Policies
from lmflow.corpus.repeats import REMOVED
from lmflow.corpus.split import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EXCERPT_CHARS: Final = 280
_KEPT: Final = "kept"
_BLUE, _ORANGE = "#3b6ea8", "#d9822b"
_NARROW: Final = 3.0  # percent; a bar below it has no room for its number
_SPLIT_COLOURS: Final = {"train": _BLUE, "valid": "#7fb3d5", "test": _ORANGE}


@dataclass
class Account:
    """Documents in = kept + dropped: in all, by language and by source.

    Attributes:
        by_rule: how many documents broke each rule; one document may break several.
        by_language, by_source: `in`, `kept` and `dropped` each.
        lengths: characters of kept and of dropped documents.
        pii: replaced values in kept documents, by kind.
        changes: what normalisation changed, by kind.
        clusters: documents of this run in each duplicate cluster.
        removed: what was taken out as another document's, by signal, and `documents` that lost something.
        foreign: `paragraphs` in another language than their document's, and the `documents` that had some.
        buckets: documents in head, middle and tail by perplexity, by language (`en tail`).
    """

    documents_in: int = 0
    kept: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    by_language: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_source: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lengths: dict[str, list[int]] = field(default_factory=lambda: {"kept": [], "dropped": []})
    pii: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    clusters: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    buckets: Counter[str] = field(default_factory=Counter)

    @property
    def dropped(self) -> int:
        """Documents that did not enter the corpus."""
        return self.documents_in - self.kept

    def add(self, unit: pa.Table, outcome: Admission) -> None:
        """Count a unit of work."""
        kept = outcome.kept
        self.documents_in += unit.num_rows
        self.kept += sum(kept)
        for failures in outcome.failures:
            self.by_rule.update({failure.rule for failure in failures})
        for column, counts in (("lang", self.by_language), ("source", self.by_source)):
            for value, enters in zip(unit[column].to_pylist(), kept, strict=True):
                counts[value].update(("in", "kept" if enters else "dropped"))
        for length, enters in zip(unit["n_chars"].to_pylist(), kept, strict=True):
            self.lengths["kept" if enters else "dropped"].append(length)
        for found, enters in zip(unit["pii"].to_pylist(), kept, strict=True):
            self.pii.update(dict(found or ()) if enters else {})
        self.clusters.update(name for name in outcome.cluster_ids if name is not None)
        for changed in unit["changes"].to_pylist():
            self.changes.update(dict(changed or ()))
        for parts, chars in REMOVED.values():
            _count_signal(unit, parts, parts, self.removed)
            _count_signal(unit, chars, chars, self.removed, documents=False)
        _count_signal(unit, "foreign_paragraphs", "paragraphs", self.foreign)

    def add_buckets(self, unit: pa.Table, policies: Policies) -> None:
        """Count a unit of work by perplexity, where policies divide it."""
        values = pc.map_lookup(unit["signals"], "perplexity", "first").to_pylist()
        for lang, value in zip(unit["lang"].to_pylist(), values, strict=True):
            reference = policies.of(lang).reference
            if value is not None and reference and (bucket := reference.bucket(value)):
                self.buckets[f"{lang} {bucket}"] += 1

    def check(self, expected: int) -> None:
        """Assert the accounting.

        Args:
            expected: rows of the table documents that were to be decided on.

        Raises:
            AssertionError: the books do not balance; a defect, and nothing should be committed.
        """
        for counts in (self.by_language, self.by_source):
            sums = sum(counts.values(), Counter[str]())
            balanced = sums["in"] == self.documents_in and sums["kept"] == self.kept
            if not balanced or sums["kept"] + sums["dropped"] != sums["in"]:
                raise AssertionError(f"accounts do not balance: {dict(sums)}, {self.documents_in} in, {self.kept} kept")
        if self.documents_in != expected:
            raise AssertionError(f"{expected} documents were to be decided on, {self.documents_in} were")

    def top_rules(self, limit: int = 5) -> str:
        """The rules that most documents broke, as `rule (number)`."""
        return ", ".join(f"{rule} ({number})" for rule, number in self.by_rule.most_common(limit))

    def as_dict(self) -> dict[str, Any]:
        """For a job's result and the report."""
        return {
            "documents_in": self.documents_in,
            "documents_kept": self.kept,
            "documents_dropped": self.dropped,
            "dropped_by_rule": dict(self.by_rule.most_common()),
            "decided_by_language": {name: dict(counts) for name, counts in sorted(self.by_language.items())},
            "decided_by_source": {name: dict(counts) for name, counts in sorted(self.by_source.items())},
            "private_data_replaced": dict(self.pii.most_common()),
            "normalised": dict(self.changes.most_common()),
            **({"repeated_text_removed": dict(self.removed)} if self.removed else {}),
            **({"foreign_paragraphs": dict(self.foreign)} if self.foreign else {}),
            **({"perplexity": dict(sorted(self.buckets.items()))} if self.buckets else {}),
        }


def _count_signal(unit: pa.Table, signal: str, name: str, counts: Counter[str], documents: bool = True) -> None:
    """Add up a signal that only some documents have, and the documents where it is not 0; nothing where none has it."""
    values = pc.map_lookup(unit["signals"], signal, "first").drop_null()
    if len(values):
        counts[name] += int(pc.sum(values).as_py())
        counts["documents"] += pc.sum(pc.greater(values, 0)).as_py() if documents else 0


def composition(corpus: pa.Table) -> dict[str, dict[str, Any]]:
    """By language: documents, characters, words and documents in each split (columns lang, split, n_chars, n_words)."""
    found: dict[str, dict[str, Any]] = {}
    totals = corpus.group_by(["lang", "split"]).aggregate([("n_chars", "sum"), ("n_words", "sum"), ("split", "count")])
    for row in totals.sort_by([("lang", "ascending"), ("split", "ascending")]).to_pylist():
        language = found.setdefault(
            row["lang"], {"docs": 0, "chars": 0, "words": 0, "splits": dict.fromkeys(SPLITS, 0)}
        )
        language["docs"] += row["split_count"]
        language["chars"] += row["n_chars_sum"]
        language["words"] += row["n_words_sum"]
        language["splits"][row["split"]] += row["split_count"]
    return found


def samples(unit: pa.Table, outcome: Admission, assessed: Iterable[pa.RecordBatch], per_rule: int) -> dict[str, Any]:
    """Some documents that broke each rule, with the beginning of their redacted text and everything they broke.

    Under `kept`, as many that were kept, of every language.

    Args:
        unit: the assessed documents (columns assess.SUMMARY).
        outcome: what was decided on them, row for row.
        assessed: the same documents with the columns batch_id, doc_id, revision, title and text, in any order.
        per_rule: how many documents for each rule.
    """
    identities = list(zip(*(unit[name].to_pylist() for name in ("batch_id", "doc_id", "revision")), strict=True))
    chosen: defaultdict[str, list[int]] = defaultdict(list)
    for row, failures in enumerate(outcome.failures):
        for failure in failures:
            if len(chosen[failure.rule]) < per_rule:
                chosen[failure.rule].append(row)
    langs, seen = unit["lang"].to_pylist(), Counter[str]()
    for row, failures in enumerate(outcome.failures):
        if not failures and seen[langs[row]] < per_rule:
            seen[langs[row]] += 1
            chosen[_KEPT].append(row)
    wanted = {identities[row] for rows in chosen.values() for row in rows}
    texts: dict[tuple[int, str, int], tuple[str, str]] = {}
    for batch in assessed:
        hit = batch.filter(pc.is_in(batch["doc_id"], pa.array([doc_id for _, doc_id, _ in wanted], pa.string())))
        for row in hit.to_pylist():
            texts[row["batch_id"], row["doc_id"], row["revision"]] = (row["title"], row["text"][:_EXCERPT_CHARS])
    return {
        rule: [
            {
                "doc_id": identities[row][1],
                "title": texts[identities[row]][0],
                "text": texts[identities[row]][1],
                "duplicate_of": outcome.duplicate_of[row],
                "failures": [failure._asdict() for failure in outcome.failures[row]],
            }
            for row in rows
        ]
        for rule, rows in sorted(chosen.items())
    }


def figure(account: Account, languages: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Six panels: sources, rules broken, lengths, languages, duplicate clusters, and the splits of each language."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titleweight": "bold"}
    with mpl.rc_context(style):
        drawn = Figure(figsize=(11, 10), layout="constrained")
        ((by_source, by_rule), (lengths, by_language), (clusters, splits)) = drawn.subplots(3, 2)
        title = f"{account.documents_in:,} documents in  =  {account.kept:,} kept  +  {account.dropped:,} dropped"
        drawn.suptitle(title, fontsize=13, fontweight="bold")
        _draw_kept(by_source, account.by_source, "By source")
        _draw_kept(by_language, account.by_language, "By language", most=12)
        _draw_clusters(clusters, account)
        _draw_rules(by_rule, account)
        _draw_lengths(lengths, account)
        _draw_splits(splits, languages)
    return drawn


def _draw_kept(axes: Axes, counts: Mapping[str, Counter[str]], title: str, most: int = 12) -> None:
    names = sorted(counts, key=lambda name: -counts[name]["in"])[:most]
    kept = [counts[name]["kept"] for name in names]
    dropped = [counts[name]["dropped"] for name in names]
    axes.bar(names, kept, color=_BLUE, label="kept", width=0.6)
    bars = axes.bar(names, dropped, bottom=kept, color=_ORANGE, label="dropped", width=0.6)
    axes.bar_label(bars, [f"{k / max(k + d, 1):.0%} kept" for k, d in zip(kept, dropped, strict=True)], padding=2)
    axes.set(title=title, ylabel="documents")
    axes.margins(y=0.15)
    axes.legend(frameon=False)


def _draw_clusters(axes: Axes, account: Account) -> None:
    sizes = Counter(account.clusters.values())
    axes.scatter(list(sizes), list(sizes.values()), color=_BLUE, s=18)
    axes.set(title="Duplicate clusters of this run", xlabel="documents in a cluster", ylabel="clusters")
    axes.set(xscale="log", yscale="log")
    if not sizes:
        axes.text(0.5, 0.5, "nothing was compared", ha="center", va="center", transform=axes.transAxes)


def _draw_rules(axes: Axes, account: Account, most: int = 12) -> None:
    rules = account.by_rule.most_common(most)[::-1]
    bars = axes.barh([rule.replace("_", " ") for rule, _ in rules], [number for _, number in rules], color=_ORANGE)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set(title="Rules that dropped documents broke", xlabel="documents (one may break several)")
    axes.margins(x=0.12)
    if not rules:
        axes.text(0.5, 0.5, "nothing was dropped", ha="center", va="center", transform=axes.transAxes)


def _draw_lengths(axes: Axes, account: Account) -> None:
    every = [max(length, 1) for found in account.lengths.values() for length in found]
    edges = np.geomspace(1, max([*every, 10]), 40)
    for name, colour in (("kept", _BLUE), ("dropped", _ORANGE)):
        found = np.maximum(account.lengths[name], 1) if account.lengths[name] else []
        axes.hist(found, bins=edges.tolist(), color=colour, alpha=0.75, label=name)
    axes.set(title="Length", xlabel="characters", ylabel="documents", xscale="log")
    axes.legend(frameon=False)


def _draw_splits(axes: Axes, languages: Mapping[str, Mapping[str, Any]]) -> None:
    names: Sequence[str] = sorted(languages)
    left = np.zeros(len(names))
    for split in SPLITS:
        shares = np.array([100 * languages[name]["splits"][split] / max(languages[name]["docs"], 1) for name in names])
        bars = axes.barh(names, shares, left=left, color=_SPLIT_COLOURS[split], label=split, height=0.5)
        counts = [
            f"{languages[name]['splits'][split]:,}" if share >= _NARROW else ""
            for name, share in zip(names, shares, strict=True)
        ]
        axes.bar_label(bars, counts, label_type="center", color="white", fontsize=8)
        left += shares
    axes.set(title="Splits of the corpus as it stands (documents)", xlabel="% of documents", xlim=(0, 100))
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    axes.invert_yaxis()
