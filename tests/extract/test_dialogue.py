"""Threads come together as dialogues, whatever order their posts came in and whichever are missing."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lmflow.extract.dialogue import threads

START = datetime(2026, 1, 2, tzinfo=UTC)


def post(number: int, parent: int | None, author: str, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": f"p{number}",
        "revision": 1,
        "thread_id": "p0",
        "parent_id": None if parent is None else f"p{parent}",
        "author": author,
        "title": None,
        "text": f"text {number}",
        "published_at": START + timedelta(minutes=number),
        **more,
    }


def test_each_branch_is_a_dialogue_of_numbered_speakers() -> None:
    rows = [
        post(0, None, "ann", title="Subject"),
        post(1, 0, "bob"),
        post(2, 1, "ann"),
        post(3, 2, "ann"),
        post(4, 0, "cat"),
        post(2, 1, "ann", revision=0, text="before the edit"),
    ]
    (thread,) = threads(reversed(rows))
    assert [row["doc_id"] for row in thread.posts] == ["p0", "p1", "p2", "p3", "p4"]
    first, second = thread.dialogues()
    assert [(turn.speaker, turn.text) for turn in first] == [
        (1, "Subject\ntext 0"),
        (2, "text 1"),
        (1, "text 2\ntext 3"),
    ]
    assert [(turn.speaker, turn.doc_ids) for turn in second] == [(1, ("p0",)), (2, ("p4",))]


def test_answers_to_a_post_that_is_gone_open_a_branch_of_their_own() -> None:
    (thread,) = threads([post(0, None, "ann"), post(2, 1, "bob"), post(3, 2, "cat")])
    assert thread.openings == ("p0", "p2")
    assert [[turn.doc_ids for turn in dialogue] for dialogue in thread.dialogues()] == [[("p2",), ("p3",)]]


@given(st.lists(st.integers(-1, 12), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_every_post_is_in_its_thread_once_whatever_it_answers(parents: list[int], chance: random.Random) -> None:
    rows = [post(n, None if parent < 0 else parent, f"a{n % 3}") for n, parent in enumerate(parents)]
    chance.shuffle(rows)
    (thread,) = threads(rows)
    assert sorted(row["doc_id"] for row in thread.posts) == sorted(row["doc_id"] for row in rows)
    place = {row["doc_id"]: number for number, row in enumerate(thread.posts)}
    for row in rows:
        if row["doc_id"] not in thread.openings:
            assert place[row["parent_id"]] < place[row["doc_id"]]
    in_dialogues = {doc_id for d in thread.dialogues(fewest_turns=1) for turn in d for doc_id in turn.doc_ids}
    assert in_dialogues == set(place)


def test_a_deep_thread_needs_no_recursion() -> None:
    rows = [post(n, n - 1 if n else None, f"a{n % 2}") for n in range(5000)]
    (thread,) = threads(rows)
    (dialogue,) = thread.dialogues()
    assert len(dialogue) == 5000
