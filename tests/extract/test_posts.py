"""Posts: what is public becomes text, what its author withheld does not, and nobody is named."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lmflow.extract.hackernews import from_hackernews, keep_hackernews
from lmflow.extract.mastodon import from_mastodon, keep_mastodon
from lmflow.extract.posts import Post, Refusal, author_hash, html_text

KEY = b"secret"


def status(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "id": "105",
        "created_at": "2026-01-02T03:04:05.000Z",
        "in_reply_to_id": "104",
        "visibility": "public",
        "language": "zh-CN",
        "spoiler_text": "剧透",
        "sensitive": True,
        "url": "https://m.example/@a/105",
        "content": "<p>第一行<br />第二行</p><p>第三行 &amp; more</p>",
        "account": {"id": "7", "acct": "Alice", "bot": False, "noindex": False},
        "tags": [{"name": "电影"}],
    }
    account = {**base["account"], **changes.pop("account", {})}
    return {**base, **changes, "account": account}


def test_a_public_status_becomes_a_post() -> None:
    post = from_mastodon(status(), "m.example", KEY)
    assert isinstance(post, Post)
    assert post.text == "第一行\n第二行\n第三行 & more"
    assert (post.post_id, post.parent_id, post.language, post.warning) == ("105", "104", "zh", "剧透")
    assert post.published_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert post.tags == ("电影",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"visibility": "unlisted"}, "not_public"),
        ({"visibility": "private"}, "not_public"),
        ({"visibility": None}, "not_public"),
        ({"account": {"noindex": True}}, "opted_out"),
        (
            {"account": {"note": '<p>Hi. <a href="https://m.example/tags/nobot">#<span>NoBot</span></a></p>'}},
            "opted_out",
        ),
        ({"account": {"note": "<p>#noindex #art</p>"}}, "opted_out"),
        ({"account": {"note": "<p>#nobotany</p>", "bot": True}}, "bot"),
        ({"account": {"indexable": False}}, "not_opted_in"),
        ({"account": {"bot": True}}, "bot"),
        ({"reblog": {"id": "1"}}, "boost"),
        ({"content": "<p> </p>"}, "empty"),
        ({"content": None}, "malformed"),
        ({"id": None}, "malformed"),
    ],
)
def test_what_was_not_meant_for_everyone_is_refused_with_a_reason(changes: dict[str, Any], reason: str) -> None:
    refused = from_mastodon(status(**changes), "m.example", KEY)
    assert isinstance(refused, Refusal)
    assert refused.reason == reason


def test_what_is_kept_of_a_status_names_nobody_and_gives_the_same_post() -> None:
    mention = '<a href="https://far.example/@Robert" class="u-url mention">@<span>Robert</span></a>'
    hashtag = '<a href="https://m.example/tags/x" class="mention hashtag">#<span>x</span></a>'
    served = status(
        content=f'<p><span class="h-card">{mention}</span> reads {hashtag} &amp; y</p>',
        uri="https://m.example/users/Alice/statuses/105",
        url="https://m.example/@Alice/105",
        account={"username": "Alice", "display_name": "Alice L.", "avatar": "https://m.example/Alice.png"},
        mentions=[
            {"id": "9", "acct": "Robert@far.example", "url": "https://far.example/@Robert", "username": "Robert"}
        ],
        media_attachments=[{"url": "https://m.example/Alice/1.png", "description": "Alice"}],
        card={"author_name": "Alice", "title": "x"},
        in_reply_to_account_id="77",
    )
    kept = keep_mastodon(served, "m.example", KEY)
    assert isinstance(kept, dict)
    text = json.dumps(kept)
    assert not [name for name in ("Alice", "alice", "Robert", "robert", "far.example", '"77"') if name in text]
    post = from_mastodon(served, "m.example", KEY, "https://m.example")
    assert isinstance(post, Post) and post == from_mastodon(kept, "m.example", KEY, "https://m.example")
    assert keep_mastodon(kept, "m.example", KEY) == kept
    robert = author_hash(KEY, "far.example", "robert")
    assert post.text == f"@{robert[:12]} reads #x & y" and post.author == author_hash(KEY, "m.example", "alice")
    assert "lice" not in post.url


def test_what_is_kept_of_an_item_of_hacker_news_names_nobody_and_gives_the_same_post() -> None:
    item = {"id": 9, "type": "comment", "by": "norvig", "parent": 8, "text": "Aw", "time": 1, "kids": [10], "score": 3}
    kept = keep_hackernews(item, KEY)
    assert isinstance(kept, dict) and "norvig" not in json.dumps(kept)
    assert from_hackernews(kept, KEY) == from_hackernews(item, KEY)
    assert keep_hackernews(kept, KEY) == kept
    assert isinstance(keep_hackernews({**item, "dead": True}, KEY), Refusal)


def test_an_author_is_one_hash_at_home_and_abroad_and_another_under_another_key() -> None:
    assert author_hash(KEY, "m.example", "Alice") == author_hash(KEY, "other.example", "alice@m.example")
    assert author_hash(KEY, "m.example", "alice") != author_hash(b"other", "m.example", "alice")
    assert "alice" not in author_hash(KEY, "m.example", "alice")


def test_links_show_what_a_reader_sees() -> None:
    html = (
        '<p><span class="h-card"><a href="https://m.example/@bob" class="u-url mention">@<span>bob</span></a></span> '
        'see <a href="https://x.org/long/path"><span class="invisible">https://</span>'
        '<span class="ellipsis">x.org/long</span><span class="invisible">/path</span></a>!</p><script>alert(1)</script>'
    )
    assert html_text(html) == "@bob see x.org/long…!"


def test_deep_nesting_and_broken_html_are_survived() -> None:
    assert html_text("<div>" * 5000 + "deep" + "</div>" * 5000) in ("deep", "")
    assert html_text("<p>open <b>bold") == "open bold"
    assert html_text("a < b & c") != ""
