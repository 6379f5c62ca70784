"""The command line: mistakes are one line, exit status 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def lmflow(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lmflow", *words]
    return subprocess.run(command, cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["dwon"], "dwon"),
        (["up", "--fast"], "--fast"),
        (["serve", "--port", "many"], "--port"),
        (["demo", "--conf", "{"], "--conf is not JSON"),
        (["demo", "--conf", "[]"], "--conf must be a JSON object"),
        (["report", "corpus"], "run python -m jobs.build_corpus first"),
        (["report", "weather"], "'weather'"),
        (["explain", "nobody:knows"], "'nobody:knows'"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(words: list[str], names: str) -> None:
    done = lmflow(*words)
    assert done.returncode == 2
    assert names in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_setting_that_cannot_be_used_is_named() -> None:
    done = lmflow("status", LMFLOW_AIRFLOW_PORT="99999")
    assert done.returncode == 2
    assert "LMFLOW_AIRFLOW_PORT" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_status_without_services_says_so_and_down_has_nothing_to_do() -> None:
    done = lmflow("status")
    assert done.returncode == 1
    assert done.stdout.count("stopped") == 6
    assert lmflow("down").stdout == "nothing was running\n"


def test_without_words_it_says_what_it_can_do() -> None:
    done = lmflow()
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("demo", "up", "down", "status", "serve"))
