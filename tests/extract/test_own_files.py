"""A user's own files: every row has one outcome, the same however a file is cut, and what is wrong is said."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lmflow.errors import InputError
from lmflow.extract.documents import Known, Outcome
from lmflow.extract.own_files import Collection, Columns, Part, check_columns, find, outcomes, parts

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOTHING = Known({}, frozenset())
FULL = Columns("body", "head", "key", "link", "lang", "day", "by", "terms")
ROWS: list[dict[str, Any]] = [
    {"body": "One.", "head": "T", "key": "1", "link": "https://x.org/1", "day": "2026-01-02", "by": "A", "lang": "zh"},
    {"body": "  ", "key": "2"},
    {"body": "三。\n四。", "key": "3", "terms": "CC0"},
]  # fmt: skip


def collection(columns: Columns = FULL, encoding: str = "utf-8") -> Collection:
    return Collection("mine", "en", "not stated", columns, encoding)


def read(path: Path, columns: Columns = FULL, encoding: str = "utf-8", known: Known = NOTHING) -> list[Outcome]:
    found = [part for uri, name, kind, size, _ in find(str(path), None) for part in parts(uri, name, kind, size)]
    return [outcome for part in found for outcome in outcomes(part, collection(columns, encoding), known, b"key", NOW)]


def write(folder: Path, kind: str) -> Path:
    path = folder / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(
            pa.Table.from_pylist(ROWS, schema=pa.schema([(name, pa.string()) for name in (*ROWS[0], "terms")])),
            path,
            row_group_size=2,
        )
        return path
    if kind == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, [*ROWS[0], "terms"])
        writer.writeheader()
        writer.writerows(ROWS)
        content = "\ufeff" + text.getvalue()
    else:
        content = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n"
    path.write_bytes(gzip.compress(content.encode()) if kind.endswith("gz") else content.encode())
    return path


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_every_format_gives_the_same_documents(tmp_path: Path, kind: str) -> None:
    found = read(write(tmp_path, kind))
    assert [outcome.outcome for outcome in found] == ["new", "skipped:empty", "new"]
    one, three = (outcome.document for outcome in found if outcome.document)
    assert one is not None and three is not None
    assert (one.text, one.title, one.url, one.lang_hint) == ("One.", "T", "https://x.org/1", "zh")
    assert one.published_at == datetime(2026, 1, 2, tzinfo=UTC) and len(one.author) == 32
    assert (three.text, three.license, three.lang_hint, three.author) == ("三。\n四。", "CC0", "en", "")
    assert one.doc_id == "file:mine:356a192b7913b04c54574d18c28d46e6395428ab"  # SHA-1 of its id, "1"
    assert [outcome.outcome for outcome in read(tmp_path, known=Known({one.doc_id: "other"}, {three.doc_id}))] == [
        "changed",
        "skipped:empty",
        "skipped:forgotten",
    ]


SPELLINGS = ["https://example.org/a?utm_source=x", "https://example.org/a", "HTTPS://EXAMPLE.org:443/a#top"]


def of_addresses(tmp_path: Path, addresses: list[str], known: Known = NOTHING) -> list[str]:
    path = tmp_path / "pages.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"Text {n}.", "url": url}) for n, url in enumerate(addresses)))
    found = read(path, Columns(url="url"), known=known)
    return [outcome.document.doc_id for outcome in found if outcome.document]


def test_a_page_is_one_document_however_its_address_is_spelled(tmp_path: Path) -> None:
    assert len(set(of_addresses(tmp_path, SPELLINGS))) == 1
    assert len(set(of_addresses(tmp_path, ["https://example.org/a", "https://example.org/b", "a?utm_source=x"]))) == 3
    assert len(set(of_addresses(tmp_path, ["http://[broken/a", "page 5", "page 5#1"]))) == 3  # no web addresses


def test_what_was_stored_or_forgotten_under_another_spelling_keeps_its_identity(tmp_path: Path) -> None:
    spelled = "file:mine:" + hashlib.sha1(SPELLINGS[0].encode(), usedforsecurity=False).hexdigest()
    canonical = of_addresses(tmp_path, SPELLINGS)[1]
    for known in (Known({spelled: "digest"}, frozenset()), Known({}, frozenset([spelled]))):
        assert of_addresses(tmp_path, SPELLINGS, known) == [spelled, canonical, canonical]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_of_a_files_rows_the_first_counts_as_fetched_first(tmp_path: Path, kind: str) -> None:
    rows = [{"text": f"Row {n} says what all of them say. " * 3, "id": str(n)} for n in range(300)]
    path = tmp_path / f"copies.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=40)
    elif kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "id"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows))
    documents = [outcome.document for outcome in read(path, Columns(id="id")) if outcome.document]
    times = [document.fetched_at for document in documents]
    assert len(times) == 300 and all(earlier < later for earlier, later in pairwise(times))
    assert {document.revision for document in documents} == {int(NOW.timestamp() * 1_000_000)}


def test_a_folder_of_text_files_is_one_document_a_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes("北京".encode("gb18030"))
    (tmp_path / "sub" / "b.md").write_text("Two.")
    (tmp_path / "sub" / "c.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.txt").write_text("no")
    found = read(tmp_path, Columns(), "gb18030")
    assert [outcome.document.text for outcome in found if outcome.document] == ["北京", "Two."]
    assert len({outcome.document.doc_id for outcome in found if outcome.document}) == 2
    assert [outcome.outcome for outcome in read(tmp_path / "a.txt", Columns())] == ["failed:encoding"]


def test_broken_rows_are_counted_each_by_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "ok"}\n{"text": \n[1]\n{"other": 1}\n\xff\xfe\n{"text": 5}\n')
    assert [outcome.outcome for outcome in read(tmp_path / "a.jsonl", Columns())] == [
        *("new", "failed:json", "failed:json", "failed:column", "failed:encoding", "new"),
    ]
    (tmp_path / "b.csv").write_bytes(b'text\n"two\nlines"\n\xe4\xe5\n\nlast\n')
    assert [outcome.outcome for outcome in read(tmp_path / "b.csv", Columns())] == ["new", "failed:encoding", "new"]


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(max_size=30), max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    newline=st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_json_lines_cut_anywhere_give_each_row_once(
    texts: list[str], cuts: list[int], newline: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(newline.join(json.dumps({"text": text, "n": n}) for n, text in enumerate(texts)).encode())
    size = path.stat().st_size
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    pieces = [Part(f"file://{path}", "a.jsonl", "jsonl", a, b) for a, b in pairwise(edges)]
    whole = [Part(f"file://{path}", "a.jsonl", "jsonl")]
    rows = [
        [
            (found.item, found.outcome)
            for part in cut
            for found in outcomes(part, collection(Columns()), NOTHING, b"k", NOW)
        ]
        for cut in (whole, pieces)
    ]
    assert rows[0] == rows[1] and len(rows[0]) == len(texts)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    for path, complaint in (
        (tmp_path / "none.csv", "no file of a known format"),
        (tmp_path / "a.bin", "does not tell its format"),
        ("ftp://x/y", "must be a local path"),
    ):
        with pytest.raises(InputError, match=complaint):
            find(str(path), None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(InputError, match="is no Parquet file"):
        parts(f"file://{tmp_path}/a.parquet", "a.parquet", "parquet", 8)


@pytest.mark.parametrize(
    ("name", "content", "encoding"),
    [
        ("a.jsonl", '{"body": "天气很好", "label": "好"}\n'.encode("gb18030"), "gb18030"),
        ("a.jsonl", '\ufeff{"body": "x"}\n'.encode(), "utf-8"),
        ("a.csv", "\ufeffbody, label\nx,y\n".encode(), "utf-8"),
    ],
)
def test_columns_are_found_as_the_rows_are_read(tmp_path: Path, name: str, content: bytes, encoding: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / f"0-empty-{name}").write_bytes(b"")  # as Spark writes them
    found = [part for uri, name, kind, size, _ in find(str(tmp_path), None) for part in parts(uri, name, kind, size)]
    check_columns(found, collection(Columns("body"), encoding))
    with pytest.raises(InputError, match=r"--text-column other: .* has no such column; it has body"):
        check_columns(found, collection(Columns("other"), encoding))


def test_a_file_that_breaks_off_is_named_in_one_line(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"text": "x"}\n' * 1000)
    broken = [
        ("cut.jsonl.gz", whole[:-20], "utf-8"),
        ("no.jsonl.gz", b"not gzip", "utf-8"),
        ("a.csv", b"text\nx\n", "utf-16"),
    ]
    for name, content, encoding in broken:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            read(tmp_path / name, Columns(), encoding)
