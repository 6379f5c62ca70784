"""Threads as dialogues: the posts of a thread in their tree, and each branch as turns of numbered speakers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says before another answers. `speaker` is 1 for who began, 2 for the next to join, and so on."""

    speaker: int
    text: str
    doc_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread: rows of the table documents in reading order (an answer after its parent, siblings by time)."""

    thread_id: str
    posts: tuple[Mapping[str, Any], ...]
    children: Mapping[str, tuple[str, ...]]
    openings: tuple[str, ...]  # the root, and posts whose parent is not here (deleted, or never fetched)

    def dialogues(self, fewest_turns: int = 2) -> Iterator[tuple[Turn, ...]]:
        """Every branch from an opening to a last answer, as turns; consecutive posts of one author are one turn.

        Authors are told apart by their keyed hash; a post without one is a speaker of its own.
        """
        rows = {row["doc_id"]: row for row in self.posts}
        for path in self._branches():
            turns = _turns([rows[doc_id] for doc_id in path])
            if len(turns) >= fewest_turns:
                yield turns

    def _branches(self) -> Iterator[tuple[str, ...]]:
        """Paths from openings to leaves, without recursion: threads may be thousands deep."""
        for opening in self.openings:
            stack: list[tuple[str, int]] = [(opening, 0)]
            path: list[str] = []
            while stack:
                doc_id, depth = stack.pop()
                del path[depth:]
                path.append(doc_id)
                answers = self.children.get(doc_id, ())
                if not answers:
                    yield tuple(path)
                stack += [(answer, depth + 1) for answer in reversed(answers)]


def threads(rows: Iterable[Mapping[str, Any]]) -> Iterator[Thread]:
    """Assemble threads, in the order in which they began.

    Args:
        rows: of the table documents (doc_id, revision, thread_id, parent_id, author, text, title, published_at), in any
            order; of several revisions of a post the newest counts.
    """
    newest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        known = newest.get(row["doc_id"])
        if known is None or row["revision"] > known["revision"]:
            newest[row["doc_id"]] = row
    groups: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(newest.values(), key=_moment):
        groups[row["thread_id"] or row["doc_id"]].append(row)
    for thread_id, members in groups.items():
        yield _assemble(thread_id, members)


def _assemble(thread_id: str, members: list[Mapping[str, Any]]) -> Thread:
    here = {row["doc_id"]: row for row in members}
    children: defaultdict[str, list[str]] = defaultdict(list)
    openings = []
    for doc_id, row in here.items():
        parent = row["parent_id"]
        if parent and parent in here and parent != doc_id:
            children[parent].append(doc_id)
        else:
            openings.append(doc_id)
    order: list[str] = []
    reached: set[str] = set()

    def walk(start: str) -> None:
        stack = [start]
        while stack:
            doc_id = stack.pop()
            if doc_id in reached:
                continue
            reached.add(doc_id)
            order.append(doc_id)
            stack += reversed(children.get(doc_id, []))

    for opening in openings:
        walk(opening)
    for doc_id in here:  # posts that answer each other in a circle: the earliest opens it
        if doc_id not in reached:
            parent = here[doc_id]["parent_id"]
            children[parent].remove(doc_id)
            openings.append(doc_id)
            walk(doc_id)
    return Thread(
        thread_id,
        tuple(here[doc_id] for doc_id in order),
        {parent: tuple(answers) for parent, answers in children.items() if answers},
        tuple(openings),
    )


def _turns(rows: list[Mapping[str, Any]]) -> tuple[Turn, ...]:
    speakers: dict[str, int] = {}
    turns: list[Turn] = []
    for row in rows:
        speaker = speakers.setdefault(row["author"] or row["doc_id"], len(speakers) + 1)
        title, text = row.get("title") or "", row["text"]
        said = f"{title}\n{text}" if title and title != text else text
        if turns and turns[-1].speaker == speaker:
            last = turns.pop()
            turns.append(Turn(speaker, f"{last.text}\n{said}", (*last.doc_ids, row["doc_id"])))
        else:
            turns.append(Turn(speaker, said, (row["doc_id"],)))
    return tuple(turns)


def _moment(row: Mapping[str, Any]) -> tuple[datetime, str]:
    return row["published_at"] or _EARLIEST, row["doc_id"]
