"""Posts of Hacker News, Reddit and Stack Exchange: threads, and what their authors and sites took back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lmflow.crawl.sources import SocialSource
from lmflow.extract.documents import Known
from lmflow.extract.hackernews import from_hackernews
from lmflow.extract.posts import Post, Refusal
from lmflow.extract.reddit import from_reddit
from lmflow.extract.social import documents, reader
from lmflow.extract.stackexchange import from_stackexchange

KEY = b"key"
STORY = {"id": 8863, "type": "story", "by": "dhouston", "title": "My YC app", "time": 1175714200, "url": "http://x.org"}
COMMENT = {"id": 9, "type": "comment", "by": "norvig", "parent": 8863, "text": "Aw &quot;shucks&quot;<p>Two", "time": 1}
SUBMISSION = {"id": "7j", "author": "spez", "title": "A &amp; B", "selftext": "It &gt; that.\n\nMore", "subreddit": "a"}
ANSWER = {"id": "d9", "author": "ann", "body": "Yes.", "link_id": "t3_7j", "parent_id": "t1_d8", "created_utc": "15.0"}


def test_an_item_of_hacker_news_is_a_post_of_its_thread() -> None:
    story, comment = from_hackernews(STORY, KEY), from_hackernews(COMMENT, KEY)
    assert isinstance(story, Post) and isinstance(comment, Post)
    assert (story.title, story.text, story.parent_id) == ("My YC app", "My YC app", "")
    assert story.published_at == datetime(2007, 4, 4, 19, 16, 40, tzinfo=UTC)
    assert (comment.text, comment.parent_id) == ('Aw "shucks"\nTwo', "8863")
    assert len(comment.author) == 32 and "norvig" not in comment.author


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dead": True}, "deleted"),
        ({"deleted": True}, "deleted"),
        ({"type": "job"}, "not_a_post"),
        ({"id": "x"}, "malformed"),
        ({"title": ""}, "empty"),
    ],
)
def test_what_hacker_news_took_back_or_never_was_a_post_is_none(change: dict[str, Any], reason: str) -> None:
    refusal = from_hackernews({**STORY, **change}, KEY)
    assert isinstance(refusal, Refusal) and refusal.reason == reason


def test_posts_of_reddit_know_their_thread_and_their_warnings() -> None:
    post, answer = from_reddit({**SUBMISSION, "over_18": True}, KEY), from_reddit(ANSWER, KEY)
    assert isinstance(post, Post) and isinstance(answer, Post)
    assert (post.post_id, post.title, post.text, post.root_id) == ("t3_7j", "A & B", "It > that.\nMore", "t3_7j")
    assert (post.warning, post.sensitive, post.tags) == ("nsfw", True, ("a",))
    assert (answer.post_id, answer.parent_id, answer.root_id) == ("t1_d9", "t1_d8", "t3_7j")
    nobody = from_reddit({**ANSWER, "author": "[deleted]"}, KEY)
    assert isinstance(nobody, Post) and nobody.author == ""


def test_a_post_on_its_authors_own_page_of_reddit_does_not_name_him_by_its_address() -> None:
    post = from_reddit({**SUBMISSION, "subreddit": "u_spez", "permalink": "/r/u_spez/comments/7j/a_b/"}, KEY)
    assert isinstance(post, Post) and (post.url, post.tags) == ("", ())


@pytest.mark.parametrize(
    "body",
    ["[Deleted scenes] of the film [HD]", "[removed] by whom?", "[deleted](https://x.org/a)", "[removed" + " " * 400],
)
def test_words_about_removal_are_a_post(body: str) -> None:
    assert isinstance(from_reddit({**ANSWER, "body": body}, KEY), Post)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": "[removed]"}, "deleted"),
        ({"body": "[deleted]"}, "deleted"),
        (
            {
                "body": "[ Removed by Reddit on account of violating the [content policy](/help/contentpolicy). ]",
            },
            "deleted",
        ),
        ({"body": "[ Removed by reddit in response to a copyright notice. ]\n"}, "deleted"),
        ({"body": "[removed by reddit]"}, "deleted"),
        ({"title": "[deleted by user]"}, "deleted"),
        ({"title": "[ Removed by moderator ]"}, "deleted"),
        ({"removed_by_category": "moderator"}, "deleted"),
        ({"subreddit_type": "private"}, "not_public"),
        ({"author": "AutoModerator"}, "bot"),
        ({"body": " "}, "empty"),
        ({"body": 7}, "malformed"),
    ],
)
def test_what_reddit_removed_or_nobody_wrote_is_none(change: dict[str, Any], reason: str) -> None:
    refusal = from_reddit({**ANSWER, **change}, KEY)
    assert isinstance(refusal, Refusal) and refusal.reason == reason


def test_rows_of_stack_exchange_keep_their_licence_and_find_their_question() -> None:
    row = {"Id": "2", "PostTypeId": "2", "ParentId": "1", "Body": "<p>So.</p>", "OwnerUserId": "5"}
    answer = from_stackexchange({**row, "ContentLicense": "CC BY-SA 4.0"}, "x.org", {}, KEY)
    comment = from_stackexchange({"Id": "7", "PostId": "2", "Text": "Why?", "UserId": "6"}, "x.org", {"2": "1"}, KEY)
    question = {"Id": "1", "PostTypeId": "1", "Title": "How?", "Body": "<p>It?</p>", "Tags": "<a><b-c>"}
    asked = from_stackexchange(question, "x.org", {}, KEY)
    assert isinstance(answer, Post) and isinstance(comment, Post) and isinstance(asked, Post)
    assert (answer.root_id, answer.parent_id, answer.license) == ("1", "1", "CC BY-SA 4.0")
    assert (comment.post_id, comment.parent_id, comment.root_id) == ("c7", "2", "1")
    assert (asked.title, asked.tags, asked.root_id, asked.author) == ("How?", ("a", "b-c"), "1", "")
    for change, reason in (({"PostTypeId": "5"}, "not_a_post"), ({"Body": ""}, "empty"), ({"Id": ""}, "malformed")):
        refusal = from_stackexchange({**question, **change}, "x.org", {}, KEY)
        assert isinstance(refusal, Refusal) and refusal.reason == reason


def test_a_stored_post_that_was_withdrawn_is_named_for_a_tombstone() -> None:
    source = SocialSource(name="hn", lang="en", license="x", kind="hackernews", api="https://h.example")
    known = Known({"social:h.example:9": "x", "social:h.example:8": "x"}, {"social:h.example:8"})
    gone = [{"id": 9, "dead": True}, {"id": 8, "deleted": True}, {"id": 7, "deleted": True}]
    found = list(documents(gone, source, {}, known, reader(source, KEY), "", datetime(2026, 1, 2, tzinfo=UTC)))
    assert [(outcome.item, outcome.outcome) for outcome in found] == [
        ("social:h.example:9", "skipped:withdrawn"),
        ("8", "skipped:deleted"),
        ("7", "skipped:deleted"),
    ]
