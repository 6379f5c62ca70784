"""Word embeddings on their own cadence: every week, or when the corpus has grown."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from lmflow.crawl import sources
from lmflow.orchestration import assets, stages
from lmflow.orchestration.form import embeddings_form
from lmflow.orchestration.plan import plan_embeddings

DOC = """
### Train word embeddings on the corpus as it is

One model a language, then **promotion**: the newest takes the champion's place unless it is significantly worse at word
similarity. What was trained on the same text with the same options is not trained again. Starts every Sunday, and when
`monitor_drift` sees that the corpus has grown enough.
"""
PLAN = "ti.xcom_pull(task_ids='plan')"

with DAG(
    "train_embeddings",
    description="Embed words, promote",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("@weekly", timezone="UTC"), assets=[assets.GROWTH]),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params=embeddings_form(sources.load()),
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["lmflow", "models"],
):

    @task(retries=0)
    def plan(params: dict[str, Any]) -> dict[str, Any]:
        """Turn the form into the options of every job."""
        return plan_embeddings(params)

    plan() >> stages.embeddings(PLAN) >> stages.promotion(PLAN)
