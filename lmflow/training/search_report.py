"""What a search found, for people: a table, and its trials as lines through parallel axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNIT: Final = "bits per byte"


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes:
        number: in the study.
        settings: value by option, the preset's where none was given.
        scores: bits per byte on validation, by the rung after which they were measured; None: not trained so far.
        outcome: winner, finished, stopped, lost (with the reason), or waiting.
        run_id: its MLflow run, empty before it has one.
    """

    number: int
    settings: Mapping[str, Any]
    scores: Sequence[float | None]
    outcome: str
    run_id: str

    @property
    def last(self) -> float | None:
        """The score after the last rung that it reached."""
        return next((score for score in reversed(self.scores) if score is not None), None)


def as_markdown(rows: Sequence[Row], rungs: Sequence[float]) -> str:
    """The trials as a table, the best of those that went furthest first."""
    options = [name for name in rows[0].settings]
    head = ["trial", *(name.replace("_", " ") for name in options)]
    head += [f"{_UNIT} after {passes:.3g} passes" for passes in rungs] + ["outcome"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in sorted(rows, key=_place):
        values = [str(row.number), *(f"{row.settings[name]:g}" for name in options)]
        values += ["" if score is None else f"{score:.4f}" for score in row.scores]
        lines.append(_line([*values, row.outcome.replace("|", "/")]))
    return "\n".join(lines) + "\n"


def parallel_coordinates(rows: Sequence[Row], title: str) -> Figure:
    """A line for each trial through one axis for each option that varies, and one for its last score.

    Trials that were stopped early are thin and dashed: their score is that of a shorter training. Those that were lost
    end below the last axis.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    varied = [name for name in rows[0].settings if len({row.settings[name] for row in rows}) > 1] or ["learning_rate"]
    figure = Figure(figsize=(2.2 + 1.8 * len(varied), 4.6))
    axes: Any = figure.subplots()
    axes.set(xlim=(-0.3, len(varied) + 0.3), ylim=(-0.14, 1.06), xticks=range(len(varied) + 1), yticks=[], title=title)
    axes.set_xticklabels([*(name.replace("_", " ") for name in varied), f"{_UNIT}\n(validation)"])
    scores = [row.last for row in rows if row.last is not None] or [0.0]
    low, high = min(scores), max(scores)
    for place, name in enumerate(varied):
        _axis(axes, place, {value: _height(value, rows, name) for value in {row.settings[name] for row in rows}})
    _axis(axes, len(varied), {score: _share(score, low, high) for score in (low, high)}, "{:.3f}")
    for row in sorted(rows, key=lambda row: row.outcome == "winner"):
        score = row.last
        points = [_height(row.settings[name], rows, name) for name in varied]
        points.append(-0.1 if score is None else _share(score, low, high))
        colour = "0.6" if score is None else colormaps["viridis"](1 - _share(score, low, high))
        full, won = row.outcome in ("winner", "finished"), row.outcome == "winner"
        style = {"linewidth": 3.0 if won else 1.5 if full else 0.9, "linestyle": "-" if full else "--"}
        axes.plot(range(len(points)), points, color="crimson" if won else colour, alpha=1 if full else 0.7, **style)
        if won:
            axes.annotate(f" trial {row.number}", (len(varied), points[-1]), color="crimson", va="bottom")
    figure.tight_layout()
    return figure


def _axis(axes: Any, place: int, marks: Mapping[Any, float], form: str = "{:g}") -> None:
    axes.axvline(place, color="0.3", linewidth=0.8)
    for value, height in marks.items():
        axes.annotate(form.format(value), (place, height), xytext=(-4, 0), textcoords="offset points", ha="right")


def _height(value: float, rows: Sequence[Row], name: str) -> float:
    """Where a value lies on its axis: its rank, because a grid's values are few and often geometric."""
    values = sorted({row.settings[name] for row in rows})
    return 0.5 if len(values) == 1 else values.index(value) / (len(values) - 1)


def _share(score: float, low: float, high: float) -> float:
    return 0.5 if high == low else (score - low) / (high - low)


def _place(row: Row) -> tuple[bool, int, float]:
    reached = sum(score is not None for score in row.scores)
    return (row.outcome != "winner", -reached, math.inf if row.last is None else row.last)


def _line(values: Sequence[str]) -> str:
    return "| " + " | ".join(values) + " |"
