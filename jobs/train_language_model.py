r"""Train a language model on the latest dataset of one language and register it as `lm-<lang>`.

Families: `ngram` (interpolated modified Kneser-Ney); the networks `mlp`, `rnn`, `lstm`, `awd-lstm`, `transformer`
and `vae`, trained by one loop under tf.distribute.MirroredStrategy; and `lstm+ngram`: the two mixed, with a weight
fitted on the validation split (what of the two is missing is trained first). A network's --preset names its shape and
how it is trained (its recipe: lmflow/training/recipes.py); options that are given replace single values of the recipe.

The same data, options and code train once: a second run finds the version and says so. A killed training goes on at its
newest checkpoint and ends in the same weights. The gate (promote_model) decides what becomes champion, not this job.

Examples:
  python -m jobs.train_language_model --lang en --architecture ngram --order 5
  python -m jobs.train_language_model --lang zh --architecture transformer --epochs 3

A published benchmark runs through the same code: with --train-file, --valid-file and --test-file (UTF-8 text) the model
is trained on those, scored on the test file, and registered as `lm-<lang>-<name of the train file>`, out of the gate's
way. Documents are separated by empty lines. With `--tokenizer whitespace` the files are read as in the papers: words
between blanks, `<unk>` for what the train file (or --vocabulary) does not have, `<eos>` after each line. Networks then
read a split as one running text, n-grams each line by itself (as SRILM does); perplexity counts words and `<eos>`.
  python -m jobs.train_language_model --lang en --architecture lstm --preset lstm-zaremba-small \
      --tokenizer whitespace --train-file ptb.train.txt --valid-file ptb.valid.txt --test-file ptb.test.txt
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from jobs.command import Bar, Options, Progress, Result, main
from jobs.values import Languages
from lmflow import __version__, registry, tracking
from lmflow.dataset import plain_files, store
from lmflow.dataset.shards import Dataset
from lmflow.dataset.tokenizer import Kind
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.registered import URI, load_embedding
from lmflow.embeddings.tokens import token_vectors
from lmflow.errors import InputError, ServiceError
from lmflow.evaluation.compression import bits_per_byte, perplexity
from lmflow.evaluation.generation import distinct, next_token, repetition, self_bleu
from lmflow.evaluation.scores import document_nats
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive
from lmflow.models.contract import LanguageModel
from lmflow.models.families import NEURAL, PRESETS
from lmflow.models.lstm import Lstm
from lmflow.models.vae import Vae
from lmflow.settings import settings
from lmflow.training import registration
from lmflow.training.recipes import RECIPES
from lmflow.training.schedule import Schedule

_POINT_EVERY: Final = 20  # steps between two points of the loss curve
_WRITTEN_TEXTS: Final = 8  # samples whose variety is measured, and the most tokens of each
_WRITTEN_TOKENS: Final = 60
_BPE_VOCABULARY: Final = 1000
_MOST_WORDS: Final = 1_000_000
_PRESET_NAMES: Final = tuple(name for family in PRESETS.values() for name in family)


class TrainLanguageModel(Options):
    """Options of train_language_model."""

    lang: Languages = Field(
        description="Language, ISO 639 code; several are those of one dataset.", examples=["en", "zh", "en zh"]
    )
    architecture: Literal["ngram", "mlp", "rnn", "lstm", "awd-lstm", "transformer", "vae", "lstm+ngram"] = Field(
        description="Family of model."
    )
    order: int = Field(5, description="ngram: longest n-gram, in tokens.", ge=1, le=8)
    preset: Literal[_PRESET_NAMES] | None = Field(  # type: ignore[valid-type]
        None, description="Networks: shape and recipe; without it the smallest of the family."
    )
    dropout: float | None = Field(None, description="Networks: in place of the preset's dropout.", ge=0, lt=1)
    epochs: float | None = Field(
        None,
        description="Networks: passes over the training split, here and below in place of the recipe's.",
        gt=0,
        le=1000,
    )
    batch_size: int | None = Field(None, description="Networks: parallel streams, over all replicas.", ge=1, le=65536)
    sequence_length: int | None = Field(None, description="Networks: tokens of each stream a step.", ge=2, le=4096)
    learning_rate: float | None = Field(None, description="Networks: highest learning rate.", gt=0, le=100)
    accumulate: int | None = Field(
        None, description="Networks: parts a batch is cut into to fit memory.", ge=1, le=4096
    )
    patience: int | None = Field(
        None,
        description="Networks: evaluations (one an epoch) without a better one until training stops.",
        ge=0,
        le=100,
    )
    precision: Literal["float32", "bfloat16"] | None = Field(
        None, description="Networks: what is computed in; bfloat16 is for GPUs, weights stay float32."
    )
    replicas: int = Field(1, description="Networks: GPUs of this host, or logical CPU devices where it has none.", ge=1)
    init_embeddings: str | None = Field(
        None,
        description="Networks: word vectors that the tokens' vectors start from; without them they start at random.",
        pattern=URI,
        examples=["models:/embeddings-en@champion"],
    )
    seed: int = Field(1, description="Networks: seed of weights and dropout.", ge=0)
    train_file: Path | None = Field(None, description="Plain text to train on, in place of the dataset.")
    valid_file: Path | None = Field(None, description="Plain text to validate on; with --train-file.")
    test_file: Path | None = Field(None, description="Plain text to score at the end; with --train-file.")
    tokenizer: Kind = Field("bpe", description="How text is divided into tokens; with --train-file.")
    vocabulary: int | None = Field(
        None,
        description=f"Most tokens of the tokenizer, with --train-file (without it: {_BPE_VOCABULARY}, or all words).",
        ge=2,
        le=_MOST_WORDS,
    )

    @model_validator(mode="after")
    def _all_files_or_none(self) -> Self:
        given = [self.train_file, self.valid_file, self.test_file]
        if any(given) and not all(given):
            raise ValueError("--train-file, --valid-file and --test-file go together")
        family = self.architecture.partition("+")[0]
        if self.preset is not None and family in NEURAL and self.preset not in PRESETS[family]:
            raise ValueError(f"--preset {self.preset} is not of {family}; choose {', '.join(PRESETS[family])}")
        return self


#: These decide the dataset, which has a digest of its own.
_WHERE_TEXT_LIES: Final = {"train_file", "valid_file", "test_file", "tokenizer", "vocabulary"}
_NETWORK: Final = set(TrainLanguageModel.model_fields) - {"order", *_WHERE_TEXT_LIES}
#: What else decides the result of a family, beside the data and the code.
_DECIDES: Final = {
    "ngram": {"lang", "architecture", "order"},
    **{family: _NETWORK for family in NEURAL},
    "lstm+ngram": _NETWORK | {"order"},
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
        dataset, name = _plain(options), f"lm-{options.lang}-{stem}"
    config = {key: value for key, value in options.model_dump().items() if key in _DECIDES[options.architecture]}
    start = None
    if uri := config.pop("init_embeddings", None):  # an alias moves: what it stands for decides the result
        start = load_embedding(uri)
        config["init_embeddings_digest"] = hashlib.sha256(start.vectors.matrix.tobytes()).hexdigest()[:16]
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
            trained = _mix(parts, dataset) if parts else _train(options, dataset, start, checkpoints, opened, progress)
            valid = dataset.split("valid")
            estimate = bits_per_byte(trained.valid_nats, valid.n_bytes)
            metrics = {
                "valid_perplexity": perplexity(trained.valid_nats, len(valid.tokens)),
                "valid_bits_per_byte": estimate.value,
                **trained.metrics,
                **_writing(trained.model, dataset),
                "parameters": float(trained.model.n_parameters),
            }
            if options.train_file is not None:
                metrics |= _test_metrics(trained.model, dataset)
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


def _writing(model: LanguageModel, dataset: Dataset) -> dict[str, float]:
    """How sure the model is of the validation split's next tokens, and how varied what it writes is."""
    found = next_token(model, dataset.split("valid").documents())
    empty = np.zeros(0, np.int64)
    texts = [model.generate(empty, _WRITTEN_TOKENS, seed=seed).tolist() for seed in range(_WRITTEN_TEXTS)]
    return {
        "valid_next_token_accuracy": found.accuracy,
        "valid_calibration_error": found.calibration_error,
        "written_distinct_1": distinct(texts, 1),
        "written_distinct_2": distinct(texts, 2),
        "written_repetition": repetition(texts),
        "written_self_bleu": self_bleu(texts),
    }


def _parts(options: TrainLanguageModel, progress: Progress) -> dict[str, str]:
    """Registered versions that a mixture is made of, by family; those that are not there yet are trained now."""
    if "+" not in options.architecture:
        return {}
    found = {}
    for family in _split(options):
        found[family] = run(options.model_copy(update={"architecture": family}), progress)["model_uri"]
        progress.say(f"{family} to mix in: {found[family]}")
    return found


def _plain(options: TrainLanguageModel) -> Dataset:
    given = {"train": options.train_file, "valid": options.valid_file, "test": options.test_file}
    files = {name: path for name, path in given.items() if path is not None}
    most = _MOST_WORDS if options.tokenizer == "whitespace" else _BPE_VOCABULARY
    try:
        return plain_files.pack(files, options.vocabulary or most, options.tokenizer)
    except ValueError as error:
        raise InputError(f"--vocabulary: {error}") from None


def _preset(options: TrainLanguageModel) -> str:
    family = options.architecture.partition("+")[0]
    return str(options.preset or next(iter(PRESETS[family])))


def _schedule(options: TrainLanguageModel, dataset: Dataset) -> Schedule:
    """The preset's recipe with the options that were given; text that is read in one go is never reset within."""
    named = ("epochs", "batch_size", "sequence_length", "learning_rate", "accumulate", "patience", "precision")
    given = {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    recipe = RECIPES[_preset(options)]
    reset_share = 0.0 if dataset.running else recipe.reset_share
    return replace(recipe, **given, reset_share=reset_share, seed=options.seed)


def _shape(options: TrainLanguageModel) -> str:
    shapes = [f"order {options.order}" if part == "ngram" else _preset(options) for part in _split(options)]
    return f"{options.architecture} ({', '.join(shapes)})"


def _split(options: TrainLanguageModel) -> list[str]:
    return str(options.architecture).split("+")


def _test_metrics(model: LanguageModel, dataset: Dataset) -> dict[str, float]:
    test, nats = dataset.split("test"), document_nats(model, dataset, "test")
    estimate = bits_per_byte(nats, test.n_bytes)
    return {
        "test_perplexity": perplexity(nats, len(test.tokens)),
        "test_bits_per_byte": estimate.value,
        "test_bits_per_byte_low": estimate.low,
        "test_bits_per_byte_high": estimate.high,
        **(_latent_metrics(model, dataset, "test") if isinstance(model, Vae) else {}),
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
    options: TrainLanguageModel,
    dataset: Dataset,
    start: Embedding | None,
    checkpoints: Path,
    opened: tracking.Run,
    progress: Progress,
) -> _Trained:
    if options.architecture == "ngram":
        return _train_ngram(options, dataset, progress)
    with progress.bar(None, f"{_preset(options)} {options.lang}", "steps") as bar:
        return _train_network(options, dataset, start, checkpoints, opened, bar)


def _train_ngram(options: TrainLanguageModel, dataset: Dataset, progress: Progress) -> _Trained:
    from lmflow.models.ngram import KneserNey

    split = dataset.split("train")
    progress.say(f"counting n-grams up to order {options.order} in {len(split.tokens):,} tokens")
    started = time.monotonic()
    model = KneserNey.fit(split.documents(), dataset.manifest["vocabulary"], options.order)
    speed = len(split.tokens) / (time.monotonic() - started)
    return _Trained(model, document_nats(model, dataset, "valid"), {"tokens_per_second": speed})


def _mix(parts: dict[str, str], dataset: Dataset) -> _Trained:
    from lmflow.models.mixture import Mixture
    from lmflow.models.ngram import KneserNey

    documents = dataset.split("valid").documents()
    neural, ngram = cast(Lstm, registration.load(parts["lstm"])), cast(KneserNey, registration.load(parts["ngram"]))
    model = Mixture.fit(neural, ngram, documents, dataset.running)
    return _Trained(model, document_nats(model, dataset, "valid"), {"neural_weight": model.weight})


def _train_network(
    options: TrainLanguageModel,
    dataset: Dataset,
    start: Embedding | None,
    checkpoints: Path,
    opened: tracking.Run,
    bar: Bar,
) -> _Trained:
    from lmflow.training.batches import batches_of
    from lmflow.training.loop import Point, TrainingDiverged, TrainingOutOfMemory, train

    preset, schedule = PRESETS[options.architecture][_preset(options)], _schedule(options, dataset)
    preset = preset if options.dropout is None else replace(preset, dropout=options.dropout)
    text, n_valid = dataset.split("train"), len(dataset.split("valid").tokens)
    unsent: list[tuple[str, float, int]] = []

    def validate(model: Any) -> float:
        return float(document_nats(model, dataset, "valid").sum() / n_valid)

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

    def build() -> Any:
        network = NEURAL[options.architecture]
        model = network(dataset.manifest["vocabulary"], preset, options.seed, schedule.precision)
        if start is not None:
            encode, width = dataset.tokenizer.encode, model.token_width
            model.start_from(token_vectors(start, encode, model.vocabulary, width, options.seed))
        return model

    try:
        model, outcome = train(
            build,
            batches_of(NEURAL[options.architecture], preset, text, schedule),
            validate,
            schedule,
            checkpoints,
            options.replicas,
            report,
        )
    except (TrainingDiverged, TrainingOutOfMemory, ValueError) as error:
        raise InputError(str(error)) from None
    if outcome.interrupted:
        raise ServiceError(f"stopped at step {outcome.steps}, checkpoint written; run the same command to go on")
    opened.log_history(unsent)
    opened.log_figure(
        registration.loss_curve(opened.history("train_loss"), opened.history("valid_loss")), "plots/loss.png"
    )
    measured = {"tokens_per_second": outcome.tokens_per_second, "input_wait_share": outcome.input_share}
    if isinstance(model, Vae):
        measured |= _latent_metrics(model, dataset, "valid")
    return _Trained(model, document_nats(model, dataset, "valid"), measured)


def _latent_metrics(model: Vae, dataset: Dataset, split: str) -> dict[str, float]:
    """Bounds and KL in nats a sentence (a piece of a longer document), and how many latent units say something."""
    report = model.latent_report(dataset.split(split).documents())
    return {f"{split}_{name}": float(value) for name, value in asdict(report).items()}


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
