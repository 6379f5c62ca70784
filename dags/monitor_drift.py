"""How every champion does on text that came after it, and how much came: each day."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowSkipException

from lmflow.crawl import sources
from lmflow.orchestration import assets, form, stages
from lmflow.orchestration.job import JobOperator

DOC = """
### Does a champion do worse on fresh documents?

Each language's champion scores the documents that joined the corpus after it was trained, source against the same
source; the figures are runs of the MLflow experiment `lmflow/drift`. Where the whole interval is worse by more than
*least*, `lmflow://drift` is updated, which starts `train_language_model`. Where the documents that joined the corpus
since a model was last trained are *grown* times as many as those before, `lmflow://growth` is, which starts
`train_embeddings` too.
"""

with DAG(
    "monitor_drift",
    description="Score champions on fresh documents",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=stages.DEFAULT_ARGS,
    params={
        "languages": form.languages(sources.load(), "Drift"),
        "documents": Param(
            500, type="integer", minimum=20, maximum=100_000, section="Drift", description="Documents scored at most."
        ),
        "least": Param(
            0.05, type="number", minimum=0, maximum=8, section="Drift", description="Bits per byte that count as drift."
        ),
        "grown": Param(
            0.1,
            type="number",
            minimum=0.001,
            maximum=100,
            section="Growth",
            description="New documents for each old one that call for another training.",
        ),
    },
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["lmflow", "models"],
):

    @task(retries=0)
    def champions(params: dict[str, Any]) -> list[dict[str, Any]]:
        """One measurement a language."""
        limits = {name: params[name] for name in ("documents", "least", "grown")}
        return [{"model": f"lm-{lang}", **limits} for lang in params["languages"]]

    @task(retries=0, outlets=[assets.DRIFT])
    def drift(results: Any) -> list[str]:
        """The models that drifted; skipped, and the asset left as it is, when none did."""
        found = [result["model"] for result in results or [] if result.get("status") == "done" and result["drift"]]
        if not found:
            raise AirflowSkipException("no champion does worse on fresh documents")
        return found

    @task(retries=0, outlets=[assets.GROWTH])
    def growth(results: Any) -> list[str]:
        """The models whose corpus has grown; skipped, and the asset left as it is, when none has."""
        found = [result["model"] for result in results or [] if result.get("grown")]
        if not found:
            raise AirflowSkipException("no corpus has grown enough since its model was trained")
        return found

    label = "{{ task.options['model'] }}"
    measured = JobOperator.partial(task_id="monitor_drift", job="monitor_drift", map_index_template=label)
    results = measured.expand(options=champions()).output
    drift(results)
    growth(results)
