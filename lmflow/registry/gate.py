"""The gate: may a new version take the champion's place? Pure arithmetic on scores; it moves nothing.

Language models: only a significant win counts. Candidates are compared with the champion by a paired bootstrap over the
same held-out documents; with several candidates the p-values are adjusted (Holm 1979), because the best of many tries
wins by luck more often than one. Without a champion the baseline (an n-gram model) is the first, so that a neural model
must beat it.

Embeddings: the newest version takes the champion's place unless it is significantly worse at word similarity, because
their purpose is to know the newest words.

Task heads: only a significant win in accuracy counts, by a paired bootstrap over held-out documents that neither
version learnt. Without a champion the rival is the most frequent class; if nobody beats it, there is no champion.
Accuracy and not log loss, because a head is used for its labels, and who always answers one class has no probability
to score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from lmflow.errors import InputError
from lmflow.evaluation.classification import Right, compare_accuracy, share_right
from lmflow.evaluation.compression import Estimate, bits_per_byte, compare
from lmflow.evaluation.scores import Scores
from lmflow.evaluation.words import compare_similarity

BASELINE: Final = "ngram"
#: Outcome of a task head that may not be the first champion.
REFUSED: Final = "refused"
#: Held-out documents below which two task heads are not compared.
_FEWEST_DOCUMENTS: Final = 20
#: Word-similarity answers by test, as `WordReport.answers` gives them.
Answers = Mapping[str, Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Row:
    """One version in the table of a verdict.

    Args:
        version: its number.
        architecture: its family.
        score: bits per byte (lower is better), accuracy of task heads, or None for embeddings.
        difference: score minus the champion's (or the baseline's), None for the champion itself.
        p_value: that it is not better, or (embeddings) not worse, adjusted for several candidates.
        outcome: champion, baseline, wins, beaten (better, but not the best), loses, refused.
        reason: why, in words.
        metric: name of the score.
    """

    version: int
    architecture: str
    score: Estimate | None
    difference: Estimate | None
    p_value: float | None
    outcome: str
    reason: str
    metric: str = "bits_per_byte"

    def flat(self) -> dict[str, Any]:
        """One level deep, as JSON and tables show it; an interval becomes three fields."""
        found: dict[str, Any] = {"version": self.version, "architecture": self.architecture}
        for name, estimate in ((self.metric, self.score), ("difference", self.difference)):
            found[name] = estimate.value if estimate else None
            found[f"{name}_low"] = estimate.low if estimate else None
            found[f"{name}_high"] = estimate.high if estimate else None
        return {**found, "p_value": self.p_value, "outcome": self.outcome, "reason": self.reason}


@dataclass(frozen=True)
class Verdict:
    """What the gate found.

    Args:
        winner: the version that is to be champion from now on; the present one if nobody beat it, None if there is
            none and nobody may be the first.
        first: the baseline that becomes champion before the others are compared with it; None if there was a champion.
        runner_up: the best version that is not to be champion.
        rows: every version looked at, the best first.
        measured_on: what names the held-out documents or tests.
    """

    winner: int | None
    first: int | None
    runner_up: int | None
    rows: tuple[Row, ...]
    measured_on: str


@dataclass(frozen=True)
class Contender:
    """A language model and its scores."""

    version: int
    architecture: str
    scores: Scores


@dataclass(frozen=True)
class EmbeddingContender:
    """A set of embeddings and its answers to the word tests."""

    version: int
    architecture: str
    answers: Answers


@dataclass(frozen=True)
class HeadContender:
    """A task head against a rival, on documents that neither learnt.

    Args:
        version: its number.
        architecture: its family.
        right: which documents it answered rightly, shape [documents].
        rival: which the champion did, or, without one, the most frequent class.
        measured_on: what names the documents.
    """

    version: int
    architecture: str
    right: Right
    rival: Right
    measured_on: str


def judge_language_models(
    champion: Contender | None, candidates: Sequence[Contender], alpha: float = 0.05, seed: int = 0
) -> Verdict:
    """Compare candidates with the champion, all scored on the same documents.

    Args:
        champion: None when there is none yet.
        candidates: at least one.
        alpha: largest adjusted p-value that counts as a win.
        seed: of the bootstrap.

    Raises:
        InputError: nobody to judge, or scores on different documents.
    """
    _check(champion, candidates)
    first = None
    if champion is None:
        champion = _baseline(candidates)
        first = champion.version
    others = [each for each in candidates if each.version != champion.version]
    n_bytes = champion.scores.n_bytes
    compared = [compare(each.scores.nats, champion.scores.nats, n_bytes, seed) for each in others]
    adjusted = holm([each.p_value for each in compared])
    winner, best = champion.version, 0.0
    rows = [_standing(champion, first is not None, seed)]
    for each, comparison, p_value in zip(others, compared, adjusted, strict=True):
        gap = comparison.difference
        wins = p_value < alpha and gap.value < 0
        if wins and gap.value < best:
            winner, best = each.version, gap.value
        reason = f"{gap.value:+.4f} bits per byte against version {champion.version}, p = {p_value:.2g}"
        reason += "" if wins else f", not significantly better at {alpha:g}"
        score = bits_per_byte(each.scores.nats, n_bytes, seed)
        rows.append(Row(each.version, each.architecture, score, gap, p_value, "wins" if wins else "loses", reason))
    rows = [
        replace(row, outcome="beaten", reason=f"{row.reason}; version {winner} is better still")
        if row.outcome == "wins" and row.version != winner
        else row
        for row in rows
    ]
    rows.sort(key=lambda row: row.score.value if row.score else np.inf)
    runner_up = next((row.version for row in rows if row.version != winner), None)
    return Verdict(winner, first, runner_up, tuple(rows), champion.scores.held_out_digest)


def judge_embeddings(
    champion: EmbeddingContender | None, candidates: Sequence[EmbeddingContender], alpha: float = 0.05, seed: int = 0
) -> Verdict:
    """Take the newest candidate that is not significantly worse than the champion.

    Raises:
        InputError: nobody to judge.
    """
    if not candidates:
        raise InputError("there is no candidate to judge; train a model first")
    newest_first = sorted(candidates, key=lambda each: each.version, reverse=True)
    tests = ", ".join(sorted(newest_first[0].answers)) or "no word test"
    first = None
    if champion is None:
        first = newest_first[0].version
        champion, newest_first = newest_first[0], newest_first[1:]
    standing = "first version" if first else "the champion"
    rows = [Row(champion.version, champion.architecture, None, None, None, "champion", standing)]
    winner = champion.version
    for each in newest_first:
        row = _weighed(each, champion, alpha, seed)
        if row.outcome == "wins" and (winner != champion.version or first):
            row = replace(row, outcome="beaten", reason=f"version {winner} is newer")
        elif row.outcome == "wins":
            winner = each.version
        rows.append(row)
    rows.sort(key=lambda row: (row.version != winner, -row.version))
    runner_up = next((row.version for row in rows if row.version != winner), None)
    return Verdict(winner, first, runner_up, tuple(rows), tests)


def judge_task_heads(
    champion: tuple[int, str] | None, candidates: Sequence[HeadContender], alpha: float = 0.05, seed: int = 0
) -> Verdict:
    """Take the candidate that beats the rival by most, if it does so significantly.

    Args:
        champion: version and architecture, None when there is none yet.
        candidates: each beside the champion, or beside the most frequent class.
        alpha: largest adjusted p-value that counts as a win.
        seed: of the bootstrap.

    Raises:
        InputError: nobody to judge.
    """
    if not candidates:
        raise InputError("there is no candidate to judge; train a model first")
    enough = [each for each in candidates if len(each.right) >= _FEWEST_DOCUMENTS]
    compared = [compare_accuracy(each.right, each.rival, seed) for each in enough]
    adjusted = dict(zip([each.version for each in enough], holm([each.p_value for each in compared]), strict=True))
    gaps = {each.version: comparison.difference for each, comparison in zip(enough, compared, strict=True)}
    winning = [version for version, gap in gaps.items() if adjusted[version] < alpha and gap.value > 0]
    winner = max(winning, key=lambda version: (gaps[version].value, version), default=champion and champion[0])
    against = f"version {champion[0]}" if champion else "the most frequent class"
    rows = []
    for each in candidates:
        documents = f"{len(each.right):,} held-out documents that {'neither' if champion else 'it has not'} learnt"
        if each.version not in gaps:
            reason = f"not compared: only {documents}, and at least {_FEWEST_DOCUMENTS} are needed"
            rows.append(Row(each.version, each.architecture, None, None, None, _lost(champion), reason, "accuracy"))
            continue
        gap, p_value = gaps[each.version], adjusted[each.version]
        reason = f"{gap.value:+.4f} accuracy against {against} on {documents}, p = {p_value:.2g}"
        outcome = "wins" if each.version == winner else "beaten" if each.version in winning else _lost(champion)
        if outcome != "wins":
            better = outcome == "beaten"
            reason += f"; version {winner} is better still" if better else f", not significantly better at {alpha:g}"
        score = share_right(each.right, seed)
        rows.append(Row(each.version, each.architecture, score, gap, p_value, outcome, reason, "accuracy"))
    newest = max(candidates, key=lambda each: each.version)
    if champion:
        standing = share_right(newest.rival, seed) if len(newest.rival) else None
        rows.append(Row(*champion, standing, None, None, "champion", "the champion", "accuracy"))
    rows.sort(key=lambda row: (row.version != winner, -(row.score.value if row.score else 0.0)))
    runner_up = next((row.version for row in rows if row.version != winner), None)
    return Verdict(winner, None if champion else winner, runner_up, tuple(rows), newest.measured_on)


def _lost(champion: object) -> str:
    return "loses" if champion else REFUSED


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being several (Holm 1979): the smallest times n, the next times n - 1, never falling."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted


def _weighed(each: EmbeddingContender, champion: EmbeddingContender, alpha: float, seed: int) -> Row:
    compared = compare_similarity(each.answers, champion.answers, seed)
    if compared is None:
        return Row(each.version, each.architecture, None, None, None, "wins", "newest; no test judged both versions")
    worse = compared.p_value < alpha and compared.difference.value < 0
    said = f"{compared.difference.value:+.3f} Spearman against version {champion.version}, p = {compared.p_value:.2g}"
    reason = f"{said}: significantly worse at {alpha:g}" if worse else f"newest; {said}: not significantly worse"
    outcome = "loses" if worse else "wins"
    return Row(each.version, each.architecture, None, compared.difference, compared.p_value, outcome, reason)


def _baseline(candidates: Sequence[Contender]) -> Contender:
    """The best n-gram model; without one, the best of all, as there is nobody to lose."""
    baselines = [each for each in candidates if each.architecture == BASELINE]
    return min(baselines or candidates, key=lambda each: float(each.scores.nats.sum()))


def _standing(champion: Contender, first: bool, seed: int) -> Row:
    score = bits_per_byte(champion.scores.nats, champion.scores.n_bytes, seed)
    reason = "the one to beat" if first else "the champion"
    outcome = "baseline" if first else "champion"
    return Row(champion.version, champion.architecture, score, None, None, outcome, reason)


def _check(champion: Contender | None, candidates: Sequence[Contender]) -> None:
    if not candidates:
        raise InputError("there is no candidate to judge; train a model first")
    everyone = [*([champion] if champion else []), *candidates]
    if len({(each.scores.held_out_digest, each.scores.doc_ids) for each in everyone}) > 1:
        shown = ", ".join(f"version {each.version}: {each.scores.held_out_digest[:8]}" for each in everyone)
        raise InputError(f"scores on different documents do not compare ({shown}); run evaluate_model on each")
