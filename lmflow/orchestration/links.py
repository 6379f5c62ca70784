"""Links from a task to what it made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class MlflowRunLink(BaseOperatorLink):  # type: ignore[misc]  # airflow is not followed by mypy
    """A button on the task's Details tab that opens the MLflow run of the job."""

    name = "MLflow run"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """The run's page; empty when the job had no run. Asked in the task's own process, once it has ended."""
        return getattr(operator, "mlflow_run_url", "")
