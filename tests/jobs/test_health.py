"""The health report: every source that was asked is in it, with what came of its items."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from jobs import health
from jobs.ingest import Tally
from lmflow.crawl.pages import Visit

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)


def visit(source: str, status: int, error: str = "", raw_key: str = "") -> Visit:
    return Visit(f"https://{source}.org/{status}", source, status, error, "", 1, "", "", NOW, None, raw_key=raw_key)


def made() -> dict[str, dict[str, Any]]:
    tally = Tally()
    tally.see("good", 3)
    for outcome in ("new", "unchanged", "failed:http_404"):
        tally.add("good", outcome)
    tally.see("quiet", 0)
    visits = [visit("good", 200, raw_key="a.warc.gz"), visit("good", 304), visit("good", 404, "http_404")]
    return health.report(
        tally.result()["by_source"], visits, {"good": NOW - timedelta(days=3)}, {"gone": "no such host"}
    )


def test_every_source_is_in_the_report_with_what_came_of_its_items() -> None:
    found = made()
    assert list(found) == ["gone", "good", "quiet"]
    assert found["good"] == {
        "fetched": 1,
        "not_modified": 1,
        "new": 1,
        "changed": 0,
        "unchanged": 1,
        "failed": {"http_404": 1},
        "skipped": {},
        "oldest_item": "2026-11-22T03:00:00+00:00",
        "unreachable": "",
    }
    assert found["gone"]["unreachable"] == "no such host"


def test_the_picture_shows_every_source_and_why_it_fails() -> None:
    figure = health.picture(made(), NOW)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["quiet", "good", "gone"]
    assert [text.get_text() for text in axes.texts] == ["", "http_404 1; oldest 3 d", "list cannot be read"]
    file = BytesIO()
    figure.savefig(file)
    assert file.getvalue().startswith(b"\x89PNG")


def test_no_source_at_all_is_still_a_picture() -> None:
    file = BytesIO()
    health.picture({}, NOW).savefig(file)
    assert file.getvalue().startswith(b"\x89PNG")
