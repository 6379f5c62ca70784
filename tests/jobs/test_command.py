"""A job is called in one way: flags in, progress on stderr, one JSON line out, and a status that can be trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.command import Progress

JOB = '''"""Counts things.

A second paragraph.
"""
from typing import Literal

from pydantic import Field

from jobs.command import Options, Progress, main
from lmflow.errors import InputError, ServiceError


class CountOptions(Options):
    lang: Literal["en", "zh"] = Field("en", description="Language of the text, 100 %% of it.")
    sources: tuple[str, ...] = Field((), description="Names from sources.yaml.")
    epochs: int = Field(3, ge=1, le=9, description="Passes over the text.")
    cbow: bool = Field(False, description="CBOW instead of skip-gram.")
    mood: str = Field(description="How it goes.")


def run(options: CountOptions, progress: Progress) -> dict[str, object]:
    print("a library that prints")
    progress.say("working")
    if options.mood == "bad":
        raise InputError("mood bad: choose another")
    if options.mood == "down":
        raise ServiceError("the service is down")
    if options.mood == "full":
        raise OSError(28, "No space left on device", "/lake/part-0.parquet")
    if options.mood == "broken":
        raise RuntimeError("a defect")
    return {"options": options.model_dump()}


if __name__ == "__main__":
    main(CountOptions, run, __doc__)
'''


@pytest.fixture
def call(tmp_path: Path):
    path = tmp_path / "count_things.py"
    path.write_text(JOB)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).resolve().parents[2]
        return subprocess.run(
            [sys.executable, str(path), *words],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
            timeout=60,
        )

    return run


def test_stdout_is_one_json_line_whatever_libraries_print(call) -> None:
    done = call("--mood", "fine", "--sources", "a", "b", "--cbow", "--epochs", "5")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "status": "done",
        "options": {"lang": "en", "sources": ["a", "b"], "epochs": 5, "cbow": True, "mood": "fine"},
    }
    assert "working" in done.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--mood", "fine", "--epoch-count", "5"], "--epoch-count"),
        (["--mood", "fine", "--epochs", "99"], "--epochs: Input should be less than or equal to 9 (got '99')"),
        (["--mood", "fine", "--lang", "fr"], "--lang: Input should be 'en' or 'zh'"),
        ([], "--mood: Field required"),
        (["--mood", "bad"], "mood bad: choose another"),
    ],
)
def test_bad_input_is_one_line_that_names_it(call, words: list[str], named: str) -> None:
    done = call(*words)
    assert (done.returncode, done.stdout) == (2, "")
    errors = [line for line in done.stderr.splitlines() if line != "working" and line != "a library that prints"]
    assert len(errors) == 1
    assert named in errors[0]


def test_a_service_that_is_down_is_worth_a_retry_and_a_defect_keeps_its_traceback(call) -> None:
    down, broken = call("--mood", "down"), call("--mood", "broken")
    assert (down.returncode, broken.returncode) == (1, 1)
    assert "Traceback" not in down.stderr
    assert "RuntimeError: a defect" in broken.stderr


def test_a_full_disk_is_one_line(call) -> None:
    full = call("--mood", "full")
    assert full.returncode == 1 and full.stdout == ""
    assert full.stderr.endswith("error: no space left for /lake/part-0.parquet: free some, run it again\n")
    assert "Traceback" not in full.stderr


def test_help_teaches(call) -> None:
    text = " ".join(call("--help").stdout.split())
    for words in (
        "Counts things.",
        "A second paragraph.",
        "(required)",
        "(default: 3)",
        "One of: en, zh.",
        "--no-cbow",
    ):
        assert words in text


def test_the_time_left_follows_the_speed_of_the_last_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Progress().bar(10_000, "reading", "MB", already=1000) as bar:
        for second in range(1, 301):
            now = float(second)
            bar.reach(1000 + 20 * min(second, 100) + 10 * max(second - 100, 0))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "reading: 1,100 of 10,000 MB (11 %), 445 s left"  # 20 MB a second; what was there is no speed
    assert lines[19] == "reading: 3,000 of 10,000 MB (30 %), 350 s left"
    assert lines[-2] == "reading: 5,000 of 10,000 MB (50 %), 500 s left"  # 10 MB a second by now


def test_a_job_begins_without_pandas() -> None:
    """It is 0.4 s of the start of twenty jobs an hour; pyarrow loads it for whoever asks for a dataset."""
    code = """import sys, jobs.ingest_wikipedia, jobs.train_language_model
from jobs import ingest, wikipedia_versions
from lmflow.lake import Lake
wikipedia_versions.versions(Lake.open(), "en"), ingest.forgotten(Lake.open())  # of a lake that is empty
sys.exit('pandas' in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
