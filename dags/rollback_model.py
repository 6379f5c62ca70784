"""Take a champion back, by hand."""

from airflow.sdk import DAG, Param

from lmflow.orchestration import assets, stages
from lmflow.orchestration.job import JobOperator

with DAG(
    "rollback_model",
    description="Make the previous champion of a model champion again",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={
        "model": Param(
            type="string",
            pattern=r"^(?!tokenizer-)[a-z][a-z0-9_]*-[a-z-]+$",
            examples=["lm-en", "lm-zh", "embeddings-en", "embeddings-zh", "sentiment-zh"],
            description="The registered model.",
        ),
        "reason": Param(type="string", minLength=3, maxLength=500, description="Why; kept in the audit trail."),
        "to": Param(
            None, type=["null", "integer"], minimum=1, description="Version. Empty: the one that was champion before."
        ),
    },
    render_template_as_native_obj=True,
    doc_md="The version that leaves is withdrawn: the gate passes it over until somebody names it.",
    tags=["lmflow", "models"],
):
    JobOperator(
        task_id="rollback_model",
        job="rollback_model",
        options={"model": "{{ params.model }}", "reason": "{{ params.reason }}", "to": "{{ params.to }}"},
        outlets=[assets.MODELS],
    )
