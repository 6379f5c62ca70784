"""A changed threshold re-decides from stored signals, and ends where building anew would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmflow.corpus.contamination import Evaluations, register
from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import BUILT_IN, Policies, load
from lmflow.corpus.redecision import Redecision, redecide
from lmflow.lake import Lake, transaction_key
from tests.corpus.documents import build, english, ingest, row
from tests.corpus.test_ledger import check_books, corpus, leaks, near, verdicts


def with_least_words(folder: Path, least: int) -> Policies:
    """The English policy that asks for so many words of any source."""
    text = (BUILT_IN / "en.yaml").read_text(encoding="utf-8")
    folder.mkdir(exist_ok=True)
    (folder / "en.yaml").write_text(
        text.replace("too_few_words: {at_least: 30}", f"too_few_words: {{at_least: {least}}}")
    )
    return load(["en"], folder)


def again(lake: Lake, policies: Policies, evaluations: Evaluations | None = None) -> Redecision:
    ledger = Ledger(lake)
    assessed = ledger.corpus.stage()
    found = redecide(ledger, policies, assessed, evaluations)
    key = transaction_key("again", policy=policies.digest, corpus=ledger.corpus.version())
    ledger.settle_again(key, found.unit, assessed, found.outcome, found.members, found.lines)
    return found


def column(rows: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return {doc_id: found[name] for doc_id, found in rows.items()}


def documents() -> list[dict[str, object]]:
    rows = [row(1, f"d{n:02}", english(n, 1 + n % 9)) for n in range(24)]
    return rows + [row(1, f"x{n:02}", near(english(n, 1 + n % 9))) for n in range(0, 24, 3)]


def same_pages() -> list[dict[str, object]]:
    """Other texts at the addresses of some of the documents."""
    urls = {n: f"https://example.org/d{n:02}?utm_x=1" for n in (1, 8)}
    return [row(1, f"file:mine:{n}", english(50 + n), "file", url=url) for n, url in urls.items()]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(20, 130), st.integers(20, 130))
def test_deciding_again_ends_where_building_anew_does(
    new_lake: Callable[[], Lake], tmp_path: Path, first: int, second: int
) -> None:
    changed, fresh = new_lake(), new_lake()
    old, new = with_least_words(tmp_path / "old", first), with_least_words(tmp_path / "new", second)
    for lake in (changed, fresh):
        ingest(lake, documents() + same_pages())
    build(changed, old)
    before, splits = corpus(changed), {name: member["split"] for name, member in corpus(changed).items()}
    found = again(changed, new)
    build(fresh, new)
    check_books(changed)
    assert corpus(changed).keys() == corpus(fresh).keys()
    assert column(verdicts(changed), "failures") == column(verdicts(fresh), "failures")
    assert column(corpus(changed), "text") == column(corpus(fresh), "text")
    # Only text that is newly admitted was read, and who stays keeps the split.
    assert not set(found.read) & before.keys()
    staying = corpus(changed).keys() & splits.keys()
    assert all(corpus(changed)[name]["split"] in (splits[name], "train", "valid") for name in staying)
    assert leaks(changed) == []


def test_nothing_is_read_a_second_time(lake: Lake, tmp_path: Path) -> None:
    ingest(lake, documents())
    build(lake, with_least_words(tmp_path / "strict", 100))
    loose = with_least_words(tmp_path / "loose", 25)
    assert again(lake, loose).read
    kept = corpus(lake)
    assert again(lake, loose).read == []
    assert corpus(lake) == kept


def test_fingerprints_of_an_earlier_folding_are_made_anew_once(
    lake: Lake, policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, documents())
    with monkeypatch.context() as earlier:
        earlier.setattr("lmflow.corpus.entries.FOLDING", 1)
        build(lake, policies)
    assert Ledger(lake).has_old_fingerprints()
    kept = corpus(lake)
    assert kept.keys() <= set(again(lake, policies).read)
    assert corpus(lake) == kept and not Ledger(lake).has_old_fingerprints()
    assert again(lake, policies).read == []


def test_what_was_measured_by_earlier_definitions_is_measured_again_once(
    lake: Lake, policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, documents())
    with monkeypatch.context() as earlier:
        earlier.setattr("lmflow.corpus.signals.MEASURES", 1.0)
        build(lake, policies)
    assert len(again(lake, policies).read) == len(documents())
    assert again(lake, policies).read == []


def test_evaluation_sets_that_come_change_or_go_decide_on_what_was_decided_before(
    lake: Lake, policies: Policies
) -> None:
    ingest(lake, [row(1, f"d{n}", english(n)) for n in range(5)])
    build(lake, policies)
    assert Ledger(lake).evaluated_by() == {None}
    for sets, left_out in ((register([english(2)]), "d2"), (register([english(3)]), "d3")):
        assert len(again(lake, policies, sets).read) == 5
        assert corpus(lake).keys() == {f"d{n}" for n in range(5)} - {left_out}
        assert Ledger(lake).evaluated_by() == {sets.number}
        assert again(lake, policies, sets).read == []
    assert again(lake, policies).read == ["d3"]
    assert len(corpus(lake)) == 5 and Ledger(lake).evaluated_by() == {None}


def test_superseded_versions_keep_their_verdicts(lake: Lake, policies: Policies) -> None:
    ingest(lake, [row(1, "a", english(1), revision=1), row(1, "b", english(2))])
    build(lake, policies)
    ingest(lake, [row(2, "a", english(3), revision=2)])
    build(lake, policies)
    before = sorted((v["doc_id"], v["revision"], v["kept"]) for v in lake.table("verdicts").read().to_pylist())
    again(lake, policies)
    check_books(lake)
    after = sorted((v["doc_id"], v["revision"], v["kept"]) for v in lake.table("verdicts").read().to_pylist())
    assert after == before


@pytest.mark.parametrize("least", [10**6])
def test_a_policy_that_admits_nothing_is_seen_before_anything_is_committed(
    lake: Lake, tmp_path: Path, policies: Policies, least: int
) -> None:
    ingest(lake, documents())
    build(lake, policies)
    ledger = Ledger(lake)
    found = redecide(ledger, with_least_words(tmp_path / "none", least), ledger.corpus.stage())
    assert not any(found.outcome.kept)
