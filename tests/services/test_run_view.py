"""What a person is told about a run that is under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lmflow.services.airflow_api import TaskInstance
from lmflow.services.run_view import RunView, words_for

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
TASKS = [{"task_id": name} for name in ("plan", "ingest.news", "corpus.build_corpus", "language_model.train")]


def instance(task_id: str, state: str, start_s: float | None = None, end_s: float | None = None) -> TaskInstance:
    started = None if start_s is None else BEGIN + timedelta(seconds=start_s)
    ended = None if end_s is None else BEGIN + timedelta(seconds=end_s)
    return TaskInstance(task_id, -1, "-1", state, started, ended, 1)


def test_the_headline_names_the_stage_and_counts_what_has_ended() -> None:
    view = RunView.of(
        TASKS,
        [
            instance("corpus.build_corpus", "running"),
            instance("ingest.news", "skipped", 2, 9),
            instance("plan", "success", 0, 1),
            instance("language_model.train", "waiting"),
        ],
    )
    assert [each.task_id for each in view.instances] == [task["task_id"] for task in TASKS]
    assert view.headline().startswith("stage 3 of 4: corpus, 2 of 4 tasks, about ")
    assert view.stage_seconds() == {"plan": 1, "ingest": 7}
    assert words_for("skipped") == "nothing to do"


def test_a_task_that_takes_longer_than_usual_leaves_no_negative_time() -> None:
    late = datetime.now(UTC) - timedelta(hours=5)
    slow = TaskInstance("corpus.build_corpus", -1, "-1", "running", late, None, 1)
    assert RunView.of(TASKS, [slow]).seconds_left() == 0


def test_a_group_within_a_stage_is_shown_only_where_it_was_worked_on() -> None:
    tasks = [
        instance("language_model.train", "waiting"),
        instance("language_model.search.rung_1", "skipped", 5, 5),
        instance("language_model.search.studies", "success", 2, 3),
    ]
    view = RunView.of(TASKS, tasks)
    assert [each.task_id for each in view.shown()] == ["language_model.train", "language_model.search.studies"]
    assert view.ended() == 2
