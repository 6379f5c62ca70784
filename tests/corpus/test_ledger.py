"""Whole corpora, built batch by batch: accounts, revisions, leaks, deaths."""

import random
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmflow.corpus.dedup import NEAR, Keeping, Policy
from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import BUILT_IN, Policies, load
from lmflow.corpus.redecision import redecide
from lmflow.lake import Lake, faults
from lmflow.text.shingles import shingles
from tests.corpus.documents import build, chinese, contents, english, ingest, row

POINTS = [
    f"{table}:{when}" for table in ("verdicts", "fingerprints", "corpus") for when in ("before_commit", "after_commit")
]


class Killed(BaseException):
    """Stands for SIGKILL at a named moment (the real one: tests/jobs/test_build_corpus.py)."""


def verdicts(lake: Lake) -> dict[str, dict[str, Any]]:
    return {found["doc_id"]: found for found in lake.table("verdicts").read().to_pylist()}


def corpus(lake: Lake) -> dict[str, dict[str, Any]]:
    return {found["doc_id"]: found for found in lake.table("corpus").read().to_pylist()}


def rules(found: dict[str, Any]) -> list[str]:
    return [failure["rule"] for failure in found["failures"]]


def near(text: str) -> str:
    """A text with one word changed."""
    return text.replace("quiet", "silent", 1) if "quiet" in text else text + " And so it ended."


def check_books(lake: Lake) -> None:
    """What must hold of any lake, whenever one looks."""
    decided = lake.table("verdicts").read().to_pylist()
    documents = lake.table("documents").read(["batch_id", "doc_id", "revision"]).to_pylist()
    identity = ("batch_id", "doc_id", "revision")
    keys = [tuple(found[name] for name in identity) for found in decided]
    assert Counter(keys) == Counter(tuple(found[name] for name in identity) for found in documents)
    assert all(found["kept"] == (not found["failures"]) for found in decided)
    kept = {tuple(found[name] for name in identity) for found in decided if found["kept"]}
    members = [tuple(found[name] for name in identity) for found in lake.table("corpus").read().to_pylist()]
    assert Counter(members) == Counter(kept)
    assert len({doc_id for _, doc_id, _ in kept}) == len(kept)
    for group in ("cluster_id", "kin_id"):
        splits: dict[str, set[str]] = {}
        for member in corpus(lake).values():
            splits.setdefault(member[group], set()).add(member["split"])
        assert all(len(found) == 1 for found in splits.values())
    ledger = Ledger(lake)
    assert not ledger.is_torn(ledger.units())


def test_documents_in_are_kept_or_dropped_with_reasons(lake: Lake, policies: Policies) -> None:
    base = english(1)
    ingest(
        lake,
        [
            row(1, "good", base),
            row(1, "same", base.replace(" the ", " THE ")),
            row(1, "alike", near(base)),
            row(1, "short", "Too short."),
            row(1, "german", "Der schnelle braune Fuchs springt über den faulen Hund und läuft dann davon."),
            row(1, "review", chinese(3, 3), "social"),
        ],
    )
    build(lake, policies)
    check_books(lake)
    found = verdicts(lake)
    # Three texts, one of them kept: the earliest, which is the first by name at equal times.
    copies = {name: rules(found[name]) for name in ("alike", "good", "same")}
    assert copies == {"alike": [], "good": ["near_duplicate"], "same": ["near_duplicate"]}
    assert {found[name]["duplicate_of"] for name in ("good", "same")} == {"alike"}
    assert found["good"]["failures"][0]["value"] >= found["good"]["failures"][0]["threshold"] == NEAR
    assert "too_few_words" in rules(found["short"]) and rules(found["german"])[0] == "language"
    assert corpus(lake).keys() == {"alike", "review"}


def test_exact_copies_name_the_earliest_by_publication(lake: Lake, policies: Policies) -> None:
    ingest(
        lake,
        [row(1, "a", english(1)), row(1, "z", english(1), published_at=row(0, "", "")["fetched_at"])],
    )
    build(lake, policies)
    assert (rules(verdicts(lake)["a"]), verdicts(lake)["a"]["duplicate_of"]) == (["exact_duplicate"], "z")


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("same", ["address", "text"])
def test_a_new_revision_holds_the_place_of_its_document(
    lake: Lake, policies: Policies, together: bool, same: str
) -> None:
    url = "https://example.org/one"
    revised = english(2) if same == "address" else near(english(3))
    early = datetime(2020, 1, 1, tzinfo=UTC)  # published before the revision, so that it would be the earliest
    first = [row(1, "news:a", english(1), url=url), row(1, "news:short", "Too few words.", url=f"{url}/short")]
    second = [
        row(2, "file:mine:1", english(3), "file", published_at=early, url=url if same == "address" else f"{url}/3"),
        row(2, "news:a", revised, revision=2, url=url),
        # Its first version was dropped by the policy and holds no place: the earlier of both in this batch stays.
        row(2, "file:mine:2", english(4), "file", published_at=early, url=f"{url}/short"),
        row(2, "news:short", english(5), revision=2, url=f"{url}/short"),
    ]
    if together:
        ingest(lake, first + second)
        build(lake, policies)
    else:
        for rows in (first, second[::-1]):
            ingest(lake, rows)
            build(lake, policies)
    check_books(lake)
    assert corpus(lake).keys() == {"news:a", "file:mine:2"}
    assert corpus(lake)["news:a"]["text"] == revised
    assert rules(verdicts(lake)["file:mine:1"]) == ["duplicate_url" if same == "address" else "near_duplicate"]
    again = redecide(Ledger(lake), policies, lake.table("corpus").stage())
    kept = {name for name, enters in zip(again.unit["doc_id"].to_pylist(), again.outcome.kept, strict=True) if enters}
    assert kept == corpus(lake).keys()


def test_the_same_page_in_another_collection_is_a_duplicate_by_its_address_and_a_revision_is_not(
    lake: Lake, policies: Policies
) -> None:
    page, tracked = "https://example.org/a?id=1", "https://EXAMPLE.org:443/a?id=1&utm_source=feed#top"
    early = row(0, "", "")["fetched_at"]
    article = {"url": page, "published_at": early}
    ingest(lake, [row(1, "news:a", english(1), **article), row(1, "file:mine:1", english(2), "file", url=tracked)])
    build(lake, policies)
    ingest(
        lake,
        [
            row(2, "news:a", english(3), revision=2, **article),  # the page as it is now
            row(2, "file:web:1", english(4), "file", url=tracked),
            row(
                2, "file:web:2", english(3).replace(" the ", " THE "), "file", url=tracked
            ),  # the text itself: that says more
            row(2, "file:rows:1", english(5), "file", url="https://example.org/b"),
            row(2, "file:rows:2", english(6), "file", url="https://example.org/b"),  # rows of one page, by their ids
            row(2, "file:rows:3", english(7), "file", url="no address"),
            row(2, "file:more:1", english(9), "file", url="no address"),
            row(2, "social:s:1", english(8), "social", url=page),
        ],
    )
    build(lake, policies)
    check_books(lake)
    found = [its for its in lake.table("verdicts").read().to_pylist() if not its["kept"]]
    assert {(its["doc_id"], its["revision"]): (rules(its), its["duplicate_of"]) for its in found} == {
        ("file:mine:1", 1): (["duplicate_url"], "news:a"),
        ("news:a", 1): (["superseded"], None),
        ("file:web:1", 1): (["duplicate_url"], "news:a"),
        ("file:web:2", 1): (["exact_duplicate"], "news:a"),
    }
    ingest(lake, [row(3, "file:later:1", english(10), "file", url=page), row(3, "file:later:2", english(11), "file")])
    build(lake, policies)
    assert rules(verdicts(lake)["file:later:1"]) == ["duplicate_url"] and "file:later:2" in corpus(lake)


def test_a_second_build_has_nothing_to_do(lake: Lake, policies: Policies) -> None:
    ingest(lake, [row(1, "a", english(1))])
    build(lake, policies)
    assert Ledger(lake).units() == []
    assert build(lake, policies) == []


def test_a_newer_revision_takes_the_place_of_the_older_one(lake: Lake, policies: Policies) -> None:
    ingest(lake, [row(1, "a", english(1), revision=10), row(1, "b", english(2), revision=10)])
    build(lake, policies)
    split = corpus(lake)["a"]["split"]
    ingest(lake, [row(2, "a", near(english(1)), revision=11)])
    build(lake, policies)
    check_books(lake)
    assert (corpus(lake)["a"]["revision"], corpus(lake)["a"]["split"]) == (11, split)
    old = next(found for found in lake.table("verdicts").read().to_pylist() if found["revision"] == 10)
    assert old["doc_id"] == "a" and rules(old) == ["superseded"]
    assert old["failures"][0]["value"] == 10.0 and old["failures"][0]["threshold"] == 11.0
    assert [found["revision"] for found in lake.table("fingerprints").read().to_pylist()].count(11) == 1
    # An older revision that comes late, and the same one again, change nothing.
    ingest(lake, [row(3, "a", english(9), revision=5), row(3, "b", english(2), revision=10)])
    before = corpus(lake)
    build(lake, policies)
    check_books(lake)
    assert corpus(lake) == before
    late = [found for found in lake.table("verdicts").read().to_pylist() if found["batch_id"] == 3]
    assert {found["doc_id"]: rules(found) for found in late} == {"a": ["superseded"], "b": ["repeated_revision"]}
    # A copy of b is still recognised.
    ingest(lake, [row(4, "c", english(2))])
    build(lake, policies)
    assert verdicts(lake)["c"]["duplicate_of"] == "b"


def test_a_revision_is_no_duplicate_of_a_copy_that_came_between(lake: Lake, policies: Policies) -> None:
    ingest(lake, [row(1, "a", english(1), revision=1)])
    build(lake, policies)
    ingest(lake, [row(2, "copy", english(1))])
    build(lake, policies)
    ingest(lake, [row(3, "a", near(english(1)), revision=2)])
    build(lake, policies)
    check_books(lake)
    assert corpus(lake).keys() == {"a"}


def test_a_bad_new_revision_takes_the_old_one_out(lake: Lake, policies: Policies) -> None:
    ingest(lake, [row(1, "a", english(1), revision=1), row(1, "b", english(2))])
    build(lake, policies)
    ingest(lake, [row(2, "a", "blanked", revision=2)])
    build(lake, policies)
    check_books(lake)
    assert corpus(lake).keys() == {"b"}


def test_a_forgotten_document_never_enters(lake: Lake, policies: Policies) -> None:
    tombstones = lake.table("tombstones")
    tombstones.append("t", pa.Table.from_pylist([{"batch_id": 1, "doc_id": "a"}], tombstones.schema))
    ingest(lake, [row(1, "a", english(1)), row(1, "b", english(1))])
    build(lake, policies)
    check_books(lake)
    assert corpus(lake).keys() == {"b"}
    assert rules(verdicts(lake)["a"]) == ["forgotten"]
    assert lake.table("fingerprints").read()["doc_id"].to_pylist() == ["b"]


@pytest.mark.parametrize("was_kept_before", [False, True])
def test_a_page_whose_tombstone_was_lifted_comes_back_with_its_old_revision(
    lake: Lake, policies: Policies, was_kept_before: bool
) -> None:
    tombstones = lake.table("tombstones")
    ingest(lake, [row(1, "b", english(2))])
    if was_kept_before:
        ingest(lake, [row(1, "a", english(1), revision=9)])
        build(lake, policies)
    tombstones.append("t", pa.Table.from_pylist([{"batch_id": 1, "doc_id": "a"}], tombstones.schema))
    ingest(lake, [row(2, "a", near(english(1)), revision=10)])
    build(lake, policies)
    forgotten = next(found for found in lake.table("verdicts").read().to_pylist() if found["revision"] == 10)
    assert rules(forgotten) == ["forgotten"]
    tombstones.append("lift", tombstones.schema.empty_table(), drop=["a"])
    ingest(lake, [row(3, "a", near(english(1)), revision=10)])
    build(lake, policies)
    check_books(lake)
    assert (corpus(lake)["a"]["batch_id"], corpus(lake)["a"]["revision"]) == (3, 10)
    # Now it is known: once more, and it is a repetition.
    ingest(lake, [row(4, "a", near(english(1)), revision=10)])
    build(lake, policies)
    check_books(lake)
    again = next(found for found in lake.table("verdicts").read().to_pylist() if found["batch_id"] == 4)
    assert rules(again) == ["repeated_revision"] and corpus(lake)["a"]["batch_id"] == 3


def test_a_document_between_two_others_takes_the_held_out_one_out_of_evaluation(lake: Lake, policies: Policies) -> None:
    whole = [english(seed, 30).split(". ") for seed in range(30)]
    # The first and the last sentences are too unlike to be kin; the whole is kin to both.
    parts = {"x": slice(0, 18), "y": slice(12, 30)}
    ingest(
        lake,
        [
            row(1, f"{name}{n}", ". ".join(sentences[at]).rstrip(".") + ".")
            for n, sentences in enumerate(whole)
            for name, at in parts.items()
        ],
    )
    build(lake, policies)
    before = corpus(lake)
    assert all(before[f"x{n}"]["kin_id"] != before[f"y{n}"]["kin_id"] for n in range(30))
    ingest(lake, [row(2, f"z{n}", ". ".join(sentences)) for n, sentences in enumerate(whole)])
    build(lake, policies)
    check_books(lake)
    after = corpus(lake)
    moves = Counter((member["split"], after[name]["split"]) for name, member in before.items())
    out = {("test", "train"), ("valid", "train"), ("test", "valid")}
    assert {move for move in moves if move[0] != move[1]} <= out
    assert sum(moves[move] for move in out) >= 2
    joined = [n for n in range(30) if f"z{n}" in after]  # the others were dropped as copies
    assert len(joined) > 10
    assert all(after[f"x{n}"]["kin_id"] == after[f"y{n}"]["kin_id"] for n in joined) and leaks(lake) == []


def leaks(lake: Lake) -> list[tuple[str, str]]:
    """Pairs with half of their shingles in common, one in training and one held out, by comparing all with all."""
    found = [
        (member["doc_id"], member["split"] == "train", shingles(member["text"])) for member in corpus(lake).values()
    ]
    return [
        (one, other)
        for at, (one, learnt, mine) in enumerate(found)
        for other, learnt_too, theirs in found[:at]
        if learnt != learnt_too and mine and 2 * len(mine & theirs) >= len(mine | theirs)
    ]


def test_no_near_copy_of_a_held_out_document_is_ever_in_training(lake: Lake, policies: Policies) -> None:
    draw = random.Random(5)
    texts = [english(n) for n in range(40)]
    for batch in range(1, 5):
        rows = []
        for n in range(30):
            words = draw.choice(texts).split()
            for _ in range(draw.randrange(0, 12)):
                words[draw.randrange(len(words))] = draw.choice(["stone", "paper", "wind"])
            rows.append(row(batch, f"d{batch}-{n}", " ".join(words)))
        ingest(lake, rows)
        build(lake, policies)
        check_books(lake)
        assert leaks(lake) == []
    assert Counter(member["split"] for member in corpus(lake).values())["train"] > 20


def example_batches() -> list[list[dict[str, Any]]]:
    return [
        [row(1, f"n{n}", english(n)) for n in range(6)] + [row(1, f"r{n}", chinese(n), "social") for n in range(6)],
        [
            row(2, "n1", near(english(1)), revision=2),
            row(2, "c", english(3)),
            row(2, "s", "short"),
            row(2, "n9", english(9)),
        ],
    ]


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_at_any_moment_of_any_commit_leaves_no_trace(
    point: str, new_lake: Callable[[], Lake], policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = example_batches()
    calm, struck = new_lake(), new_lake()
    for lake in (calm, struck):
        ingest(lake, first)
        build(lake, policies)
        ingest(lake, second)

    def strike(moment: str) -> None:
        if moment == point:
            raise Killed

    if point != "verdicts:before_commit":  # before it nothing is written down, and the next run takes all that has come
        build(calm, policies)
    monkeypatch.setattr(faults, "point", strike)
    with pytest.raises(Killed):
        build(struck, policies)
    monkeypatch.undo()
    for lake in (calm, struck):  # and more has come in the meantime
        ingest(lake, [row(3, "late", english(30)), row(3, "c2", english(9))])
        build(lake, policies)
        check_books(lake)
    assert contents(struck) == contents(calm)


def test_options_changed_after_a_death_hold_for_the_whole_unit(
    new_lake: Callable[[], Lake], policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = example_batches()
    calm, struck = new_lake(), new_lake()
    english_only = load(["en"])

    def strike(moment: str) -> None:
        if moment == "fingerprints:after_commit":
            raise Killed

    for lake in (calm, struck):
        ingest(lake, first)
        build(lake, policies)
        ingest(lake, second)
    monkeypatch.setattr(faults, "point", strike)
    with pytest.raises(Killed):
        build(struck, policies)
    with pytest.raises(Killed):
        build(struck, english_only)
    with pytest.raises(Killed):
        build(struck, policies)
    monkeypatch.undo()
    build(struck, english_only)
    build(calm, english_only)
    check_books(struck)
    assert contents(struck) == contents(calm)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_accounts_balance_and_files_do_not_matter(
    data: st.DataObject, new_lake: Callable[[], Lake], policies: Policies
) -> None:
    seeds = st.tuples(
        st.integers(0, 4), st.sampled_from(["text", "near", "short", "review", "noise"]), st.integers(0, 5)
    )
    makers: dict[str, Callable[[int], tuple[str, str]]] = {
        "text": lambda seed: (english(seed), "news"),
        "near": lambda seed: (near(english(seed)), "wikipedia"),
        "short": lambda seed: (english(seed, 1), "social"),
        "review": lambda seed: (chinese(seed), "social"),
        "noise": lambda seed: ("#" * seed, "file"),
    }
    one, other = new_lake(), new_lake()
    for batch_id in range(1, data.draw(st.integers(1, 3)) + 1):
        rows = []
        for seed, kind, name in data.draw(st.lists(seeds, min_size=1, max_size=8, unique_by=lambda made: made[2])):
            text, source = makers[kind](seed)
            rows.append(row(batch_id, f"d{name}", text, source, revision=data.draw(st.integers(1, 3))))
        for lake, given_rows, files in ((one, rows, 1), (other, rows[::-1], 3)):
            ingest(lake, given_rows)
            build(lake, policies, files)
            check_books(lake)
    assert contents(one) == contents(other)


@pytest.mark.parametrize("policy", ["earliest", "longest", "best_quality", "drop_all"])
@pytest.mark.parametrize("order", [1, 2])
def test_each_keep_policy_keeps_its_copy_whatever_the_order_and_the_files(
    new_lake: Callable[[], Lake], policies: Policies, policy: Policy, order: int
) -> None:
    early = row(0, "", "")["fetched_at"]
    base = english(1)
    rows = [
        row(1, "early", base, published_at=early),
        row(1, "long", base + " And so the whole story came to its end."),
        row(1, "tidy", base.replace(". ", ".\n", 3)),
        row(1, "ragged", base.replace(". ", "\n", 5)),
        row(1, "alone", english(2)),
    ]
    random.Random(order).shuffle(rows)
    lake = new_lake()
    ingest(lake, rows)
    build(lake, policies, files=order, keeping=Keeping(policy))
    check_books(lake)
    survivor = {"earliest": {"early"}, "longest": {"long"}, "best_quality": {"long"}, "drop_all": set[str]()}[policy]
    assert corpus(lake).keys() == survivor | {"alone"}


def test_a_late_copy_takes_the_stored_one_out_when_none_is_to_be_kept(lake: Lake, policies: Policies) -> None:
    ingest(lake, [row(1, "a", english(1)), row(1, "b", english(2))])
    build(lake, policies, keeping=Keeping("drop_all"))
    ingest(lake, [row(2, "c", near(english(1)))])
    build(lake, policies, keeping=Keeping("drop_all"))
    check_books(lake)
    assert corpus(lake).keys() == {"b"}
    found = verdicts(lake)
    assert (rules(found["a"]), found["a"]["duplicate_of"]) == (["near_duplicate"], "c")
    assert (rules(found["c"]), found["c"]["duplicate_of"]) == (["near_duplicate"], "a")
    ingest(lake, [row(3, "d", english(1))])  # a third copy is recognised although none was kept
    build(lake, policies, keeping=Keeping("drop_all"))
    assert rules(verdicts(lake)["d"]) == ["exact_duplicate"] and corpus(lake).keys() == {"b"}


def test_against_removes_from_one_source_what_another_has(lake: Lake, policies: Policies) -> None:
    ingest(
        lake,
        [
            row(1, "w", english(1), "wikipedia"),
            row(1, "n1", near(english(1)), "news"),
            row(1, "n2", english(2), "news"),
            row(1, "n3", near(english(2)), "news"),
        ],
    )
    build(lake, policies, keeping=Keeping(against=("wikipedia",)))
    check_books(lake)
    assert corpus(lake).keys() == {"w", "n2", "n3"}
    assert verdicts(lake)["n1"]["duplicate_of"] == "w"
    assert corpus(lake)["n2"]["split"] == corpus(lake)["n3"]["split"]


def test_a_reference_that_comes_later_takes_the_copies_out_that_came_before(
    new_lake: Callable[[], Lake], policies: Policies
) -> None:
    for n in range(4):
        lake = new_lake()
        ingest(lake, [row(1, f"s{n}", english(n), "social"), row(1, f"t{n}", near(english(n)), "social")])
        ingest(lake, [row(1, f"other{n}", english(50 + n), "social")])
        build(lake, policies, keeping=Keeping(against=("news",)))
        ingest(lake, [row(2, f"n{n}", english(n), "news"), row(2, f"u{n}", near(english(n)), "social")])
        build(lake, policies, keeping=Keeping(against=("news",)))
        check_books(lake)
        assert corpus(lake).keys() == {f"n{n}", f"other{n}"}
        assert {verdicts(lake)[f"{name}{n}"]["duplicate_of"] for name in "stu"} == {f"n{n}"}


ENGLISH_POLICY = yaml.safe_load((BUILT_IN / "en.yaml").read_text(encoding="utf-8"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_documents_in_are_kept_plus_dropped_under_any_configuration(
    new_lake: Callable[[], Lake], tmp_path: Path, data: st.DataObject
) -> None:
    bounds = {
        "too_few_words": st.integers(0, 120),
        "symbols": st.floats(0, 0.2),
        "duplicate_lines": st.floats(0, 1),
        "compressible": st.floats(1, 10),
        "no_stop_words": st.integers(0, 12),
    }
    policy = deepcopy(ENGLISH_POLICY)
    for name in data.draw(st.sets(st.sampled_from(sorted(bounds)))):
        side = "at_least" if "at_least" in policy["rules"][name] else "at_most"
        policy["rules"][name][side] = data.draw(bounds[name], name)
        policy["sources"]["news"].pop(name, None)
    (tmp_path / "en.yaml").write_text(yaml.safe_dump(policy, allow_unicode=True), encoding="utf-8")
    policies = load(data.draw(st.sampled_from([["en"], ["zh"], ["en", "zh"]])), tmp_path)
    against = data.draw(st.sampled_from([(), (), ("news",)]))
    keeping = Keeping(data.draw(st.sampled_from(["earliest", "longest", "best_quality", "drop_all"])), against)
    texts = (
        [english(n, 1 + n % 7) for n in range(12)] + [near(english(n, 5)) for n in (4, 4, 11)] + [chinese(1), "", "#"]
    )
    lake = new_lake()
    for batch in (1, 2):
        sources = data.draw(st.lists(st.sampled_from(["news", "social"]), min_size=len(texts), max_size=len(texts)))
        ingest(lake, [row(batch, f"{batch}:{n}", t, s) for n, (t, s) in enumerate(zip(texts, sources, strict=True))])
        build(lake, policies, keeping=keeping)
        check_books(lake)
        assert leaks(lake) == []
