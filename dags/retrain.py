"""The main DAG: from what is new on the web to a champion, every week or when asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException

from lmflow.crawl import sources
from lmflow.errors import InputError
from lmflow.orchestration import stages
from lmflow.orchestration.form import retrain_form
from lmflow.orchestration.plan import plan_retraining
from lmflow.settings import settings

DOC = """
### Retrain everything that new text can improve

1. **ingest** crawls what is new: Wikipedia dumps, news feeds, public timelines.
2. **corpus** cleans it, drops copies, and gives each document a verdict with its reasons.
3. **embeddings** and **language_model** train on the training split: every architecture in every language.
4. **evaluation** scores each model in bits per byte on documents that no model has seen.
5. **promotion** makes a champion of a model that wins significantly, after your approval if you asked for it.

A task with nothing new to do is shown as *skipped*, and its log says why; a run may be repeated at any time. A task's
Details tab links to its *MLflow run*. Schedule: `LMFLOW_RETRAIN_SCHEDULE` (a cron expression, a preset, or `none`).
"""
PLAN = "ti.xcom_pull(task_ids='plan')"
EVERY = settings().retrain_schedule
# Airflow runs what was due in the last tenth of an interval at once: a first `make up` on a Sunday would retrain.
SCHEDULE = None if EVERY == "none" else CronTriggerTimetable(EVERY, timezone="UTC", run_immediately=timedelta(0))

with DAG(
    "retrain",
    description="Crawl, clean, embed, train, evaluate, promote",
    schedule=SCHEDULE,
    catchup=False,
    is_paused_upon_creation=False,  # the one DAG that its schedule starts without being switched on
    max_active_runs=1,
    default_args=stages.DEFAULT_ARGS,
    params=retrain_form(sources.load()),
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["lmflow", "main"],
):

    @task(retries=0)
    def plan(params: dict[str, Any]) -> dict[str, Any]:
        """Turn the form into the options of every job; a form that cannot work fails here, in the first second."""
        try:
            return plan_retraining(params, sources.load())
        except InputError as error:
            raise AirflowFailException(str(error)) from None

    collected, cleaned, embedded = stages.ingest(PLAN), stages.corpus(PLAN), stages.embeddings(PLAN)
    modelled, trainings = stages.language_model(PLAN)
    scored, promoted = stages.evaluation(trainings), stages.promotion(PLAN)
    plan() >> collected >> cleaned >> [embedded, modelled]
    [embedded, scored] >> promoted
