"""Labelled documents: read from a user's files, each text once, and divided so that no near copy stands on both sides.

The reader is that of `ingest_files`; equality, likeness and the division are the corpus's own: texts are equal when
they normalise to the same (`lmflow.text.normalise`), near copies by MinHash are one kin group, and a group has one
split (`lmflow.corpus`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from lmflow.corpus import kin, split
from lmflow.corpus.dedup import Stored, cluster
from lmflow.corpus.fingerprint import Fingerprints, fingerprint, joined
from lmflow.errors import InputError
from lmflow.extract import own_files
from lmflow.extract.own_files import Collection, Columns, Format
from lmflow.text.normalise import normalise

#: What becomes of the rows of a file, beside those that stay.
LEFT_OUT: Final = ("failed", "without_text", "without_label", "repeated", "contradictory")


@dataclass(frozen=True, slots=True)
class LabelledColumns(Columns):
    """Which column holds the text, and which the class."""

    label: str = "label"


@dataclass(frozen=True)
class Labelled:
    """Documents and their classes, each text once, in the order of their ids.

    Args:
        ids: 32 hexadecimal digits, of the normalised text.
        texts: as they were read.
        labels: class of each.
        fingerprints: MinHash of each.
        left_out: rows of the files that are not among them, by reason (`LEFT_OUT`).
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    fingerprints: Fingerprints
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """What names these texts and classes, in whatever order and format they came."""
        written = hashlib.sha256()
        for text, label in zip(self.texts, self.labels, strict=True):
            written.update(json.dumps([text, label]).encode() + b"\n")
        return written.hexdigest()[:32]

    def take(self, rows: Sequence[int]) -> Labelled:
        """The documents at these places."""
        ids, texts, labels = (tuple(column[row] for row in rows) for column in (self.ids, self.texts, self.labels))
        return Labelled(ids, texts, labels, self.fingerprints.take(rows), self.left_out)

    def classes(self) -> Counter[str]:
        """Documents of each class."""
        return Counter(self.labels)


def read(path: str, kind: Format | None, columns: LabelledColumns, encoding: str, option: str) -> Labelled:
    """Read JSON Lines, CSV or Parquet, a file or a folder, local or on S3.

    Of equal texts one stays; if they are labelled differently, none does.

    Args:
        path: where they lie.
        kind: format of all files; None: by their names.
        columns: of text and class.
        encoding: character set of JSON Lines and CSV.
        option: the one that named the path, for messages.

    Raises:
        InputError: nothing is there, a column is missing, or no row has a text and one class.
    """
    own_files.check_encoding(encoding)
    files = [file for file in own_files.find(path, kind, option) if file[2] != "text"]
    if not files:
        raise InputError(f"{option} {path} is plain text, which has no labels; give JSON Lines, CSV or Parquet")
    collection = Collection("", "", "", columns, encoding)
    parts = [part for uri, name, told, size, _ in files for part in own_files.parts(uri, name, told, size)]
    if not any(size for _, _, _, size, _ in files) or not parts:
        raise InputError(f"{option} {path} is empty; give rows with a text and its label")
    own_files.check_columns(parts, collection)
    rows: list[tuple[str, str]] = []
    left_out: Counter[str] = Counter()
    for part in parts:
        for _, row in own_files.rows(part, collection):
            if isinstance(row, str):
                left_out["failed"] += 1
                continue
            text, label = (_whole(own_files.value(row, name) or "") for name in (columns.text, columns.label))
            label = label.strip()
            if not text.strip() or not label:
                left_out["without_label" if text.strip() else "without_text"] += 1
            else:
                rows.append((text, label))
    found = _each_once(rows, left_out)
    if not len(found):
        shown = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number) or "it has no row"
        raise InputError(f"{option} {path}: no row has a text and one label ({shown.replace('_', ' ')})")
    return found


def _whole(text: str) -> str:
    """With surrogates joined, or replaced where they are alone: those can be written nowhere."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _each_once(rows: Sequence[tuple[str, str]], left_out: Counter[str]) -> Labelled:
    clean = [normalise(text).text for text, _ in rows]
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(clean):
        alike[hashlib.sha256(text.encode()).hexdigest()[:32]].append(row)
    kept: dict[str, int] = {}
    for name, places in alike.items():
        if len({rows[place][1] for place in places}) > 1:
            left_out["contradictory"] += len(places)
        else:
            kept[name] = min(places, key=lambda place: rows[place])
            left_out["repeated"] += len(places) - 1
    order = sorted(kept)
    places = [kept[name] for name in order]
    texts, labels = (tuple(rows[place][column] for place in places) for column in (0, 1))
    prints = fingerprint([clean[place] for place in places])
    return Labelled(tuple(order), texts, labels, prints, {name: left_out[name] for name in LEFT_OUT})


def splits(documents: Labelled, lang: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """Training, validation or test for each document: 80/10/10 within every class, near copies on one side.

    Args:
        documents: what to divide.
        lang: ISO 639 code.
        known: splits of documents in an earlier division, by id; they stay where they were.
    """
    groups = _kin(documents.ids, documents.fingerprints)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(documents.ids):
        members[groups[name]].append(row)
    chosen: dict[str, str] = {}
    counts: defaultdict[split.Stratum, Counter[str]] = defaultdict(Counter)
    new: dict[str, split.Stratum] = {}
    for name, rows in members.items():
        stratum = (lang, documents.labels[rows[0]])
        if before := [known[documents.ids[row]] for row in rows if documents.ids[row] in known]:
            chosen[name] = split.joined(before)
            counts[stratum][chosen[name]] += len(rows)
        else:
            new[name] = stratum
    chosen |= split.choose(new, {name: len(members[name]) for name in new}, counts, "small")
    return tuple(chosen[groups[name]] for name in documents.ids)


def apart_from(documents: Labelled, held_out: Labelled) -> Labelled:
    """The documents that are no copy or near copy of a held-out one, nor joined to one by others like both."""
    there = set(held_out.ids)
    rows = [row for row, name in enumerate(documents.ids) if name not in there]
    rest = documents.take(rows)
    groups = _kin([*held_out.ids, *rest.ids], joined(held_out.fingerprints, rest.fingerprints))
    theirs = {groups[name] for name in held_out.ids}
    return rest.take([row for row, name in enumerate(rest.ids) if groups[name] not in theirs])


def _kin(ids: Sequence[str], prints: Fingerprints) -> Mapping[str, str]:
    """The kin group of each document (`lmflow.corpus.kin`)."""
    clusters = cluster(ids, prints, Stored((), (), (), prints.take([]))).clusters
    names = [clusters[name] for name in ids]
    groups = kin.join_groups(names, names, np.ones(len(ids), np.bool_), prints, 0)
    return {name: groups[clusters[name]] for name in ids}
