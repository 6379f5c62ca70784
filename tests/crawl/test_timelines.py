"""Stored statuses are asked for again: an edit is read, a deletion is noted; what is stored of them names nobody."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from lmflow.crawl.sources import SocialSource
from lmflow.crawl.timelines import Reading, read_timelines, stored_statuses
from lmflow.extract.social import keeper, reader
from lmflow.lake import Objects
from tests.crawl.conftest import POLICY
from tests.crawl.site import Site


def status(status_id: str, text: str, acct: str = "ann", **changes: object) -> dict[str, object]:
    account = {"id": "1", "acct": acct, "url": f"https://x.org/@{acct}", "bot": False, **changes}
    return {"id": status_id, "content": f"<p>{text}</p>", "visibility": "public", "account": account}


def test_a_status_that_is_gone_is_noted_as_deleted_and_nobody_is_named_on_disk(site: Site, tmp_path: Path) -> None:
    site.robots = (200, b"User-agent: *\nAllow: /\n")
    shy = status("8", "asked to be left out", "shy", noindex=True)
    site.pages["/api/v1/timelines/public"] = json.dumps([status("9", "new"), shy]).encode()
    site.pages["/api/v1/statuses/1"] = json.dumps(status("1", "edited")).encode()
    source = SocialSource(name="s", lang="en", api=site.url, license="x")
    objects = Objects(f"file://{tmp_path}")
    (reading,) = read_timelines(
        [source], {}, POLICY, objects, "raw/social/1", recheck={"s": ["1", "2"]}, keeper=lambda s: keeper(s, b"k")
    )
    assert reading == Reading.from_json(reading.as_json())
    assert (reading.statuses, reading.newest_id) == (4, "9")
    assert reading.refused == (("8", "opted_out"), ("2", "deleted"))
    read = reader(source, b"k")
    found = [read(entity) for entity in stored_statuses(objects, reading.raw_keys[0])]
    assert found == [read(status("9", "new")), read(status("1", "edited"))]
    raw = gzip.decompress(objects.get(reading.raw_keys[0])).decode()
    assert "ann" not in raw and "shy" not in raw and "left out" not in raw
    assert [key for key in objects.list("raw/")] == list(reading.raw_keys)
