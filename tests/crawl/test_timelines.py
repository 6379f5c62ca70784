"""Stored statuses are asked for again: an edit is read, a deletion is noted, an outage is neither."""

from __future__ import annotations

import json
from pathlib import Path

from lmflow.crawl.http import Policy
from lmflow.crawl.sources import SocialSource
from lmflow.crawl.timelines import read_timelines, stored_statuses
from lmflow.extract.posts import Post, Refusal, from_mastodon
from lmflow.lake import Objects
from tests.crawl.conftest import POLICY
from tests.crawl.site import Site


def status(status_id: str, text: str) -> dict[str, object]:
    account = {"id": "1", "acct": "ann", "bot": False}
    return {"id": status_id, "content": f"<p>{text}</p>", "visibility": "public", "account": account}


def test_a_status_that_is_gone_is_noted_as_deleted(site: Site, tmp_path: Path) -> None:
    site.robots = (200, b"User-agent: *\nAllow: /\n")
    site.pages["/api/v1/timelines/public"] = json.dumps([status("9", "new")]).encode()
    site.pages["/api/v1/statuses/1"] = json.dumps(status("1", "edited")).encode()
    source = SocialSource(name="s", lang="en", api=site.url, license="x")
    objects = Objects(f"file://{tmp_path}")
    policy: Policy = POLICY
    (reading,) = read_timelines([source], {}, policy, objects, "raw/social/1", recheck={"s": ["1", "2"]})
    found = [from_mastodon(entity, "x.org", b"k") for entity in stored_statuses(objects, reading.raw_keys[0])]
    assert reading.statuses == 3 and reading.newest_id == "9"
    assert [post.text for post in found if isinstance(post, Post)] == ["new", "edited"]
    assert found[2] == Refusal("2", "deleted")
