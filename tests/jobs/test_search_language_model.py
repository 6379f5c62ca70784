"""A search says what is to be trained, from what was measured alone. tests/faults/test_search.py trains in earnest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs import search_language_model, train_language_model
from jobs.command import Progress
from jobs.network_training import EXPERIMENT, batches_for
from lmflow import tracking
from lmflow.errors import InputError
from lmflow.training.schedule import steps

PROGRESS = Progress()


def files(folder: Path) -> dict[str, Path]:
    """A text to learn."""
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


def measure(trial: dict[str, Any], result: float | str) -> None:
    """What training the trial would leave in MLflow: its score after the rung, or why it is lost."""
    training = train_language_model.TrainLanguageModel(**trial)
    work = train_language_model.work_of(training, *train_language_model.text_of(training))
    step = steps(trial["pause_after"], batches_for(training, work.dataset).per_epoch)
    tags = {"input_digest": work.key, "mlflow.parentRunId": trial["study"]}
    with tracking.run(EXPERIMENT, "made", {}, tags) as made:
        if isinstance(result, str):
            made.set_tags({"lost": result})
        else:
            made.log_metrics({"valid_bits_per_byte": result}, step)


def after(chosen: search_language_model.SearchLanguageModel, rung: int) -> dict[str, Any]:
    return search_language_model.run(chosen.model_copy(update={"after_rung": rung}), PROGRESS)


def test_the_best_third_goes_on_and_the_best_at_the_end_wins(mlflow_server: str, tmp_path: Path) -> None:
    chosen = options(tmp_path)
    first = after(chosen, 0)
    assert [trial["pause_after"] for trial in first["trials"]] == [1, 1, 1]
    with pytest.raises(InputError, match=r"trial 0 was not trained to rung 1; train what --after-rung says"):
        after(chosen, 1)
    measure(first["trials"][0], 2.5)
    measure(first["trials"][1], 2.1)
    # A killed study goes on: what is measured is not listed again.
    assert [trial["learning_rate"] for trial in after(chosen, 0)["trials"]] == [2e-2]
    measure(first["trials"][2], "the loss is nan at step 3")
    [promoted] = after(chosen, 1)["trials"]
    assert promoted == {**first["trials"][1], "pause_after": 3.0}
    measure(promoted, 1.9)
    done = after(chosen, 2)
    assert (done["winner_trial"], done["metrics"], done["lost"]) == (1, {"valid_bits_per_byte": 1.9}, 1)
    assert done["run_id"] == first["run_id"]
    assert len(tracking.runs(EXPERIMENT, {"mlflow.parentRunId": done["run_id"]})) == 4

    picture = tracking.download(done["run_id"], "plots/parallel_coordinates.png", tmp_path)
    assert picture.stat().st_size > 5000
    lines = tracking.download(done["run_id"], "search.md", tmp_path).read_text().splitlines()
    assert lines[2].endswith("| 2.1000 | 1.9000 | winner |")
    assert lines[3].endswith("| 2.5000 |  | stopped |")
    assert lines[4].endswith("|  |  | lost: the loss is nan at step 3 |")

    wider = options(tmp_path, learning_rate=(1e-5, 4e-3, 2e-2, 6e-3))
    assert [trial["learning_rate"] for trial in after(wider, 0)["trials"]] == [6e-3]  # the others are known


def test_a_plan_that_cannot_work_is_refused(mlflow_server: str, tmp_path: Path) -> None:
    lost = options(tmp_path, learning_rate=(1e-4, 2e-4), rungs=1)
    for trial in after(lost, 0)["trials"]:
        measure(trial, "the loss is nan")
    with pytest.raises(InputError, match="no trial is left: the loss is nan"):
        after(lost, 1)
    with pytest.raises(InputError, match="choose a multiple of 8"):
        search_language_model.run(options(tmp_path, architecture="transformer", dimension=(100,)), PROGRESS)
    with pytest.raises(InputError, match="one training alone takes 3 passes over the text, more than the 2 allowed"):
        search_language_model.run(options(tmp_path, budget=2), PROGRESS)
    with pytest.raises(InputError, match="lower --batch-size or --sequence-length"):
        search_language_model.run(options(tmp_path, batch_size=(8, 60_000)), PROGRESS)
