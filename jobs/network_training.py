"""The training of a network: from options to a schedule, batches, checkpoints and an MLflow run that is continued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from jobs.command import Bar
from lmflow import tracking
from lmflow.dataset.shards import Dataset
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.tokens import token_vectors
from lmflow.errors import ServiceError
from lmflow.evaluation.scores import document_nats
from lmflow.lake import Lake
from lmflow.models.families import NEURAL, PRESETS, resized
from lmflow.models.neural import NeuralModel
from lmflow.models.vae import Vae
from lmflow.training import registration
from lmflow.training.batches import Batches, batches_of
from lmflow.training.checkpoint import Checkpoints
from lmflow.training.loop import Point, train
from lmflow.training.recipes import RECIPES
from lmflow.training.schedule import Schedule

if TYPE_CHECKING:
    from jobs.train_language_model import TrainLanguageModel
    from jobs.warm_start import Continuation

EXPERIMENT: Final = "lmflow/language-model"
_RUN: Final = "run_id"  # of the MLflow run, beside the checkpoints
_COUNTED_AT_ONCE: Final = 4_000_000
_CURVES: Final = ("train_loss", "valid_loss")
_POINT_EVERY: Final = 20  # steps between two points of the loss curve
_SCHEDULED: Final = (
    *("epochs", "batch_size", "sequence_length", "learning_rate", "accumulate", "patience", "evaluate_every"),
    "precision",
)
#: What tells one run from another in a list of them.
_SHOWN: Final = ("learning_rate", "batch_size", "dimension", "dropout")


@dataclass(frozen=True)
class Work:
    """One training, ready to begin or to go on.

    Attributes:
        options: of the job.
        dataset: what it reads.
        name: registered model that it becomes a version of.
        config: all that decides its result, beside data and code.
        key: names data, code and config; the same key is trained once.
        start: word vectors that the tokens' vectors start from; None: at random.
        going_on: what it goes on from; None: it starts anew.
    """

    options: TrainLanguageModel
    dataset: Dataset
    name: str
    config: Mapping[str, Any]
    key: str
    start: Embedding | None = None
    going_on: Continuation | None = None

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints, in the lake: a training that was stopped goes on on any host."""
        return Checkpoints(Lake.open().objects.uri(f"checkpoints/{self.key}"))


def preset_name(options: TrainLanguageModel) -> str:
    """The preset that was asked for, or the smallest of the family."""
    family = options.architecture.partition("+")[0]
    return str(options.preset or next(iter(PRESETS[family])))


def shape_of(options: TrainLanguageModel) -> Any:
    """The preset with the width and dropout that were given.

    Raises:
        ValueError: the family cannot have that width.
    """
    family = options.architecture.partition("+")[0]
    return resized(PRESETS[family][preset_name(options)], options.dimension, options.dropout)


def schedule_of(options: TrainLanguageModel, running: bool) -> Schedule:
    """The preset's recipe with the options that were given; text that is read in one go is never reset within."""
    given = {name: getattr(options, name) for name in _SCHEDULED if getattr(options, name) is not None}
    if options.ema is not None:
        given |= {"average": "ema", "ema_decay": options.ema}
    recipe = RECIPES[preset_name(options)]
    return replace(recipe, **given, reset_share=0.0 if running else recipe.reset_share, seed=options.seed)


def batches_for(options: TrainLanguageModel, dataset: Dataset) -> Batches:
    """The training text as steps.

    Raises:
        ValueError: the text is shorter than one step.
    """
    network = NEURAL[options.architecture]
    return batches_of(network, shape_of(options), dataset.split("train"), schedule_of(options, dataset.running))


@contextmanager
def run_of(work: Work) -> Iterator[tracking.Run]:
    """The work's MLflow run: a new one, or the one that its checkpoints belong to."""
    options, splits = work.options, work.dataset.manifest["splits"]
    config = {
        **work.config,
        "dataset_digest": work.dataset.digest,
        "vocabulary": work.dataset.manifest["vocabulary"],
    }
    given = [f"{name.replace('_', ' ')} {value:g}" for name in _SHOWN if (value := getattr(options, name)) is not None]
    title = " ".join([f"{options.architecture}-{options.lang}", *([f"({', '.join(given)})"] if given else [])])
    tags = {"model": work.name, "input_digest": work.key}
    if options.study is not None:
        tags["mlflow.parentRunId"] = options.study
    with tracking.run(EXPERIMENT, title, config, tags, work.checkpoints.noted(_RUN), system_metrics=True) as opened:
        work.checkpoints.note(_RUN, opened.run_id)
        opened.log_dataset(
            f"dataset-{options.lang}",
            work.dataset.folder.as_uri(),
            work.dataset.digest,
            "training",
            splits["train"],
        )
        yield opened


def train_network(
    work: Work, opened: tracking.Run, bar: Bar, pause_after: int | None = None
) -> tuple[Any, dict[str, float]]:
    """The trained network, and what its training measured. With `pause_after`: trained to that step.

    Raises:
        ValueError: the options do not fit the text or the machine.
        TrainingDiverged: the loss is not a number.
        OutOfMemory: the network, a step or an evaluation does not fit.
        ServiceError: a signal ended it; its checkpoint is written.
    """
    options, dataset = work.options, work.dataset
    schedule = schedule_of(options, dataset.running)
    n_valid = len(dataset.split("valid").tokens)
    unsent: list[tuple[str, float, int]] = []
    written: dict[str, str] = {}
    # A continued run goes back to its checkpoint: the steps from there to where it was killed come a second time.
    sent = {name: max((step for step, _ in opened.history(name)), default=-1) for name in _CURVES}

    def send() -> None:
        opened.log_history([(name, value, step) for name, value, step in unsent if step > sent[name]])
        unsent.clear()

    def validate(model: Any) -> float:
        written.update(registration.samples(options.lang, dataset, model))
        return float(document_nats(model, dataset, "valid").sum() / n_valid)

    def report(point: Point, total: int) -> None:
        bar.total = min(total, pause_after or total)
        bar.reach(point.step, f"loss {point.loss:.3f}")
        if point.valid_loss is not None:
            unsent.append(("valid_loss", point.valid_loss, point.step))
            send()
            opened.log_dict({"valid_loss": point.valid_loss, "samples": written}, f"samples/{point.step:09d}.json")
            return
        if point.step % _POINT_EVERY == 0:
            unsent.append(("train_loss", point.loss, point.step))

    def build() -> NeuralModel:
        return _made(work, schedule)

    batches, kept = batches_for(options, dataset), work.checkpoints
    minutes = options.checkpoint_minutes
    model, outcome = train(
        build, batches, validate, schedule, kept, options.replicas, report, pause_after, send, minutes
    )
    send()
    if outcome.interrupted:
        raise ServiceError(f"stopped at step {outcome.steps}, checkpoint written; run the same command to go on")
    curve = registration.loss_curve(*(opened.history(name) for name in _CURVES))
    opened.log_figure(curve, "plots/loss.png")
    return model, {
        "tokens_per_second": outcome.tokens_per_second,
        "input_wait_share": outcome.input_share,
        "steps": float(outcome.steps),
    }


def _made(work: Work, schedule: Schedule) -> NeuralModel:
    """The network as training finds it: with random weights, with word vectors, or with those of an earlier version."""
    options, dataset = work.options, work.dataset
    network, vocabulary = NEURAL[options.architecture], dataset.manifest["vocabulary"]
    model = network(vocabulary, shape_of(options), options.seed, schedule.precision)
    if options.softmax_sample:
        tokens, counts = dataset.split("train").tokens, np.zeros(vocabulary, np.int64)
        for start in range(0, len(tokens), _COUNTED_AT_ONCE):  # mapped from disk; numpy counts in copies of 8 bytes
            counts += np.bincount(tokens[start : start + _COUNTED_AT_ONCE], minlength=vocabulary)
        model.sample_softmax(options.softmax_sample, counts)
    if work.start is not None:
        encode, width = dataset.tokenizer.encode, model.token_width
        model.start_from(token_vectors(work.start, encode, vocabulary, width, options.seed))
    if work.going_on is not None:
        model.continue_from(cast(NeuralModel, work.going_on.model))
    return model


def latent_metrics(model: Vae, dataset: Dataset, split: str) -> dict[str, float]:
    """Bounds and KL in nats a sentence (a piece of a longer document), and how many latent units say something."""
    report = model.latent_report(dataset.split(split).documents())
    return {f"{split}_{name}": float(value) for name, value in asdict(report).items()}
