"""Train a language model on the latest dataset of one language and register it as `lm-<lang>`.

Families: `ngram` (interpolated modified Kneser-Ney), `lstm` (under tf.distribute.MirroredStrategy), and `lstm+ngram`:
the two mixed, with a weight fitted on the validation split (what of the two is missing is trained first). The same
data, options and code train once: a second run finds the version and says so. A killed LSTM training goes on at its
newest checkpoint and ends in the same weights. The gate (promote_model) decides what becomes champion, not this job.

Examples:
  python -m jobs.train_language_model --lang en --architecture ngram --order 5
  python -m jobs.train_language_model --lang zh --architecture lstm --preset lstm-nano --epochs 3

A published benchmark runs through the same code: with --train-file, --valid-file and --test-file (UTF-8 text, documents
separated by empty lines) the model is trained on those, scored on the test file, and registered as
`lm-<lang>-<name of the train file>`, out of the gate's way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from jobs.command import Bar, Options, Progress, Result, main
from lmflow import __version__, registry, tracking
from lmflow.dataset import plain_files, store
from lmflow.dataset.shards import Dataset, Split
from lmflow.errors import InputError, ServiceError
from lmflow.evaluation.compression import bits_per_byte, perplexity
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive
from lmflow.models.contract import LanguageModel
from lmflow.models.lstm import PRESETS
from lmflow.settings import settings
from lmflow.training import registration

_POINT_EVERY: Final = 20  # steps between two points of the loss curve


class TrainLanguageModel(Options):
    """Options of train_language_model."""

    lang: str = Field(description="Language, ISO 639 code.", pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])
    architecture: Literal["ngram", "lstm", "lstm+ngram"] = Field(description="Family of model.")
    order: int = Field(5, description="ngram: longest n-gram, in tokens.", ge=1, le=8)
    preset: Literal[tuple(PRESETS)] = Field("lstm-nano", description="lstm: shape of the network.")  # type: ignore[valid-type]
    dropout: float | None = Field(None, description="lstm: in place of the preset's dropout.", ge=0, lt=1)
    epochs: float = Field(2.0, description="lstm: passes over the training split.", gt=0, le=1000)
    batch_size: int = Field(64, description="lstm: parallel streams, over all replicas.", ge=1, le=65536)
    sequence_length: int = Field(32, description="lstm: tokens of each stream a step.", ge=2, le=4096)
    learning_rate: float = Field(8e-3, description="lstm: peak of Adam's learning rate.", gt=0, le=1)
    replicas: int = Field(1, description="lstm: GPUs of this host, or logical CPU devices where it has none.", ge=1)
    seed: int = Field(1, description="lstm: seed of weights and dropout.", ge=0)
    train_file: Path | None = Field(None, description="Plain text to train on, in place of the dataset.")
    valid_file: Path | None = Field(None, description="Plain text to validate on; with --train-file.")
    test_file: Path | None = Field(None, description="Plain text to score at the end; with --train-file.")
    vocabulary: int = Field(1000, description="Most tokens of the tokenizer; with --train-file.", ge=257, le=60_000)

    @model_validator(mode="after")
    def _all_files_or_none(self) -> Self:
        given = [self.train_file, self.valid_file, self.test_file]
        if any(given) and not all(given):
            raise ValueError("--train-file, --valid-file and --test-file go together")
        return self


#: These decide the dataset, which has a digest of its own.
_WHERE_TEXT_LIES: Final = {"train_file", "valid_file", "test_file", "vocabulary"}
#: What else decides the result of a family, beside the data and the code.
_DECIDES: Final = {
    "ngram": {"lang", "architecture", "order"},
    "lstm": set(TrainLanguageModel.model_fields) - {"order", *_WHERE_TEXT_LIES},
    "lstm+ngram": set(TrainLanguageModel.model_fields) - _WHERE_TEXT_LIES,
}


@dataclass(frozen=True)
class _Trained:
    model: LanguageModel
    valid_nats: NDArray[np.float64]
    metrics: dict[str, float]  # of its family alone


def run(options: TrainLanguageModel, progress: Progress) -> Result:
    """Train and register, unless that has been done."""
    if options.train_file is None:
        dataset, name = store.latest(Lake.open(), options.lang), f"lm-{options.lang}"
    else:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", options.train_file.stem)
        dataset, name = plain_files.pack(_files(options), options.vocabulary), f"lm-{options.lang}-{stem}"
    config = {key: value for key, value in options.model_dump().items() if key in _DECIDES[options.architecture]}
    key = _digest({"code": __version__, "dataset": dataset.digest, **config})
    with exclusive(f"train_{name}_{options.architecture}"):
        done = registry.find(name, {"input_digest": key})
        if done is not None:
            reason = f"version {done.version} of {name} has the same data and options"
            return {"status": "nothing_new", "reason": reason, **_facts(options, name, done.version, done.run_id)}
        parts = _parts(options, progress)
        checkpoints = settings().home / "checkpoints" / key
        config |= {"dataset_digest": dataset.digest, "vocabulary": dataset.manifest["vocabulary"]}
        title = f"{options.architecture}-{options.lang}"
        with tracking.run(
            "lmflow/language-model", title, config, {"model": name}, _continued(checkpoints), system_metrics=True
        ) as opened:
            _remember(checkpoints, opened.run_id)
            opened.log_dataset(
                f"dataset-{options.lang}",
                dataset.folder.as_uri(),
                dataset.digest,
                "training",
                dataset.manifest["splits"]["train"],
            )
            trained = _mix(parts, dataset) if parts else _train(options, dataset, checkpoints, opened, progress)
            valid = dataset.split("valid")
            estimate = bits_per_byte(trained.valid_nats, valid.n_bytes)
            metrics = {
                "valid_perplexity": perplexity(trained.valid_nats, len(valid.tokens)),
                "valid_bits_per_byte": estimate.value,
                **trained.metrics,
                "parameters": float(trained.model.n_parameters),
            }
            if options.train_file is not None:
                metrics |= _test_metrics(trained.model, dataset.split("test"))
            opened.log_metrics(metrics)
            samples = registration.samples(options.lang, dataset, trained.model)
            card = registration.model_card(f"{name}: {_shape(options)}", dataset, metrics, samples)
            opened.log_text(card, "model_card.md")
            tags = {
                "input_digest": key,
                "architecture": options.architecture,
                "dataset_digest": dataset.digest,
                "tokenizer_digest": dataset.manifest["tokenizer_digest"],
                "corpus_version": dataset.manifest["lineage"].get("corpus_version", ""),
                "seed": options.seed,
                **({"mixed_from": ", ".join(parts.values())} if parts else {}),
                **tracking.lineage(),
            }
            version = registration.register(opened, name, options.architecture, trained.model, dataset, card, tags)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return {**_facts(options, name, version.version, opened.run_id), "metrics": metrics, "samples": samples}


def _parts(options: TrainLanguageModel, progress: Progress) -> dict[str, str]:
    """Registered versions that a mixture is made of, by family; those that are not there yet are trained now."""
    if "+" not in options.architecture:
        return {}
    found = {}
    for family in options.architecture.split("+"):
        found[family] = run(options.model_copy(update={"architecture": family}), progress)["model_uri"]
        progress.say(f"{family} to mix in: {found[family]}")
    return found


def _files(options: TrainLanguageModel) -> dict[str, Path]:
    given = {"train": options.train_file, "valid": options.valid_file, "test": options.test_file}
    return {name: path for name, path in given.items() if path is not None}


def _shape(options: TrainLanguageModel) -> str:
    shapes = {"ngram": f"order {options.order}", "lstm": options.preset}
    return f"{options.architecture} ({', '.join(shapes[part] for part in options.architecture.split('+'))})"


def _test_metrics(model: LanguageModel, test: Split) -> dict[str, float]:
    nats = model.score(test.documents())
    estimate = bits_per_byte(nats, test.n_bytes)
    return {
        "test_perplexity": perplexity(nats, len(test.tokens)),
        "test_bits_per_byte": estimate.value,
        "test_bits_per_byte_low": estimate.low,
        "test_bits_per_byte_high": estimate.high,
    }


def _facts(options: TrainLanguageModel, name: str, version: int, run_id: str) -> Result:
    return {
        "model": name,
        "architecture": options.architecture,
        "version": version,
        "model_uri": f"models:/{name}/{version}",
        "run_id": run_id,
        "run_url": tracking.run_url(run_id),
    }


def _train(
    options: TrainLanguageModel, dataset: Dataset, checkpoints: Path, opened: tracking.Run, progress: Progress
) -> _Trained:
    if options.architecture == "ngram":
        return _train_ngram(options, dataset, progress)
    with progress.bar(None, f"{options.preset} {options.lang}", "steps") as bar:
        return _train_lstm(options, dataset, checkpoints, opened, bar)


def _train_ngram(options: TrainLanguageModel, dataset: Dataset, progress: Progress) -> _Trained:
    from lmflow.models.ngram import KneserNey

    split = dataset.split("train")
    progress.say(f"counting n-grams up to order {options.order} in {len(split.tokens):,} tokens")
    started = time.monotonic()
    model = KneserNey.fit(split.documents(), dataset.manifest["vocabulary"], options.order)
    speed = len(split.tokens) / (time.monotonic() - started)
    return _Trained(model, model.score(dataset.split("valid").documents()), {"tokens_per_second": speed})


def _mix(parts: dict[str, str], dataset: Dataset) -> _Trained:
    from lmflow.models.lstm import Lstm
    from lmflow.models.mixture import Mixture
    from lmflow.models.ngram import KneserNey

    documents = dataset.split("valid").documents()
    neural, ngram = cast(Lstm, registration.load(parts["lstm"])), cast(KneserNey, registration.load(parts["ngram"]))
    model = Mixture.fit(neural, ngram, documents)
    return _Trained(model, model.score(documents), {"neural_weight": model.weight})


def _train_lstm(
    options: TrainLanguageModel, dataset: Dataset, checkpoints: Path, opened: tracking.Run, bar: Bar
) -> _Trained:
    from lmflow.models.lstm import Lstm
    from lmflow.training.loop import Point, Schedule, TrainingDiverged, train

    preset = PRESETS[options.preset]
    preset = preset if options.dropout is None else replace(preset, dropout=options.dropout)
    text, valid = dataset.split("train").tokens, dataset.split("valid")
    documents = valid.documents()
    schedule = Schedule(
        epochs=options.epochs,
        batch_size=options.batch_size,
        sequence_length=options.sequence_length,
        learning_rate=options.learning_rate,
        evaluate_every=max(1, len(text) // (options.batch_size * options.sequence_length)),
        seed=options.seed,
    )
    unsent: list[tuple[str, float, int]] = []
    scored: list[NDArray[np.float64]] = []

    def validate(model: Any) -> float:
        scored[:] = [model.score(documents)]
        return float(scored[0].sum() / len(valid.tokens))

    def report(point: Point, total: int) -> None:
        bar.total = total
        bar.reach(point.step, f"loss {point.loss:.3f}")
        if point.step % _POINT_EVERY == 0:
            unsent.append(("train_loss", point.loss, point.step))
        if point.valid_loss is not None:
            unsent.append(("valid_loss", point.valid_loss, point.step))
        # With the checkpoint, so that a run that is killed and continued shows every step once.
        if point.step % schedule.checkpoint_every == 0 or point.step == total:
            opened.log_history(unsent)
            unsent.clear()

    try:
        model, outcome = train(
            lambda: Lstm(dataset.manifest["vocabulary"], preset, options.seed),
            text,
            validate,
            schedule,
            checkpoints,
            options.replicas,
            report,
        )
    except (TrainingDiverged, ValueError) as error:
        raise InputError(str(error)) from None
    if outcome.interrupted:
        raise ServiceError(f"stopped at step {outcome.steps}, checkpoint written; run the same command to go on")
    opened.log_figure(
        registration.loss_curve(opened.history("train_loss"), opened.history("valid_loss")), "plots/loss.png"
    )
    nats = scored[0] if scored else model.score(documents)
    return _Trained(model, nats, {"tokens_per_second": outcome.tokens_per_second})


def _continued(checkpoints: Path) -> str | None:
    path = checkpoints / "run_id"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _remember(checkpoints: Path, run_id: str) -> None:
    checkpoints.mkdir(parents=True, exist_ok=True)
    partial = checkpoints / f".run_id.{os.getpid()}"
    partial.write_text(run_id, encoding="utf-8")
    partial.rename(checkpoints / "run_id")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


if __name__ == "__main__":
    main(TrainLanguageModel, run, __doc__)
