"""Forget documents: by hand, and every day whatever sites said they deleted."""

from airflow.sdk import DAG, Param

from lmflow.orchestration import stages
from lmflow.orchestration.job import JobOperator

with DAG(
    "forget_documents",
    description="Take documents out of tables, raw objects and datasets, for good",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={
        "doc_ids": Param(
            [],
            type="array",
            items={"type": "string", "pattern": r"^(wikipedia|news|social|file):\S+$"},
            uniqueItems=True,
            examples=["social:mastodon.social:113000000000000000"],
            description="Documents by their id, one a line. Empty: only those that sites said they deleted.",
        ),
        "reason": Param(
            "",
            type="string",
            maxLength=500,
            examples=["asked by the author"],
            description="Why; kept with the tombstone. Needed with ids.",
        ),
    },
    render_template_as_native_obj=True,
    doc_md="A tombstone blocks re-ingest for ever. Models that saw the text are marked as not reproducible.",
    tags=["lmflow", "corpus"],
):
    JobOperator(
        task_id="forget_documents",
        job="forget_documents",
        options={"doc_id": "{{ params.doc_ids }}", "reason": "{{ params.reason }}"},
    )
