"""Forgetting reaches every table, raw record and dataset, once, whatever is killed; and nothing comes back."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from jobs.command import Progress
from jobs.forget_documents import ForgetDocuments, run
from jobs.ingest import bury
from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import load
from lmflow.crawl.warc import Place, WarcWriter, read_response
from lmflow.errors import InputError
from lmflow.extract.documents import Document, Known, news_id
from lmflow.lake import Lake
from lmflow.settings import settings
from tests.corpus.documents import build, english, ingest, row

PROJECT = Path(__file__).resolve().parents[2]
PAGE, OTHER = "https://x.org/1", "https://x.org/2"
POST = "social:s.example:7"
DOOMED = (news_id(PAGE), POST)
TABLES = ("documents", "verdicts", "fingerprints", "corpus")


def built(lake: Lake) -> None:
    """Decide on what is new, and leave no scratch folder behind, as the job does."""
    build(lake, load(("en", "zh")))
    committed = {uri.rpartition("/")[0] for uri in lake.table("corpus").file_uris()}
    for folder in Path(lake.table("corpus").uri.removeprefix("file://")).iterdir():
        if f"file://{folder}" not in committed and folder.name != "_delta_log":
            shutil.rmtree(folder)


def fill() -> Lake:
    """A lake with 12 documents, built; two of them are to be forgotten, each with its raw record, one fetched twice."""
    lake = Lake.open()
    writer = WarcWriter("test")
    places = [
        writer.add_response(url, 200, {}, english(n).encode(), datetime(2026, 1, 2, tzinfo=UTC))
        for n, url in ((1, PAGE), (2, OTHER), (1, PAGE))
    ]
    warc = lake.objects.put("raw/news/1/x.org_443-00000.warc.gz", writer.content)
    statuses = "\n".join(json.dumps({"id": str(n), "content": english(n - 4)}) for n in (7, 8))
    posts = lake.objects.put("raw/social/1/s-00000.ndjson.gz", gzip.compress(statuses.encode()))
    for lang in ("en", "zh"):
        lake.objects.put(f"datasets/{lang}/k/manifest.json", b"{}")
    uris = [f"{warc}#offset={place.offset}&length={place.length}" for place in places]
    rows = [
        {**row(1, news_id(PAGE), english(1)), "url": PAGE, "raw_uri": uris[0]},
        {**row(1, news_id(OTHER), english(2)), "url": OTHER, "raw_uri": uris[1]},
        {**row(1, POST, english(3), "social"), "raw_uri": posts},
        *(row(1, f"news:{n}", english(n + 10)) for n in range(9)),
    ]
    ingest(lake, rows)
    built(lake)
    return lake


def ids(lake: Lake, table: str) -> set[str]:
    return set(lake.table(table).read(["doc_id"])["doc_id"].to_pylist())


def bytes_on_disk(lake: Lake) -> str:
    """Everything in the tables' Parquet files, live or not, and in the raw objects."""
    import pyarrow.parquet as pq

    root = Path(lake.root.removeprefix("file://"))
    found = [str(pq.read_table(path, partitioning=None).to_pylist()) for path in root.rglob("*.parquet")]
    members = [path.read_bytes() for path in root.rglob("*.gz")]
    return "".join([*found, *(gzip.decompress(member).decode("utf-8", "replace") for member in members)])


def forgotten_everywhere(lake: Lake) -> None:
    for table in TABLES:
        assert not ids(lake, table) & set(DOOMED)
    everything = bytes_on_disk(lake)
    assert english(1) not in everything and english(3) not in everything
    assert english(2) in everything
    stones = lake.table("tombstones").read().to_pylist()
    assert sorted(stone["doc_id"] for stone in stones) == sorted(DOOMED)
    assert all(stone["applied_at"] for stone in stones)
    assert not Ledger(lake).units()
    other = next(row for row in lake.table("documents").read().to_pylist() if row["url"] == OTHER)
    key, _, place = other["raw_uri"].removeprefix(lake.objects.uri("")).partition("#")
    offset, length = (int(value.partition("=")[2]) for value in place.split("&"))
    with lake.objects.open(key) as file:
        assert read_response(file, Place(offset, length)).decode() == english(2)


def test_a_forgotten_document_is_gone_from_tables_raw_objects_and_datasets(mlflow_server: str) -> None:
    lake = fill()
    before = {table: ids(lake, table) for table in TABLES}
    assert all(set(DOOMED) <= found for found in before.values())
    result = run(ForgetDocuments(doc_id=(*DOOMED, "news:never-seen"), reason="asked"), Progress())
    assert (result["requested"], result["forgotten"], result["unknown"]) == (3, 2, 1)
    assert result["raw"] == {"records": 3, "files": 2, "left": []}
    assert result["datasets_deleted"] == ["datasets/en/k"]
    assert list(lake.objects.list("datasets/")) == ["datasets/zh/k/manifest.json"]
    for table in TABLES:
        assert ids(lake, table) == before[table] - set(DOOMED)
    again = run(ForgetDocuments(), Progress())
    assert (again["status"], again["versions"]) == ("nothing_new", result["versions"])


def test_it_stays_absent_after_the_next_crawl_and_a_compaction(mlflow_server: str) -> None:
    lake = fill()
    run(ForgetDocuments(doc_id=DOOMED, reason="asked"), Progress())
    from jobs.ingest import forgotten

    found = Document(POST, 9, "social", "s.example", "", "", english(3), "x", "", datetime(2026, 1, 3, tzinfo=UTC))
    assert Known({}, forgotten(lake)).outcome(found) == "skipped:forgotten"
    for table in TABLES:
        DeltaTable(lake.table(table).uri).optimize.compact()
    # An ingest that had read the tombstones before they were written brings the post back: the next run sees it.
    ingest(lake, [row(5, POST, english(3), "social"), row(5, "news:new", english(30))])
    built(lake)
    assert POST not in ids(lake, "corpus") and "news:new" in ids(lake, "corpus")
    assert run(ForgetDocuments(), Progress())["forgotten"] == 1
    for table in TABLES:
        DeltaTable(lake.table(table).uri).optimize.compact()
        assert POST not in ids(lake, table)
    forgotten_everywhere(lake)


@pytest.mark.parametrize(
    "moment",
    [
        "forget:after_tombstones",
        "forget:after_raw",
        "verdicts:after_commit",
        "documents:after_commit",
        "corpus:after_commit",
    ],
)
def test_killed_at_any_moment_and_run_again_it_ends_the_same(moment: str, mlflow_server: str, home: Path) -> None:
    lake = fill()
    command = [sys.executable, "-m", "jobs.forget_documents"]
    named = [*command, "--doc-id", *DOOMED, "--reason", "asked"]
    environment = {**os.environ, "LMFLOW_HOME": str(home)}
    killed = subprocess.run(named, cwd=PROJECT, env={**environment, "LMFLOW_FAULT": moment}, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    run(ForgetDocuments(), Progress())
    forgotten_everywhere(lake)


def test_a_build_that_was_interrupted_is_finished_first(mlflow_server: str) -> None:
    from lmflow.errors import ServiceError

    lake = fill()
    ingest(lake, [row(2, "news:late", english(40))])
    bury(lake, DOOMED, "deleted at its source")
    verdicts = lake.table("verdicts")
    late: dict[str, Any] = {**dict.fromkeys(verdicts.schema.names), "batch_id": 2, "doc_id": "news:late", "revision": 2}
    import pyarrow as pa

    verdicts.append("half a build", pa.Table.from_pylist([late], schema=verdicts.schema))
    with pytest.raises(ServiceError, match="run it to its end"):
        run(ForgetDocuments(), Progress())
    built(lake)
    assert run(ForgetDocuments(), Progress())["forgotten"] == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"doc_id": ("x",), "reason": "asked"}, "is no document id"),
        ({"doc_id": ("news:1",)}, "--reason is needed"),
        ({"ids_file": Path("/none"), "reason": "asked"}, "No such file"),
    ],
)
def test_a_wrong_request_changes_nothing(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        run(ForgetDocuments(**options), Progress())
    assert Lake.open().table("tombstones").version() == -1
    assert settings().lake.startswith("file://")
