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

With --warm-start a training goes on from a registered version: on the documents that came after it, mixed with a share
of old ones (--replay), in its tokens. Networks keep its weights, so that cost follows the new text; n-grams are counted
again over all text. The result says how it does on what was held out before, and when it is worse there.
  python -m jobs.train_language_model --lang en --architecture lstm --warm-start champion --replay 0.3

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
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from jobs import network_training, trials, warm_start
from jobs.command import Options, Progress, Result, digest, main
from jobs.network_training import Work, latent_metrics, preset_name, train_network
from jobs.values import Languages
from lmflow import __version__, registry, tracking
from lmflow.dataset import plain_files, store
from lmflow.dataset.shards import Dataset
from lmflow.dataset.tokenizer import Kind
from lmflow.embeddings.registered import URI, load_embedding
from lmflow.errors import InputError
from lmflow.evaluation.compression import bits_per_byte, perplexity
from lmflow.evaluation.generation import next_token, variety
from lmflow.evaluation.scores import document_nats
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive
from lmflow.models.contract import LanguageModel
from lmflow.models.families import NEURAL, PRESETS
from lmflow.models.lstm import Lstm
from lmflow.models.vae import Vae
from lmflow.registry.versions import LANGUAGES, Version
from lmflow.training import registration
from lmflow.training.loop import CHECKPOINT_MINUTES, TrainingDiverged
from lmflow.training.memory import SMALLER_NETWORK, fitting

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
    dimension: int | None = Field(None, description="Networks: width, in place of the preset's.", ge=2, le=16_384)
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
        description="Networks: evaluations in a row without progress until training stops and the best is kept.",
        ge=0,
        le=100,
    )
    evaluate_every: int | None = Field(
        None,
        description="Networks: steps between evaluations on the validation split, at each of which texts are written "
        "into the run; without it once an epoch.",
        ge=1,
        le=1_000_000,
    )
    ema: float | None = Field(
        None,
        description="Networks: evaluate and keep the exponential mean of the weights of all steps, this share of it "
        "old at each.",
        gt=0,
        lt=1,
        examples=[0.999],
    )
    precision: Literal["float32", "bfloat16"] | None = Field(
        None, description="Networks: what is computed in; bfloat16 is for GPUs, weights stay float32."
    )
    softmax_sample: int | None = Field(
        None,
        description="rnn, lstm, transformer: train against so many tokens drawn a step in place of the whole "
        "vocabulary, where that is large; evaluation is over all.",
        ge=1,
        le=1_000_000,
    )
    replicas: int = Field(1, description="Networks: GPUs of this host, or logical CPU devices where it has none.", ge=1)
    init_embeddings: str | None = Field(
        None,
        description="Networks: word vectors that the tokens' vectors start from; without them they start at random.",
        pattern=URI,
        examples=["models:/embeddings-en@champion"],
    )
    seed: int = Field(1, description="Networks: seed of weights and dropout.", ge=0)
    warm_start: str | None = Field(
        None,
        description="Go on from this version, in its tokens, on what is new since: champion; newest (the champion if "
        "it is of this family, else the newest version that is, else start anew); or a version by name.",
        pattern=warm_start.ORIGIN,
        examples=["champion", "newest", "models:/lm-en/3"],
    )
    replay: float = Field(0.3, description="--warm-start: share of old text among what a network reads.", ge=0, le=0.95)
    pause_after: float | None = Field(
        None,
        description="Networks: passes after which to measure and stop, a trial of a search; nothing is registered. "
        "Asked for more, or without this, it goes on there.",
        gt=0,
        le=1000,
    )
    checkpoint_minutes: float = Field(
        CHECKPOINT_MINUTES,
        description="Networks: minutes of training that a kill loses at most, where steps are slow.",
        gt=0,
        le=1440,
    )
    study: str | None = Field(
        None, description="MLflow run of the search that this is a trial of.", pattern=r"^[0-9a-f]{32}$"
    )
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
        if self.warm_start and (self.train_file or self.init_embeddings or self.pause_after):
            raise ValueError("--warm-start goes on from a version: no --train-file, --init-embeddings, --pause-after")
        if self.softmax_sample is not None and family not in ("ngram", "rnn", "lstm", "transformer"):
            raise ValueError(f"--softmax-sample is for rnn, lstm and transformer, not {family}")
        if self.pause_after is not None and self.architecture not in NEURAL:
            raise ValueError(f"--pause-after is for networks, not {self.architecture}")
        if self.preset is not None and family in NEURAL and self.preset not in PRESETS[family]:
            raise ValueError(f"--preset {self.preset} is not of {family}; choose {', '.join(PRESETS[family])}")
        return self


#: These decide the dataset, which has a digest of its own.
_WHERE_TEXT_LIES: Final = {"train_file", "valid_file", "test_file", "tokenizer", "vocabulary"}
#: How far a training goes at once does not change where it ends.
_WHEN: Final = {"pause_after", "study", "checkpoint_minutes"}
_WARM: Final = {"warm_start", "replay"}
_NETWORK: Final = set(TrainLanguageModel.model_fields) - {"order", *_WHERE_TEXT_LIES, *_WHEN, *_WARM}
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
    """Train and register, unless that has been done; with --pause-after train so far, and measure."""
    dataset, name = text_of(options)
    origin = warm_start.origin_of(options) if options.warm_start else None
    going_on = None
    if origin is not None:
        going_on = warm_start.prepare(origin, options, dataset, progress)
        if going_on is None:
            reason = f"no training document came after {origin.uri}"
            return {"status": "nothing_new", "reason": reason, **_facts(options, name, origin.version, origin.run_id)}
        options, dataset = going_on.options, going_on.dataset
    elif options.warm_start:
        progress.say(f"{name} has no version of {options.architecture} to go on from: starting anew")
    work = work_of(options, dataset, name, going_on)
    with exclusive(f"train_{name}_{work.key[:16]}"):
        done = registry.find(name, {"input_digest": work.key})
        if done is not None:
            reason = f"version {done.version} of {name} has the same data and options"
            return {"status": "nothing_new", "reason": reason, **_facts(options, name, done.version, done.run_id)}
        if options.pause_after is not None:
            return trials.run(work, options.pause_after, progress)
        parts = _parts(options, origin, progress)
        with network_training.run_of(work) as opened, fitting("scoring", SMALLER_NETWORK):
            trained = _mix(parts, dataset) if parts else _train(work, opened, progress)
            result = _registered(work, trained, parts, opened)
        work.checkpoints.remove()
    return result


def text_of(options: TrainLanguageModel) -> tuple[Dataset, str]:
    """What to read, and the registered model that is made of it."""
    if options.train_file is None:
        return store.latest(Lake.open(), options.lang), f"lm-{options.lang}"
    stem = re.sub(r"[^A-Za-z0-9]+", "-", options.train_file.stem).strip("-")
    if not stem or LANGUAGES.fullmatch(stem):  # else zh.txt would go before the gate of lm-en-zh
        stem = f"file-{stem}".rstrip("-")
    return _plain(options), f"lm-{options.lang}-{stem}"


def work_of(
    options: TrainLanguageModel, dataset: Dataset, name: str, going_on: warm_start.Continuation | None = None
) -> Work:
    """The training that these options ask for, with the key that names it."""
    config = {key: value for key, value in options.model_dump().items() if key in _DECIDES[options.architecture]}
    start = None
    if uri := config.pop("init_embeddings", None):  # an alias moves: what it stands for decides the result
        start = load_embedding(uri)
        config["init_embeddings_digest"] = hashlib.sha256(start.vectors.matrix.tobytes()).hexdigest()[:16]
    if going_on is not None:
        config |= {"warm_start": going_on.origin.uri, "replay": options.replay}
    key = digest({"code": __version__, "dataset": dataset.digest, **config})
    return Work(options, dataset, name, config, key, start, going_on)


def _registered(work: Work, trained: _Trained, parts: dict[str, str], opened: tracking.Run) -> Result:
    """Measure what was trained, and make it a version."""
    options, dataset, name = work.options, work.dataset, work.name
    valid = dataset.split("valid")
    metrics = {
        "valid_perplexity": perplexity(trained.valid_nats, len(valid.tokens)),
        "valid_bits_per_byte": bits_per_byte(trained.valid_nats, valid.n_bytes).value,
        **trained.metrics,
        **_writing(trained.model, dataset),
        "parameters": float(trained.model.n_parameters),
    }
    if options.train_file is not None:
        metrics |= _test_metrics(trained.model, dataset)
    compared, verdict = warm_start.against_origin(work.going_on, trained.model) if work.going_on else ({}, "")
    metrics |= compared
    opened.log_metrics(metrics)
    samples = registration.samples(options.lang, dataset, trained.model)
    card = registration.model_card(f"{name}: {_shape(options)}", dataset, metrics, samples, verdict)
    opened.log_text(card, "model_card.md")
    tags = {
        "input_digest": work.key,
        "architecture": options.architecture,
        "dataset_digest": dataset.digest,
        "tokenizer_digest": dataset.manifest["tokenizer_digest"],
        "corpus_version": dataset.manifest["lineage"].get("corpus_version", ""),
        "seed": options.seed,
        **({"mixed_from": ", ".join(parts.values())} if parts else {}),
        **({"preset": preset_name(options)} if options.architecture != "ngram" else {}),
        **({"dimension": options.dimension} if options.dimension is not None else {}),
        **({"warm_start": work.going_on.origin.uri, "warm_start_verdict": verdict} if work.going_on else {}),
        **tracking.lineage(),
    }
    version = registration.register(opened, name, options.architecture, trained.model, dataset, card, tags)
    facts = _facts(options, name, version.version, opened.run_id)
    if work.going_on is not None:
        facts["warm_start"] = {"origin": work.going_on.origin.uri, **work.going_on.read, "verdict": verdict}
    return {**facts, "metrics": metrics, "samples": samples}


def _writing(model: LanguageModel, dataset: Dataset) -> dict[str, float]:
    """How sure the model is of the validation split's next tokens, and how varied what it writes is."""
    found = next_token(model, dataset.split("valid").documents())
    return {
        "valid_next_token_accuracy": found.accuracy,
        "valid_calibration_error": found.calibration_error,
        **{f"written_{name}": value for name, value in variety(model).items()},
    }


def _parts(options: TrainLanguageModel, origin: Version | None, progress: Progress) -> dict[str, str]:
    """Registered versions that a mixture is made of, by family; those that are not there yet are trained now."""
    if "+" not in options.architecture:
        return {}
    found = {}
    for family in _split(options):
        of_it = {"architecture": family, **({"warm_start": origin.uri} if origin is not None else {"warm_start": None})}
        found[family] = run(options.model_copy(update=of_it), progress)["model_uri"]
        progress.say(f"{family} to mix in: {found[family]}")
    return found


def _plain(options: TrainLanguageModel) -> Dataset:
    given = {"train": options.train_file, "valid": options.valid_file, "test": options.test_file}
    files = {name: path for name, path in given.items() if path is not None}
    most = _MOST_WORDS if options.tokenizer == "whitespace" else _BPE_VOCABULARY
    try:
        return plain_files.pack(files, options.vocabulary or most, options.tokenizer)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--vocabulary: {error}") from None


def _shape(options: TrainLanguageModel) -> str:
    width = f", width {options.dimension}" if options.dimension is not None else ""
    shapes = [f"order {options.order}" if part == "ngram" else preset_name(options) + width for part in _split(options)]
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
        **(latent_metrics(model, dataset, "test") if isinstance(model, Vae) else {}),
    }


def _facts(options: TrainLanguageModel, name: str, version: int, run_id: str) -> Result:
    return {"architecture": options.architecture, **registry.place(name, version, run_id)}


def _train(work: Work, opened: tracking.Run, progress: Progress) -> _Trained:
    options, dataset = work.options, work.dataset
    if options.architecture == "ngram":
        return _train_ngram(options, dataset, progress)
    try:
        with progress.bar(None, f"{preset_name(options)} {options.lang}", "steps") as bar:
            model, metrics = train_network(work, opened, bar)
    except (TrainingDiverged, ValueError) as error:
        raise InputError(str(error)) from None
    if isinstance(model, Vae):
        metrics |= latent_metrics(model, dataset, "valid")
    return _Trained(model, document_nats(model, dataset, "valid"), metrics)


def _train_ngram(options: TrainLanguageModel, dataset: Dataset, progress: Progress) -> _Trained:
    from lmflow.models.ngram import KneserNey

    split = dataset.split("train")
    progress.say(f"counting n-grams up to order {options.order} in {len(split.tokens):,} tokens")
    started = time.monotonic()
    with fitting("counting n-grams", f"lower --order ({options.order})"):
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


if __name__ == "__main__":
    main(TrainLanguageModel, run, __doc__)
