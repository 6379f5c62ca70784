"""Learn a task head, a classifier of texts over word vectors, and register it as `<task>-<lang>`.

Labelled documents come from JSON Lines, CSV or Parquet, local or on S3. A text becomes the vector that `doc_similar`
compares; a multinomial logistic regression learns the classes, its penalty chosen on a part of the training documents.
Without --test-file a tenth of the documents is held out: near copies stay on one side, and what an earlier version was
judged on stays held out, unless another learnt it. The same documents and vectors train once: a second run finds the
version and says so.

The held-out texts are kept with the run, so that later versions can be judged on them; of the others, fingerprints.

Examples:
  python -m jobs.train_task_head --task sentiment --lang zh --train-file reviews.jsonl
  python -m jobs.train_task_head --task sentiment --lang zh --train-file a.csv --test-file b.csv --text-column body
  python -m jobs.train_task_head --task topic --lang en --train-file s3://b/posts/ --embeddings models:/embeddings-en/3
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from babel import Locale
from numpy.typing import NDArray
from pydantic import Field, model_validator

from jobs.command import Options, Progress, Result, digest, main
from jobs.embedding_registration import nothing_new
from jobs.task_head_registration import record_of, register
from lmflow import registry, tracking
from lmflow.corpus.split import joined
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.documents import DocumentVectors
from lmflow.embeddings.registered import URI, load_embedding
from lmflow.embeddings.vectors import Matrix
from lmflow.errors import InputError
from lmflow.evaluation.classification import Classified, classified
from lmflow.extract import own_files
from lmflow.heads import labelled
from lmflow.heads.card import confusion_picture, model_card
from lmflow.heads.fitting import Fitted, fit
from lmflow.heads.labelled import Labelled, LabelledColumns
from lmflow.heads.record import ARTIFACT, HELD_OUT, Record
from lmflow.lake.lock import exclusive

_ARCHITECTURE: Final = "logistic-regression"
#: Held-out documents below which nothing can be said of a class.
_FEWEST: Final = 5
#: Names that other models have.
_TAKEN: Final = ("lm", "embeddings", "tokenizer")


class TrainTaskHead(Options):
    """What to learn, from which documents, over which vectors."""

    task: str = Field(description="Name of the task.", pattern=r"^[a-z][a-z0-9_]{1,40}$", examples=["sentiment"])
    lang: str = Field(description="Language, ISO 639 code.", pattern=r"^[a-z]{2,3}$", examples=["zh"])
    train_file: str = Field(
        min_length=1, description="Labelled documents: a file or folder, local or s3://bucket/prefix."
    )
    test_file: str | None = Field(None, min_length=1, description="Held-out ones; by default a tenth of the others.")
    embeddings: str | None = Field(
        None,
        description="Word vectors; by default the language's champion.",
        pattern=URI,
        examples=["models:/embeddings-zh@champion"],
    )
    text_column: str = Field("text", min_length=1, description="Column of the text; dots reach into JSON objects.")
    label_column: str = Field("label", min_length=1, description="Column of the class.")
    format: Literal["auto", "jsonl", "csv", "parquet"] = Field("auto", description="auto: by the files' names.")
    encoding: str = Field("utf-8", description="Character set of JSON Lines and CSV.", examples=["gb18030"])
    seed: int = Field(1, description="Seed of the resampling that gives intervals; the fit has no chance in it.", ge=0)

    @model_validator(mode="after")
    def _names(self) -> Self:
        if self.task in _TAKEN:
            raise ValueError(f"--task {self.task}: {self.task}-… is another kind of model; choose another name")
        if self.lang not in Locale("en").languages:
            raise ValueError(f"--lang {self.lang}: no language that Unicode knows; give an ISO 639 code, e.g. en")
        return self


@dataclass(frozen=True)
class _Task:
    """What is to be learnt.

    Args:
        labels: the classes.
        learnt: training and validation documents.
        splits: which of the two each is.
        held_out: test documents.
        left_out: rows of the files that are in none, by reason.
    """

    labels: tuple[str, ...]
    learnt: Labelled
    splits: tuple[str, ...]
    held_out: Labelled
    left_out: dict[str, int]


def run(options: TrainTaskHead, progress: Progress) -> Result:
    """Train, judge and register, unless that has been done."""
    name = f"{options.task}-{options.lang}"
    vectors = registry.resolve(options.embeddings or f"models:/embeddings-{options.lang}@champion", "--embeddings")
    with exclusive(f"train_{name}"):
        train = _read(options, options.train_file, "--train-file")
        test = _read(options, options.test_file, "--test-file") if options.test_file else None
        tags = {
            "embeddings": vectors.uri,
            "train_digest": train.digest,
            "test_digest": test.digest if test else "",
            "recipe": digest([_ARCHITECTURE, options.seed]),
        }
        tags["input_digest"] = digest(tags)
        done = registry.find(name, {"input_digest": tags["input_digest"]})
        if done is not None:
            return nothing_new(done, f"version {done.version} has the same documents, vectors and options")
        progress.say(f"{len(train):,} labelled documents, vectors of {vectors.uri}")
        embedding = load_embedding(vectors.uri)
        if embedding.lang != options.lang:
            raise InputError(f"--embeddings {vectors.uri}: these vectors are of {embedding.lang!r}, not {options.lang}")
        task = _divided(options, train, test, _known_splits(name))
        # What the corpus forgets, the vectors have seen, and so has this model.
        seen = {"corpus_version": vectors.tags["corpus_version"]} if "corpus_version" in vectors.tags else {}
        return _train(options, name, task, embedding, {**tags, **seen}, progress)


def _read(options: TrainTaskHead, path: str, option: str) -> Labelled:
    columns = LabelledColumns(text=options.text_column, label=options.label_column)
    kind = None if options.format == "auto" else options.format
    return labelled.read(path, kind, columns, options.encoding, option)


def _known_splits(name: str) -> dict[str, str]:
    """Where earlier versions had their documents, by id: what any of them learnt is never judged on."""
    known: dict[str, str] = {}
    for version in registry.versions(name):
        record = record_of(version)
        for document, split in zip(record.ids, record.splits, strict=True):
            known[document] = joined([split, known.get(document, split)])
    return known


def _divided(options: TrainTaskHead, train: Labelled, test: Labelled | None, known: dict[str, str]) -> _Task:
    """Divide the documents, and refuse what nothing could be learnt from or judged on."""
    left_out: Counter[str] = Counter(train.left_out)
    if test is not None:
        left_out.update(test.left_out)
        rest = labelled.apart_from(train, test)
        left_out["like_held_out"] = len(train) - len(rest)
        train = rest
    found = labelled.splits(train, options.lang, known)
    if test is None:
        held_out = train.take([row for row, split in enumerate(found) if split == HELD_OUT])
        rows = [row for row, split in enumerate(found) if split != HELD_OUT]
        learnt, splits = train.take(rows), tuple(found[row] for row in rows)
    else:
        learnt, held_out = train, test
        splits = tuple("valid" if split == "valid" else "train" for split in found)
    task = _Task(tuple(sorted(learnt.classes())), learnt, splits, held_out, dict(left_out))
    _check(options, task)
    return task


def _check(options: TrainTaskHead, task: _Task) -> None:
    where = f"--train-file {options.train_file}"
    classes, held_out = task.learnt.classes(), task.held_out.classes()
    if len({*classes, *held_out}) < 2:
        shown = ", ".join(map(repr, classes)) or "none"
        raise InputError(f"{where}: a classifier needs two classes or more, these documents have one ({shown})")
    if new := sorted(held_out.keys() - classes.keys()):
        raise InputError(f"{new[0]!r} is a class of held-out documents alone: bring documents of it in --train-file")
    few = [label for label in task.labels if held_out[label] < _FEWEST]
    if few:
        remedy = (
            "bring more in --test-file"
            if options.test_file
            else f"bring about {10 * _FEWEST} of each class, near copies count as one"
        )
        raise InputError(
            f"class {few[0]!r} has {held_out[few[0]]} held-out documents, and fewer than {_FEWEST} cannot judge it "
            f"({len(few)} such classes): {remedy}"
        )


def _fitted(task: _Task, vectors: Matrix, known: NDArray[np.bool_]) -> Fitted:
    """Fit on the documents that have a vector."""
    place = {label: row for row, label in enumerate(task.labels)}
    classes = np.array([place[label] for label in task.learnt.labels], np.int64)
    validation = np.array(task.splits) == "valid"
    for label, row in place.items():
        if not (known & ~validation & (classes == row)).any():
            raise InputError(f"no training text of class {label!r} has a word that the vectors know: wrong language?")
    if not (known & validation).any():
        raise InputError("no validation text has a word that the vectors know: bring more documents")
    return fit(vectors[known], classes[known], task.labels, validation[known])


def _train(
    options: TrainTaskHead, name: str, task: _Task, embedding: Embedding, tags: dict[str, str], progress: Progress
) -> Result:
    documents = DocumentVectors(embedding)
    vectors, known = documents.matrix(task.learnt.texts)
    asked, answerable = documents.matrix(task.held_out.texts)
    if not answerable.any():
        raise InputError("no held-out text has a word that the vectors know: wrong language, or too little text")
    started = time.perf_counter()
    fitted = _fitted(task, vectors, known)
    seconds = time.perf_counter() - started
    best = fitted.head.probabilities(asked, answerable).argmax(axis=1)
    record = Record.of(task.learnt, task.splits, task.held_out, tuple(task.labels[place] for place in best))
    true = task.held_out.labels
    scores = classified(true, record.answers[len(task.learnt) :], task.labels, options.seed)
    baseline = classified(true, (record.majority,) * len(true), task.labels, options.seed)
    metrics = {
        **_metrics(scores, baseline, float(answerable.mean())),
        "train_coverage": float(known.mean()),
        "train_documents": float(len(task.learnt)),
        "test_documents": float(len(true)),
        "valid_log_loss": fitted.losses[fitted.strength],
        "train_seconds": seconds,
    }
    accuracy = scores.accuracy
    progress.say(
        f"accuracy {accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f}) on {len(true):,} held-out "
        f"documents; the most frequent class {baseline.accuracy.value:.3f}"
    )
    config = {**options.model_dump(mode="json"), "embeddings": tags["embeddings"], "strength": fitted.strength}
    with (
        tracking.run("lmflow/task-heads", name, config, {"model": name}) as opened,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder = Path(scratch)
        _log(opened, options, task, tags, scores, fitted)
        opened.log_metrics(metrics)
        record.write(folder / Path(ARTIFACT).name)
        opened.log_artifact(folder / Path(ARTIFACT).name, str(Path(ARTIFACT).parent))
        card = model_card(name, scores, baseline, _facts(options, task, tags, fitted), metrics)
        opened.log_text(card, "model_card.md")
        figures = {key: f"{metrics[key]:.4f}" for key in ("test_accuracy", "test_macro_f1", "majority_accuracy")}
        made = {"architecture": _ARCHITECTURE, "seed": options.seed, "task": options.task}
        lineage = {**tags, **figures, **made, **tracking.lineage()}
        version = register(opened, name, embedding, fitted.head, task.held_out.texts[0], card, lineage, folder)
    registry.nominate(name, version.version)
    return {
        **registry.place(name, version.version, opened.run_id),
        "embeddings": tags["embeddings"],
        "splits": {**Counter(task.splits), HELD_OUT: len(true)},
        "left_out": task.left_out,
        "by_class": [asdict(each) for each in scores.by_class()],
        "metrics": metrics,
    }


def _metrics(scores: Classified, baseline: Classified, coverage: float) -> dict[str, float]:
    found = {"test_coverage": coverage}
    for of, figures in (("test", scores), ("majority", baseline)):
        for name in ("accuracy", "macro_f1"):
            estimate = getattr(figures, name)
            found[f"{of}_{name}"] = estimate.value
            found |= {f"{of}_{name}_low": estimate.low, f"{of}_{name}_high": estimate.high}
    return found


def _log(
    opened: tracking.Run, options: TrainTaskHead, task: _Task, tags: dict[str, str], scores: Classified, fitted: Fitted
) -> None:
    """What was read, and the tables and the picture of what came of it."""
    given = [("train", options.train_file, "training", task.learnt)]
    if options.test_file:
        given.append(("test", options.test_file, "evaluation", task.held_out))
    for part, path, context, documents in given:
        profile = {"documents": len(documents), "classes": documents.classes(), "left_out": task.left_out}
        opened.log_dataset(
            f"labelled-{part}-{options.lang}", own_files.address(path), tags[f"{part}_digest"], context, profile
        )
    opened.log_dict({"classes": [asdict(each) for each in scores.by_class()]}, "evaluation/classes.json")
    table: dict[str, Any] = {"labels": scores.labels, "confusion": scores.confusion.tolist()}
    opened.log_dict(table, "evaluation/confusion.json")
    opened.log_dict({"valid_log_loss_by_strength": fitted.losses}, "evaluation/strengths.json")
    opened.log_figure(confusion_picture(scores), "plots/confusion.png")


def _facts(options: TrainTaskHead, task: _Task, tags: dict[str, str], fitted: Fitted) -> dict[str, object]:
    left_out = ", ".join(f"{number:,} {reason}" for reason, number in task.left_out.items() if number) or "none"
    origin = options.test_file or "a tenth of them, near copies on one side"
    return {
        "Learnt from": f"{len(task.learnt):,} documents of {options.train_file} (digest `{tags['train_digest'][:12]}`)",
        "Held out": origin,
        "Rows left out": left_out.replace("_", " "),
        "Word vectors": tags["embeddings"],
        "Penalty": f"C {fitted.strength:g}, validation log loss {fitted.losses[fitted.strength]:.4f} nats",
    }


if __name__ == "__main__":
    main(TrainTaskHead, run, __doc__)
