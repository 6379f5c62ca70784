"""Moves of aliases with an audit trail that is written before anything moves.

Each decision is one run in the MLflow experiment `lmflow/registry`, with a `decision.json`: who, when, why, from which
version to which, the table it rests on, and the moves. The file is written first, then the aliases move; what a killed
process left half done is completed by the next one. So no alias moves without a record.
"""

from __future__ import annotations

import getpass
import json
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lmflow import tracking
from lmflow.errors import InputError, ServiceError
from lmflow.lake import faults
from lmflow.lake.lock import exclusive
from lmflow.registry.gate import Verdict
from lmflow.registry.versions import CHALLENGER, CHAMPION, PREVIOUS_CHAMPION, aliases, version

EXPERIMENT: Final = "lmflow/registry"
#: Tag of a version that was champion and was taken back; the gate passes it over unless it is named.
WITHDRAWN: Final = "withdrawn"
#: Tag of a version that the gate has judged.
VERDICT: Final = "gate_verdict"

_FILE: Final = "decision.json"
#: Tags to set, by version.
Notes = Mapping[int, Mapping[str, str]]


@dataclass(frozen=True)
class Decision:
    """One entry of the audit trail.

    Args:
        model: registered name.
        kind: first, promoted, kept, refused (nobody may be the first champion) or rollback.
        from_version: champion before, None if there was none.
        to_version: champion after, None if there is none yet.
        reason: why.
        actor: user and machine.
        decided_at: UTC, ISO 8601.
        measured_on: what names the held-out documents or tests; empty for a rollback.
        run_id: the MLflow run that holds it.
    """

    model: str
    kind: str
    from_version: int | None
    to_version: int | None
    reason: str
    actor: str
    decided_at: str
    measured_on: str
    run_id: str = ""


@contextmanager
def deciding(name: str) -> Iterator[dict[str, int]]:
    """Hold the only pen on a model's aliases on this host, after completing what a killed process left half done.

    Yields:
        the aliases as they are.

    Raises:
        ServiceError: another process is deciding.
    """
    with exclusive(f"registry_{name}"):
        _complete(name)
        yield aliases(name)


def promote(name: str, verdict: Verdict, before: Mapping[str, int], alpha: float) -> Decision:
    """Carry a verdict out, inside `deciding`; a verdict that keeps the champion is recorded too."""
    champion = before.get(CHAMPION)
    notes = {row.version: {VERDICT: f"{row.outcome}: {row.reason}"} for row in verdict.rows}
    table = [row.flat() for row in verdict.rows]
    if verdict.first is not None and champion is None:
        champion = verdict.first
        moves: dict[str, int | None] = {CHAMPION: champion, CHALLENGER: verdict.runner_up}
        alone = verdict.winner == champion
        reason = "first champion" if alone else f"first champion: the baseline to compare version {verdict.winner} with"
        decision = _decision(name, "first", None, champion, reason, verdict.measured_on)
        done = _carry_out(decision, moves, notes if alone else {}, table)
        if alone:
            return done
    if verdict.winner is None:
        decision = _decision(name, "refused", None, None, verdict.rows[0].reason, verdict.measured_on)
        return _carry_out(decision, {CHALLENGER: verdict.runner_up}, notes, table)
    if verdict.winner == champion:
        reason = f"version {champion} stays: nobody was significantly better at {alpha:g}"
        decision = _decision(name, "kept", champion, champion, reason, verdict.measured_on)
        return _carry_out(decision, {CHALLENGER: verdict.runner_up}, notes, table)
    reason = next(row.reason for row in verdict.rows if row.version == verdict.winner)
    moves = {CHAMPION: verdict.winner, PREVIOUS_CHAMPION: champion, CHALLENGER: verdict.runner_up}
    notes.setdefault(verdict.winner, {})[WITHDRAWN] = ""
    return _carry_out(
        _decision(name, "promoted", champion, verdict.winner, reason, verdict.measured_on), moves, notes, table
    )


def rollback(name: str, before: Mapping[str, int], reason: str, to: int | None = None) -> Decision | None:
    """Give the champion's place back, inside `deciding`; the version that leaves is marked as withdrawn.

    Args:
        name: registered model.
        before: its aliases.
        reason: why, for the audit trail.
        to: the version to go back to; by default `previous_champion`.

    Returns:
        the decision; None when `previous_champion` is itself withdrawn, which is how a finished rollback looks.

    Raises:
        InputError: there is no champion, or nothing to go back to.
    """
    champion = before.get(CHAMPION)
    if champion is None:
        raise InputError(f"{name} has no champion, so there is nothing to roll back; run promote_model first")
    target = to if to is not None else before.get(PREVIOUS_CHAMPION)
    if target is None:
        raise InputError(f"{name} has had no champion before version {champion}; name one with --to")
    if target == champion:
        return None
    if to is None and version(name, target).tags.get(WITHDRAWN):
        return None
    version(name, target)
    notes = {champion: {WITHDRAWN: reason}, target: {WITHDRAWN: ""}}
    moves = {CHAMPION: target, PREVIOUS_CHAMPION: champion}
    return _carry_out(_decision(name, "rollback", champion, target, reason, ""), moves, notes)


def history(name: str, at_most: int = 50) -> list[Decision]:
    """The audit trail of a model, newest first."""
    found = _runs(f"tags.model = '{name}' and tags.applied = 'yes'", at_most)
    return [Decision(**json.loads(run.data.tags["decision"]), run_id=run.info.run_id) for run in found]


def table_of(decision: Decision) -> list[dict[str, Any]]:
    """The table a decision rested on, as `Row.flat` gives it."""
    return list(_content(decision.run_id).get("table", []))


def _carry_out(
    decision: Decision, moves: Mapping[str, int | None], notes: Notes, table: Sequence[Mapping[str, Any]] = ()
) -> Decision:
    name = decision.model
    now = aliases(name).get(CHAMPION)
    if now != decision.from_version:
        raise ServiceError(f"{name}: the champion moved to version {now} meanwhile; run the job again")
    facts = asdict(decision)
    del facts["run_id"]
    tags = {"model": name, "applied": "no", "decision": json.dumps(facts, ensure_ascii=False)}
    title = f"{name}: {decision.kind} {decision.from_version or '–'} → {decision.to_version or '–'}"
    with tracking.run(EXPERIMENT, title, {"model": name, "kind": decision.kind}, tags) as run:
        faults.point("registry:opened")
        run.log_dict({**facts, "moves": dict(moves), "notes": notes, "table": list(table)}, _FILE)
        faults.point("registry:decided")
        _apply(name, moves, notes)
        faults.point("registry:moved")
        run.set_tags({"applied": "yes"})
    return replace(decision, run_id=run.run_id)


def _apply(name: str, moves: Mapping[str, int | None], notes: Notes) -> None:
    """Idempotent: done twice it ends in the same state."""
    client = tracking.client()
    present = aliases(name)
    champion = moves.get(CHAMPION, present.get(CHAMPION))
    for alias, number in moves.items():
        if number is not None and present.get(alias) != number:
            client.set_registered_model_alias(name, alias, str(number))
            faults.point(f"registry:{alias}")
    for alias in (CHALLENGER, PREVIOUS_CHAMPION):
        target = moves.get(alias, present.get(alias))
        if alias in present and (target is None or target == champion):
            client.delete_registered_model_alias(name, alias)
    for number, tags in notes.items():
        for key, value in tags.items():
            client.set_model_version_tag(name, str(number), key, value)


def _complete(name: str) -> None:
    for run in _runs(f"tags.model = '{name}' and tags.applied = 'no'", 100)[::-1]:
        content = _content(run.info.run_id)
        if content:
            notes = {int(number): note for number, note in content["notes"].items()}
            _apply(name, content["moves"], notes)
        tracking.client().set_tag(run.info.run_id, "applied", "yes" if content else "never")
        tracking.client().set_terminated(run.info.run_id, "FINISHED" if content else "KILLED")


def _content(run_id: str) -> dict[str, Any]:
    """The file of a decision; empty when its process was killed before it had decided."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = tracking.download(run_id, _FILE, Path(folder))
        except (MlflowException, OSError):
            return {}
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content


def _runs(condition: str, at_most: int) -> list[Any]:
    client = tracking.client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return []
    order = ["attributes.start_time DESC"]
    return list(client.search_runs([experiment.experiment_id], condition, max_results=at_most, order_by=order))


def _decision(name: str, kind: str, source: int | None, target: int | None, reason: str, measured_on: str) -> Decision:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Decision(name, kind, source, target, reason, _actor(), now, measured_on)


def _actor() -> str:
    """Who decided: the user of this process and its machine; the DAG run is in the run's own tags."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
