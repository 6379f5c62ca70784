"""Public timelines on their own cadence: every hour."""

from airflow.sdk import DAG

from lmflow.crawl import sources
from lmflow.orchestration import form, stages

with DAG(
    "ingest_social",
    description="Read new public posts into documents",
    schedule="@hourly",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={"sources": form.site_names(sources.load().social, "What to crawl", "Timelines")},
    render_template_as_native_obj=True,
    doc_md="Goes on where the last run stopped; authors' opt-outs are honoured. Updates `lmflow://documents/social`.",
    tags=["lmflow", "ingest"],
):
    stages.ingest_social({"source": "{{ params.sources }}"}, task_id="ingest_social")
