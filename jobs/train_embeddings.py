"""Learn word embeddings of one language and register them as `embeddings-<lang>`.

Text comes from the corpus table (its training split only) or from a plain file (--train-file). The same text and
options train once: a second run finds the version and says so. With --workers 1 the result is the same to the bit.

Examples:
  python -m jobs.train_embeddings --lang en
  python -m jobs.train_embeddings --lang en --train-file text8 --window 15 --negative 5 --sample 1e-4 --epochs 5
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from jobs.command import Options, Progress, Result, main
from lmflow import registry, tracking
from lmflow.embeddings import pyfunc_model_path
from lmflow.embeddings.card import model_card
from lmflow.embeddings.picture import loss_curve, word_map
from lmflow.embeddings.sentences import Sentences, copy_sentences, write_sentences
from lmflow.embeddings.word2vec import Training, Word2VecConfig, default_epochs, default_workers, train_word2vec
from lmflow.errors import InputError
from lmflow.evaluation.word_report import WordReport, WordTests
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive
from lmflow.settings import settings

#: Requirements of the registered model alone; versions are those it was made with.
_REQUIREMENTS = ("mlflow", "numpy", "pandas")


class TrainEmbeddingsOptions(Options):
    """What to learn from, and how."""

    lang: str = Field(description="Language, ISO 639 code.", pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])
    algorithm: Literal["word2vec"] = Field("word2vec", description="How vectors are learnt.")
    sg: bool = Field(False, description="Skip-gram, word2vec's better choice for a small corpus; what runs by default.")
    cbow: bool = Field(False, description="Continuous bag of words instead of skip-gram: faster.")
    dim: int = Field(100, description="Length of a vector.", ge=2, le=2000)
    window: int = Field(5, description="Words to each side that count as context.", ge=1, le=100)
    negative: int = Field(5, description="Noise words for each true one.", ge=1, le=100)
    sample: float = Field(1e-4, description="Threshold above which frequent words are thinned out.", ge=0, le=1)
    min_count: int = Field(3, description="Rarer words get no vector.", ge=1)
    epochs: int | None = Field(
        None, description="Passes; by default 20 for a small corpus, 5 for a large.", ge=1, le=500
    )
    seed: int = Field(1, description="Seed of the random numbers.", ge=0)
    workers: int | None = Field(None, description="Threads; by default every core.", ge=1, le=256)
    train_file: Path | None = Field(None, description="Plain text, one sentence a line, taken as it is (no corpus).")
    corpus_version: int | None = Field(None, description="Version of the corpus table; by default the latest.", ge=0)

    @model_validator(mode="after")
    def _one_architecture(self) -> Self:
        if self.sg and self.cbow:
            raise ValueError("choose --sg or --cbow, not both")
        return self


@dataclass(frozen=True)
class _Source:
    """Where the text comes from, in the words of the run, the registry and the card."""

    uri: str
    digest: str
    words: str
    tags: dict[str, str]


def run(options: TrainEmbeddingsOptions, progress: Progress) -> Result:
    """Train, judge and register, unless that has been done."""
    name = f"embeddings-{options.lang}"
    recipe = _digest({key: value for key, value in options.model_dump().items() if key not in _NOT_RECIPE})
    source = _source(options)
    done = registry.find(name, {**source.tags, "recipe": recipe})
    if done is not None:
        return _nothing_new(done, f"version {done.version} has the same options and {source.words}")
    work = settings().home / "work"
    work.mkdir(parents=True, exist_ok=True)
    with exclusive(f"train_{name}"), tempfile.TemporaryDirectory(dir=work) as folder:
        progress.say(f"writing sentences from {source.words}")
        sentences = _write(options, Path(folder) / "sentences.txt")
        tags = {**source.tags, "recipe": recipe, "input_digest": _digest([sentences.digest, recipe])}
        done = registry.find(name, {"input_digest": tags["input_digest"]})
        if done is not None:
            return _nothing_new(done, f"version {done.version} has the same options and text")
        return _train(options, name, source, sentences, tags, Path(folder), progress)


def _train(
    options: TrainEmbeddingsOptions,
    name: str,
    source: _Source,
    sentences: Sentences,
    tags: dict[str, str],
    folder: Path,
    progress: Progress,
) -> Result:
    config, tests = _config(options, sentences.words), WordTests.of(options.lang)
    logged = {"algorithm": options.algorithm, "lang": options.lang, **asdict(config)}
    with tracking.run("lmflow/embeddings", f"{options.algorithm}-{options.lang}", logged, {"model": name}) as opened:
        opened.log_dataset(f"sentences-{options.lang}", source.uri, source.digest, "training", sentences.profile())
        with progress.bar(config.epochs, f"{options.algorithm} {options.lang}", "epochs") as bar:
            training = train_word2vec(sentences, config, lambda done, loss: bar.reach(done, f"loss {loss:.3f}"))
        progress.say(f"judging {len(training.vectors.words):,} vectors")
        report = tests.judge(training.vectors)
        metrics = _metrics(training, sentences, report)
        opened.log_history([("loss", loss, epoch) for epoch, loss in enumerate(training.losses, 1) if loss == loss])
        opened.log_metrics(metrics)
        opened.log_dict(report.answers(), "evaluation/similarity.json")
        opened.log_figure(loss_curve(training.losses), "plots/loss.png")
        opened.log_figure(word_map(training.vectors), "plots/words.png")
        card = model_card(name, training.vectors, sentences, logged, source.words, report.rows())
        opened.log_text(card, "model_card.md")
        figures = {name: f"{value:.4f}" for name, value in metrics.items() if "_spearman" in name}
        lineage = {**tags, **figures, "architecture": options.algorithm, "seed": config.seed, **tracking.lineage()}
        version = _register(opened, name, training, card, lineage, folder)
    registry.nominate(name, version.version)
    return {
        "model": name,
        "version": version.version,
        "model_uri": version.uri,
        "run_id": opened.run_id,
        "run_url": tracking.run_url(opened.run_id),
        "words": sentences.words,
        "vocabulary": len(training.vectors.words),
        "metrics": metrics,
    }


def _source(options: TrainEmbeddingsOptions) -> _Source:
    if options.train_file is not None:
        path = options.train_file.resolve()
        if not path.is_file():
            raise InputError(f"--train-file {options.train_file}: there is no such file; give a text file")
        stamp = path.stat()
        digest = _digest([str(path), stamp.st_size, stamp.st_mtime_ns])
        return _Source(path.as_uri(), digest, f"file {path.name}", {"train_file": digest})
    table = Lake.open().table("corpus")
    version = table.version() if options.corpus_version is None else options.corpus_version
    if table.version() < 0:
        raise InputError("the corpus is empty: ingest documents, then run `python -m jobs.build_corpus`")
    if version > table.version():
        raise InputError(f"--corpus-version {version}: the corpus table ends at version {table.version()}")
    return _Source(table.uri, f"v{version}", f"corpus version {version}", {"corpus_version": str(version)})


def _write(options: TrainEmbeddingsOptions, path: Path) -> Sentences:
    if options.train_file is not None:
        return copy_sentences(options.train_file, path)
    return write_sentences(_training_texts(options.lang, options.corpus_version), options.lang, path)


def _training_texts(lang: str, version: int | None) -> Iterator[str]:
    """Texts of the training split, streamed."""
    import pyarrow.compute as pc

    table = Lake.open().table("corpus")
    where = (pc.field("lang") == lang) & (pc.field("split") == "train")
    empty = True
    for batch in table.scan(["text"], where, version):
        for text in batch["text"]:
            empty = False
            yield text.as_py() or ""
    if empty:
        there = sorted({str(found) for found in table.read(["lang"], version=version)["lang"].unique().to_pylist()})
        raise InputError(f"the corpus has no training documents in {lang!r} (it has: {', '.join(there) or 'nothing'})")


def _config(options: TrainEmbeddingsOptions, n_words: int) -> Word2VecConfig:
    return Word2VecConfig(
        sg=not options.cbow,
        dim=options.dim,
        window=options.window,
        negative=options.negative,
        sample=options.sample,
        min_count=options.min_count,
        epochs=options.epochs or default_epochs(n_words),
        seed=options.seed,
        workers=options.workers or default_workers(),
    )


def _metrics(training: Training, sentences: Sentences, report: WordReport) -> dict[str, float]:
    return {
        "vocabulary": float(len(training.vectors.words)),
        "words": float(sentences.words),
        "documents": float(sentences.documents),
        "train_seconds": training.seconds,
        "words_per_second": training.words_per_second,
        **report.metrics(),
    }


def _register(
    opened: tracking.Run, name: str, training: Training, card: str, tags: dict[str, Any], folder: Path
) -> tracking.ModelVersion:
    from importlib.metadata import version

    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    training.vectors.save(folder / "vectors.bin")
    columns = [
        ColSpec("string", column, required=column in ("task", "word")) for column in ("task", "word", "other", "like")
    ]
    signature = ModelSignature(inputs=Schema(columns), params=ParamSchema([ParamSpec("topn", "long", 10)]))
    example = pd.DataFrame([{"task": "most_similar", "word": training.vectors.words[0]}])
    return opened.log_model(
        name=name,
        code=pyfunc_model_path(),
        artifacts={"vectors": folder / "vectors.bin"},
        modules=["lmflow.embeddings.vectors"],
        requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
        input_example=example,
        signature=signature,
        description=card,
        tags=tags,
    )


def _nothing_new(done: registry.Version, reason: str) -> Result:
    if max(registry.aliases(done.name).values(), default=0) < done.version:
        registry.nominate(done.name, done.version)  # a run killed between registering and nominating ends here
    return {
        "status": "nothing_new",
        "reason": reason,
        "model": done.name,
        "version": done.version,
        "model_uri": done.uri,
        "run_id": done.run_id,
    }


#: Options that say where text lies, not how to learn from it; the text has its own digest.
_NOT_RECIPE = frozenset({"train_file", "corpus_version", "sg"})


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


if __name__ == "__main__":
    main(TrainEmbeddingsOptions, run, __doc__)
