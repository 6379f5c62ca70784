"""Clean text as soon as there are new documents."""

from airflow.sdk import DAG

from lmflow.crawl import sources
from lmflow.orchestration import assets, form, stages

with DAG(
    "build_corpus",
    description="Clean, deduplicate and split new documents",
    schedule=assets.WIKIPEDIA | assets.NEWS | assets.SOCIAL,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={
        "languages": form.languages(sources.load(), "Corpus"),
        "evaluation_dir": form.evaluation_dir("Corpus"),
    },
    render_template_as_native_obj=True,
    doc_md="Starts when any `lmflow://documents/…` was updated; updates `lmflow://corpus`.",
    tags=["lmflow", "corpus"],
):
    stages.build_corpus({"languages": "{{ params.languages }}", "evaluation_dir": "{{ params.evaluation_dir }}"})
