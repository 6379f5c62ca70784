"""DAGs for the tests: real operators, tiny jobs."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, Param, TaskGroup, task

from lmflow.orchestration import stages
from lmflow.orchestration.job import JobOperator

TINY = "tests.orchestration.tiny_job"
ASSET = Asset("lmflow://tests/tiny")

with DAG("by_itself", schedule=timedelta(seconds=3), catchup=False, max_active_runs=1):
    JobOperator(task_id="tick", job=TINY)

with DAG("after_tiny", schedule=[ASSET], catchup=False):

    @task
    def heard(triggering_asset_events=None):
        return [event.extra for events in triggering_asset_events.values() for event in events]

    heard()

with DAG(
    "behaviours",
    schedule=None,
    render_template_as_native_obj=True,
    params={"words": Param(["a", "b c"], type="array")},
    default_args={"trigger_rule": "none_failed"},
):
    done = JobOperator(
        task_id="done",
        job=TINY,
        options={"words": "{{ params.words }}", "number": 3, "flag": True},
        outlets=[ASSET],
    )
    dry = JobOperator(task_id="dry", job=TINY, options={"behave": "nothing_new", "number": 5})

    @task
    def plan():
        return [{"number": 1}, {"number": 2, "behave": "nothing_new"}]

    mapped = JobOperator.partial(task_id="mapped", job=TINY).expand(options=plan())
    downstream = JobOperator.partial(task_id="downstream_of_mapped", job=TINY).expand(
        options=mapped.output.map(lambda result: {"number": result["number"]})
    )
    [done, dry] >> mapped
    downstream >> JobOperator(task_id="after", job=TINY)

with DAG("mistakes", schedule=None):
    again = {"retry_delay": timedelta(seconds=1)}
    JobOperator(task_id="bad_input", job=TINY, options={"behave": "bad_input"}, retries=2, **again)
    JobOperator(task_id="crash", job=TINY, options={"behave": "crash"}, retries=1, **again)

with DAG("sleepers", schedule=None, params={"pids": "/nowhere"}):
    JobOperator(task_id="sleep", job=TINY, options={"behave": "sleep", "pids": "{{ params.pids }}"})

with DAG("unsearched", schedule=None, render_template_as_native_obj=True, default_args=stages.DEFAULT_ARGS):

    @task(retries=0)
    def plan():
        model = {"lang": "en", "architecture": "lstm", "learning_rate": 0.1}
        return {"datasets": [], "searches": [], "models": [model]}

    @task
    def trained(options):
        return options

    # In a group, as in the real DAGs: all of it comes after the plan, which its templates read.
    with TaskGroup("language_model", prefix_group_id=False) as group:
        found = stages.search("ti.xcom_pull(task_ids='plan')", EmptyOperator(task_id="packed"))
        trained.expand(options=stages.with_settings("ti.xcom_pull(task_ids='plan')", found))
    plan() >> group
