"""build_corpus as people run it: Spark, MLflow, the command line, and SIGKILL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from jobs import corpus_spark
from jobs.build_corpus import BuildCorpus, run
from jobs.command import Progress
from lmflow.corpus.dedup import NEAR
from lmflow.corpus.page import report_file
from lmflow.corpus.policy import BUILT_IN, load
from lmflow.errors import InputError
from lmflow.lake import Lake
from tests.conftest import ONE_CORE
from tests.corpus.documents import build, chinese, contents, english, ingest, row
from tests.corpus.test_ledger import check_books, near
from tests.corpus.test_repeats import MENU, comparing, owners

PROJECT = Path(__file__).resolve().parents[2]


def first_batches() -> list[list[dict[str, Any]]]:
    news = [row(1, f"news:{n}", english(n) + "\nWrite to ann@example.org.") for n in range(20)]
    copies = [row(1, f"news:copy{n}", near(english(n))) for n in range(5)]
    posts = [row(2, f"social:s:{n}", chinese(n, 3) + "电话13812345678", "social") for n in range(40)]
    noise = [row(2, "social:s:noise", "###", "social"), row(2, "social:s:nul", "\x00", "social")]
    return [news + copies, posts + noise]


def fill(lake: Lake) -> None:
    for rows in first_batches():
        ingest(lake, rows)


def test_a_first_build_from_documents_to_corpus(spark: object, mlflow_server: str) -> None:
    lake = Lake.open()
    fill(lake)
    result = run(BuildCorpus(), Progress())
    check_books(lake)
    assert result["documents_in"] == 67 == result["documents_kept"] + result["documents_dropped"]
    assert result["dropped_by_rule"]["near_duplicate"] == 5 and result["dropped_by_rule"]["too_few_words"] == 2
    assert {name: counts["in"] for name, counts in result["decided_by_source"].items()} == {"news": 25, "social": 42}
    assert result["by_language"].keys() == {"en", "zh"}
    for counts in result["by_language"].values():
        assert sum(counts["splits"].values()) == counts["docs"] and all(counts["splits"].values())
    assert result["versions"] == {
        name: lake.table(name).version() for name in ("documents", "verdicts", "fingerprints", "corpus")
    }
    assert lake.table("corpus").pin("verdicts") == result["versions"]["verdicts"]
    texts = lake.table("corpus").read()["text"].to_pylist()
    assert not any("@" in text or "138123" in text for text in texts) and any("<EMAIL>" in text for text in texts)
    assert set(lake.table("corpus").read(["site"])["site"].to_pylist()) == {"example"}
    look_at_the_run(result)

    again = run(BuildCorpus(), Progress())
    assert again["status"] == "nothing_new" and again["reason"] and again["versions"] == result["versions"]


def look_at_the_run(result: dict[str, Any]) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    found = client.get_run(result["run_id"])
    assert found.data.metrics["documents_kept"] == result["documents_kept"]
    assert found.data.params["languages"] == '["en", "zh"]'
    assert found.data.tags["lmflow.corpus_version"] == str(result["versions"]["corpus"])
    assert {given.dataset.name for given in found.inputs.dataset_inputs} == {"documents", "corpus"}
    assert "plots/corpus.png" in [file.path for file in client.list_artifacts(result["run_id"], "plots")]
    report = mlflow.artifacts.load_dict(f"runs:/{result['run_id']}/report.json")
    shown = report["samples"]["near_duplicate"]
    assert len(shown) == 5 and shown[0]["duplicate_of"] and shown[0]["failures"][0]["threshold"] == NEAR
    page = mlflow.artifacts.load_text(f"runs:/{result['run_id']}/report.html")
    assert f"{result['documents_in']} documents in" in page and "near duplicate" in page
    assert report_file().read_text(encoding="utf-8") == page
    assert "13812345678" not in json.dumps(report) and "ann@example.org" not in json.dumps(report)


def test_nothing_new_starts_no_spark(mlflow_server: str, spark: object, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(Lake.open(), [row(1, "a", english(1))])
    run(BuildCorpus(languages=("en",)), Progress())

    def refuse(_: str) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr("jobs.spark.session", refuse)
    assert run(BuildCorpus(languages=("en",)), Progress())["status"] == "nothing_new"
    ingest(Lake.open(), [row(2, "b", english(2))])
    with pytest.raises(AssertionError, match="Spark was started"):
        run(BuildCorpus(languages=("en",)), Progress())


def test_a_later_batch_is_compared_with_what_is_stored(mlflow_server: str, spark: object) -> None:
    lake = Lake.open()
    fill(lake)
    run(BuildCorpus(), Progress())
    ingest(lake, [row(3, "news:late", near(english(7))), row(3, "news:0", english(90), revision=2)])
    result = run(BuildCorpus(), Progress())
    check_books(lake)
    assert (result["documents_in"], result["documents_kept"]) == (2, 1)
    assert result["dropped_by_rule"] == {"near_duplicate": 1}
    assert result["by_language"]["en"]["docs"] == 20


def test_a_changed_policy_decides_again_when_asked_to_and_starts_no_spark_for_it(
    mlflow_server: str, spark: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.open()
    ingest(lake, [row(1, f"news:{n}", english(n)) for n in range(5)] + [row(1, "news:brief", english(9, 2))])
    before = run(BuildCorpus(languages=("en",)), Progress())
    assert before["dropped_by_rule"] == {"too_few_words": 1}
    text = (BUILT_IN / "en.yaml").read_text(encoding="utf-8")
    loose = text.replace("too_few_words: {at_least: 30}", "too_few_words: {at_least: 10}")
    (tmp_path / "en.yaml").write_text(loose, encoding="utf-8")
    options = BuildCorpus(languages=("en",), policy_dir=tmp_path)
    assert "--redecide" in run(options, Progress())["reason"]
    monkeypatch.setattr("jobs.spark.session", None)
    after = run(options.model_copy(update={"redecide": True}), Progress())
    check_books(lake)
    assert (after["documents_in"], after["documents_kept"]) == (6, 6)
    assert after["by_language"]["en"]["docs"] == 6


def test_evaluation_sets_under_the_home_are_kept_out_and_new_ones_are_pointed_out(
    mlflow_server: str, spark: object, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.open()
    ingest(lake, [row(1, f"news:{n}", english(n)) for n in range(4)])
    options = BuildCorpus(languages=("en",))
    assert run(options, Progress())["documents_kept"] == 4
    (home / "evaluation" / "text").mkdir(parents=True)
    (home / "evaluation" / "text" / "exam.txt").write_text(english(2) + "\n", encoding="utf-8")
    assert "evaluation sets have changed" in run(options, Progress())["reason"]
    monkeypatch.setattr("jobs.spark.session", None)
    again = run(options.model_copy(update={"redecide": True}), Progress())
    assert (again["documents_kept"], again["dropped_by_rule"]) == (3, {"contaminated": 1})
    assert "evaluation sets" not in run(options, Progress())["reason"]


def test_fingerprints_of_an_earlier_version_are_made_anew_without_being_asked(
    mlflow_server: str, spark: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(Lake.open(), [row(1, f"news:{n}", english(n)) for n in range(4)])
    options = BuildCorpus(languages=("en",))
    with monkeypatch.context() as earlier:
        earlier.setattr("lmflow.corpus.entries.FOLDING", 1)
        run(options, Progress())
    assert run(options, Progress())["documents_kept"] == 4
    assert "fingerprints are of an earlier version" in capsys.readouterr().err
    assert run(options, Progress())["status"] == "nothing_new"


def test_bad_input_is_refused_and_nothing_is_written(mlflow_server: str, spark: object, tmp_path: Path) -> None:
    lake = Lake.open()
    with pytest.raises(InputError, match="run an ingest job first"):
        run(BuildCorpus(), Progress())
    ingest(lake, [row(1, "a", "short"), row(1, "b", "###")])
    with pytest.raises(InputError, match=r"none of 2 documents was kept: .*too_few_words \(2\)"):
        run(BuildCorpus(), Progress())
    ingest(lake, [row(2, "c", english(1))])
    with pytest.raises(InputError, match="no document in zh was kept"):
        run(BuildCorpus(), Progress())
    with pytest.raises(InputError, match="no policy"):
        run(BuildCorpus(policy_dir=tmp_path), Progress())
    for name in ("verdicts", "fingerprints", "corpus"):
        assert lake.table(name).version() == -1
    assert run(BuildCorpus(languages=("en",)), Progress())["documents_kept"] == 1
    with pytest.raises(InputError, match="no document in zh and nothing new"):
        run(BuildCorpus(), Progress())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--languages", "english"], "--languages"),
        (["--split", "tiny"], "--split"),
        (["--policy-dir", "/no/such/folder"], "--policy-dir"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_a_bad_option_ends_with_two_and_one_line(words: list[str], complaint: str) -> None:
    done = command(words)
    assert done.returncode == 2 and done.stdout == ""
    assert complaint in done.stderr and done.stderr.count("\n") == 1


def command(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.build_corpus", *words],
        cwd=PROJECT,
        env={**os.environ, **ONE_CORE, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_killed_with_minus_nine_again_and_again_it_ends_where_a_calm_run_does(
    mlflow_server: str, spark: object, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck = Lake.open()
    fill(struck)
    # Between Spark's write and the first commit, and between the last commit and the exit (others: test_ledger.py).
    for moment in ("verdicts:before_commit", "corpus:after_commit"):
        died = command([], LMFLOW_FAULT=moment)
        assert died.returncode == -9, died.stderr
    done = command([])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "nothing_new"
    check_books(struck)
    calm = Lake(f"file://{home}/calm")
    fill(calm)
    monkeypatch.setattr(Lake, "open", lambda: calm)
    run(BuildCorpus(), Progress())
    assert contents(struck) == contents(calm)


def test_lines_that_another_document_had_are_taken_out_by_spark_as_by_a_loop(
    mlflow_server: str, spark: object, tmp_path: Path
) -> None:
    policies = comparing(tmp_path / "policies", extra=", at_most: 0.9")
    options = BuildCorpus(policy_dir=tmp_path / "policies")
    by_spark, by_loop = Lake.open(), Lake(f"file://{tmp_path}/loop")
    results = []
    for batch in (1, 2):
        english_pages = [
            row(batch, f"news:{n}", f"{MENU}\n{english(n % 7)}\n{english(n, 3)}") for n in range(batch, 20, 2)
        ]
        posts = [
            row(batch, f"social:s:{n}", f"{chinese(n, 3)}\n{chinese(n % 3)}", "social") for n in range(batch, 20, 2)
        ]
        for lake, rows in ((by_spark, english_pages + posts), (by_loop, posts[::-1] + english_pages)):
            ingest(lake, rows)
        results.append(run(options, Progress()))
        build(by_loop, policies, files=3)
    assert contents(by_spark) == contents(by_loop)
    assert owners(by_spark) == owners(by_loop)
    check_books(by_spark)
    removed = results[1]["repeated_text_removed"]
    signals = [
        dict(found["signals"]) for found in by_spark.table("verdicts").read().to_pylist() if found["batch_id"] == 2
    ]
    assert removed["removed_lines"] == sum(its["removed_lines"] for its in signals) > 10
    assert removed["removed_line_chars"] == sum(its["removed_line_chars"] for its in signals)
    assert removed["documents"] == sum(its["removed_lines"] > 0 for its in signals)
    assert results[1]["versions"]["lines"] == by_spark.table("lines").version()


def test_killed_twice_while_it_notes_lines_it_ends_where_a_calm_run_does(
    mlflow_server: str, spark: object, home: Path, tmp_path: Path
) -> None:
    policies = comparing(tmp_path / "policies")
    struck, calm = Lake.open(), Lake(f"file://{home}/calm")
    for lake in (struck, calm):
        ingest(lake, [row(1, f"news:{n}", f"{MENU}\n{english(n)}") for n in range(4)])
    words = ["--languages", "en", "--policy-dir", str(tmp_path / "policies")]
    for moment in ("lines:before_commit", "lines:after_commit"):
        assert command(words, LMFLOW_FAULT=moment).returncode == -9
    run(BuildCorpus(languages=("en",), policy_dir=tmp_path / "policies"), Progress())
    build(calm, load(("en",), tmp_path / "policies"))
    assert policies.repeated_units["en"] == "line"
    assert contents(struck) == contents(calm) and owners(struck) == owners(calm)


def changed_policy(folder: Path, old: str, new: str) -> Path:
    """The English policy with one rule of news changed."""
    folder.mkdir()
    text = (BUILT_IN / "en.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / "en.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_deciding_again_killed_at_every_commit_gives_the_verdicts_of_a_calm_run(
    mlflow_server: str, spark: object, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "too_few_words: {at_least: 30}     # agency"
    strict = changed_policy(tmp_path / "strict", old, "too_few_words: {at_least: 110}  # agency")
    mixed = changed_policy(tmp_path / "mixed", old, "too_few_words: {at_least: 60}  # agency")
    rows = [row(1, f"news:{n}", english(n, 2 + n % 9)) for n in range(24)]
    rows += [row(2, f"news:copy{n}", near(english(n, 2 + n % 9))) for n in range(0, 24, 2)]
    struck, calm = Lake.open(), Lake(f"file://{home}/calm")
    for lake in (struck, calm):
        ingest(lake, rows)
        monkeypatch.setattr(Lake, "open", lambda lake=lake: lake)
        run(BuildCorpus(languages=("en",), policy_dir=strict), Progress())
    assert contents(struck) == contents(calm)
    again = ["--languages", "en", "--redecide", "--policy-dir", str(mixed)]
    moments = [
        f"{table}:{when}"
        for table in ("verdicts", "fingerprints", "corpus")
        for when in ("before_commit", "after_commit")
    ]
    for moment in moments:
        died = command(again, LMFLOW_FAULT=moment)
        assert died.returncode == -9, died.stderr
    for lake in (struck, calm):  # the calm one once
        monkeypatch.setattr(Lake, "open", lambda lake=lake: lake)
        run(BuildCorpus(languages=("en",), policy_dir=mixed, redecide=True), Progress())
    check_books(struck)
    assert contents(struck) == contents(calm)
    assert 0 < len(contents(calm)["corpus"]) < 24


@pytest.mark.parametrize("moment", ["verdicts:after_commit", "fingerprints:after_commit"])
def test_new_documents_after_a_killed_redecision_find_whole_books(
    mlflow_server: str, spark: object, tmp_path: Path, moment: str
) -> None:
    old = "too_few_words: {at_least: 30}     # agency"
    strict = changed_policy(tmp_path / "strict", old, "too_few_words: {at_least: 110}  # agency")
    lake = Lake.open()
    ingest(lake, [row(1, f"news:{n}", english(n, 2 + n % 9)) for n in range(24)])
    run(BuildCorpus(languages=("en",)), Progress())
    died = command(["--languages", "en", "--redecide", "--policy-dir", str(strict)], LMFLOW_FAULT=moment)
    assert died.returncode == -9, died.stderr
    ingest(lake, [row(2, f"news:new{n}", english(100 + n)) for n in range(3)])
    result = run(BuildCorpus(languages=("en",)), Progress())
    check_books(lake)
    assert (result["documents_in"], len(contents(lake)["corpus"])) == (27, 22)  # 24 again, by the policy of this run
    assert run(BuildCorpus(languages=("en",)), Progress())["status"] == "nothing_new"


PLACES = st.lists(st.integers(0, 3), min_size=3, max_size=8)


@settings(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(PLACES, min_size=2, max_size=3), st.sampled_from([1, 3, 1000]), st.randoms(use_true_random=False))
def test_spark_finds_the_clusters_and_survivors_of_the_plain_function_in_chains_and_bridges(
    mlflow_server: str,
    spark: object,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[list[int]],
    size: int,
    draw: Any,
) -> None:
    """Every chain is a text and near copies of its near copies; a bridge joins the ends of two chains."""
    folder, policies = tmp_path_factory.mktemp("lakes"), load(["en"])
    lakes = [Lake(f"file://{folder}/{name}") for name in ("spark", "loop", "files")]
    chains = [english(seed, 8) for seed in range(4)]
    for batch, places in enumerate(drawn, 1):
        rows = []
        for at, place in enumerate(places):
            chains[place] = step(chains[place], draw)
            rows.append(row(batch, f"news:{draw.randrange(10)}-{batch}-{at}", chains[place]))
        one, other = draw.sample(chains, 2)
        rows.append(row(batch, f"news:{draw.randrange(10)}-{batch}-bridge", f"{one} {other}"))
        for lake in lakes:
            ingest(lake, draw.sample(rows, len(rows)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lake, "open", lambda: lakes[0])
            patch.setattr(corpus_spark, "_TASK_DOCUMENTS", size)
            run(BuildCorpus(languages=("en",)), Progress())
        build(lakes[1], policies)
        build(lakes[2], policies, files=4)
    check_books(lakes[0])
    assert contents(lakes[0]) == contents(lakes[1]) == contents(lakes[2])
    duplicates = [found for found in contents(lakes[0])["verdicts"] if found["duplicate_of"]]
    event(f"{len(duplicates)} duplicates, {len({found['cluster_id'] for found in duplicates})} clusters of several")


def step(text: str, draw: Any) -> str:
    """A text with every fortieth word or so changed: near to the one before, and less and less to those before that."""
    words = text.split()
    for _ in range(len(words) // 40 + 1):
        words[draw.randrange(len(words))] = draw.choice(["stone", "paper", "wind", "glass"])
    return " ".join(words)
