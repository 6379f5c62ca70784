"""The lake's upkeep: every week."""

from airflow.sdk import DAG, Param

from lmflow.orchestration import stages
from lmflow.orchestration.job import JobOperator

FILES, AGE = "Files", "What is deleted"

with DAG(
    "maintain_lake",
    description="Compact tables, delete what nobody needs",
    schedule="0 2 * * 1",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={
        "dry_run": Param(False, type="boolean", description="Only say what would be written together and deleted."),
        "small_files": Param(
            16, type="integer", minimum=2, maximum=10_000, section=FILES, description="So many are written together."
        ),
        "keep_days": Param(
            7,
            type="number",
            minimum=1,
            maximum=3650,
            section=AGE,
            description="Days that what left a table stays. What registered models were made from stays anyway.",
        ),
        "checkpoint_days": Param(
            30,
            type="number",
            minimum=1,
            maximum=3650,
            section=AGE,
            description="Days that checkpoints of unfinished trainings, and of trials of a search, stay.",
        ),
        "dataset_days": Param(
            30,
            type="number",
            minimum=1,
            maximum=3650,
            section=AGE,
            description="Days that a dataset stays that no registered model was made from.",
        ),
        "raw_days": Param(
            None,
            type=["null", "number"],
            minimum=1,
            maximum=36_500,
            section=AGE,
            description="Days that raw objects (pages, posts and dumps as fetched) stay. Empty: for ever.",
        ),
    },
    render_template_as_native_obj=True,
    doc_md="No row changes. What registered models were made from stays readable. Where MLflow does not answer, "
    "nothing is deleted.",
    tags=["lmflow", "corpus"],
):
    names = ("small_files", "keep_days", "checkpoint_days", "dataset_days", "raw_days", "dry_run")
    JobOperator(
        task_id="maintain_lake",
        job="maintain_lake",
        options={name: f"{{{{ params.{name} }}}}" for name in names},
    )
