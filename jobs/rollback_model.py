"""Take the champion back: `champion` returns to `previous_champion`, and the audit trail says who did it and why.

The version that leaves is marked as withdrawn: the gate passes it over until somebody names it. Run twice, the second
run finds nothing to do; it never swings back to the withdrawn version by itself.

Examples:
  python -m jobs.rollback_model --model lm-en --reason "repeats itself in production"
  python -m jobs.rollback_model --model lm-en --to 2 --reason "back to last month's"
"""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from jobs.command import Options, Progress, Result, main
from jobs.values import JudgedModel
from lmflow import registry, tracking
from lmflow.registry import decisions
from lmflow.registry.versions import CHAMPION


class RollbackModel(Options):
    """Which model, why, and how far back."""

    model: JudgedModel = Field(description="Registered model.", examples=["lm-en", "sentiment-zh"])
    reason: str = Field(description="Why; kept in the audit trail.", min_length=3, max_length=500)
    to: int | None = Field(None, description="Version to go back to; by default previous_champion.", ge=1)


def run(options: RollbackModel, progress: Progress) -> Result:
    """Move the aliases back, once."""
    with decisions.deciding(options.model) as before:
        decision = decisions.rollback(options.model, before, options.reason, options.to)
        aliases = registry.aliases(options.model)
        champion = aliases.get(CHAMPION)
        if decision is None:
            reason = f"version {champion} is champion already"
            reason += "" if options.to else "; the one before it is withdrawn, name another with --to"
            return {"status": "nothing_new", "reason": reason, "model": options.model, "champion": champion}
        progress.say(f"{options.model}: champion {decision.from_version} → {decision.to_version}, {decision.reason}")
    return {
        **asdict(decision),
        "champion": champion,
        "aliases": aliases,
        "run_url": tracking.run_url(decision.run_id),
    }


if __name__ == "__main__":
    main(RollbackModel, run, __doc__)
