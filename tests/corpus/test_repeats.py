"""Lines that another document had first leave the later ones: the same ones however documents come, and all counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import BUILT_IN, Policies, load
from lmflow.corpus.repeats import cut, part_hashes
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.text.normalise import normalise
from tests.corpus.documents import build, chinese, contents, english, ingest, row
from tests.corpus.test_ledger import check_books, corpus, rules, verdicts
from tests.corpus.test_redecision import again, column

MENU = "Home, News, Sport and Weather in one place."
NOTICE = "Copyright 2026, the publisher; all rights are reserved."


def comparing(folder: Path, unit: str = "line", languages: tuple[str, ...] = ("en", "zh"), extra: str = "") -> Policies:
    """The built-in policies that take out what another document had first."""
    folder.mkdir(exist_ok=True)
    for language in ("en", "zh", "default"):
        text = (BUILT_IN / f"{language}.yaml").read_text(encoding="utf-8")
        (folder / f"{language}.yaml").write_text(f"{text}\nrepeated_text: {{unit: {unit}{extra}}}\n", encoding="utf-8")
    return load(languages, folder)


def texts(lake: Lake) -> dict[str, str]:
    return {name: member["text"] for name, member in corpus(lake).items()}


def signals(lake: Lake) -> dict[str, dict[str, float]]:
    return {name: dict(found["signals"]) for name, found in verdicts(lake).items()}


def test_what_every_page_says_stays_in_the_first_of_them(lake: Lake, tmp_path: Path) -> None:
    pages = [f"{MENU}\n{english(n)}\n\n{NOTICE.replace('2026', str(2020 + n))}" for n in range(3)]
    ingest(lake, [row(1, f"p{n}", page) for n, page in enumerate(pages)])
    (outcome,) = build(lake, comparing(tmp_path))
    check_books(lake)
    assert texts(lake) == {"p0": pages[0], "p1": english(1), "p2": english(2)}
    found = signals(lake)
    assert [found[f"p{n}"]["removed_lines"] for n in range(3)] == [0, 2, 2]
    assert [found[f"p{n}"]["removed_line_chars"] for n in range(3)] == [0, *[len(MENU) + len(NOTICE)] * 2]
    assert found["p1"]["n_chars"] == len(english(1))
    assert len(outcome.failures) == 3


def test_chinese_lines_are_the_same_whatever_their_characters_and_digits(lake: Lake, tmp_path: Path) -> None:
    first, second = "发布时间：2026年11月25日", "發布時間︰2025年01月02日！"
    ingest(lake, [row(1, "a", f"{chinese(1)}\n{first}", "social"), row(2, "b", f"{chinese(2)}\n{second}", "social")])
    build(lake, comparing(tmp_path))
    assert texts(lake)["a"].endswith(first) and texts(lake)["b"] == normalise(chinese(2)).text


def test_paragraphs_go_as_a_whole_and_lines_within_others_stay(lake: Lake, tmp_path: Path) -> None:
    block = f"{MENU}\n{NOTICE}"
    ingest(lake, [row(1, "a", f"{english(1)}\n\n{block}"), row(1, "b", f"{english(2)}\n{MENU}\n\n{block}")])
    build(lake, comparing(tmp_path, "paragraph"))
    assert texts(lake) == {"a": f"{english(1)}\n\n{block}", "b": f"{english(2)}\n{MENU}"}
    assert signals(lake)["b"]["removed_paragraphs"] == 1 and "removed_lines" not in signals(lake)["b"]


def test_what_is_left_empty_or_too_short_is_dropped_with_its_reason(lake: Lake, tmp_path: Path) -> None:
    whole = "\n".join(english(n, 2) for n in range(6))
    few = f"{english(0, 2)}\n{english(1, 2)}\nOne short line is its own."
    ingest(
        lake, [row(1, "a", whole), row(2, "copy", whole), row(2, "few", few), row(2, "short", f"{MENU}\n{whole[:9]}")]
    )
    build(lake, comparing(tmp_path, extra=", at_most: 0.9"))
    check_books(lake)
    found = verdicts(lake)
    assert corpus(lake).keys() == {"a"}
    assert "repeated_text" in rules(found["copy"]) and "too_few_words" in rules(found["copy"])
    share = next(failure for failure in found["copy"]["failures"] if failure["rule"] == "repeated_text")
    assert (share["value"], share["threshold"]) == (1.0, 0.9)
    assert "too_few_words" in rules(found["few"]) and dict(found["few"]["signals"])["removed_lines"] == 2
    assert "repeated_text" not in rules(found["short"])


def test_a_new_revision_keeps_its_lines_and_repeats_within_a_document_stay(lake: Lake, tmp_path: Path) -> None:
    policies = comparing(tmp_path)
    text = f"{english(1)}\n{MENU}\n{english(2)}\n{MENU}"
    ingest(lake, [row(1, "a", text, revision=1)])
    build(lake, policies)
    ingest(lake, [row(2, "a", f"{text}\n{english(3)}", revision=2), row(2, "b", f"{english(4)}\n{MENU}")])
    build(lake, policies)
    assert texts(lake) == {"a": f"{text}\n{english(3)}", "b": english(4)}


def test_a_forgotten_document_owns_no_line(lake: Lake, tmp_path: Path) -> None:
    policies = comparing(tmp_path)
    ingest(lake, [row(1, "a", f"{english(1)}\n{MENU}"), row(1, "b", english(2))])
    build(lake, policies)
    tombstones = lake.table("tombstones")
    tombstones.append("t", pa.Table.from_pylist([{"batch_id": 2, "doc_id": "a"}], tombstones.schema))
    Ledger(lake).forget("forget", ["a"])
    assert set(lake.table("lines").read()["doc_id"].to_pylist()) == {"b"}
    ingest(lake, [row(3, "c", f"{english(3)}\n{MENU}"), row(3, "a", f"{english(1)}\n{english(3)}")])
    build(lake, policies)
    assert texts(lake)["c"] == f"{english(3)}\n{MENU}"


LINES = [english(n, 1) for n in range(8)] + [MENU, NOTICE, "***", chinese(1)]
pages = st.lists(st.sampled_from(LINES), min_size=1, max_size=10).map("\n".join)


@st.composite
def batches(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Batches of pages made of few lines; names come again with newer revisions."""
    names = st.lists(st.integers(0, 6), min_size=1, max_size=6, unique=True)
    return [
        [row(batch, f"d{name}", draw(pages), "social", revision=batch) for name in draw(names)]
        for batch in range(1, draw(st.integers(1, 3)) + 1)
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches(), st.sampled_from(["line", "paragraph"]), st.randoms(use_true_random=False))
def test_batches_files_and_order_do_not_matter(
    new_lake: Callable[[], Lake], tmp_path: Path, given_batches: list[list[dict[str, Any]]], unit: str, draw: Any
) -> None:
    policies = comparing(tmp_path / unit, unit, extra=", at_most: 0.95")
    one_by_one, shuffled, together = new_lake(), new_lake(), new_lake()
    for rows in given_batches:
        ingest(one_by_one, rows)
        build(one_by_one, policies)
        ingest(shuffled, draw.sample(rows, len(rows)))
        build(shuffled, policies, files=3)
        ingest(together, rows)
    build(together, policies)
    for lake in (one_by_one, together):
        check_books(lake)
    assert contents(one_by_one) == contents(shuffled)
    # Built together, what was taken out, of whom and why is the same; only splits are drawn among all at once.
    for name in ("signals", "lang"):
        assert column(by_version(one_by_one), name) == column(by_version(together), name)
    # A copy whose original was revised later stays out where it was decided on before; all other kept text is the same.
    apart, joint = texts(one_by_one), texts(together)
    assert all(apart[name] == joint[name] for name in apart.keys() & joint.keys())
    copies = {
        row["doc_id"] for lake in (one_by_one, together) for row in by_version(lake).values() if row["duplicate_of"]
    }
    assert apart.keys() ^ joint.keys() <= copies
    # Each kept line is in the text of the one that had it first, and in no other kept document.
    kept = [line for text in texts(together).values() for line in set(text.split("\n")) if part_hashes(line, "line")[0]]
    assert unit == "paragraph" or len(kept) == len(set(kept))


def owners(lake: Lake) -> set[tuple[str, int]]:
    return {(found["doc_id"], its) for found in lake.table("lines").read().to_pylist() for its in found["hashes"]}


def by_version(lake: Lake) -> dict[str, dict[str, Any]]:
    return {f"{found['doc_id']}@{found['revision']}": found for found in lake.table("verdicts").read().to_pylist()}


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab1. \n", max_size=60), st.sampled_from(["line", "paragraph"]), st.data())
def test_every_character_is_left_or_counted(text: str, unit: Any, data: st.DataObject) -> None:
    clean = normalise(text).text
    hashes = part_hashes(clean, unit)
    repeated = data.draw(st.sets(st.sampled_from(sorted(set(hashes.tolist()) - {0}) or [1])))
    found = cut(clean, unit, repeated)
    visible = [sum(not c.isspace() for c in its) for its in (clean, found.text)]
    gone = sum(int(hashed in repeated) for hashed in hashes.tolist())
    assert found.parts == gone and (found.parts == 0) == (found.text == clean)
    assert visible[0] - visible[1] <= found.chars and normalise(found.text).text == found.text
    assert not set(part_hashes(found.text, unit).tolist()) & repeated or not found.text or unit == "paragraph"


@pytest.mark.parametrize(("before", "after"), [(None, "line"), ("line", None), ("line", "paragraph"), ("line", "line")])
def test_deciding_again_under_another_unit_ends_where_building_anew_does(
    new_lake: Callable[[], Lake], tmp_path: Path, policies: Policies, before: str | None, after: str | None
) -> None:
    old, new = (comparing(tmp_path / unit, unit) if unit else policies for unit in (before, after))
    changed, fresh = new_lake(), new_lake()
    pages = [f"{MENU}\n{english(n)}\n\n{english(n % 4, 3)}\n\n{NOTICE}" for n in range(8)]
    for batch in (1, 2):
        rows = [row(batch, f"d{n}", page) for n, page in enumerate(pages) if n % 2 == batch % 2]
        for lake, its in ((changed, old), (fresh, new)):
            ingest(lake, rows)
            build(lake, its)
    found = again(changed, new)
    check_books(changed)
    assert texts(changed) == texts(fresh)
    assert signals(changed) == signals(fresh)
    assert len(found.read) == (0 if before == after else len(pages))
    for lake in (changed, fresh):  # and what comes later is compared with the same lines
        ingest(lake, [row(3, "late", f"{english(20)}\n{english(2, 3)}\n{NOTICE}")])
        build(lake, new)
    assert texts(changed)["late"] == texts(fresh)["late"]
    assert owners(changed) == owners(fresh)


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("{unit: word}", "repeated_text.unit"),
        ("{unit: line, at_most: 1}", "repeated_text.at_most"),
        ("{at_most: 0.5}", "repeated_text.unit"),
        ("{unit: line, least: 3}", "repeated_text.least"),
    ],
)
def test_a_wrong_section_is_refused_by_its_key(tmp_path: Path, section: str, complaint: str) -> None:
    text = (BUILT_IN / "en.yaml").read_text(encoding="utf-8")
    (tmp_path / "en.yaml").write_text(f"{text}\nrepeated_text: {section}\n", encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        load(["en"], tmp_path)
