"""Language models on their own cadence: every week, when drift is seen, or when the corpus has grown."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from lmflow.crawl import sources
from lmflow.errors import InputError
from lmflow.orchestration import assets, stages
from lmflow.orchestration.form import language_model_form
from lmflow.orchestration.plan import plan_language_models

DOC = """
### Train language models on the corpus as it is

The second half of `retrain`, without crawling: **language_model** tokenizes, packs, searches for settings if you ask,
and trains every architecture in every language; **evaluation** scores each in bits per byte on documents that no model
has seen; **promotion** makes a champion of one that wins significantly.

Starts every Wednesday at 03:00 UTC, and when `monitor_drift` sees that a champion does worse on fresh documents or that
the corpus has grown enough. What was trained on the same text with the same options is not trained again.
"""
PLAN = "ti.xcom_pull(task_ids='plan')"

with DAG(
    "train_language_model",
    description="Tokenize, search, train, evaluate, promote",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 3 * * 3", timezone="UTC"), assets=assets.DRIFT | assets.GROWTH
    ),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params=language_model_form(sources.load()),
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["lmflow", "models"],
):

    @task(retries=0)
    def plan(params: dict[str, Any]) -> dict[str, Any]:
        """Turn the form into the options of every job; a form that cannot work fails here, in the first second."""
        try:
            return plan_language_models(params)
        except InputError as error:
            raise AirflowFailException(str(error)) from None

    modelled, trainings = stages.language_model(PLAN)
    scored, promoted = stages.evaluation(trainings), stages.promotion(PLAN)
    plan() >> modelled
    scored >> promoted
