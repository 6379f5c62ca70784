"""Search the learning rate, batch size, width and dropout of a network, and register the best as `lm-<lang>`.

All combinations of the values that are given are tried, or --trials of them drawn at random, or as many as --budget
allows; without any, a third, once and three times the preset's learning rate. All are trained for a part of the epochs,
the best third goes on where it was, and so on (successive halving); --rungs 1 trains every one in full. The best on the
validation split is registered, for the gate to judge; the test split is not read. A trial whose loss is no number, or
which does not fit into memory, is lost; the others go on.

Each trial is a run of MLflow below the study's, which gets a table and a picture of all. What was trained is never
trained again: killed at any moment and run again, it ends the same, and a wider search uses what a narrower one found.

Examples:
  python -m jobs.search_language_model --lang en --architecture lstm
  python -m jobs.search_language_model --lang en --architecture lstm --learning-rate 3e-3 8e-3 2e-2 --dimension 96 192

With --after-rung it trains nothing, and says what is to be trained next (0: at first), or which trial won: how Airflow
runs each trial as a task of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from jobs import train_language_model
from jobs.command import Options, Progress, Result, main
from jobs.network_training import EXPERIMENT, Work, batches_for, schedule_of, shape_of
from jobs.train_language_model import TrainLanguageModel, text_of, work_of
from jobs.trials import SCORE, Measured, measured
from jobs.values import Languages
from lmflow import registry, tracking
from lmflow.dataset.shards import Dataset
from lmflow.dataset.tokenizer import Kind
from lmflow.errors import InputError
from lmflow.lake.lock import exclusive
from lmflow.training import search, search_report
from lmflow.training.schedule import steps

_SEARCHED: Final = ("learning_rate", "batch_size", "dimension", "dropout")
_PASSED_ON: Final = (
    *("lang", "architecture", "preset", "epochs", "sequence_length", "accumulate", "precision", "replicas", "seed"),
    *("softmax_sample", "train_file", "valid_file", "test_file", "tokenizer", "vocabulary"),
)
_FACTORS: Final = (1 / 3, 1, 3)  # of the preset's learning rate, where nothing is given
_WARM: Final = 1.5  # a rung comes after so many times the steps of the warm-up


class SearchLanguageModel(Options):
    """Options of search_language_model."""

    lang: Languages = Field(description="Language, or several, of one dataset.", examples=["en", "zh", "en zh"])
    architecture: Literal["mlp", "rnn", "lstm", "awd-lstm", "transformer", "vae"] = Field(description="Family.")
    preset: str | None = Field(None, description="Shape and recipe; without it the smallest of the family.")
    learning_rate: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field((), description="Highest rates to try.")
    batch_size: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field((), description="Parallel streams to try.")
    dimension: tuple[Annotated[int, Field(ge=2, le=16_384)], ...] = Field((), description="Widths to try.")
    dropout: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field((), description="Shares to try.")
    trials: int | None = Field(None, description="Combinations to draw at random; by default all.", ge=1, le=1000)
    budget: float | None = Field(
        None, description="Most passes over the training split that all trials take together.", gt=0
    )
    reduction: int = Field(3, description="One of so many trials goes on to the next rung.", ge=2, le=10)
    rungs: int = Field(
        search.MOST_RUNGS, description="Comparisons at most; 1: every trial is trained in full.", ge=1, le=3
    )
    epochs: float | None = Field(None, description="Passes of a whole training; by default the recipe's.", gt=0)
    sequence_length: int | None = Field(None, description="Tokens of each stream a step.", ge=2, le=4096)
    accumulate: int | None = Field(None, description="Parts a batch is cut into to fit memory.", ge=1, le=4096)
    precision: Literal["float32", "bfloat16"] | None = Field(None, description="What is computed in.")
    softmax_sample: int | None = Field(
        None, description="rnn, lstm, transformer: tokens drawn a step that trials train against.", ge=1, le=1_000_000
    )
    replicas: int = Field(1, description="GPUs of this host, or logical CPU devices where it has none.", ge=1)
    seed: int = Field(1, description="Of the draw, weights and dropout masks.", ge=0)
    train_file: Path | None = Field(None, description="Plain text to train on, in place of the dataset.")
    valid_file: Path | None = Field(None, description="Plain text to choose by; with --train-file.")
    test_file: Path | None = Field(None, description="Plain text to score the winner on; with --train-file.")
    tokenizer: Kind = Field("bpe", description="How text is divided into tokens; with --train-file.")
    vocabulary: int | None = Field(None, description="Most tokens of the tokenizer; with --train-file.", ge=2)
    after_rung: int | None = Field(
        None, description="Train nothing: what comes after this rung; 0: the first trials.", ge=0, le=3
    )


@dataclass(frozen=True)
class _Study:
    """A plan with its trials, and what is known of each."""

    options: SearchLanguageModel
    base: TrainLanguageModel
    dataset: Dataset
    name: str
    plan: search.Plan
    trials: tuple[Work, ...]
    per_epoch: tuple[int, ...]
    run_id: str

    @cached_property
    def registered(self) -> dict[int, registry.Version]:
        """Trials that are a version already."""
        by_key = {version.tags.get("input_digest"): version for version in registry.versions(self.name)}
        return {number: by_key[work.key] for number, work in enumerate(self.trials) if work.key in by_key}

    def known(self) -> list[Measured]:
        """What each trial has measured."""
        return [measured(work.key) for work in self.trials]

    def score(self, number: int, rung: int, known: Measured) -> float | None:
        """Bits per byte of a trial after a rung; infinite when it was lost on the way, None when not measured yet."""
        found = known.at(steps(self.plan.rungs[rung], self.per_epoch[number]))
        return math.inf if found is None and known.lost else found

    def standing(self, rung: int, known: list[Measured]) -> list[int]:
        """The trials that are trained to rung number `rung` (from 0).

        Raises:
            InputError: a trial of an earlier rung has no result.
        """
        numbers = [number for number in range(len(self.trials)) if not self._goes_by_itself(number, known[number])]
        for earlier in range(rung):
            scores = {number: self.score(number, earlier, known[number]) for number in numbers}
            missing = [number for number, score in scores.items() if score is None]
            if missing:
                raise InputError(
                    f"trial {missing[0]} was not trained to rung {earlier + 1}; train what --after-rung says"
                )
            found = {number: score for number, score in scores.items() if score is not None}
            numbers = search.survivors(found, self.plan.places(earlier + 1))
        return numbers

    def winner(self, known: list[Measured]) -> int:
        """The best on validation of all that were trained in full.

        Raises:
            InputError: none was.
        """
        scores = self.finals(known)
        best = search.survivors(scores, 1)
        if not best:
            lost = next((each.lost for each in known if each.lost), "no trial was trained in full")
            raise InputError(f"no trial is left: {lost}")
        return best[0]

    def finals(self, known: list[Measured]) -> dict[int, float]:
        """Scores of the trials that were trained in full, those trained before the study included."""
        last = len(self.plan.rungs) - 1
        scores = {number: self.score(number, last, known[number]) for number in self.standing(last, known)}
        for number, version in self.registered.items():
            if number not in scores:
                history = tracking.Run(tracking.client(), version.run_id).history(SCORE)
                scores[number] = history[-1][1] if history else None
        return {number: score for number, score in scores.items() if score is not None}

    def trial(self, number: int, rung: int) -> TrainLanguageModel:
        """The options that train a trial to a rung."""
        update = {"pause_after": self.plan.rungs[rung], "study": self.run_id}
        return self.trials[number].options.model_copy(update=update)

    def _goes_by_itself(self, number: int, known: Measured) -> bool:
        """Trained in full outside of any search: it takes nobody's place, and is compared at the end."""
        return number in self.registered and self.score(number, 0, known) is None


def run(options: SearchLanguageModel, progress: Progress) -> Result:
    """The whole search; with --after-rung only what comes next."""
    base = _training(options, {})
    dataset, name = text_of(base)
    planned, works, per_epoch = _planned(options, base, dataset, name)
    key = hashlib.sha256(json.dumps([planned.rungs, planned.reduction, [w.key for w in works]]).encode()).hexdigest()
    with exclusive(f"search_{name}_{key[:16]}"):
        run_id = _opened(options, name, planned, key[:32])
        study = _Study(options, base, dataset, name, planned, works, per_epoch, run_id)
        if options.after_rung is not None:
            return _next(study, options.after_rung)
        return _all(study, progress)


def _next(study: _Study, rung: int) -> Result:
    """What is to be trained for the rung after `rung`; after the last, which trial won."""
    known = study.known()
    facts = _facts(study)
    if rung < len(study.plan.rungs):
        missing = [n for n in study.standing(rung, known) if study.score(n, rung, known[n]) is None]
        _log(study, known, None)
        return {**facts, "rung": rung + 1, "trials": [_as_options(study.trial(n, rung)) for n in missing]}
    return {**facts, **_chosen(study, known), "trials": []}


def _all(study: _Study, progress: Progress) -> Result:
    """Every trial in this process, one after the other, then the winner's registration."""
    plan = study.plan
    progress.say(
        f"{len(study.trials)} trials, rungs at {', '.join(f'{passes:.3g}' for passes in plan.rungs)} passes over the "
        f"training split, {plan.passes():.3g} passes in all; {tracking.run_url(study.run_id)}"
    )
    with progress.bar(plan.passes(), "search", "passes", _passes_done(study)) as bar:
        done = 0.0
        for rung, passes in enumerate(plan.rungs):
            known = study.known()
            for number in study.standing(rung, known):
                done += passes - (plan.rungs[rung - 1] if rung else 0.0)
                if study.score(number, rung, known[number]) is None:
                    result = train_language_model.run(study.trial(number, rung), progress)
                    bar.reach(done)
                    told = result.get("lost") or f"{result['metrics'][SCORE]:.4f} bits per byte"
                    progress.say(f"rung {rung + 1}, trial {number} {_shown(study, number)}: {told}")
            _log(study, study.known(), None)
    chosen = _chosen(study, study.known())
    version = train_language_model.run(study.trials[chosen["winner_trial"]].options, progress)
    chosen |= {name: version[name] for name in ("status", "reason", "model", "version", "model_uri") if name in version}
    return {**_facts(study), **chosen}


def _passes_done(study: _Study) -> float:
    """Passes over the text that earlier calls have trained."""
    rungs, known, done = study.plan.rungs, study.known(), 0.0
    for rung, passes in enumerate(rungs):
        standing = study.standing(rung, known)
        scored = [number for number in standing if study.score(number, rung, known[number]) is not None]
        done += len(scored) * (passes - (rungs[rung - 1] if rung else 0.0))
        if len(scored) < len(standing):
            break
    return done


def _chosen(study: _Study, known: list[Measured]) -> Result:
    number = study.winner(known)
    score = study.finals(known)[number]
    _log(study, known, number)
    return {
        "winner": _as_options(study.trials[number].options),
        "winner_trial": number,
        "metrics": {SCORE: score},
        "lost": sum(bool(each.lost) for each in known),
    }


def _planned(
    options: SearchLanguageModel, base: TrainLanguageModel, dataset: Dataset, name: str
) -> tuple[search.Plan, tuple[Work, ...], tuple[int, ...]]:
    """The plan, its trainings, and the steps of an epoch of each."""
    usual = _usual(base, dataset)
    grid = {field: getattr(options, field) for field in _SEARCHED if getattr(options, field)}
    if not grid:
        grid = {"learning_rate": tuple(factor * usual["learning_rate"] for factor in _FACTORS)}
    # What the preset has anyway is not given, so that the trial is the very training that has no options.
    grid = {field: [None if value == usual[field] else value for value in values] for field, values in grid.items()}
    schedule = schedule_of(base, dataset.running)
    try:
        shortest: list[float] = [0.0]
        per_epoch: dict[Any, int] = {}
        for size in grid.get("batch_size", [None]):
            per_epoch[size] = batches_for(_training(options, {"batch_size": size}), dataset).per_epoch
            warmup = schedule.warmup(steps(schedule.epochs, per_epoch[size]))
            shortest.append(_WARM * warmup / per_epoch[size])
        found = search.plan(
            *(grid, schedule.epochs, options.seed, options.trials, options.budget, options.reduction, options.rungs),
            shortest=max(shortest),
        )
        works = [work_of(_training(options, setting), dataset, name) for setting in found.settings]
        for work in works:
            shape_of(work.options)
    except ValueError as error:
        raise InputError(str(error)) from None
    return found, tuple(works), tuple(per_epoch[setting.get("batch_size")] for setting in found.settings)


def _training(options: SearchLanguageModel, setting: search.Setting) -> TrainLanguageModel:
    given = {field: getattr(options, field) for field in _PASSED_ON}
    try:
        return TrainLanguageModel(**{**given, **setting})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(str(first["msg"]).removeprefix("Value error, ")) from None


def _usual(base: TrainLanguageModel, dataset: Dataset) -> dict[str, Any]:
    """What the preset and its recipe have, by the names of options."""
    schedule, shape = schedule_of(base, dataset.running), shape_of(base)
    return {
        "learning_rate": schedule.learning_rate,
        "batch_size": schedule.batch_size,
        "dimension": shape.width,
        "dropout": shape.dropout,
    }


def _as_options(training: TrainLanguageModel) -> dict[str, Any]:
    return training.model_dump(mode="json", exclude_defaults=True)


# MLflow ---------------------------------------------------------------------------------------------------------------


def _opened(options: SearchLanguageModel, name: str, plan: search.Plan, key: str) -> str:
    """The study's run: that of an earlier call, or a new one."""
    found = tracking.runs(EXPERIMENT, {"study": key})
    if found:
        return found[0].run_id
    config = {**options.model_dump(exclude={"after_rung"}), "rungs_at": plan.rungs, "n_trials": len(plan.settings)}
    title = f"search {options.architecture}-{options.lang}"
    with tracking.run(EXPERIMENT, title, config, {"model": name, "study": key}) as opened:
        return opened.run_id


def _log(study: _Study, known: list[Measured], winner: int | None) -> None:
    """Table and picture as they are now."""
    finals = {} if winner is None else study.finals(known)
    rows = [_row(study, number, known[number], winner, finals) for number in range(len(study.trials))]
    title = f"{study.options.architecture}-{study.options.lang}, {len(rows)} trials"
    with tracking.run(EXPERIMENT, title, {}, run_id=study.run_id) as opened:
        opened.log_text(search_report.as_markdown(rows, study.plan.rungs), "search.md")
        opened.log_figure(search_report.parallel_coordinates(rows, title), "plots/parallel_coordinates.png")
        if winner is not None:
            opened.log_metrics({SCORE: finals[winner], "passes": study.plan.passes()})
            opened.set_tags({"winner": json.dumps(_as_options(study.trials[winner].options), default=str)})


def _row(
    study: _Study, number: int, known: Measured, winner: int | None, finals: dict[int, float]
) -> search_report.Row:
    scores = [study.score(number, rung, known) for rung in range(len(study.plan.rungs))]
    finite = [score if score is not None and math.isfinite(score) else None for score in scores]
    if number in finals and math.isfinite(finals[number]):
        finite[-1] = finals[number]
    if number == winner:
        outcome = "winner"
    elif known.lost:
        outcome = f"lost: {known.lost}"
    elif finite[-1] is not None:
        outcome = "finished"
    else:
        outcome = "waiting" if winner is None else "stopped"
    usual = _usual(study.base, study.dataset)
    given = {field: value for field, value in study.plan.settings[number].items() if value is not None}
    return search_report.Row(number, {**usual, **given}, finite, outcome, known.run_id)


def _shown(study: _Study, number: int) -> str:
    given = study.plan.settings[number]
    words = [f"{field.replace('_', ' ')} {value:g}" for field, value in given.items() if value is not None]
    return f"({', '.join(words) or 'as the preset has it'})"


def _facts(study: _Study) -> Result:
    return {
        "lang": study.options.lang,
        "architecture": study.options.architecture,
        "n_trials": len(study.trials),
        "rungs_at": list(study.plan.rungs),
        "passes": study.plan.passes(),
        "run_id": study.run_id,
        "run_url": tracking.run_url(study.run_id),
    }


if __name__ == "__main__":
    main(SearchLanguageModel, run, __doc__)
