"""The plan of a search follows from its grid, seed and budget alone, and the picture shows every trial."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lmflow.training.search import plan, survivors
from lmflow.training.search_report import Row, as_markdown, parallel_coordinates

GRID = {"learning_rate": (0.3, 1.0, 3.0), "dimension": (100, 200, 400)}


def test_nine_trials_cost_two_and_a_third_trainings_and_every_rung_keeps_a_third() -> None:
    found = plan(GRID, epochs=9, seed=1)
    assert len(found.settings) == 9
    assert found.rungs == (1, 3, 9)
    assert [found.places(rung) for rung in range(3)] == [9, 3, 1]
    assert found.passes() == 9 * 1 + 3 * 2 + 1 * 6  # a trial that goes on goes on where it was


def test_without_pruning_every_trial_is_trained_in_full() -> None:
    found = plan(GRID, epochs=9, seed=1, rungs=1)
    assert (found.rungs, found.passes()) == ((9,), 81)


def test_a_draw_is_the_same_for_the_same_seed_and_within_the_budget() -> None:
    drawn = plan(GRID, epochs=9, seed=4, trials=6)
    assert drawn == plan(GRID, epochs=9, seed=4, trials=6)
    assert drawn.settings != plan(GRID, epochs=9, seed=5, trials=6).settings
    cheap = plan(GRID, epochs=9, seed=4, budget=16)
    assert len(cheap.settings) < 9
    assert cheap.passes() <= 16
    with pytest.raises(ValueError, match="one training alone takes 9 passes over the text, more than the 8 allowed"):
        plan(GRID, epochs=9, seed=4, budget=8)


def test_no_rung_comes_before_the_warm_up_is_over() -> None:
    assert plan(GRID, epochs=9, seed=1, shortest=2).rungs == (3, 9)


def test_a_value_given_twice_is_one_trial() -> None:
    assert len(plan({"dropout": (0.1, 0.1, 0.2)}, epochs=1, seed=1).settings) == 2


def test_the_lowest_go_on_the_earlier_of_equals_and_a_lost_one_never() -> None:
    scores = {0: 2.0, 1: 1.5, 2: math.inf, 3: 1.5, 4: 1.6}
    assert survivors(scores, 2) == [1, 3]
    assert survivors(scores, 1) == [1]
    assert survivors({0: math.inf}, 1) == []


def test_the_report_shows_every_trial_the_winner_first(tmp_path: Path) -> None:
    rows = [
        Row(0, {"learning_rate": 0.3, "dropout": 0.1}, [2.5, None], "stopped", "a"),
        Row(1, {"learning_rate": 1.0, "dropout": 0.1}, [2.4, 2.1], "winner", "b"),
        Row(2, {"learning_rate": 3.0, "dropout": 0.1}, [None, None], "lost: nan | at step 3", "c"),
    ]
    lines = as_markdown(rows, (0.5, 2.0)).splitlines()
    assert lines[0] == (
        "| trial | learning rate | dropout | bits per byte after 0.5 passes | bits per byte after 2 passes | outcome |"
    )
    assert lines[2] == "| 1 | 1 | 0.1 | 2.4000 | 2.1000 | winner |"
    assert "lost: nan / at step 3" in lines[4]
    figure = parallel_coordinates(rows, "lstm-en")
    figure.savefig(tmp_path / "picture.png")
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["learning rate", "bits per byte\n(validation)"]
    assert len([line for line in axes.lines if list(line.get_xdata()) == [0, 1]]) == 3
