"""The stages of a retraining as Airflow tasks and task groups: the same in `retrain` and in every DAG of one stage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException

from lmflow.orchestration import assets
from lmflow.orchestration.job import JobOperator
from lmflow.orchestration.plan import with_winners

#: Crawls meet busy sites, and training resumes at its checkpoint: try again, later each time.
DEFAULT_ARGS = {
    "owner": "lmflow",
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    # A stage with nothing new is skipped; what depends on it goes on.
    "trigger_rule": "none_failed",
}
#: Of a search; lmflow.training.search knows it, a DAG file must not import NumPy.
MOST_RUNGS = 3
TRAINING_POOL = "training"
#: Under CeleryExecutor, only workers of this queue train language models; LocalExecutor knows no queues.
GPU_QUEUE = "gpu"


def ingest_wikipedia(options: Any, task_id: str = "wikipedia") -> JobOperator:
    """Dumps of Wikipedia -> documents."""
    return JobOperator(task_id=task_id, job="ingest_wikipedia", options=options, outlets=[assets.WIKIPEDIA])


def ingest_news(options: Any, task_id: str = "news") -> JobOperator:
    """Articles that feeds list -> documents."""
    return JobOperator(task_id=task_id, job="ingest_news", options=options, outlets=[assets.NEWS])


def ingest_social(options: Any, task_id: str = "social") -> JobOperator:
    """Posts of public timelines -> documents."""
    return JobOperator(task_id=task_id, job="ingest_social", options=options, outlets=[assets.SOCIAL])


def build_corpus(options: Any) -> JobOperator:
    """New documents -> verdicts, fingerprints, corpus."""
    return JobOperator(task_id="build_corpus", job="build_corpus", options=options, outlets=[assets.CORPUS])


def ingest(plan: str) -> TaskGroup:
    """Every kind of source, side by side. `plan` is the template expression that yields the plan."""
    with TaskGroup("ingest", tooltip="Crawl what is new, politely") as group:
        ingest_wikipedia(_of(plan, "wikipedia"))
        ingest_news(_of(plan, "news"))
        ingest_social(_of(plan, "social"))
    return group


def corpus(plan: str) -> TaskGroup:
    """New documents -> clean text."""
    with TaskGroup("corpus", tooltip="Clean, deduplicate, split") as group:
        build_corpus(_of(plan, "corpus"))
    return group


def embeddings(plan: str) -> TaskGroup:
    """Corpus -> embeddings-<lang>, one task a language."""
    with TaskGroup("embeddings", tooltip="Word vectors, one model a language") as group:
        options = _each(plan, "embeddings", "languages")
        _mapped("train_embeddings", "{{ task.options['lang'] }}", pool=TRAINING_POOL).expand(options=options)
    return group


def language_model(plan: str) -> tuple[TaskGroup, Any]:
    """Corpus -> token shards -> lm-<lang>, one task a language and architecture; the group and its trainings."""
    with TaskGroup("language_model", tooltip="Tokenize and pack, search, then train each architecture") as group:
        datasets = _each(plan, "datasets", "languages")
        packed = _mapped("build_dataset", "{{ task.options['lang'] }}").expand(options=datasets)
        found = search(plan, packed)
        label = "{{ task.options['lang'] }} {{ task.options['architecture'] }}"
        models = with_settings(plan, found)
        trained = _mapped("train_language_model", label, pool=TRAINING_POOL, queue=GPU_QUEUE).expand(options=models)
        packed >> trained
    return group, trained


def search(plan: str, packed: Any) -> Any:
    """Settings of networks -> the best: rung by rung, each trial a task; what chooses, mapped over the studies.

    The rungs are laid out for the most there can be. A study with fewer leaves the last ones empty; without any study
    no job is started.
    """
    with TaskGroup("search", tooltip="Try settings a little, go on with the best third; off by default"):
        studies = _each(plan, "searches", "studies")
        label = "{{ task.options['lang'] }} {{ task.options['architecture'] }}"
        settings = "{{ task.options.get('learning_rate', '') }} {{ task.options.get('dimension', '') }}"
        before = packed
        for rung in range(MOST_RUNGS + 1):
            name = f"plan_rung_{rung + 1}" if rung < MOST_RUNGS else "choose"
            planned = JobOperator.partial(task_id=name, job="search_language_model", map_index_template=label).expand(
                options=studies.map(_after(rung))
            )
            before >> planned
            if rung < MOST_RUNGS:
                trials = JobOperator.partial(
                    task_id=f"rung_{rung + 1}",
                    job="train_language_model",
                    map_index_template=f"{label} {settings}",
                    pool=TRAINING_POOL,
                    queue=GPU_QUEUE,
                ).expand(options=_trials(f"trials_{rung + 1}", planned.output))
                before = trials
    return planned.output


def with_settings(plan: str, found: Any) -> Any:
    """The planned trainings, with the settings of what `search` chose."""

    @task(task_id="sweep", retries=0)  # type: ignore[untyped-decorator]
    def sweep(options: list[dict[str, Any]], studies: Any) -> list[dict[str, Any]]:
        return with_winners(options, list(studies or []))

    return sweep(_of(plan, "models"), found)


def evaluation(trained: Any) -> TaskGroup:
    """Each registered version -> its score on the held-out documents."""
    with TaskGroup("evaluation", tooltip="Bits per byte on documents no model has seen") as group:
        label = "{{ task.options['model'].removeprefix('models:/') }}"
        _mapped("evaluate_model", label).expand(options=trained.output.map(_to_evaluate))
    return group


def promotion(plan: str) -> TaskGroup:
    """Scores -> champions: after a person's yes where one is asked for, the statistical gate decides."""
    with TaskGroup("promotion", tooltip="A significant win makes a champion") as group:
        approval = OptionalApproval(
            task_id="approval",
            subject="Promote what this retraining trained?",
            body=_APPROVAL_BODY,
            response_timeout=timedelta(days=7),
            retries=0,
        )
        options = _each(plan, "promotions", "models")
        gate = _mapped("promote_model", "{{ task.options['model'] }}", outlets=[assets.MODELS]).expand(options=options)
        approval >> gate
    return group


class OptionalApproval(ApprovalOperator):  # type: ignore[misc]  # airflow is not followed by mypy
    """Waits for a person only when the run's parameter `approval` says so."""

    def execute(self, context: Any) -> Any:
        """Ask, or go on.

        Raises:
            AirflowSkipException: nobody wants to be asked.
        """
        if not context["params"]["approval"]:
            raise AirflowSkipException("no approval was asked for (parameter `approval`)")
        return super().execute(context)


_APPROVAL_BODY = """
Scores on the held-out documents, in bits per byte (less is better):

| model | bits per byte | 95 % interval |
|---|---|---|
{% for score in ti.xcom_pull(task_ids='evaluation.evaluate_model', map_indexes=None) or [] -%}
| {{ score['model'] }} version {{ score['version'] }} | {{ '%.3f' | format(score['bits_per_byte']['value']) }} | {{
    '%.3f to %.3f' | format(score['bits_per_byte']['low'], score['bits_per_byte']['high']) }} |
{% endfor %}
**Approve** lets the gate decide: a version becomes champion only by a significant win. **Reject** leaves every champion
where it is.
"""


def _mapped(job: str, label: str, **kwargs: Any) -> Any:
    return JobOperator.partial(task_id=job, job=job, map_index_template=label, **kwargs)


def _each(plan: str, stage: str, task_id: str) -> Any:
    """The part of the plan over which a stage is mapped: only a task's whole result can be mapped over."""

    @task(task_id=task_id, retries=0)  # type: ignore[untyped-decorator]  # airflow is not followed by mypy
    def each(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return options

    return each(_of(plan, stage))


def _after(rung: int) -> Any:
    def options(study: dict[str, Any]) -> dict[str, Any]:
        return {**study, "after_rung": rung}

    return options


def _trials(task_id: str, planned: Any) -> Any:
    """The trials of every study, as one list to map over."""

    # Without a study it returns an empty list: what maps over a task that was skipped would count as failed.
    @task(task_id=task_id, retries=0)  # type: ignore[untyped-decorator]
    def trials(studies: Any) -> list[dict[str, Any]]:
        return [trial for study in studies or [] for trial in study["trials"]]

    return trials(planned)


def _of(plan: str, stage: str) -> str:
    return f"{{{{ {plan}['{stage}'] }}}}"


def _to_evaluate(result: dict[str, Any]) -> dict[str, str]:
    return {"model": result["model_uri"]}
