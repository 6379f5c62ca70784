"""Dumps of one edition over time, read in parts: revisions, copies, tombstones, losses; the same on both engines."""

from __future__ import annotations

import bz2
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import ingest_wikipedia, wikipedia_versions
from jobs.command import Progress
from jobs.wikipedia_dumps import works
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.samples.dumps import multistream
from lmflow.settings import settings
from lmflow.tracking import download
from tests.conftest import ONE_CORE
from tests.crawl.dump_site import DumpSite, running_dump_site

pytestmark = pytest.mark.usefixtures("mlflow_server")
PROJECT = Path(__file__).resolve().parents[2]
ARTICLE = "Some words about it.\n\n[[Category:Things]]"


@pytest.fixture
def site() -> Iterator[DumpSite]:
    with running_dump_site() as running:
        yield running


def export(pages: dict[int, tuple[int, str]], wiki: str = "xxwiki") -> bytes:
    """An export: revision and text by page id."""
    xml = "".join(
        f"  <page>\n    <title>T{page}</title>\n    <ns>0</ns>\n    <id>{page}</id>\n    <revision>\n"
        f"      <id>{revision}</id>\n      <timestamp>2026-01-02T03:04:05Z</timestamp>\n      <text>{text}</text>\n"
        "    </revision>\n  </page>\n"
        for page, (revision, text) in pages.items()
    )
    return f"<mediawiki>\n<siteinfo><dbname>{wiki}</dbname></siteinfo>\n{xml}</mediawiki>\n".encode()


def offer(site: DumpSite, date: str, *parts: dict[int, tuple[int, str]]) -> None:
    """A finished dump on the site, in as many files."""
    if len(parts) == 1:
        site.dumps["xxwiki", date] = {f"xxwiki-{date}-pages-articles.xml.bz2": bz2.compress(export(parts[0]))}
        return
    site.dumps["xxwiki", date] = {
        f"xxwiki-{date}-pages-articles{number}.xml-p{min(part)}p{max(part)}.bz2": bz2.compress(export(part))
        for number, part in enumerate(parts, 1)
    }


def wikipedia(**options: Any) -> dict[str, Any]:
    result = ingest_wikipedia.run(ingest_wikipedia.IngestWikipedia(lang="xx", **options), Progress())
    total = result["new"] + result["changed"] + result["unchanged"]
    assert total + sum(result["failed"].values()) + sum(result["skipped"].values()) == result["items_seen"]
    return {**result, **result["dumps"].get("xxwiki", {})}


def tombstones() -> dict[int, str]:
    rows = Lake.open().table("tombstones").read(["doc_id", "reason"]).to_pylist()
    return {int(row["doc_id"].removeprefix("wikipedia:xx:")): row["reason"] for row in rows}


def documents() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Lake.open().table("documents").read().to_pylist()
    return rows


def test_pages_that_a_complete_dump_no_longer_holds_become_tombstones_until_they_are_back(site: DumpSite) -> None:
    articles = {page: (100 + page, ARTICLE) for page in range(1, 6)}
    offer(site, "20260101", articles)
    offer(
        site, "20260201", {1: (101, ARTICLE), 2: (202, "New words."), 4: (204, "#REDIRECT [[T1]]"), 6: (206, ARTICLE)}
    )
    lossy = f"{ARTICLE} {{{{riddle}}}} and {{{{Riddle}}}} and {{{{puzzle}}}}"
    offer(site, "20260301", {**articles, 2: (202, "New words."), 6: (206, ARTICLE), 7: (207, lossy)})
    first = wikipedia(site=site.url, date="20260101")
    assert (first["new"], first["is_complete"], first["tombstones"]) == (5, True, 0)

    second = wikipedia(site=site.url, date="20260201")
    assert (second["new"], second["changed"], second["unchanged"], second["tombstones"]) == (1, 1, 1, 3)
    assert set(tombstones()) == {3, 4, 5}
    assert set(tombstones().values()) == {"absent: no article in the dump of xx of 20260201"}
    pages = pq.read_table(second["page_lists"].removeprefix("file://")).to_pylist()
    assert [(page["page_id"], page["redirect"], page["outcome"]) for page in pages if page["redirect"]] == [
        (4, "T1", "skipped:redirect")
    ]

    third = wikipedia(site=site.url, date="20260301")
    assert (third["new"], third["unchanged"], third["restored"], third["tombstones"]) == (4, 3, 3, 0)
    assert tombstones() == {}
    newest = {row["doc_id"]: row["batch_id"] for row in sorted(documents(), key=lambda row: row["batch_id"])}
    assert {doc_id for doc_id, batch in newest.items() if batch == third["batch_id"]} == {
        f"wikipedia:xx:{page}" for page in (3, 4, 5, 7)
    }
    downloaded = download(third["run_id"], "report.json", Path(os.environ["LMFLOW_HOME"])).read_text()
    report = json.loads(downloaded)["xxwiki"]
    assert (report["templates_unexpanded"], sum(report["unexpanded"].values())) == (3, 3)
    assert third["templates_unexpanded"] == 3 and "unexpanded" not in third
    assert report["by_namespace"] == {"0": 7} and report["failures"] == {}


def test_lists_of_pages_hold_nothing_of_a_reading_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(export({1: (1, ARTICLE), 2: (2, ARTICLE)}))
    lists = Path(wikipedia(file=str(tmp_path / "a.xml"))["page_lists"].removeprefix("file://"))
    shutil.rmtree(Path(os.environ["LMFLOW_HOME"]) / "lake/tombstones")  # as if killed before the end
    # More cores had cut it into more parts, and one list was being written.
    shutil.copy(lists / "part-00000.parquet", lists / "part-00007.parquet")
    (lists / ".part-00003.parquet.0123abcd").write_bytes(b"PAR1")
    assert wikipedia(file=str(tmp_path / "a.xml"))["unchanged"] == 2
    assert [path.name for path in lists.iterdir()] == ["part-00000.parquet"]


def test_an_older_dump_read_later_buries_nothing(site: DumpSite) -> None:
    offer(site, "20260101", {1: (101, ARTICLE)})
    offer(site, "20260201", {1: (101, ARTICLE), 2: (102, ARTICLE)})
    wikipedia(site=site.url, date="20260201")
    older = wikipedia(site=site.url, date="20260101")
    assert (older["is_complete"], older["tombstones"], tombstones()) == (True, 0, {})


def test_a_part_of_a_dump_buries_nothing(site: DumpSite) -> None:
    first, second = {1: (101, ARTICLE), 2: (102, ARTICLE)}, {3: (103, ARTICLE), 4: (104, ARTICLE)}
    offer(site, "20260101", first, second)
    assert wikipedia(site=site.url)["new"] == 4
    offer(site, "20260201", {1: (101, ARTICLE)}, {3: (103, ARTICLE)})
    part = wikipedia(site=site.url, parts=1)
    assert (part["is_complete"], part["unchanged"], tombstones()) == (False, 1, {})
    whole = wikipedia(site=site.url)
    assert (whole["is_complete"], set(tombstones())) == (True, {2, 4})


def test_a_file_buries_only_when_it_is_a_whole_dump_with_its_checksum_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "my dumps, 中文"
    folder.mkdir()

    def file(name: str, content: bytes, sums: bool) -> str:
        path = folder / name
        path.write_bytes(content)
        date = name.split("-")[1]
        (folder / f"xxwiki-{date}-sha1sums.txt").write_text(
            f"{hashlib.sha1(content).hexdigest()}  {name}\n" if sums else f"{'0' * 40}  {name}\n"
        )
        return str(path)

    articles = {page: (100 + page, ARTICLE) for page in range(1, 4)}
    fewer = bz2.compress(export({1: (101, ARTICLE)}))
    name = "xxwiki-{}-pages-articles.xml.bz2".format
    assert wikipedia(file=file(name("20260101"), bz2.compress(export(articles)), True))["new"] == 3
    # With a wrong checksum; one file of many; some other export; cut short; with a page that an index names missing.
    assert not wikipedia(file=file(name("20260102"), fewer, False))["is_complete"]
    assert not wikipedia(file=file("xxwiki-20260103-pages-articles1.xml-p1p9.bz2", fewer + b" ", True))["is_complete"]
    assert not wikipedia(file=file("xxwiki-20260104-some-export.xml.bz2", fewer + b"  ", True))["is_complete"]
    cut = wikipedia(file=file(name("20260105"), export(articles)[:-150], True))
    assert (cut["is_complete"], cut["truncated_parts"], cut["unchanged"]) == (False, 1, 2)
    packed, index = multistream(export(articles), 2)
    (folder / "xxwiki-20260106-pages-articles-multistream-index.txt.bz2").write_bytes(
        bz2.compress(bz2.decompress(index) + bz2.decompress(index)[-20:].splitlines()[-1].replace(b":3:", b":4:"))
    )
    missing = wikipedia(file=file("xxwiki-20260106-pages-articles-multistream.xml.bz2", packed, True))
    assert (missing["is_complete"], missing["missing_pages"]) == (False, 1)
    assert tombstones() == {}
    verified = wikipedia(file=file(name("20260107"), fewer, True))
    assert (verified["is_complete"], set(tombstones())) == (True, {2, 3})


def test_a_page_that_a_dump_holds_several_times_is_stored_once_in_its_newest_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_wikipedia, "_SHORTEST_PART", 400)
    xml = (
        export({1: (5, "old"), 2: (20, ARTICLE)}) + export({1: (7, "newest"), 2: (20, ARTICLE)}) + export({1: (6, "x")})
    )
    (tmp_path / "a.xml").write_bytes(xml)
    result = wikipedia(file=str(tmp_path / "a.xml"))
    assert result["parts"] > 1
    assert (result["new"], result["documents_added"], result["skipped"]) == (2, 2, {"duplicate": 3})
    assert {(row["doc_id"], row["revision"], row["text"][:6]) for row in documents()} == {
        ("wikipedia:xx:1", 7, "newest"),
        ("wikipedia:xx:2", 20, "Some w"),
    }


def test_a_document_says_where_it_comes_from_and_what_it_is_about(tmp_path: Path) -> None:
    text = ARTICLE + "[[Category:Two words|sort]]\n[[de:Ding]]"
    (tmp_path / "xxwiki-20260101-pages-articles.xml").write_bytes(export({7: (70, text)}))
    wikipedia(file=str(tmp_path / "xxwiki-20260101-pages-articles.xml"))
    (row,) = documents()
    assert dict(row["extra"]) == {
        "dump": "20260101",
        "page_id": "7",
        "namespace": "0",
        "categories": "Things|Two words",
        "language_links": "de:Ding",
    }
    assert (row["revision"], row["title"], row["license"], row["published_at"].year) == (70, "T7", "CC BY-SA 4.0", 2026)


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "multistream"])
def test_spark_and_processes_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(ingest_wikipedia, "_SHORTEST_PART", 500 if packed else 2000)
    xml = export({page: (100 + page, f"{ARTICLE} {page}") for page in range(1, 60)})
    name = "xxwiki-20260101-pages-articles-multistream.xml.bz2" if packed else "a.xml"
    if packed:
        xml, index = multistream(xml, 5)
        (tmp_path / "xxwiki-20260101-pages-articles-multistream-index.txt.bz2").write_bytes(index)
        (tmp_path / "xxwiki-20260101-sha1sums.txt").write_text(f"{hashlib.sha1(xml).hexdigest()}  {name}\n")
    (tmp_path / name).write_bytes(xml)
    tables = []
    for engine in ("spark", "processes"):
        monkeypatch.setenv("LMFLOW_HOME", str(tmp_path / engine))
        ingest_wikipedia.settings.cache_clear()
        result = wikipedia(file=str(tmp_path / name), engine=engine)
        assert result["parts"] > 4
        assert (result["missing_pages"], result["is_complete"]) == (0, packed)
        rows = Lake.open().table("documents").read().drop_columns(["batch_id", "fetched_at"]).sort_by("revision")
        tables.append((rows, {name: result[name] for name in ("new", "by_namespace", "text_bytes", "parts")}))
    assert tables[0][0].num_rows == 59
    assert tables[0] == tables[1]


def test_editions_wait_as_long_together_as_one_alone(
    site: DumpSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wikis = ("xwiki", "ywiki", "zwiki")
    for wiki in wikis:
        for date in ("20260101", "20260201"):
            site.dumps[wiki, date] = {f"{wiki}-{date}-pages-articles.xml.bz2": b"x"}
    site.in_progress = {"20260201"}
    (tmp_path / "sources.yaml").write_text(
        "wikipedia:\n"
        + "".join(
            f"- {{name: {wiki}, lang: en, wiki: {wiki}, site: '{site.url}', rate: 100, license: x}}\n" for wiki in wikis
        )
    )
    monkeypatch.setenv("LMFLOW_SOURCES", str(tmp_path / "sources.yaml"))
    settings.cache_clear()
    started = time.monotonic()
    found = works(ingest_wikipedia.IngestWikipedia(source=wikis, wait_hours=2 / 3600), Progress())
    assert [work.download.date for work in found if work.download] == ["20260101"] * 3
    assert 2 <= time.monotonic() - started < 4  # each by itself: 6


@pytest.mark.parametrize("engine", ["processes", pytest.param("spark", marks=pytest.mark.faults)])
def test_a_dump_whose_reading_is_killed_is_read_again_and_buries_each_page_once(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    articles = {page: (100 + page, ARTICLE) for page in range(1, 9)}

    def dump(date: str, pages: dict[int, tuple[int, str]]) -> str:
        path = tmp_path / f"xxwiki-{date}-pages-articles.xml.bz2"
        path.write_bytes(bz2.compress(export(pages)))
        sha1 = hashlib.sha1(path.read_bytes()).hexdigest()
        (tmp_path / f"xxwiki-{date}-sha1sums.txt").write_text(f"{sha1}  {path.name}\n")
        return str(path)

    monkeypatch.setenv("LMFLOW_HOME", str(tmp_path / "before"))
    ingest_wikipedia.settings.cache_clear()
    assert wikipedia(file=dump("20260101", articles))["new"] == 8
    later = dump("20260201", {1: (101, ARTICLE), 2: (202, "New words."), 9: (209, ARTICLE)})
    after = {
        "documents:before_commit": ((8, 0), 2),
        "tombstones:before_commit": ((10, 0), 0),
        "tombstones:after_commit": ((10, 6), 0),
    }
    moments = list(after)[: 3 if engine == "processes" else 2]
    killed = []
    for moment in moments:
        shutil.copytree(tmp_path / "before", tmp_path / moment)
        command = [sys.executable, "-m", "jobs.ingest_wikipedia", "--lang", "xx", "--file", later, "--engine", engine]
        environment = {**os.environ, **ONE_CORE, "LMFLOW_HOME": str(tmp_path / moment), "LMFLOW_FAULT": moment}
        killed.append(
            subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
    try:
        assert [process.communicate(timeout=240)[0] for process in killed] == [b""] * len(moments)
    finally:
        for process in killed:
            process.kill()
    assert {process.returncode for process in killed} == {-signal.SIGKILL}
    if engine == "spark":
        request.getfixturevalue("spark")
    for moment in moments:
        monkeypatch.setenv("LMFLOW_HOME", str(tmp_path / moment))
        ingest_wikipedia.settings.cache_clear()
        there = (len(documents()), len(tombstones()))
        again = wikipedia(file=later, engine=engine)
        assert (there, again["documents_added"]) == after[moment]
        versions = [(row["doc_id"], row["revision"]) for row in documents()]
        assert len(versions) == len(set(versions)) == 10
        assert Lake.open().table("tombstones").read(["doc_id"]).num_rows == 6
        assert set(tombstones()) == {3, 4, 5, 6, 7, 8}


def test_a_killed_driver_leaves_no_process_and_a_killed_worker_is_named(tmp_path: Path) -> None:
    dump = tmp_path / "a.xml"
    dump.write_bytes(export({page: (page, "word " * 200_000) for page in range(1, 40)}))
    command = [sys.executable, "-m", "jobs.ingest_wikipedia", "--lang", "xx", "--file", str(dump)]
    for victim in ("driver", "worker"):
        environment = {**os.environ, "LMFLOW_HOME": str(tmp_path / victim)}
        driver = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            workers = _workers(driver.pid)
            family = psutil.Process(driver.pid).children(recursive=True)
            target = driver.pid if victim == "driver" else workers[0].pid
            os.kill(target, signal.SIGKILL)
            _, errors = driver.communicate(timeout=120)
            psutil.wait_procs(family, timeout=30)
            assert not [process for process in family if process.is_running() and process.status() != "zombie"]
        finally:
            driver.kill()
    assert driver.returncode == 1
    assert "a process that reads the dump was killed" in errors.decode()


def _workers(pid: int) -> list[psutil.Process]:
    """The processes that read parts, when there are some: children of the server that they are forked from."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        workers = [worker for child in psutil.Process(pid).children() for worker in child.children()]
        if workers:
            return workers
        time.sleep(0.05)
    raise AssertionError("no worker was started")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"file": "missing.xml.bz2"}, "no such file"),
        ({"file": "http://x/a.bz2"}, "use --site"),
        ({"file": __file__}, "holds no pages"),
        ({"file": str(PROJECT)}, "no such file"),
    ],
)
def test_a_file_that_is_no_dump_is_named(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        wikipedia(**options)


def test_an_address_of_a_file_may_have_escapes(tmp_path: Path) -> None:
    folder = tmp_path / "my dumps, 100% 中文#1?"
    folder.mkdir()
    path = folder / "xxwiki-20260101-pages-articles.xml"
    path.write_bytes(export({1: (1, ARTICLE)}))
    assert "%20" in path.as_uri() and "%25" in path.as_uri() and "%23" in path.as_uri()
    assert wikipedia(file=path.as_uri())["new"] == 1
    (row,) = documents()
    assert row["raw_uri"].endswith("xxwiki-20260101-pages-articles.xml")


def test_who_asks_the_open_web_is_reminded_to_leave_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_reminded(**options: Any) -> bool:
        ingest_wikipedia.settings.cache_clear()
        with suppress(InputError):
            wikipedia(**options)
        return "set LMFLOW_CONTACT" in capsys.readouterr().err

    (tmp_path / "a.xml").write_bytes(export({1: (1, ARTICLE)}))
    assert is_reminded(site="http://10.0.0.1")  # which is then refused, being inside
    assert not is_reminded(site="http://127.0.0.1:9")
    assert not is_reminded(file=str(tmp_path / "a.xml"))
    monkeypatch.setenv("LMFLOW_CONTACT", "me@example.org")
    assert not is_reminded(site="http://10.0.0.1")


def test_a_dump_of_another_wiki_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(export({1: (1, ARTICLE)}, wiki="be_x_oldwiki"))
    with pytest.raises(InputError, match="is a dump of be_x_oldwiki, not of xxwiki; give --lang be-x-old"):
        wikipedia(file=str(tmp_path / "a.xml"))
    assert Lake.open().table("documents").version() == -1


def test_an_edition_that_moved_is_one_under_both_of_its_codes(site: DumpSite, tmp_path: Path) -> None:
    content = export({1: (1, ARTICLE)}, wiki="be_x_oldwiki")
    site.dumps["be_x_oldwiki", "20260101"] = {"be_x_oldwiki-20260101-pages-articles.xml.bz2": bz2.compress(content)}
    (tmp_path / "a.xml").write_bytes(content)
    read = [
        ingest_wikipedia.run(ingest_wikipedia.IngestWikipedia(**options), Progress())
        for options in (
            {"lang": "be-tarask", "site": site.url},
            {"lang": "be-tarask", "file": str(tmp_path / "a.xml")},
        )
    ]
    assert [(result["new"], result["unchanged"]) for result in read] == [(1, 0), (0, 1)]
    assert [row["doc_id"] for row in documents()] == ["wikipedia:be-x-old:1"]


def test_forgotten_documents_stay_away_and_absent_ones_do_not(tmp_path: Path) -> None:
    table = Lake.open().table("tombstones")
    empty = dict.fromkeys(table.schema.names)
    rows = [
        {**empty, "batch_id": 1, "doc_id": "wikipedia:xx:1", "reason": "asked by its author"},
        {**empty, "batch_id": 1, "doc_id": "wikipedia:xx:2", "reason": "absent: no article in the dump of xx of 2025"},
    ]
    table.append("test", pa.Table.from_pylist(rows, schema=table.schema))
    (tmp_path / "a.xml").write_bytes(export({1: (1, ARTICLE), 2: (2, ARTICLE)}))
    result = wikipedia(file=str(tmp_path / "a.xml"))
    assert (result["new"], result["skipped"], result["restored"]) == (1, {"forgotten": 1}, 1)
    assert set(tombstones()) == {1}


def test_of_several_tombstones_of_a_page_the_newest_counts_in_whatever_order_they_lie() -> None:
    lake = Lake.open()
    batches = {1: [7, 3], 2: [3, 4], 5: [9]}  # of the tombstones of each page; page 5 was never stored
    rows = [
        {"doc_id": f"wikipedia:xx:{page}", "batch_id": batch, "reason": "absent: no article in the dump of xx of 2025"}
        for page, buried_in in batches.items()
        for batch in buried_in
    ]
    table = lake.table("tombstones")
    table.append("graves", pa.Table.from_pylist(rows, schema=table.schema))
    stored = [(1, 11, 5), (2, 11, 5), (3, 11, 5), (3, 10, 6), (3, 12, 4)]  # page, revision, batch
    table = lake.table("documents")
    pages = [
        {"doc_id": f"wikipedia:xx:{page}", "revision": revision, "batch_id": batch, "source": "xxwiki"}
        for page, revision, batch in stored
    ]
    table.append("pages", pa.Table.from_pylist(pages, schema=table.schema))

    found = wikipedia_versions.versions(lake, "xx")
    assert found.page_ids.tolist() == [1, 2, 3] and found.revisions.tolist() == [11, 11, 12]
    assert found.alive.tolist() == [False, True, True]
    assert found.buried.tolist() == [1, 2, 5]


def test_a_dump_on_s3_is_read_into_a_lake_on_s3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "xxwiki-20260101-pages-articles.xml.bz2"
    content = bz2.compress(export({page: (page, ARTICLE) for page in range(1, 9)}))
    s3.put_object(Bucket="dumps", Key=f"monthly/{name}", Body=content)
    s3.put_object(
        Bucket="dumps",
        Key="monthly/xxwiki-20260101-sha1sums.txt",
        Body=f"{hashlib.sha1(content).hexdigest()}  {name}\n".encode(),
    )
    monkeypatch.setenv("LMFLOW_LAKE", "s3://dumps/lake")
    ingest_wikipedia.settings.cache_clear()
    result = wikipedia(file=f"s3://dumps/monthly/{name}")
    assert (result["new"], result["is_complete"]) == (8, True)
    rows = documents()
    assert len(rows) == 8
    assert rows[0]["raw_uri"] == f"s3://dumps/monthly/{name}"
    stored = [item["Key"] for item in s3.list_objects_v2(Bucket="dumps", Prefix="lake/")["Contents"]]
    assert any(key.startswith("lake/objects/raw/wikipedia/xxwiki/pages/") for key in stored)
    with pytest.raises(InputError, match="no such file"):
        wikipedia(file="s3://dumps/monthly/other.xml.bz2")
