"""News on its own cadence: every hour."""

from airflow.sdk import DAG

from lmflow.crawl import sources
from lmflow.orchestration import form, stages

with DAG(
    "ingest_news",
    description="Read what the feeds list that is new into documents",
    schedule="@hourly",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={"sources": form.site_names(sources.load().news, "What to crawl", "News sites")},
    render_template_as_native_obj=True,
    doc_md="Polite: robots.txt, one rate a site, conditional requests. Updates `lmflow://documents/news`.",
    tags=["lmflow", "ingest"],
):
    stages.ingest_news({"source": "{{ params.sources }}"}, task_id="ingest_news")
