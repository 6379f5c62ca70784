"""Stored posts are asked for again, each within a stated number of runs; every crawl says how its sources are doing."""

from __future__ import annotations

import gzip
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml

from jobs import ingest, ingest_news, ingest_social
from jobs.command import Progress
from lmflow.lake import Lake
from lmflow.settings import settings
from tests.crawl.site import Site, running_site

pytestmark = pytest.mark.usefixtures("spark", "mlflow_server")
POSTS, TURN = 10, 4


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """A server with ten posts that grows no more, and sources that name it."""
    with running_site() as running:
        running.robots = (200, b"User-agent: *\nAllow: /\n")
        statuses = [status(number) for number in range(1, POSTS + 1)]
        running.pages["/api/v1/timelines/public"] = json.dumps(statuses[::-1]).encode()
        for each in statuses:
            running.pages[f"/api/v1/statuses/{each['id']}"] = json.dumps(each).encode()
        source = {"name": "s", "lang": "en", "api": running.url, "license": "x", "rate": 500, "recheck": TURN}
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"social": [source]}))
        monkeypatch.setenv("LMFLOW_SOURCES", str(tmp_path / "sources.yaml"))
        settings.cache_clear()
        yield running


def status(number: int, **account: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "content": f"<p>Post {number}.</p>",
        "visibility": "public",
        "created_at": f"2026-01-{number:02d}T00:00:00Z",
        "url": f"https://x.org/@annabelle/{number}",
        "account": {
            "id": "1",
            "acct": "annabelle",
            "url": "https://x.org/@annabelle",
            "bot": False,
            "indexable": True,
            **account,
        },
    }


def social() -> dict[str, Any]:
    return ingest_social.run(ingest_social.IngestSocial(source=("s",)), Progress())


def health_of(result: dict[str, Any]) -> dict[str, Any]:
    client = mlflow.MlflowClient()
    assert any(file.path == "plots/health.png" for file in client.list_artifacts(result["run_id"], "plots"))
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = json.loads(
            Path(client.download_artifacts(result["run_id"], "health.json", folder)).read_text()
        )
    return found


def test_every_stored_post_has_its_turn_and_what_is_withdrawn_is_forgotten(site: Site) -> None:
    assert social()["new"] == POSTS
    site.pages["/api/v1/timelines/public"] = b"[]"  # nothing newer: posts are asked for again all the same
    del site.pages["/api/v1/statuses/2"]
    site.pages["/api/v1/statuses/5"] = json.dumps(status(5, indexable=False)).encode()
    site.pages["/api/v1/statuses/9"] = json.dumps(status(9, noindex=True)).encode()
    runs = math.ceil(POSTS / TURN)
    results = [social() for _ in range(runs)]
    assert [result["rechecked"]["s"]["runs"] for result in results] == [3, 3, 2]  # three posts less to ask for
    assert sum(result["withdrawn"] for result in results) == 3
    asked = [site.asked(f"/api/v1/statuses/{number}") for number in range(1, POSTS + 1)]
    assert min(asked) == 1 and sum(asked) == sum(result["rechecked"]["s"]["asked"] for result in results)
    prefix = f"social:{site.url.removeprefix('http://')}:"
    assert ingest.forgotten(Lake.open()) == {prefix + number for number in ("2", "5", "9")}
    assert "annabelle" not in on_disk()  # her name is nowhere in the lake


def on_disk() -> str:
    """All rows of documents, and all raw files and file names."""
    lake = Lake.open()
    raw = [gzip.decompress(lake.objects.get(key)).decode() for key in lake.objects.list("raw/social/")]
    assert raw
    return str(lake.table("documents").read().to_pylist()) + "".join(raw) + str(list(lake.objects.list("")))


def test_one_post_that_cannot_be_asked_for_keeps_none_from_its_turn(site: Site) -> None:
    social()
    site.pages["/api/v1/timelines/public"] = b"[]"
    site.pages["/api/v1/statuses/3"] = b"no status"
    for _ in range(5):
        social()
    assert all(site.asked(f"/api/v1/statuses/{number}") for number in range(1, POSTS + 1))
    assert not ingest.forgotten(Lake.open())


def test_a_crawl_that_found_nothing_new_still_says_how_its_sources_are(site: Site) -> None:
    social()
    site.pages["/api/v1/timelines/public"] = b"[]"
    quiet = social()
    assert quiet["status"] == "nothing_new"
    found = health_of(quiet)["s"]
    assert (found["new"], found["unchanged"], found["oldest_item"]) == (0, TURN, "2026-01-01T00:00:00+00:00")

    entry = "<item><link>/a.html</link><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate></item>"
    site.pages["/feed.xml"] = f'<rss version="2.0"><channel><title>x</title>{entry}</channel></rss>'.encode()
    site.pages["/a.html"] = f"<html><body><article><p>{'Words of a story. ' * 30}</p></article></body></html>".encode()
    news = [
        ingest_news.run(ingest_news.IngestNews(feed=f"{site.url}/feed.xml", lang="en"), Progress()) for _ in range(2)
    ]
    assert [result.get("status") for result in news] == [None, "nothing_new"]
    assert site.asked("/feed.xml") == 2  # the second time it was not modified
    for result in news:
        (entry_of,) = health_of(result).values()
        assert entry_of["oldest_item"] == "2026-01-02T03:04:05+00:00"
