"""How each source is doing, after a crawl of several: a table for a program and a picture for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lmflow import tracking
from lmflow.crawl.pages import Visit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What can come of an item, in the order of the bars, with their colours: good news in green, bad news in red.
_PARTS: Final = (
    ("new", "#2a9d5c"),
    ("changed", "#8fd0a8"),
    ("unchanged", "#c9d3da"),
    ("skipped", "#e9c46a"),
    ("failed", "#d1495b"),
)
_MOST_SOURCES: Final = 40


def report(
    by_source: Mapping[str, Mapping[str, Any]],
    visits: Iterable[Visit],
    oldest: Mapping[str, datetime | None],
    unreachable: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """One entry a source.

    Args:
        by_source: counts of items, as `Tally.result()["by_source"]` has them.
        visits: requests for pages.
        oldest: date of the oldest item that each list still holds: how long a crawl may pause and lose nothing.
        unreachable: sources whose list could not be read, with the reason.

    Returns:
        By source: fetched, not_modified, new, changed, unchanged, failed and skipped (both by kind), oldest_item (ISO
        8601, UTC) and unreachable (a reason, or empty).
    """
    fetched, not_modified = Counter[str](), Counter[str]()
    for visit in visits:
        fetched[visit.source] += bool(visit.raw_key)
        not_modified[visit.source] += visit.status == 304
    found = {}
    for source in sorted({*by_source, *unreachable}):
        counts = by_source.get(source, {})
        date = oldest.get(source)
        found[source] = {
            "fetched": fetched[source],
            "not_modified": not_modified[source],
            **{name: counts.get(name, 0) for name in ("new", "changed", "unchanged")},
            **{name: dict(counts.get(name, {})) for name in ("failed", "skipped")},
            "oldest_item": date.astimezone(UTC).isoformat() if date else None,
            "unreachable": unreachable.get(source, ""),
        }
    return found


def picture(sources: Mapping[str, Mapping[str, Any]], now: datetime) -> Figure:
    """Bars of what came of each source's items; beside them the errors by kind, and the age of the oldest item."""
    from matplotlib.figure import Figure

    shown = sorted(sources, key=lambda name: (bool(sources[name]["unreachable"]), _size(sources[name]["failed"])))
    shown = shown[-_MOST_SOURCES:]  # the worst are on top
    figure = Figure(figsize=(9, 1.4 + 0.32 * len(shown)), layout="constrained")
    axes = figure.subplots()
    ends = [0] * len(shown)
    for part, colour in _PARTS:
        sizes = [_size(sources[name][part]) for name in shown]
        axes.barh(shown, sizes, left=ends, color=colour, label=part)
        ends = [end + size for end, size in zip(ends, sizes, strict=True)]
    for row, name in enumerate(shown):
        axes.annotate(
            _note(sources[name], now), (ends[row], row), (4, 0), textcoords="offset points", va="center", size=8
        )
    axes.set(xlabel="items", title=f"Sources on {now:%Y-%m-%d %H:%M} UTC", xlim=(0, 1.6 * max([1, *ends])))
    axes.legend(loc="lower right", fontsize=8)
    return figure


def log(run: tracking.Run, sources: Mapping[str, Mapping[str, Any]]) -> None:
    """Both, as artifacts of a run: `health.json` and `plots/health.png`."""
    run.log_dict(sources, "health.json")
    run.log_figure(picture(sources, datetime.now(UTC)), "plots/health.png")


def oldest_of(dates: Sequence[datetime | None]) -> datetime | None:
    """The earliest of the dates that are known."""
    return min((date for date in dates if date is not None), default=None)


def _size(count: int | Mapping[str, int]) -> int:
    return count if isinstance(count, int) else sum(count.values())


def _note(source: Mapping[str, Any], now: datetime) -> str:
    if source["unreachable"]:
        return "list cannot be read"
    errors = [f"{kind} {number}" for kind, number in sorted(source["failed"].items(), key=lambda item: -item[1])]
    notes = [", ".join(errors[:4])] if errors else []
    if source["oldest_item"]:
        age = now - datetime.fromisoformat(source["oldest_item"])
        notes.append(f"oldest {age.days} d" if age.days else f"oldest {age.seconds // 3600} h")
    return "; ".join(notes)
