"""Wikipedia on its own cadence: a dump a month."""

from airflow.sdk import DAG

from lmflow.crawl import sources
from lmflow.orchestration import form, stages

with DAG(
    "ingest_wikipedia",
    description="Read the newest Wikipedia dumps into documents",
    schedule="@monthly",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={
        "sources": form.site_names(sources.load().wikipedia, "What to crawl", "Wikipedia editions"),
        "date": form.dump_date("What to crawl"),
        "wait_hours": form.dump_wait("What to crawl"),
    },
    render_template_as_native_obj=True,
    doc_md="Pages whose revision is known already are not read twice. Updates `lmflow://documents/wikipedia`.",
    tags=["lmflow", "ingest"],
):
    options = {
        "source": "{{ params.sources }}",
        "date": "{{ params.date }}",
        "wait_hours": "{{ params.wait_hours }}",
    }
    stages.ingest_wikipedia(options, task_id="ingest_wikipedia")
