"""What was forgotten stays gone while its site still serves it, through compaction and vacuum, on a disk and on S3; and
the registry says which models saw it."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable

from jobs import ingest_news, ingest_social
from jobs.command import Progress
from jobs.forget_documents import ForgetDocuments, run
from lmflow import tracking
from lmflow.corpus.policy import load
from lmflow.crawl.warc import WarcWriter
from lmflow.extract.documents import news_id
from lmflow.lake import Lake
from lmflow.lake.storage import delta_options, filesystem
from lmflow.registry.versions import registered_names
from lmflow.settings import settings
from tests.corpus.documents import build, english, ingest, row
from tests.crawl.site import Site, running_site

pytestmark = pytest.mark.usefixtures("mlflow_server")
TABLES = ("documents", "verdicts", "fingerprints", "corpus", "fetches", "tombstones")
PAGE, ALIAS, POST = "b", "alias", "3"


def compact(lake: Lake) -> None:
    """What an operator does to Delta tables: fewer files, nothing unused on disk, a checkpoint, no old log."""
    for name in TABLES:
        table = lake.table(name)
        if table.version() >= 0:
            handle = DeltaTable(table.uri, storage_options=delta_options(lake.root))
            handle.optimize.compact()
            handle.vacuum(0, dry_run=False, enforce_retention_duration=False)
            handle.create_checkpoint()
            handle.cleanup_metadata()


def decide(lake: Lake) -> None:
    """Build the corpus from what is new; the job's scratch folder goes, as the job does it."""
    build(lake, load(("en", "zh")))
    system, root = filesystem(lake.table("corpus").uri)
    import pyarrow.fs as pafs

    committed = {uri.rpartition("/")[0].rpartition("/")[2] for uri in lake.table("corpus").file_uris()}
    for info in system.get_file_info(pafs.FileSelector(root)):
        if info.type == pafs.FileType.Directory and info.base_name not in {*committed, "_delta_log"}:
            system.delete_dir(info.path)


def everything(lake: Lake) -> str:
    """All text in the lake's Parquet files, live or not, and in its raw objects."""
    import pyarrow.fs as pafs

    system, root = filesystem(lake.root)
    found = []
    for info in system.get_file_info(pafs.FileSelector(root, recursive=True)):
        if info.base_name.endswith((".parquet", ".gz")):
            with system.open_input_stream(info.path, compression=None) as file:
                content = file.read()
            if info.base_name.endswith(".gz"):
                found.append(gzip.decompress(content).decode("utf-8", "replace"))
            elif "/_delta_log/" not in info.path:
                found.append(str(pq.read_table(io.BytesIO(content), partitioning=None).to_pylist()))
    return "".join(found)


def register(name: str, corpus_version: int) -> str:
    """A version with the lineage that a training writes."""
    client = tracking.client()
    with tracking.run("lmflow/test", "made", {}) as opened:
        opened.log_text("made", "model/MLmodel")
    if name not in registered_names():
        client.create_registered_model(name)
    source = f"{client.get_run(opened.run_id).info.artifact_uri}/model"
    tags = {"corpus_version": str(corpus_version)}
    return f"models:/{name}/{client.create_model_version(name, source, opened.run_id, tags=tags).version}"


def reproducible(uri: str) -> str:
    _, name, number = uri.split("/")
    return str(tracking.client().get_model_version(name, number).tags.get("lmflow.reproducible", ""))


# A site that goes on serving it ---------------------------------------------------------------------------------------


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """A server with five posts and three pages; a fourth address shows the second page and says so."""
    with running_site() as running:
        running.robots = (200, b"User-agent: *\nAllow: /\n")
        account = {"id": "1", "acct": "ann", "bot": False, "indexable": True}
        posts = [
            {"id": str(n), "content": f"<p>{english(n)}</p>", "visibility": "public", "account": account}
            for n in range(1, 6)
        ]
        for timeline in ("public", "tag/all"):
            running.pages[f"/api/v1/timelines/{timeline}"] = json.dumps(posts[::-1]).encode()
        for post in posts:
            running.pages[f"/api/v1/statuses/{post['id']}"] = json.dumps(post).encode()
        for number, name in enumerate(("a", PAGE, "c")):
            running.pages[f"/{name}.html"] = story(running, name, 100 + number)
        running.pages[f"/{ALIAS}.html"] = story(running, PAGE, 101)
        common = {"lang": "en", "license": "x", "rate": 500}
        social = [
            {**common, "name": "public", "api": running.url},
            {**common, "name": "tag", "api": running.url, "timeline": "tag/all", "recheck": 0},
        ]
        news = [{**common, "name": "paper", "feed": f"{running.url}/feed.xml", "revisit_hours": 0}]
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"social": social, "news": news}))
        monkeypatch.setenv("LMFLOW_SOURCES", str(tmp_path / "sources.yaml"))
        settings.cache_clear()
        yield running


def story(site: Site, name: str, seed: int) -> bytes:
    paragraphs = "".join(f"<p>{part}.</p>" for part in english(seed, 12).split(". "))
    link = f'<link rel="canonical" href="{site.url}/{name}.html">'
    return f"<html><head>{link}</head><body><article>{paragraphs}</article></body></html>".encode()


def lists(site: Site, *names: str) -> None:
    items = "".join(f"<item><link>/{name}.html</link></item>" for name in names)
    site.pages["/feed.xml"] = f'<rss version="2.0"><channel><title>x</title>{items}</channel></rss>'.encode()


def crawl(*timelines: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        ingest_news.run(ingest_news.IngestNews(source=("paper",)), Progress()),
        ingest_social.run(ingest_social.IngestSocial(source=timelines), Progress()),
    )


@pytest.mark.usefixtures("spark")
def test_it_stays_gone_though_its_site_still_serves_it(site: Site) -> None:
    lists(site, "a", PAGE, "c")
    news, social = crawl("public")
    assert (news["new"], social["new"]) == (3, 5)
    lake = Lake.open()
    decide(lake)
    doomed = (news_id(f"{site.url}/{PAGE}.html"), f"social:{site.url.removeprefix('http://')}:{POST}")
    assert set(doomed) <= set(lake.table("corpus").read(["doc_id"])["doc_id"].to_pylist())
    saw = [register("lm-en", lake.table("corpus").version()), register("embeddings-en", lake.table("corpus").version())]
    texts = (english(101)[:50], english(int(POST))[:50])
    assert all(text in everything(lake) for text in texts)

    result = run(ForgetDocuments(doc_id=doomed, reason="asked"), Progress())
    assert result["forgotten"] == 2
    assert set(saw) <= set(result["models"]) and {reproducible(uri) for uri in saw} == {"false"}
    later = register("lm-en", lake.table("corpus").version())
    compact(lake)

    asked = site.asked(f"/{PAGE}.html")
    lists(site, "a", PAGE, "c", ALIAS)
    news, social = crawl("public", "tag")  # one timeline goes on, the other is read from its beginning
    assert news["skipped"]["forgotten"] == 2 and site.asked(f"/{PAGE}.html") == asked
    assert site.asked(f"/{ALIAS}.html") == 1
    assert social["by_source"]["tag"]["skipped"]["forgotten"] == 1
    decide(lake)
    compact(lake)
    assert run(ForgetDocuments(), Progress())["status"] == "nothing_new"
    for name in ("documents", "verdicts", "fingerprints", "corpus"):
        assert not set(doomed) & set(lake.table(name).read(["doc_id"])["doc_id"].to_pylist())
    left = everything(lake)
    assert not any(text in left for text in texts)
    assert english(102)[:50] in left and english(4)[:50] in left
    assert reproducible(later) == ""


# A lake on S3 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["forget", "compact"])
def test_a_lake_on_s3_forgets_too_whether_it_was_compacted_before_or_after(
    first: str, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMFLOW_LAKE", "s3://dumps/lake")
    settings.cache_clear()
    lake = Lake.open()
    pages = [f"https://x.org/{number}.html" for number in range(8)]
    writer = WarcWriter("test")
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    places = [writer.add_response(url, 200, {}, english(n).encode(), moment) for n, url in enumerate(pages)]
    warc = lake.objects.put("raw/news/1/x.org-00000.warc.gz", writer.content)
    for batch in (1, 2):
        rows = [
            {
                **row(batch, news_id(url), english(n)),
                "url": url,
                "raw_uri": f"{warc}#offset={places[n].offset}&length={places[n].length}",
            }
            for n, url in enumerate(pages)
            if n % 2 == batch % 2
        ]
        ingest(lake, rows)
        decide(lake)
    saw = register("lm-en", lake.table("corpus").version())
    doomed = news_id(pages[3])
    assert english(3) in everything(lake)
    if first == "compact":
        compact(lake)
    result = run(ForgetDocuments(doc_id=(doomed,), reason="asked"), Progress())
    assert (result["forgotten"], result["raw"]["records"]) == (1, 1) and saw in result["models"]
    assert reproducible(saw) == "false"
    assert english(3) not in everything(lake)
    compact(lake)
    left = everything(lake)
    assert english(3) not in left and all(english(n) in left for n in range(8) if n != 3)
    for name in ("documents", "verdicts", "fingerprints", "corpus"):
        assert doomed not in lake.table(name).read(["doc_id"])["doc_id"].to_pylist()
    assert run(ForgetDocuments(), Progress())["status"] == "nothing_new"
