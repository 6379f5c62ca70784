"""Ingests against real sites on loopback: every item has one outcome, nothing comes twice, nothing is lost."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jobs import crawls, ingest, ingest_files, ingest_news, ingest_social, ingest_wikipedia
from jobs.command import Progress
from lmflow import tracking
from lmflow.crawl.pages import HostPlan, Target, visit_hosts
from lmflow.crawl.warc import WarcWriter
from lmflow.errors import InputError
from lmflow.extract.documents import news_id
from lmflow.lake import Lake
from lmflow.samples.server import serving
from lmflow.settings import settings
from tests.conftest import ONE_CORE
from tests.crawl.conftest import POLICY
from tests.crawl.site import Site, running_site

pytestmark = pytest.mark.usefixtures("spark", "mlflow_server")
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving(held_back=10) as url:
        monkeypatch.setenv("LMFLOW_SAMPLES_URL", url)
        settings.cache_clear()
        yield url


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def counts(url: str, name: str) -> dict[str, int]:
    found: dict[str, int] = json.load(urllib.request.urlopen(f"{url}/_counts"))["sites"][name]
    return found


def advance(url: str, percent: int = 10) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{url}/_advance?percent={percent}", method="POST"))


def documents() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Lake.open().table("documents").read().to_pylist()
    return rows


def adds_up(result: dict[str, Any]) -> bool:
    outcomes = result["new"] + result["changed"] + result["unchanged"]
    return bool(
        outcomes + sum(result["failed"].values()) + sum(result["skipped"].values()) == result["items_seen"]
        and result["documents_added"] == result["new"] + result["changed"]
    )


# Wikipedia ------------------------------------------------------------------------------------------------------------


def dump(path: Path, pages: list[tuple[int, int, str]]) -> str:
    xml = "".join(
        f"<page><title>T{page}</title><ns>0</ns><id>{page}</id><revision><id>{revision}</id>"
        f"<timestamp>2026-01-02T03:04:05Z</timestamp><text>{text}</text></revision></page>"
        for page, revision, text in pages
    )
    path.write_bytes(bz2.compress(f"<mediawiki>{xml}</mediawiki>".encode()))
    return str(path)


def wikipedia(**options: Any) -> dict[str, Any]:
    return ingest_wikipedia.run(ingest_wikipedia.IngestWikipedia(**options), Progress())


def test_a_dump_site_gives_every_article_once_and_is_recognised_again(samples: str) -> None:
    result = wikipedia()
    offered = counts(samples, "dumps")
    assert adds_up(result)
    assert result["items_seen"] == offered["pages"]
    assert result["new"] == offered["documents"]
    assert sum(result["skipped"].values()) == offered["redirects"]  # one of them is not in the main namespace
    report = result["dumps"]["sample-enwiki"]
    assert (report["missing_pages"], report["broken_pages"], report["truncated_parts"]) == (0, 0, 0)
    rows = documents()
    assert len({row["doc_id"] for row in rows}) == len(rows) == result["new"]
    lincoln = next(row for row in rows if row["title"] == "Abraham Lincoln")
    assert lincoln["doc_id"] == "wikipedia:en:307"
    assert lincoln["text"].startswith("Abraham Lincoln")
    assert lincoln["url"] == "https://en.wikipedia.org/wiki/Abraham_Lincoln"
    assert lincoln["license"] == "CC BY-SA 3.0"

    again = wikipedia()
    assert (again["status"], again["items_seen"]) == ("nothing_new", 0)
    assert again["versions"] == result["versions"]


def test_a_later_dump_adds_only_newer_revisions_and_nothing_forgotten(tmp_path: Path) -> None:
    first = wikipedia(
        lang="en", file=dump(tmp_path / "a.xml.bz2", [(1, 10, "One."), (2, 20, "Two."), (3, 30, "Three.")])
    )
    assert first["new"] == 3
    tombstone = {"batch_id": 1, "doc_id": "wikipedia:en:4", "reason": "asked", "requested_at": None, "applied_at": None}
    table = Lake.open().table("tombstones")
    table.append("forget", pa.Table.from_pylist([tombstone], schema=table.schema))
    later = dump(tmp_path / "b.xml.bz2", [(1, 10, "One."), (2, 21, "Two, revised."), (3, 29, "Old."), (4, 40, "Four.")])
    result = wikipedia(lang="en", file=later)
    assert adds_up(result)
    assert (result["new"], result["changed"], result["unchanged"]) == (0, 1, 2)
    assert result["skipped"] == {"forgotten": 1}
    assert [(row["doc_id"], row["revision"]) for row in documents() if row["text"] == "Two, revised."] == [
        ("wikipedia:en:2", 21)
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"source": ("nowiki",)}, "no wikipedia source of that name"),
        ({"lang": "en", "file": "missing.xml.bz2"}, "no such file"),
        ({"file": "missing.xml.bz2"}, "--file needs --lang"),
        ({"lang": "en", "site": "ftp://x"}, "must start with http"),
        ({"lang": "xx", "site": "http://127.0.0.1:9"}, "cannot be read"),
        ({"lang": "en", "file": __file__}, "holds no pages"),
    ],
)
def test_a_wrong_dump_is_named_and_leaves_nothing(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        wikipedia(**options)
    assert Lake.open().table("documents").version() == -1


# News -----------------------------------------------------------------------------------------------------------------


def news(**options: Any) -> dict[str, Any]:
    return ingest_news.run(ingest_news.IngestNews(**options), Progress())


def feed(site: Site, paths: list[str]) -> None:
    items = "".join(f"<item><title>t</title><link>{path}</link></item>" for path in paths)
    site.pages["/feed.xml"] = f'<rss version="2.0"><channel><title>x</title>{items}</channel></rss>'.encode()


def page(text: str) -> bytes:
    paragraphs = "".join(
        f"<p>{text} It has the number {n} and goes on for a good while after that.</p>" for n in range(9)
    )
    return (
        f"<html lang=en><head><title>{text}</title></head><body><article>{paragraphs}</article></body></html>".encode()
    )


def test_a_news_site_is_crawled_once_then_only_what_is_new_or_changed(samples: str, tmp_path: Path) -> None:
    result = news(source=("sample-news-en",))
    offered = counts(samples, "news-en")
    assert adds_up(result)
    assert (result["items_seen"], result["new"]) == (offered["listed"], offered["documents"])
    assert result["failed"] == {"http_404": offered["dead_links"], "robots": offered["disallowed"]}
    states = ingest.fetch_states(Lake.open(), "page")
    assert len(states) == offered["listed"]
    health = tracking.client().download_artifacts(result["run_id"], "health.json", str(tmp_path))
    assert json.loads(Path(health).read_text())["sample-news-en"]["fetched"] == result["requests"]["fetched"] > 0
    assert [file.path for file in tracking.client().list_artifacts(result["run_id"], "plots")] == ["plots/health.png"]
    served = [json.loads(line) for line in urllib.request.urlopen(f"{samples}/_log")]
    fetched = {entry["path"] for entry in served if entry["status"] == 200 and entry["path"].endswith(".html")}
    assert {"/" + row["url"].split("/", 3)[3] for row in documents()} == fetched
    assert not any("/private/" in entry["path"] for entry in served)

    again = news(source=("sample-news-en",))
    assert (again["status"], again["items_seen"]) == ("nothing_new", 0)

    advance(samples)
    grown = counts(samples, "news-en")
    later = news(source=("sample-news-en",))
    assert adds_up(later)
    assert later["new"] == grown["documents"] - offered["documents"] > 0
    assert later["changed"] == grown["revised"] - offered["revised"] > 0
    assert later["requests"]["not_modified"] > 0
    rows = documents()
    assert len({(row["doc_id"], row["revision"]) for row in rows}) == len(rows)
    assert len({row["doc_id"] for row in rows}) == grown["documents"]


def test_a_page_that_failed_for_now_is_tried_again_although_the_feed_is_unchanged(site: Site) -> None:
    feed(site, ["/a.html", "/b.html"])
    site.pages["/a.html"], site.busy = page("Alpha story."), 0
    site.robots = (200, b"User-agent: *\nAllow: /\n")
    first = news(feed=f"{site.url}/feed.xml", lang="en")
    assert (first["new"], first["failed"]) == (1, {"http_404": 1})
    lake = Lake.open()
    (state,) = [row for key, row in ingest.fetch_states(lake, "page").items() if key.endswith("/b.html")]
    passing = {**state, "error": "http_503", "status": 503, "next_due": state["fetched_at"]}
    ingest.record_fetches(lake, "test", ingest.new_batch_id(), [passing])
    site.pages["/b.html"] = page("Beta story.")
    second = news(feed=f"{site.url}/feed.xml", lang="en")
    assert adds_up(second)
    assert (second["items_seen"], second["new"]) == (1, 1)


def test_a_page_that_refuses_is_skipped_also_when_the_crawl_was_killed(site: Site) -> None:
    feed(site, ["/a.html", "/b.html", "/c.html"])
    site.pages |= {f"/{name}.html": page(f"{name} story.") for name in "abc"}
    site.pages["/c.html"] = site.pages["/c.html"].replace(b"<title>", b"<meta name=robots content=noindex><title>")
    site.headers = {"/a.html": [("X-Robots-Tag", "googlebot: nofollow"), ("X-Robots-Tag", "noindex")]}
    lake, name = Lake.open(), "feed-" + site.url.removeprefix("http://").replace(".", "-").replace(":", "-")
    crawls.open_crawl(lake, "news", 7, {name})  # one that is killed after its first segment
    list(visit_hosts([HostPlan(POLICY, (Target(site.url + "/a.html", name),))], lake.objects, "raw/news/7"))
    result = news(feed=site.url + "/feed.xml", lang="en")
    assert adds_up(result)
    assert (result["new"], result["skipped"], result["failed"]) == (1, {"noindex": 2}, {})
    assert result["requests"] == {"fetched": 3, "not_modified": 0, "failed": 0}
    assert site.asked("/a.html") == 1
    assert [row["url"] for row in documents()] == [site.url + "/b.html"]
    kept = b"".join(gzip.decompress(lake.objects.get(key)) for key in lake.objects.list("raw/"))
    assert b"b story." in kept and b"a story." not in kept and b"c story." not in kept


def test_one_article_under_two_addresses_is_one_document_and_a_private_link_is_not_followed(site: Site) -> None:
    same = page("The same story.").replace(b"<head>", b"<head><link rel=canonical href=/a.html>")
    feed(site, ["/a.html", "/copy.html", "http://localhost:1/inside", "/empty.html"])
    site.pages |= {"/a.html": same, "/copy.html": same, "/empty.html": b"<html></html>"}
    result = news(feed=f"{site.url}/feed.xml", lang="en")
    assert adds_up(result)
    assert (result["new"], result["skipped"], result["failed"]) == (1, {"duplicate": 1}, {"address": 1, "no_text": 1})
    assert [row["url"] for row in documents()] == [f"{site.url}/a.html"]


def test_a_feed_cut_short_by_max_items_is_read_on_later(site: Site) -> None:
    feed(site, ["/a.html", "/b.html", "/c.html"])
    site.pages |= {f"/{name}.html": page(f"Story {name}.") for name in "abc"}
    assert news(feed=f"{site.url}/feed.xml", lang="en", max_items=1)["new"] == 1
    assert news(feed=f"{site.url}/feed.xml", lang="en")["new"] == 2


@pytest.mark.parametrize(
    ("path", "complaint"),
    [("/missing.xml", "http_404"), ("/ok", "is not an RSS"), ("/empty.xml", "lists no items"), ("/loop", "redirects")],
)
def test_a_feed_that_gives_nothing_is_named(site: Site, path: str, complaint: str) -> None:
    site.pages["/empty.xml"] = b'<rss version="2.0"><channel><title>x</title></channel></rss>'
    with pytest.raises(InputError, match=complaint) as raised:
        news(feed=site.url + path, lang="en")
    assert site.url + path in str(raised.value)
    assert Lake.open().table("documents").version() == Lake.open().table("fetches").version() == -1


def test_an_archive_gives_its_articles_once_and_damaged_records_are_counted(tmp_path: Path) -> None:
    writer = WarcWriter("test")
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    for name in ("a", "b", "c"):
        html = page(f"Story {name}.")
        writer.add_response(f"https://x.org/{name}.html", 200, {"content-type": "text/html"}, html, moment)
    writer.add_response("https://x.org/logo.png", 200, {"content-type": "image/png"}, b"PNG", moment)
    sound = writer.size
    writer.add_response("https://x.org/d.html", 200, {"content-type": "text/html"}, page("Story d."), moment)
    broken = bytearray(writer.content)
    broken[sound + 40] ^= 255
    path = tmp_path / "CC-NEWS-1.warc.gz"
    path.write_bytes(broken)
    result = news(warc=(str(path),))
    assert adds_up(result)
    assert (result["new"], result["skipped"], result["failed"]) == (3, {"not_html": 1}, {"damaged_gzip": 1})
    assert {(row["doc_id"], row["fetched_at"]) for row in documents()} == {
        (news_id(f"https://x.org/{name}.html"), moment) for name in "abc"
    }
    assert news(warc=(str(path),))["status"] == "nothing_new"
    other = tmp_path / "elsewhere" / path.name
    other.parent.mkdir()
    writer = WarcWriter("test")
    writer.add_response("https://x.org/e.html", 200, {"content-type": "text/html"}, page("Story e."), moment)
    other.write_bytes(writer.content)
    assert news(warc=(str(other), str(path)))["new"] == 1  # files of one name are two archives
    with pytest.raises(InputError, match="stands alone"):
        news(warc=(str(path),), lang="en")


# Social ---------------------------------------------------------------------------------------------------------------


def social(**options: Any) -> dict[str, Any]:
    return ingest_social.run(ingest_social.IngestSocial(**options), Progress())


def test_a_timeline_is_read_once_then_only_what_came_after(samples: str) -> None:
    trial = social(source=("sample-social-en",), max_items=40)
    assert trial["new"] == 40
    result = social(source=("sample-social-en",))
    offered = counts(samples, "social-en")
    assert adds_up(result)
    assert (result["items_seen"], result["unchanged"]) == (offered["documents"], 40)
    assert social(source=("sample-social-en",))["status"] == "nothing_new"

    advance(samples)
    later = social(source=("sample-social-en",))
    rows = documents()
    assert later["items_seen"] == later["new"] == counts(samples, "social-en")["documents"] - offered["documents"]
    assert len({row["doc_id"] for row in rows}) == len(rows) == counts(samples, "social-en")["documents"]
    assert {len(row["author"]) for row in rows} == {32}
    replies = [row for row in rows if row["parent_id"]]
    threads = {row["doc_id"]: row["thread_id"] for row in rows}
    assert replies
    assert all(threads.get(row["parent_id"], row["thread_id"]) == row["thread_id"] for row in replies)


def test_a_server_that_is_not_there_is_named(site: Site) -> None:
    with pytest.raises(InputError, match="http_404"):
        social(api=site.url, lang="en")


def test_hacker_news_is_read_on_by_number_and_what_it_killed_gets_a_tombstone(site: Site) -> None:
    def item(number: int, **more: Any) -> None:
        value = {
            "id": number,
            "type": "comment",
            "by": f"u{number}",
            "text": f"Comment {number}.",
            "time": number,
            **more,
        }
        site.pages[f"/v0/item/{number}.json"] = json.dumps(value).encode()

    site.robots = (200, b"User-agent: *\nAllow: /\n")
    item(1, type="story", title="A story", text="")
    for number in range(2, 7):
        item(number, parent=number - 1)
    site.pages["/v0/item/7.json"] = b"null"
    site.pages["/v0/maxitem.json"] = b"7"
    source = {"name": "hn", "lang": "en", "kind": "hackernews", "api": site.url, "license": "x", "rate": 500}
    path = settings().home / "sources.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"social": [{**source, "concurrency": 4}]}))
    os.environ["LMFLOW_SOURCES"] = str(path)
    settings.cache_clear()
    try:
        first = social(source=("hn",))
        assert adds_up(first)
        assert (first["items_seen"], first["new"]) == (6, 6)
        assert {row["thread_id"].rpartition(":")[2] for row in documents()} == {"1"}
        assert social(source=("hn",))["status"] == "nothing_new"
        item(3, parent=2, dead=True)
        item(4, parent=3, text="Comment 4, edited.")
        item(7, parent=6)  # null when it was asked for first
        item(8, parent=6)
        site.pages |= {"/v0/maxitem.json": b"8", "/v0/updates.json": b'{"items": [3, 4], "profiles": []}'}
        later = social(source=("hn",))
        assert adds_up(later)
        assert (later["new"], later["changed"], later["skipped"], later["withdrawn"]) == (2, 1, {"withdrawn": 1}, 1)
        gone = next(row["doc_id"] for row in documents() if row["text"] == "Comment 3.")
        assert ingest.forgotten(Lake.open()) == {gone}
        # Taken down and not listed as changed: it is noticed when its turn comes.
        site.pages |= {"/v0/item/5.json": b"null", "/v0/updates.json": b'{"items": [], "profiles": []}'}
        quiet = social(source=("hn",))
        assert (quiet["new"], quiet["withdrawn"], quiet["rechecked"]["hn"]["asked"]) == (0, 1, 7)
        assert ingest.forgotten(Lake.open()) == {gone, gone.rpartition(":")[0] + ":5"}
    finally:
        del os.environ["LMFLOW_SOURCES"]


def test_dumps_of_reddit_and_stack_exchange_are_read_once_with_their_threads(tmp_path: Path) -> None:
    import zstandard

    comments = [
        {"id": "c1", "author": "ann", "body": "Yes.", "link_id": "t3_s", "parent_id": "t3_s", "created_utc": 5},
        {"id": "c2", "author": "bob", "body": "[removed]", "link_id": "t3_s", "parent_id": "t1_c1"},
        {"id": "c1", "author": "ann", "body": "Yes.", "link_id": "t3_s", "parent_id": "t3_s", "created_utc": 5},
    ]
    content = "\n".join([*map(json.dumps, comments), "broken"]).encode()
    (tmp_path / "RC_2026-01.zst").write_bytes(zstandard.ZstdCompressor().compress(content))
    dump = (str(tmp_path / "RC_2026-01.zst"),)
    result = social(dump=dump, kind="reddit", lang="en")
    assert adds_up(result)
    assert (result["new"], result["skipped"], result["failed"]) == (1, {"deleted": 1, "duplicate": 1}, {"json": 1})
    assert social(dump=dump, kind="reddit", lang="en")["status"] == "nothing_new"
    (tmp_path / "RC_2026-02.zst").write_bytes(
        zstandard.ZstdCompressor().compress(json.dumps({**comments[0], "body": "[deleted]"}).encode())
    )
    later = social(dump=(str(tmp_path / "RC_2026-02.zst"),), kind="reddit", lang="en")
    assert (later["new"], later["skipped"], later["withdrawn"]) == (0, {"withdrawn": 1}, 1)

    (tmp_path / "Posts.xml").write_text(
        '<posts><row Id="1" PostTypeId="1" Title="How?" Body="&lt;p&gt;It?&lt;/p&gt;" ContentLicense="CC BY-SA 4.0"/>'
        '<row Id="2" PostTypeId="2" ParentId="1" Body="So."/><row Id="3" PostTypeId="4" Body="About a tag."/></posts>'
    )
    (tmp_path / "Comments.xml").write_text('<comments><row Id="1" PostId="2" Text="Why so?" UserId="9"/></comments>')
    both = (str(tmp_path / "Posts.xml"), str(tmp_path / "Comments.xml"))
    result = social(dump=both, kind="stackexchange", site="x.stackexchange.com", lang="en")
    assert adds_up(result)
    assert (result["new"], result["skipped"]) == (3, {"not_a_post": 1})
    rows = [row for row in documents() if row["site"] == "x.stackexchange.com"]
    assert {row["thread_id"] for row in rows} == {"social:x.stackexchange.com:1"}
    assert {row["license"] for row in rows} == {"CC BY-SA 4.0", "not stated"}
    for options, complaint in (
        ({"dump": dump, "lang": "en"}, "needs --kind"),
        ({"dump": dump, "kind": "stackexchange", "lang": "en"}, "needs --site"),
        ({"kind": "reddit"}, "go with --dump"),
    ):
        with pytest.raises(InputError, match=complaint):
            social(**options)


# A user's own files ---------------------------------------------------------------------------------------------------


def files(**options: Any) -> dict[str, Any]:
    return ingest_files.run(ingest_files.IngestFiles(**options), Progress())


def test_own_files_are_read_once_and_again_where_they_changed(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "a.txt").write_text("First text.")
    rows = [{"text": "Second.", "id": 1}, {"text": "Third.", "id": 2}, {"text": "Third again.", "id": 2}, {"id": 3}]
    (folder / "b.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    options = {"path": (str(folder),), "collection": "mine", "lang": "en", "id_column": "id"}
    result = files(**options)
    assert adds_up(result)
    assert (result["new"], result["skipped"], result["failed"]) == (3, {"duplicate": 1}, {"column": 1})
    assert result["files"] == {"read": 2, "unchanged": 0}
    assert files(**options)["status"] == "nothing_new"
    (folder / "b.jsonl").write_text(json.dumps({"text": "Second, edited.", "id": 1}))
    later = files(**options)
    assert (later["changed"], later["new"], later["files"]) == (1, 0, {"read": 1, "unchanged": 1})
    with pytest.raises(InputError, match=r"--title-column headline: .* has no such column; it has id, text"):
        files(**{**options, "collection": "other", "title_column": "headline"})


def test_of_a_files_rows_with_one_address_the_first_is_the_document(tmp_path: Path) -> None:
    path = tmp_path / "pages.csv"
    others = [f"Other {n}.,https://example.org/{n}" for n in range(1, 9)]
    copies = [f"Text {n}.,https://example.org/a?utm_source={n}" for n in range(9, 31)]
    path.write_text("\n".join(["text,url", *others, *copies]))
    result = files(path=(str(path),), collection="pages", lang="en", url_column="url")
    assert adds_up(result) and (result["new"], result["skipped"]) == (9, {"duplicate": 21})
    stored = Lake.open().table("documents").read(["text"], pc.field("site") == "pages")["text"].to_pylist()
    assert [text for text in stored if text.startswith("Text")] == ["Text 9."]  # not of row 10, which sorts before


# Killed at the worst moments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["wikipedia", "news", "social"])
def test_a_killed_ingest_loses_and_doubles_nothing(
    job: str, samples: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {
        "wikipedia": [
            "--lang",
            "en",
            "--file",
            dump(tmp_path / "a.xml.bz2", [(n, n, f"Page {n}.") for n in range(1, 9)]),
        ],
        "news": ["--source", "sample-news-en", "--max-items", "8"],
        "social": ["--source", "sample-social-en", "--max-items", "40"],
    }[job]
    moments = ("documents:before_commit", "documents:after_commit")
    killed = [
        subprocess.Popen(
            [sys.executable, "-m", f"jobs.ingest_{job}", *arguments],
            cwd=PROJECT,
            env={**os.environ, **ONE_CORE, "LMFLOW_HOME": str(tmp_path / moment), "LMFLOW_FAULT": moment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for moment in moments
    ]
    try:
        assert [process.communicate(timeout=240)[0] for process in killed] == [b"", b""]
    finally:
        for process in killed:
            process.kill()
    assert [process.returncode for process in killed] == [-9, -9]
    states = []
    for moment in moments:
        monkeypatch.setenv("LMFLOW_HOME", str(tmp_path / moment))
        settings.cache_clear()
        before = len(documents())
        result = _rerun(job, arguments)
        ids = [row["doc_id"] for row in documents()]
        states.append((before, len(ids), len(set(ids)), result["documents_added"]))
    expected = {"wikipedia": 8, "news": 8, "social": 40}[job]
    assert states == [(0, expected, expected, expected), (expected, expected, expected, 0)]


def _rerun(job: str, arguments: list[str]) -> dict[str, Any]:
    from jobs.command import parse

    module = {"wikipedia": ingest_wikipedia, "news": ingest_news, "social": ingest_social}[job]
    model = {
        "wikipedia": ingest_wikipedia.IngestWikipedia,
        "news": ingest_news.IngestNews,
        "social": ingest_social.IngestSocial,
    }[job]
    return dict(module.run(parse(model, arguments, "job", ""), Progress()))  # type: ignore[attr-defined]
