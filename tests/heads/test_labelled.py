"""Labelled documents: every format gives the same, each text counts once, and no near copy crosses the divide."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmflow.errors import InputError
from lmflow.heads.labelled import Labelled, LabelledColumns, apart_from, read, splits
from lmflow.heads.record import Record
from tests.corpus.documents import NOUNS, PLACES, VERBS

COLUMNS = LabelledColumns()


def sentence(number: int, words: int = 30) -> str:
    draw = random.Random(number)
    return " ".join(draw.choice((*NOUNS, *VERBS, *PLACES)) for _ in range(words))


def documents(folder: Path, rows: list[tuple[str, str]], name: str = "rows.jsonl") -> Labelled:
    path = folder / name
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return read(str(path), None, COLUMNS, "utf-8", "--train-file")


def test_every_format_and_order_gives_the_same_documents(tmp_path: Path) -> None:
    rows = [(sentence(number), "ab"[number % 2]) for number in range(40)]
    plain = documents(tmp_path, rows)
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("class", "body"), *((label, text) for text, label in rows[::-1])])
    pq.write_table(
        pa.table({"body": [text for text, _ in rows], "class": [label for _, label in rows], "other": range(40)}),
        tmp_path / "rows.parquet",
    )
    columns = LabelledColumns(text="body", label="class")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "README.md").write_text("what these are")
    shutil.copy(tmp_path / "rows.csv", folder)
    for name in ("rows.csv", "rows.parquet", "folder"):
        other = read(str(tmp_path / name), None, columns, "utf-8", "--train-file")
        assert (other.digest, other.ids, other.labels) == (plain.digest, plain.ids, plain.labels)
    assert documents(tmp_path, [*rows[:-1], (rows[-1][0], "c")]).digest != plain.digest


def test_a_text_counts_once_and_not_at_all_when_its_labels_disagree(tmp_path: Path) -> None:
    one, two, three = (sentence(number) for number in range(3))
    rows = [(one, "a"), (f"  {one}\u200b\u3000", "a"), (two, "a"), (two, "b"), (three, "b"), ("", "b"), (three, "")]
    with (tmp_path / "broken.jsonl").open("w") as file:
        file.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
        file.write('{"text": "cut of\n')
    found = read(str(tmp_path / "broken.jsonl"), None, COLUMNS, "utf-8", "--train-file")
    assert Counter(found.labels) == {"a": 1, "b": 1}
    assert found.left_out == {
        "failed": 1, "without_text": 1, "without_label": 1, "repeated": 1, "contradictory": 2,
    }  # fmt: skip
    assert len(rows) + 1 == len(found) + sum(found.left_out.values())


def test_a_record_is_read_as_it_was_written_whatever_the_texts_hold(tmp_path: Path) -> None:
    rows = [("cut off \ud83d", "odd \udc00"), *((sentence(number), "ab"[number % 2]) for number in range(20))]
    found = documents(tmp_path, rows)
    learnt, held_out = found.take(range(15)), found.take(range(15, 21))
    written = Record.of(learnt, ("train",) * 14 + ("valid",), held_out, ("a",) * 6)
    written.write(tmp_path / "record.parquet")
    read_again = Record.read(tmp_path / "record.parquet")
    assert read_again.ids == found.ids and read_again.texts == ("",) * 15 + held_out.texts
    assert (read_again.keys == found.fingerprints.keys).all()
    assert read_again.held_out.tolist() == [False] * 15 + [True] * 6
    rows_of = list(range(15, 21))
    assert read_again.right(rows_of).tolist() == [label == "a" for label in held_out.labels]
    assert read_again.rows_unknown_to(read_again) == rows_of  # it learnt none of them
    other = Record.of(held_out, ("train",) * 6, learnt, ("b",) * 15)
    assert read_again.rows_unknown_to(other) == []
    earlier = replace(other, keys=other.keys + 1, folding=1)  # what was learnt is known by its id alone
    assert read_again.rows_unknown_to(earlier) == []
    assert read_again.rows_unknown_to(replace(earlier, ids=tuple(map(str, range(21))))) == rows_of


def test_near_copies_stay_on_one_side_and_every_class_is_on_each(tmp_path: Path) -> None:
    rows = [(sentence(number), "abc"[number % 3]) for number in range(300)]
    rows += [(f"{text} {sentence(900 + number, 2)}", label) for number, (text, label) in enumerate(rows[:150])]
    found = documents(tmp_path, rows)
    chosen = splits(found, "en", {})
    side = {text[:80]: set() for text in found.texts}  # the beginning is common to a text and its near copy
    for text, split in zip(found.texts, chosen, strict=True):
        side[text[:80]].add(split)
    assert len(side) == 300 and all(len(sides) == 1 for sides in side.values())
    by_class = Counter(zip(found.labels, chosen, strict=True))
    assert all(12 <= by_class[label, split] <= 19 for label in "abc" for split in ("valid", "test"))
    assert splits(found, "en", {}) == chosen


def test_a_division_stays_when_documents_come(tmp_path: Path) -> None:
    rows = [(sentence(number), "ab"[number % 2]) for number in range(200)]
    found = documents(tmp_path, rows)
    before = dict(zip(found.ids, splits(found, "en", {}), strict=True))
    held_out = [text for name, text in zip(found.ids, found.texts, strict=True) if before[name] == "test"]
    more = documents(tmp_path, [*rows, *((sentence(number), "ab"[number % 2]) for number in range(200, 400))])
    after = dict(zip(more.ids, splits(more, "en", before), strict=True))
    assert {name: after[name] for name in before} == before
    assert sum(split == "test" for split in after.values()) == pytest.approx(40, abs=4)

    copies = documents(tmp_path, [*rows, *((f"{text} {sentence(7, 2)}", "a") for text in held_out)])
    with_copies = dict(zip(copies.ids, splits(copies, "en", before), strict=True))
    assert sum(split == "test" for split in with_copies.values()) == 2 * len(held_out)  # none is trained on


def test_what_is_like_a_held_out_document_is_not_learnt(tmp_path: Path) -> None:
    rows = [(sentence(number), "ab"[number % 2]) for number in range(60)]
    held_out = documents(tmp_path, rows[40:])
    same, near = (rows[40][0].upper(), "b"), (f"{rows[50][0]} {sentence(7, 2)}", "a")
    rest = apart_from(documents(tmp_path, [*rows[:40], same, near]), held_out)
    assert sorted(rest.texts) == sorted(text for text, _ in rows[:40])


@pytest.mark.parametrize(
    ("name", "content", "columns", "says"),
    [
        ("gone.jsonl", None, {}, "no file of a known format there"),
        ("empty.jsonl", "", {}, "--train-file .*empty.jsonl is empty"),
        ("headed.csv", "text,label\n", {}, "no row has a text and one label"),
        ("rows.csv", "text,label\nx,y\n", {"label": "stars"}, "--label-column stars: .* it has label, text"),
        ("rows.csv", "text,label\nx,y\n", {"text": "body"}, "--text-column body: .* no such column"),
        ("rows.jsonl", '{"text": "x"}\n{"text": "y"}\n', {}, "--label-column label: .* no such column"),
        ("rows.jsonl", '{"text": "x", "label": null}\n', {}, r"no row has .* \(1 without label\)"),
        ("rows.csv", "text,label\nx,y\nx,z\n", {}, r"no row has .* \(2 contradictory\)"),
        ("notes.txt", "x", {}, "is plain text, which has no labels"),
        ("rows.parquet", "x", {}, "is no Parquet file"),
    ],
)
def test_a_file_that_holds_no_labelled_text_is_refused(
    tmp_path: Path, name: str, content: str | None, columns: dict[str, str], says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says):
        read(str(tmp_path / name), None, LabelledColumns(**columns), "utf-8", "--train-file")


def test_an_unknown_character_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--encoding utf-99: unknown"):
        read(str(tmp_path), None, COLUMNS, "utf-99", "--train-file")
