"""Let the gate decide which version of a model is champion, and record the decision.

A language model takes the champion's place only by a significant win in bits per byte on the same held-out documents
(paired bootstrap, p-values adjusted for several candidates); without a champion the n-gram model is the first. Versions
not yet scored on the present held-out documents, the champion included, are scored first. Embeddings: the newest
version takes the place unless it is significantly worse at word similarity. A task head takes it by a significant win
in accuracy on the newer version's held-out documents less what the older one learnt; the first must beat the most
frequent class.

Examples:
  python -m jobs.promote_model --model lm-en
  python -m jobs.promote_model --model lm-zh --candidates 3 4 --alpha 0.01
  python -m jobs.promote_model --model sentiment-zh
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from jobs import evaluate_model
from jobs.command import Options, Progress, Result, main
from jobs.task_head_registration import record_of
from jobs.values import JudgedModel
from lmflow import registry, tracking
from lmflow.errors import InputError
from lmflow.evaluation.scores import Scores
from lmflow.registry import decisions, gate
from lmflow.registry.versions import CHAMPION, Version

_Judge = Callable[[Version | None, list[Version], float, Progress], gate.Verdict]


class PromoteModel(Options):
    """Whom to judge, and how strictly."""

    model: JudgedModel = Field(description="Registered model.", examples=["lm-en", "sentiment-zh"])
    candidates: tuple[int, ...] = Field((), description="Versions to judge; by default all that were never judged.")
    alpha: float = Field(0.05, description="Largest p-value that counts as significant.", gt=0, lt=1)


def run(options: PromoteModel, progress: Progress) -> Result:
    """Judge and move the aliases, once for the same candidates."""
    name = options.model
    known = {version.version: version for version in registry.versions(name)}
    job, judge = _kind(name)
    if not known:
        raise InputError(f"{name} has no version yet; run `python -m jobs.{job}` first")
    with decisions.deciding(name) as before:
        champion = known.get(before.get(CHAMPION, -1))
        candidates = _candidates(options, known, champion)
        if not candidates:
            return _nothing_new(name, champion)
        verdict = judge(champion, candidates, options.alpha, progress)
        decision = decisions.promote(name, verdict, before, options.alpha)
        progress.say(f"{name}: {decision.kind}, {decision.reason}")
        return _result(decision, [row.flat() for row in verdict.rows], options.alpha)


def _kind(name: str) -> tuple[str, _Judge]:
    """The job that trains such a model, and who judges it."""
    kind = name.partition("-")[0]
    trained_by: dict[str, tuple[str, _Judge]] = {
        "lm": ("train_language_model", _judge_language_models),
        "embeddings": ("train_embeddings", _judge_embeddings),
    }
    return trained_by.get(kind, (f"train_task_head --task {kind}", _judge_task_heads))


def _candidates(options: PromoteModel, known: dict[int, Version], champion: Version | None) -> list[Version]:
    for number in options.candidates:
        if number not in known:
            there = ", ".join(map(str, known))
            raise InputError(f"--candidates {number}: {options.model} has no such version (it has: {there})")
    asked = [known[number] for number in dict.fromkeys(options.candidates)]
    if not asked:
        asked = [
            version
            for version in known.values()
            if not version.tags.get(decisions.VERDICT) and not version.tags.get(decisions.WITHDRAWN)
        ]
        if champion is None:  # nobody was ever judged, or the champion was deleted: everybody may stand
            asked = [
                version
                for version in known.values()
                if not version.tags.get(decisions.WITHDRAWN)
                and not version.tags.get(decisions.VERDICT, "").startswith(gate.REFUSED)
            ]
    return [version for version in asked if champion is None or version.version != champion.version]


def _judge_language_models(
    champion: Version | None, candidates: list[Version], alpha: float, progress: Progress
) -> gate.Verdict:
    contenders = [_scored(version, progress) for version in candidates]
    standing = _scored(champion, progress) if champion else None
    return gate.judge_language_models(standing, contenders, alpha)


def _scored(version: Version, progress: Progress) -> gate.Contender:
    scored = evaluate_model.run(evaluate_model.EvaluateModel(model=version.uri), progress)
    with tempfile.TemporaryDirectory() as folder:
        path = tracking.download(version.run_id, Scores.artifact(scored["held_out_digest"]), Path(folder))
        return gate.Contender(version.version, version.tags.get("architecture", "unknown"), Scores.read(path))


def _judge_embeddings(
    champion: Version | None, candidates: list[Version], alpha: float, progress: Progress
) -> gate.Verdict:
    standing = _answered(champion) if champion else None
    return gate.judge_embeddings(standing, [_answered(version) for version in candidates], alpha)


def _answered(version: Version) -> gate.EmbeddingContender:
    with tempfile.TemporaryDirectory() as folder:
        path = tracking.download(version.run_id, "evaluation/similarity.json", Path(folder))
        answers = json.loads(path.read_text(encoding="utf-8"))
    return gate.EmbeddingContender(version.version, version.tags.get("architecture", "unknown"), answers)


def _judge_task_heads(
    champion: Version | None, candidates: list[Version], alpha: float, progress: Progress
) -> gate.Verdict:
    records = {each.version: record_of(each) for each in [*candidates, *([champion] if champion else [])]}
    contenders = []
    for each in candidates:
        record, family = records[each.version], each.tags.get("architecture", "unknown")
        if champion is None:
            rows = [int(row) for row in np.flatnonzero(record.held_out)]
            right, rival = record.right(rows), np.array([record.labels[row] == record.majority for row in rows])
        else:
            newer, older = (champion, each) if champion.version > each.version else (each, champion)
            record = records[newer.version]
            rows = record.rows_unknown_to(records[older.version])
            if record.folding != records[older.version].folding:
                progress.say(f"fingerprints of version {older.version} are of an earlier lmflow: near copies stay in")
            progress.say(f"version {older.version} answers {len(rows):,} held-out documents of version {newer.version}")
            answers = _answers(older, [record.texts[row] for row in rows])
            theirs = np.array([record.labels[row] == answer for row, answer in zip(rows, answers, strict=True)], bool)
            right, rival = (record.right(rows), theirs) if newer is each else (theirs, record.right(rows))
        contenders.append(gate.HeadContender(each.version, family, right, rival, record.digest(rows)))
    standing = (champion.version, champion.tags.get("architecture", "unknown")) if champion else None
    return gate.judge_task_heads(standing, contenders, alpha)


def _answers(version: Version, texts: list[str]) -> list[str]:
    """The classes that a version gives to texts."""
    import pandas as pd

    if not texts:
        return []
    return [str(label) for label in tracking.load_model(version.uri).predict(pd.DataFrame({"text": texts}))["label"]]


def _nothing_new(name: str, champion: Version | None) -> Result:
    past = registry.history(name, at_most=20)
    reason = "every version has been judged; name --candidates to judge one again"
    last = next((decision for decision in past if decision.measured_on), None)
    if last is None:
        return {"status": "nothing_new", "reason": reason, "model": name, "champion": champion and champion.version}
    return {"status": "nothing_new", **_result(last, decisions.table_of(last)), "reason": reason}


def _result(decision: decisions.Decision, table: list[dict[str, Any]], alpha: float | None = None) -> Result:
    aliases = registry.aliases(decision.model)
    champion = aliases.get(CHAMPION)
    standing = next((row for row in table if row["version"] == champion), {})
    metrics = {
        f"test_{name}": standing[name] for name in ("bits_per_byte", "accuracy") if standing.get(name) is not None
    }
    return {
        **{key: value for key, value in asdict(decision).items() if key != "kind"},
        "decision": decision.kind,
        "champion": champion,
        "aliases": aliases,
        "table": table,
        "metrics": metrics,
        "run_url": tracking.run_url(decision.run_id),
        **({} if alpha is None else {"alpha": alpha}),
    }


if __name__ == "__main__":
    main(PromoteModel, run, __doc__)
