"""Runs, models and their lineage in MLflow. The only room that talks to MLflow's run API.

Every run carries its whole configuration, the git commit, and the DAG run that asked for it. Models are logged from
code (a Python file plus artifacts, never a pickle) together with the few lmflow modules they need, so that
`mlflow.pyfunc.load_model` works where lmflow is not installed.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmflow import __version__
from lmflow.errors import ServiceError
from lmflow.settings import PROJECT, settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.data.dataset_source import DatasetSource
    from mlflow.pyfunc import PyFuncModel

_HEALTH_TIMEOUT_S = 10.0
#: MLflow as a quiet library: no telemetry, no progress bars in logs, no links printed over our own.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_METRICS_PER_CALL = 500
_DOTS_PER_INCH = 110
_LONGEST_DESCRIPTION = 5000  # MLflow's column; SQLite lets more pass, PostgreSQL does not
_LONGEST_DIGEST = 36  # MLflow's limit for the digest of a dataset
_LONGEST_PARAMETER = 6000  # MLflow's limit for a parameter value


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a model."""

    name: str
    version: int
    model_id: str

    @property
    def uri(self) -> str:
        """What `mlflow.pyfunc.load_model` takes."""
        return f"models:/{self.name}/{self.version}"


def client() -> MlflowClient:
    """A client of the configured server.

    Raises:
        ServiceError: the server does not answer.
    """
    uri = settings().mlflow_uri
    check(uri)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow

    # We state signatures ourselves; MLflow's advice and its news of every step would bury a job's own progress.
    warnings.filterwarnings("ignore", message=r".*Add type hints to the `predict` method", category=UserWarning)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(uri)


def check(uri: str) -> None:
    """Fail at once, in one line, when the tracking server is not there (MLflow itself would retry for minutes).

    Raises:
        ServiceError: it does not answer.
    """
    if not uri.startswith("http"):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_HEALTH_TIMEOUT_S):  # noqa: S310
            return
    except (urllib.error.URLError, OSError) as error:
        raise ServiceError(
            f"MLflow at {uri} does not answer ({error}); start it with `make up`, or set LMFLOW_MLFLOW_URI"
        ) from None


class Run:
    """One MLflow run that is open."""

    def __init__(self, mlflow_client: MlflowClient, run_id: str) -> None:
        self._client = mlflow_client
        self.run_id = run_id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers, at a step if they change over time."""
        self.log_history([(name, value, step or 0) for name, value in metrics.items()])

    def log_history(self, points: Sequence[tuple[str, float, int]]) -> None:
        """Many (name, value, step) points in few calls."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value, step in points]
        for start in range(0, len(metrics), _METRICS_PER_CALL):
            self._client.log_batch(self.run_id, metrics=metrics[start : start + _METRICS_PER_CALL])

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Every (step, value) logged of a metric, by step."""
        found = self._client.get_metric_history(self.run_id, metric)
        return sorted((point.step, point.value) for point in found)

    def tags(self) -> dict[str, str]:
        """The words that it can be found by."""
        return dict(self._client.get_run(self.run_id).data.tags)

    def parameters(self) -> dict[str, str]:
        """The configuration that it was opened with, as text."""
        return dict(self._client.get_run(self.run_id).data.params)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Words to find the run by."""
        for name, value in tags.items():
            self._client.set_tag(self.run_id, name, str(value))

    def log_figure(self, figure: Figure, path: str) -> bytes:
        """A matplotlib figure as a picture, e.g. `plots/loss.png`. Returns the PNG: drawing is the slow part of it."""
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH)
        picture.seek(0)
        self._client.log_stream(self.run_id, picture, path)
        return picture.getvalue()

    def log_text(self, text: str, path: str) -> None:
        """A text file."""
        self._client.log_text(self.run_id, text, path)

    def log_dict(self, content: Mapping[str, Any], path: str) -> None:
        """A JSON file."""
        self._client.log_text(self.run_id, json.dumps(content, ensure_ascii=False, indent=1, default=str), path)

    def log_artifact(self, local: Path, folder: str | None = None) -> None:
        """A local file or folder."""
        send = self._client.log_artifacts if local.is_dir() else self._client.log_artifact
        send(self.run_id, str(local), folder)

    def log_dataset(
        self,
        name: str,
        source: str,
        digest: str,
        context: str,
        profile: Mapping[str, Any],
        table_version: int | None = None,
    ) -> None:
        """The data a run read or wrote, as an MLflow dataset; `mlflow.data.get_source` of it gives path and version.

        Args:
            name: e.g. `corpus-en`.
            source: URI of a Delta table, a folder of shards or a file.
            digest: what identifies this state of it; MLflow keeps 36 characters.
            context: what it was used for (`training`, `evaluation`, `output`).
            profile: counts worth reading in the UI.
            table_version: which version of a Delta table; None for files.
        """
        from mlflow.data.meta_dataset import MetaDataset
        from mlflow.entities import Dataset, DatasetInput, InputTag

        described = MetaDataset(_data_source(source, table_version), name=name, digest=digest[:_LONGEST_DIGEST])
        counts = json.dumps({"digest": digest, **profile}, default=str)
        dataset = Dataset.from_dictionary({**described.to_dict(), "profile": counts})
        self._client.log_inputs(
            self.run_id, datasets=[DatasetInput(dataset, tags=[InputTag("mlflow.data.context", context)])]
        )

    def log_model(
        self,
        name: str,
        code: Path,
        artifacts: Mapping[str, Path],
        modules: Sequence[str],
        requirements: Sequence[str],
        input_example: Any,
        signature: Any,
        description: str,
        tags: Mapping[str, object],
    ) -> ModelVersion:
        """Register a new version of a model, from code and files.

        Args:
            name: registered name, e.g. `lm-en`.
            code: Python file that calls `mlflow.models.set_model`.
            artifacts: files or folders the model reads in `load_context`.
            modules: lmflow modules and packages to ship with it, e.g. `lmflow.models`.
            requirements: exact pip requirements of the model alone.
            input_example: an input `predict` takes, shown in the registry.
            signature: an `mlflow.models.ModelSignature`.
            description: the model card, Markdown; what is too long for the registry is cut off.
            tags: lineage: table versions, digests, seeds, parent.
        """
        import mlflow

        with tempfile.TemporaryDirectory() as folder:
            info = mlflow.pyfunc.log_model(
                name=name,
                python_model=str(code),
                artifacts={key: str(path) for key, path in artifacts.items()},
                code_paths=[str(_package_subset(modules, Path(folder)))],
                pip_requirements=list(requirements),
                input_example=input_example,
                signature=signature,
            )
        # With its tags from the first moment: a version without them would look like another training to `find`.
        registered = mlflow.register_model(info.model_uri, name, tags={key: str(value) for key, value in tags.items()})
        version = int(registered.version)
        self._client.update_model_version(name, str(version), _within(description, _LONGEST_DESCRIPTION))
        return ModelVersion(name, version, str(info.model_id))


def _within(card: str, longest: int) -> str:
    """A model card, or as many whole lines of it as fit."""
    if len(card) <= longest:
        return card
    end = "\n\nThe rest is in the run's model_card.md."
    return card[: card.rindex("\n", 0, longest - len(end))] + end


def _data_source(uri: str, table_version: int | None) -> DatasetSource:
    """MLflow's name for a Delta table at a version, or for files."""
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.delta_dataset_source import DeltaDatasetSource

    if table_version is not None:
        return DeltaDatasetSource(path=uri, delta_table_version=table_version)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow registers its class of local files twice, and warns of both
        return resolve_dataset_source(uri)


@contextmanager
def run(
    experiment: str,
    name: str,
    config: Mapping[str, Any],
    tags: Mapping[str, object] | None = None,
    run_id: str | None = None,
    system_metrics: bool = False,
) -> Iterator[Run]:
    """Open a run for the length of a with-block; an exception marks it failed.

    Args:
        experiment: e.g. `lmflow/corpus`.
        name: what a person sees in the list of runs.
        config: the job's whole configuration, logged as parameters.
        tags: more words to find it by.
        run_id: continue this run instead of starting one.
        system_metrics: sample CPU, memory and GPU while it is open.

    Raises:
        ServiceError: the server does not answer.
    """
    mlflow_client = client()
    import mlflow

    mlflow.set_experiment(experiment)
    with mlflow.start_run(
        run_id=run_id, run_name=None if run_id else name, log_system_metrics=system_metrics
    ) as active:
        opened = Run(mlflow_client, active.info.run_id)
        if run_id is None:
            # A run that is continued keeps the lineage it began with.
            mlflow.log_params({key: _parameter(value) for key, value in config.items()})
            mlflow.set_tags({**lineage(), **{key: str(value) for key, value in (tags or {}).items()}})
        yield opened


def runs(experiment: str, tags: Mapping[str, str]) -> list[Run]:
    """The runs of an experiment that carry all these tags, newest first."""
    mlflow_client = client()
    found = mlflow_client.get_experiment_by_name(experiment)
    if found is None:
        return []
    condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    order = ["attributes.start_time DESC"]
    page = mlflow_client.search_runs([found.experiment_id], condition, order_by=order)
    return [Run(mlflow_client, each.info.run_id) for each in page]


def download(run_id: str, path: str, folder: Path) -> Path:
    """Fetch one artifact of a run into a local folder; returns where it lies."""
    return Path(client().download_artifacts(run_id, path, str(folder)))


def load_model(uri: str) -> PyFuncModel:
    """A registered model, e.g. of `models:/lm-en/3`, that leaves no files behind.

    `mlflow.pyfunc.load_model` alone never removes what it fetched. Our models are read whole in `load_context`, so
    their files may go at once; one that reads later must not be loaded here.
    """
    client()
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        return mlflow.pyfunc.load_model(uri, dst_path=folder)


def lineage() -> dict[str, str]:
    """Where a run comes from: code version, git commit, and the DAG run that asked for it."""
    names = {
        "LMFLOW_DAG_ID": "airflow.dag_id",
        "LMFLOW_DAG_RUN_ID": "airflow.dag_run_id",
        "LMFLOW_DAG_RUN_URL": "airflow.dag_run_url",
        "LMFLOW_TASK_ID": "airflow.task_id",
    }
    found = {tag: os.environ[name] for name, tag in names.items() if os.environ.get(name)}
    return {"lmflow.version": __version__, "git.sha": git_sha(), **found}


@cache
def git_sha() -> str:
    """The commit this code was checked out at, `unknown` outside a checkout; `-dirty` when files differ from it."""
    if os.environ.get("LMFLOW_GIT_SHA"):
        return os.environ["LMFLOW_GIT_SHA"]
    try:
        done = subprocess.run(
            ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def run_url(run_id: str) -> str:
    """The page of a run in MLflow's UI."""
    return f"{settings().mlflow_links.rstrip('/')}/#/runs/{run_id}"


def _parameter(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text[:_LONGEST_PARAMETER]


def _package_subset(modules: Sequence[str], folder: Path) -> Path:
    """Copy some of our modules, with the `__init__.py` of the packages above them, into `folder`/lmflow."""
    target = folder / "lmflow"
    for module in modules:
        source = PROJECT.joinpath(*module.split("."))
        place = folder / source.relative_to(PROJECT)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copyfile(source.with_suffix(".py"), place.with_suffix(".py"))
    for package in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        init = PROJECT / package.relative_to(folder) / "__init__.py"
        if init.is_file():
            shutil.copyfile(init, package / "__init__.py")
    return target
