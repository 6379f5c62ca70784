"""A search for the settings of a network: which combinations are tried, how far each is trained, which go on.

Successive halving (Jamieson & Talwalkar 2016, https://arxiv.org/abs/1502.07943; one bracket of Hyperband, Li et al.
2018, https://arxiv.org/abs/1603.06560): all trials are trained a little, the best 1 of `reduction` go on to the next
rung at their checkpoint, and so on until the last are trained in full. Pure: settings in, a plan out.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Setting = Mapping[str, Any]

#: Rungs at most: with three, and a third going on, the first is a ninth of a training.
MOST_RUNGS: Final = 3


@dataclass(frozen=True)
class Plan:
    """A study.

    Attributes:
        settings: of each trial, by the names of options.
        rungs: passes over the text after which trials are compared; the last is the whole training.
        reduction: one of so many goes on.
    """

    settings: tuple[Setting, ...]
    rungs: tuple[float, ...]
    reduction: int

    def places(self, rung: int) -> int:
        """How many trials are trained to rung number `rung` (from 0)."""
        return max(1, len(self.settings) // int(self.reduction**rung))

    def passes(self) -> float:
        """Passes over the text that the study costs; a trial that goes on goes on where it was."""
        parts = zip(self.rungs, (0.0, *self.rungs), strict=False)
        return sum(self.places(rung) * (until - since) for rung, (until, since) in enumerate(parts))


def plan(
    grid: Mapping[str, Sequence[Any]],
    epochs: float,
    seed: int,
    trials: int | None = None,
    budget: float | None = None,
    reduction: int = 3,
    rungs: int = MOST_RUNGS,
    shortest: float = 0.0,
) -> Plan:
    """All combinations of a grid, or as many of them, drawn at random, as are asked for and the budget allows.

    Args:
        grid: values by option.
        epochs: passes over the text of a whole training.
        seed: of the draw; the same seed and grid give the same plan.
        trials: how many combinations to draw; None: all.
        budget: most passes over the text that all trials may take together; None: no limit.
        reduction: one of so many trials goes on to the next rung.
        rungs: at most so many; 1: every trial is trained in full.
        shortest: passes before which trials cannot be compared, because the rate is still warming up.

    Raises:
        ValueError: the budget does not suffice for one training.
    """
    combinations = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*(dict.fromkeys(v) for v in grid.values()))
    ]
    most = min(len(combinations), trials or len(combinations))
    for count in range(most, 0, -1):
        found = Plan(
            _drawn(combinations, count, seed), _rungs(epochs, count, reduction, rungs, shortest), int(reduction)
        )
        if budget is None or found.passes() <= budget * (1 + 1e-9):
            return found
    raise ValueError(f"one training alone takes {epochs:g} passes over the text, more than the {budget:g} allowed")


def survivors(scores: Mapping[int, float], places: int) -> list[int]:
    """The trials that go on: those of the lowest scores, of equal ones the earlier; lost ones (infinite) never do."""
    ranked = sorted((score, number) for number, score in scores.items() if math.isfinite(score))
    return sorted(number for _, number in ranked[:places])


def _drawn(combinations: Sequence[Setting], count: int, seed: int) -> tuple[Setting, ...]:
    if count == len(combinations):
        return tuple(combinations)
    return tuple(combinations[place] for place in sorted(random.Random(seed).sample(range(len(combinations)), count)))


def _rungs(epochs: float, trials: int, reduction: int, most: int, shortest: float) -> tuple[float, ...]:
    found = [epochs]
    while len(found) < most and reduction ** len(found) <= trials and found[0] / reduction >= shortest:
        found.insert(0, found[0] / reduction)
    return tuple(found)
