"""Learn word embeddings of one language and register them as `embeddings-<lang>`.

Text comes from the corpus table (its training split only) or from a plain file (--train-file, one sentence a line; one
endless line such as text8 will do). word2vec and fastText are gensim's; GloVe counts co-occurrences with Spark. The
same text and options train once: a second run finds the version and says so. With --workers 1 the result is the same to
the bit.

How the corpus becomes words is chosen by --segmentation, --no-lower-case, --punctuation and --no-stop-words: for the
embedding branch alone, the corpus itself keeps every word and mark.

Examples:
  python -m jobs.train_embeddings --lang en
  python -m jobs.train_embeddings --lang en --algorithm glove --window 10
  python -m jobs.train_embeddings --lang zh --segmentation characters --no-stop-words
  python -m jobs.train_embeddings --lang en --start-from models:/embeddings-en@champion
  python -m jobs.train_embeddings --lang en --train-file text8 --window 15 --negative 5 --sample 1e-4 --epochs 5
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from babel import Locale
from pydantic import Field, model_validator

from jobs.command import Options, Progress, Result, digest, main
from jobs.cooccurrences import count_cooccurrences
from jobs.embedding_registration import index_documents, log_files, nothing_new, register
from jobs.embedding_text import Source, find_source, new_share, write_update, write_whole
from lmflow import registry, tracking
from lmflow.embeddings.align import Drift, drift, rotated, rotation
from lmflow.embeddings.card import model_card
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.cooccurrence import frequent_words
from lmflow.embeddings.glove import GloveConfig, default_x_max, train_glove
from lmflow.embeddings.picture import loss_curve, word_map
from lmflow.embeddings.registered import URI, load_embedding
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.stop_words import stop_words
from lmflow.embeddings.training import Training, check_vocabulary, default_epochs, default_workers
from lmflow.embeddings.update import State, update_word2vec
from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, train_word2vec
from lmflow.embeddings.wording import Segmentation, Wording
from lmflow.errors import InputError
from lmflow.evaluation.analogies import RESTRICT_VOCABULARY
from lmflow.evaluation.word_report import WordReport, WordTests
from lmflow.lake.lock import exclusive
from lmflow.registry.versions import CHAMPION
from lmflow.settings import settings

_GENSIM: Final = ("word2vec", "fasttext")
#: Options that some algorithms do not have.
_ONLY_FOR: Final = {
    **dict.fromkeys(("sg", "cbow", "negative", "sample"), _GENSIM),
    **dict.fromkeys(("min_n", "max_n", "bucket"), ("fasttext",)),
    "x_max": ("glove",),
    "start_from": _GENSIM,
}
_GLOVE_EPOCHS: Final = 25  # the reference program's default; its passes are over counts and cheap


#: Options of how the corpus becomes words.
_WORDING: Final = ("segmentation", "lower_case", "punctuation", "stop_words")


class TrainEmbeddingsOptions(Options):
    """What to learn from, and how."""

    lang: str = Field(description="Language, ISO 639 code.", pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])
    algorithm: Literal["word2vec", "fasttext", "glove"] = Field("word2vec", description="How vectors are learnt.")
    sg: bool = Field(False, description="Skip-gram, word2vec's better choice for a small corpus; what runs by default.")
    cbow: bool = Field(False, description="Continuous bag of words instead of skip-gram: faster.")
    dim: int = Field(100, description="Length of a vector.", ge=2, le=2000)
    window: int | None = Field(
        None, description="Words to each side that count as context; by default 5, for GloVe 10.", ge=1, le=100
    )
    negative: int = Field(5, description="Noise words for each true one.", ge=1, le=100)
    sample: float = Field(1e-4, description="Threshold above which frequent words are thinned out.", ge=0, le=1)
    min_count: int = Field(3, description="Rarer words get no vector.", ge=1)
    min_n: int = Field(3, description="fastText: shortest character n-gram.", ge=1, le=20)
    max_n: int = Field(6, description="fastText: longest character n-gram.", ge=1, le=20)
    bucket: int = Field(2_000_000, description="fastText: rows that n-grams are hashed into.", ge=1, le=100_000_000)
    x_max: float | None = Field(
        None, description="GloVe: count from which a pair weighs fully; by default 10, for a large corpus 100.", gt=0
    )
    alpha: float | None = Field(None, description="Learning rate; by default 0.025, for GloVe 0.05.", gt=0, le=1)
    epochs: int | None = Field(
        None, description="Passes; by default 20 for a small corpus, 5 for a large, for GloVe 25.", ge=1, le=500
    )
    segmentation: Segmentation = Field(
        "words",
        description="How the corpus is cut: words (Chinese by jieba's dictionary), characters (each of a script "
        "without spaces alone), spaces (at white space only).",
    )
    lower_case: bool = Field(True, description="Give case up.")
    punctuation: bool = Field(False, description="Keep marks of punctuation, each as a word.")
    stop_words: bool = Field(True, description="Keep stop words, such as the, of, 的, 了.")
    stop_words_file: Path | None = Field(
        None, description="With --no-stop-words: a list of your own (UTF-8, words at white space; # begins a remark)."
    )
    phrases: bool = Field(False, description="Join pairs that belong together (new york: new_york) before training.")
    start_from: str | None = Field(
        None,
        description="Not for GloVe: go on from this version; learn what was added since, and some old text again. "
        "newest: the champion, if it was learnt in this way, else the newest version that was, else start anew.",
        pattern=rf"^newest$|{URI}",
        examples=["newest", "models:/embeddings-en@champion"],
    )
    max_new_share: float = Field(
        0.2, description="With --start-from: when more of the text than this is new, train on everything.", gt=0, le=1
    )
    related: bool = Field(True, description="Index the documents of the corpus, so that the model finds related ones.")
    seed: int = Field(1, description="Seed of the random numbers.", ge=0)
    workers: int | None = Field(None, description="Threads; by default every core.", ge=1, le=256)
    train_file: Path | None = Field(None, description="Plain text, one sentence a line, taken as it is (no corpus).")
    corpus_version: int | None = Field(None, description="Version of the corpus table; by default the latest.", ge=0)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.sg and self.cbow:
            raise ValueError("choose --sg or --cbow, not both")
        if self.min_n > self.max_n:
            raise ValueError(f"--min-n {self.min_n} is above --max-n {self.max_n}")
        if self.stop_words_file and self.stop_words:
            raise ValueError("--stop-words-file is a list of what to leave out: give --no-stop-words too")
        if self.train_file and self.lang not in Locale("en").languages:  # a corpus says itself what is in it
            raise ValueError(f"--lang {self.lang}: no language that Unicode knows; give an ISO 639 code, e.g. en")
        for name in _WORDING if self.train_file else ():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"--train-file is taken as it is: {name} is for the corpus")
        if self.start_from and self.phrases:
            raise ValueError("--phrases are found in a whole corpus: leave --start-from out")
        for name in sorted(self.model_fields_set & _ONLY_FOR.keys()):
            if self.algorithm not in _ONLY_FOR[name] and getattr(self, name) != type(self).model_fields[name].default:
                flag = "--" + name.replace("_", "-")
                raise ValueError(f"{flag} means nothing to {self.algorithm}: it is for {' and '.join(_ONLY_FOR[name])}")
        return self


def run(options: TrainEmbeddingsOptions, progress: Progress) -> Result:
    """Train, judge and register, unless that has been done."""
    os.environ["PYTHONHASHSEED"] = str(options.seed)  # of the processes this one starts
    name = f"embeddings-{options.lang}"
    wording = _wording(options)
    start = _start(name, options, wording, progress)
    # An alias moves: what it stands for decides the result.
    options = options.model_copy(update={"start_from": start.version.uri if start else None})
    recipe = _recipe(options, wording)
    source = find_source(options.train_file, options.corpus_version)
    done = registry.find(name, {**source.tags, "recipe": recipe})
    if done is not None:
        return nothing_new(done, f"version {done.version} has the same options and {source.words}")
    work = settings().home / "work"
    work.mkdir(parents=True, exist_ok=True)
    with exclusive(f"train_{name}"), tempfile.TemporaryDirectory(dir=work) as folder:
        task = _prepare(options, source, wording, start, Path(folder), progress)
        if isinstance(task, _Nothing):
            return nothing_new(task.known_to, task.reason)
        tags = {**source.tags, "recipe": recipe, "input_digest": digest([task.text.digest, recipe])}
        done = registry.find(name, {"input_digest": tags["input_digest"]})
        if done is not None:
            return nothing_new(done, f"version {done.version} has the same options and text")
        return _train(options, name, source, task, tags, start, Path(folder), progress)


@dataclass(frozen=True)
class _Registered:
    """A version and its vectors, which are read once, when they are first needed."""

    version: registry.Version

    @cached_property
    def embedding(self) -> Embedding:
        return load_embedding(self.version.uri)


@dataclass(frozen=True)
class _Nothing:
    """There is nothing to learn: a version knows it all."""

    known_to: registry.Version
    reason: str


@dataclass(frozen=True)
class _Task:
    """What is to be learnt.

    Args:
        text: what to train on.
        wording: how it became words.
        new: for an update, the new part of it.
        start: for an update, the state to go on from.
    """

    text: Sentences
    wording: Wording
    new: Sentences | None = None
    start: State | None = None


def _wording(options: TrainEmbeddingsOptions) -> Wording:
    """How the corpus becomes words."""
    left_out = frozenset() if options.stop_words else stop_words(options.lang, options.stop_words_file)
    return Wording(options.segmentation, options.lower_case, options.punctuation, left_out)


def _recipe(options: TrainEmbeddingsOptions, wording: Wording) -> str:
    """What names the way of learning. The default wording adds nothing: versions of before there was one are found."""
    chosen = {key: value for key, value in options.model_dump().items() if key not in _NOT_RECIPE}
    return digest({**chosen, **({} if wording == Wording() else wording.facts())})


def _prepare(
    options: TrainEmbeddingsOptions,
    source: Source,
    wording: Wording,
    start: _Registered | None,
    folder: Path,
    progress: Progress,
) -> _Task | _Nothing:
    """Write the text; a reason instead when there is nothing to learn."""
    workers = options.workers or default_workers()
    if start is not None:
        parent = start.version
        known = parent.tags.get("corpus_version")
        share = new_share(source, int(known) if known else None, options.lang)
        if not share:
            return _Nothing(parent, f"nothing was added to the text since {parent.uri} learnt it")
        if source.file is not None or share <= options.max_new_share:
            progress.say(f"writing the text that is new since {parent.uri}")
            _check_fits(start, options, wording)
            file = tracking.download(parent.run_id, "state/state.safetensors", folder)
            state = State.load(start.embedding, file)
            text = write_update(source, int(known) if known else None, share, options.lang, wording, workers, folder)
            return _Task(text.text, wording, text.new, state)
        progress.say(f"{share:.0%} of the text is new since {parent.uri}: training on everything")
    progress.say(f"writing sentences from {source.words}")
    return _Task(write_whole(source, options.lang, wording, options.phrases, workers, folder), wording)


def _start(name: str, options: TrainEmbeddingsOptions, wording: Wording, progress: Progress) -> _Registered | None:
    """The version to go on from, if there is to be one.

    newest: the champion if it is of this algorithm, else the newest version that is; none if other options made it.
    """
    if options.start_from is None:
        return None
    if options.start_from != "newest":
        return _Registered(registry.resolve(options.start_from, "--start-from"))
    champion = registry.aliases(name).get(CHAMPION)
    versions = sorted(registry.versions(name), key=lambda each: (each.version != champion, -each.version))
    alike = next((each for each in versions if each.tags.get("architecture") == options.algorithm), None)
    if alike is None:
        return None
    start = _Registered(alike)
    try:
        _check_fits(start, options, wording)
    except InputError as error:
        progress.say(f"training on everything ({error})")
        return None
    return start


def _check_fits(start: _Registered, options: TrainEmbeddingsOptions, wording: Wording) -> None:
    """Refuse a version that other options made than those given now."""
    parent, embedding = start.version, start.embedding
    if embedding.wording != wording:
        raise InputError(f"--start-from {parent.uri}: its text was {embedding.wording}; give the same options")
    if embedding.vectors.matrix.shape[1] != options.dim:
        dim = embedding.vectors.matrix.shape[1]
        raise InputError(f"--dim {options.dim}: {parent.uri} has {dim} dimensions; give the same")
    learnt = parent.tags.get("architecture")
    if learnt != options.algorithm:
        raise InputError(f"--start-from {parent.uri}: that is {learnt}; say --algorithm {learnt} or leave it out")
    if (subwords := embedding.vectors.subwords) is not None:
        for name in ("min_n", "max_n", "bucket"):
            if (there := getattr(subwords, name)) != getattr(options, name):
                raise InputError(f"--start-from {parent.uri}: give its --{name.replace('_', '-')} {there}")


def _train(
    options: TrainEmbeddingsOptions,
    name: str,
    source: Source,
    task: _Task,
    tags: dict[str, str],
    start: _Registered | None,
    folder: Path,
    progress: Progress,
) -> Result:
    sentences = task.text
    config, tests = _config(options, sentences.words), WordTests.of(options.lang)
    logged = {"algorithm": options.algorithm, "lang": options.lang, "phrases": options.phrases, **asdict(config)}
    judged_by = {"evaluations": tests.editions, "restrict_vocabulary": RESTRICT_VOCABULARY}
    run_name, parameters = f"{options.algorithm}-{options.lang}", {**logged, **judged_by}
    with tracking.run("lmflow/embeddings", run_name, parameters, {"model": name}) as opened:
        profile = sentences.profile()
        opened.log_dataset(f"sentences-{options.lang}", source.uri, source.digest, "training", profile, source.version)
        training = _learn(options, config, task, folder, progress)
        before = start or _champion(name)
        training, moved = _aligned(before, options, task.wording, training)
        progress.say(f"judging {len(training.vectors.words):,} vectors")
        report = tests.judge(training.vectors)
        for test in report.unknown():
            progress.say(f"{test} says nothing about them: no pair or question of it is in the vocabulary")
        metrics = {**_metrics(training, sentences, report), **(moved.metrics() if moved else {})}
        opened.log_history([("loss", loss, epoch) for epoch, loss in enumerate(training.losses, 1) if loss == loss])
        opened.log_metrics(metrics)
        opened.log_dict(report.answers(), "evaluation/similarity.json")
        if moved:
            opened.log_dict(asdict(moved), "drift.json")
        opened.log_figure(loss_curve(training.losses, training.loss_name), "plots/loss.png")
        opened.log_figure(word_map(training.vectors), "plots/words.png")
        worded = None if source.file else task.wording
        card = model_card(name, training.vectors, sentences, logged, source.words, report.rows(), moved, worded)
        opened.log_text(card, "model_card.md")
        figures = {name: f"{value:.4f}" for name, value in report.headline().items()}
        turned = {"aligned_to": before.version.uri} if before and moved else {}
        made = {"architecture": options.algorithm, "seed": config.seed, **turned}
        lineage = {**tags, **figures, **made, **tracking.lineage()}
        embedding = _embedding(training, options.lang, task.wording)
        log_files(opened, embedding, training, folder)
        artifacts = {"embedding": folder / "embedding.safetensors"}
        if options.related and source.file is None:
            progress.say("indexing documents")
            artifacts["related"] = folder / "related"
            indexed = index_documents(source, embedding, artifacts["related"])
            opened.log_metrics({"related_documents": float(indexed)})
        version = register(opened, name, embedding, artifacts, card, lineage)
    registry.nominate(name, version.version)
    return {
        **registry.place(name, version.version, opened.run_id),
        "words": sentences.words,
        "vocabulary": len(training.vectors.words),
        "metrics": metrics,
    }


def _learn(
    options: TrainEmbeddingsOptions,
    config: Word2VecConfig | GloveConfig,
    task: _Task,
    folder: Path,
    progress: Progress,
) -> Training:
    sentences = task.text
    if isinstance(config, GloveConfig):
        vocabulary = frequent_words(sentences, config.min_count)
        check_vocabulary(sentences.words, len(vocabulary.words), config.min_count)
        progress.say(f"counting what stands near each of {len(vocabulary.words):,} words (Spark)")
        records = count_cooccurrences(sentences, vocabulary, config, folder)
    with progress.bar(config.epochs, f"{options.algorithm} {options.lang}", "epochs") as bar:

        def on_epoch(done: int, loss: float) -> None:
            bar.reach(done, f"loss {loss:.4g}")

        if isinstance(config, GloveConfig):
            return train_glove(records, vocabulary, config, on_epoch)
        if task.start is not None and task.new is not None:
            return update_word2vec(task.start, task.new, sentences, config, on_epoch)
        return train_word2vec(sentences, config, on_epoch)


def _champion(name: str) -> _Registered | None:
    number = registry.aliases(name).get(CHAMPION)
    found = [version for version in registry.versions(name) if version.version == number]
    return _Registered(found[0]) if found else None


def _aligned(
    start: _Registered | None, options: TrainEmbeddingsOptions, wording: Wording, training: Training
) -> tuple[Training, Drift | None]:
    """Turn the vectors into the space of the version that went before, and say what moved; as they are without one."""
    if start is None:
        return training, None
    try:
        before = start.embedding
        turn = rotation(before.vectors, training.vectors)
    except (InputError, ValueError):  # of another format or length: there is nothing to compare with
        return training, None
    state = {matrix: rows @ turn for matrix, rows in training.state.items()}
    turned = replace(training, vectors=rotated(training.vectors, turn), state=state)
    return turned, drift(before, _embedding(turned, options.lang, wording))


def _embedding(training: Training, lang: str, wording: Wording) -> Embedding:
    return Embedding(training.vectors, np.array(training.counts, np.int64), lang, wording)


def _config(options: TrainEmbeddingsOptions, n_words: int) -> Word2VecConfig | GloveConfig:
    shared: dict[str, Any] = {
        "dim": options.dim,
        "min_count": options.min_count,
        "seed": options.seed,
        "workers": options.workers or default_workers(),
    }
    if options.algorithm == "glove":
        return GloveConfig(
            **shared,
            window=options.window or 10,
            epochs=options.epochs or _GLOVE_EPOCHS,
            alpha=options.alpha or 0.05,
            x_max=options.x_max or default_x_max(n_words),
        )
    shared |= {
        "sg": not options.cbow,
        "window": options.window or 5,
        "negative": options.negative,
        "sample": options.sample,
        "epochs": options.epochs or default_epochs(n_words),
        "alpha": options.alpha or 0.025,
    }
    if options.algorithm == "fasttext":
        return FastTextConfig(**shared, min_n=options.min_n, max_n=options.max_n, bucket=options.bucket)
    return Word2VecConfig(**shared)


def _metrics(training: Training, sentences: Sentences, report: WordReport) -> dict[str, float]:
    return {
        "vocabulary": float(len(training.vectors.words)),
        "words": float(sentences.words),
        "documents": float(sentences.documents),
        "train_seconds": training.seconds,
        "words_per_second": training.words_per_second,
        **report.metrics(),
    }


#: Options that say where text lies, not how to learn from it; the text has its own digest.
_NOT_RECIPE: Final = frozenset({"train_file", "corpus_version", "sg", "max_new_share", *_WORDING, "stop_words_file"})


if __name__ == "__main__":
    main(TrainEmbeddingsOptions, run, __doc__)
