"""A search trains each setting once, a little first, and registers the best on validation without reading the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs import search_language_model, train_language_model
from jobs.command import Progress
from jobs.network_training import EXPERIMENT
from lmflow import registry, tracking
from lmflow.errors import InputError

PROGRESS = Progress()


def files(folder: Path) -> dict[str, Path]:
    """A text to learn; reading its test split before the winner is known would fail."""
    for name, lines in (("train", 900), ("valid", 60), ("test", 60)):
        text = "\n\n".join(f"The {('cat', 'dog', 'bird')[n % 3]} sees tree {n % 7}." for n in range(lines))
        (folder / f"{folder.name}.{name}.txt").write_text(text)
    return {f"{name}_file": folder / f"{folder.name}.{name}.txt" for name in ("train", "valid", "test")}


def options(folder: Path, **changes: Any) -> search_language_model.SearchLanguageModel:
    given: dict[str, Any] = {
        "lang": "en",
        "architecture": "mlp",
        "epochs": 3,
        "vocabulary": 280,
        "sequence_length": 8,
        "batch_size": (8,),
        "dimension": (24,),
        "learning_rate": (1e-5, 4e-3, 2e-2),
        **files(folder),
    }
    return search_language_model.SearchLanguageModel(**{**given, **changes})


def test_a_search_ends_in_the_best_and_a_second_trains_only_what_is_new(mlflow_server: str, tmp_path: Path) -> None:
    chosen = options(tmp_path)
    first = search_language_model.run(chosen.model_copy(update={"after_rung": 0}), PROGRESS)
    assert [trial["pause_after"] for trial in first["trials"]] == [1, 1, 1]
    # As Airflow does: each trial as a task of its own.
    for trial in first["trials"]:
        train_language_model.run(train_language_model.TrainLanguageModel(**trial), PROGRESS)
    second = search_language_model.run(chosen.model_copy(update={"after_rung": 1}), PROGRESS)
    [promoted] = second["trials"]
    assert promoted["learning_rate"] != 1e-5
    with pytest.raises(InputError, match="no trial is left: no trial was trained in full"):
        search_language_model.run(chosen.model_copy(update={"after_rung": 2}), PROGRESS)

    # As a shell does: the rest in one call. What the tasks did is not done again.
    done = search_language_model.run(chosen, PROGRESS)
    assert done["run_id"] == first["run_id"]
    assert done["winner"].get("learning_rate") == promoted.get("learning_rate")
    assert registry.find(done["model"], {}).version == done["version"]
    children = tracking.runs(EXPERIMENT, {"mlflow.parentRunId": done["run_id"]})
    assert len(children) == 3
    assert sorted(len(child.history("valid_bits_per_byte")) for child in children) == [1, 1, 3]  # two rungs, registered
    picture = tracking.download(done["run_id"], "plots/parallel_coordinates.png", tmp_path)
    assert picture.stat().st_size > 5000
    table = tracking.download(done["run_id"], "search.md", tmp_path).read_text()
    assert (table.count("winner"), table.count("stopped")) == (1, 2)

    again = search_language_model.run(chosen, PROGRESS)
    assert (again["status"], again["version"]) == ("nothing_new", done["version"])
    wider = options(tmp_path, learning_rate=(1e-5, 4e-3, 2e-2, 6e-3), after_rung=0)
    assert [trial["learning_rate"] for trial in search_language_model.run(wider, PROGRESS)["trials"]] == [6e-3]


def test_a_lost_trial_is_passed_over_and_a_plan_that_cannot_work_is_refused(mlflow_server: str, tmp_path: Path) -> None:
    chosen = options(tmp_path, learning_rate=(1e-4, 2e-4), rungs=1, after_rung=0)
    planned = search_language_model.run(chosen, PROGRESS)["trials"]
    for trial, result in zip(planned, ("nan at step 3", 2.5), strict=True):
        training = train_language_model.TrainLanguageModel(**trial)
        work = train_language_model.work_of(training, *train_language_model.text_of(training))
        with tracking.run(EXPERIMENT, "made", {}, {"input_digest": work.key}) as made:
            if isinstance(result, str):
                made.set_tags({"lost": result})
            else:
                made.log_metrics({"valid_bits_per_byte": result}, 10_000)
    won = search_language_model.run(chosen.model_copy(update={"after_rung": 1}), PROGRESS)
    assert (won["winner"]["learning_rate"], won["lost"]) == (2e-4, 1)
    assert "lost: nan at step 3" in tracking.download(won["run_id"], "search.md", tmp_path).read_text()

    with pytest.raises(InputError, match="choose a multiple of 8"):
        search_language_model.run(options(tmp_path, architecture="transformer", dimension=(100,)), PROGRESS)
    with pytest.raises(InputError, match="one training alone takes 3 passes over the text, more than the 2 allowed"):
        search_language_model.run(options(tmp_path, budget=2), PROGRESS)
    with pytest.raises(InputError, match="lower --batch-size or --sequence-length"):
        search_language_model.run(options(tmp_path, batch_size=(8, 60_000)), PROGRESS)
