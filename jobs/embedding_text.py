"""Where the text of an embedding training comes from: the corpus table at a version, or a plain file.

For an update, what is new since the parent was trained is told by batch; an even sample of the old text comes with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.command import digest
from lmflow.embeddings.phrases import join_phrases
from lmflow.embeddings.sentences import Sentences, copy_sentences, write_sentences
from lmflow.embeddings.update import REPLAY
from lmflow.embeddings.wording import Wording
from lmflow.errors import InputError
from lmflow.lake import Lake


@dataclass(frozen=True)
class Source:
    """Where the text comes from, in the words of the run, the registry and the card.

    Args:
        uri: of the table or file.
        digest: what names its state.
        words: the same for a person.
        tags: the same for the registry.
        file: the file, when it is one.
        version: of the corpus table otherwise.
    """

    uri: str
    digest: str
    words: str
    tags: dict[str, str]
    file: Path | None = None
    version: int | None = None


@dataclass(frozen=True)
class UpdateText:
    """What an update reads.

    Args:
        new: the new text.
        text: the new text and about half as much old.
    """

    new: Sentences
    text: Sentences


def find_source(file: Path | None, corpus_version: int | None) -> Source:
    """The source that the options name.

    Raises:
        InputError: the file is missing, the corpus empty, or the version not there.
    """
    if file is not None:
        path = file.resolve()
        if not path.is_file():
            raise InputError(f"--train-file {file}: there is no such file; give a text file")
        stamp = path.stat()
        named = digest([str(path), stamp.st_size, stamp.st_mtime_ns])
        return Source(path.as_uri(), named, f"file {path.name}", {"train_file": named}, file=file)
    table = Lake.open().table("corpus")
    version = table.version() if corpus_version is None else corpus_version
    if table.version() < 0:
        raise InputError("the corpus is empty: ingest documents, then run `python -m jobs.build_corpus`")
    if version > table.version():
        raise InputError(f"--corpus-version {version}: the corpus table ends at version {table.version()}")
    tags = {"corpus_version": str(version)}
    return Source(table.uri, f"v{version}", f"corpus version {version}", tags, version=version)


def write_whole(source: Source, lang: str, wording: Wording, phrases: bool, workers: int, folder: Path) -> Sentences:
    """Write the whole text of a source as sentences into a folder; `wording` is for the corpus, a file is as it is."""
    path = folder / "sentences.txt"
    if source.file is not None:
        sentences = copy_sentences(source.file, path)
    else:
        sentences = write_sentences(_texts(lang, source.version), lang, path, workers, wording)
    return join_phrases(sentences, folder / "phrases.txt") if phrases else sentences


def new_share(source: Source, parent_version: int | None, lang: str) -> float:
    """Share of the characters that came after the parent learnt; 1 for a file, which is new as a whole."""
    if source.file is not None or parent_version is None:
        return 1.0
    new, old = _characters(lang, source.version, _new_batches(source, parent_version))
    return new / max(new + old, 1)


def write_update(
    source: Source,
    parent_version: int | None,
    share: float,
    lang: str,
    wording: Wording,
    workers: int,
    folder: Path,
) -> UpdateText:
    """Write the new text, and with it half as much old text, evenly sampled; a file has no old text.

    Args:
        source: of the corpus as it is now, or a file.
        parent_version: corpus version that the parent learnt, if it learnt from the corpus.
        share: what `new_share` found.
        lang: ISO 639 code.
        wording: how a text becomes words.
        workers: processes.
        folder: where to write.
    """
    if source.file is not None or parent_version is None:
        new = write_whole(source, lang, wording, False, workers, folder)
        return UpdateText(new, new)
    batches = _new_batches(source, parent_version)
    new = write_sentences(_texts(lang, source.version, batches), lang, folder / "new.txt", workers, wording)
    both = _texts(lang, source.version, batches, REPLAY * share / max(1 - share, share))
    return UpdateText(new, write_sentences(both, lang, folder / "text.txt", workers, wording))


def documents(source: Source, lang: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Text of each document of the training split, and what is known of it: id, title, address."""
    for row in _rows(["doc_id", "title", "url", "text"], lang, source.version):
        yield row["text"] or "", {name: row[name] or "" for name in ("doc_id", "title", "url")}


def _new_batches(source: Source, parent_version: int) -> frozenset[int]:
    table = Lake.open().table("corpus")
    return frozenset(table.batches(source.version) - table.batches(parent_version))


def _texts(
    lang: str, version: int | None, batches: frozenset[int] | None = None, sampled: float = 0.0
) -> Iterator[str]:
    """Texts of the training split, streamed: all, or those of some batches and an even share of the others.

    Raises:
        InputError: there is none.
    """
    empty = True
    for row in _rows(["doc_id", "batch_id", "text"], lang, version):
        taken = batches is None or row["batch_id"] in batches
        if taken or zlib.crc32(row["doc_id"].encode()) / 2**32 < sampled:
            empty = False
            yield row["text"] or ""
    if empty:
        table = Lake.open().table("corpus")
        there = sorted({str(found) for found in table.read(["lang"], version=version)["lang"].unique().to_pylist()})
        raise InputError(f"the corpus has no training documents in {lang!r} (it has: {', '.join(there) or 'nothing'})")


def _characters(lang: str, version: int | None, batches: frozenset[int]) -> tuple[int, int]:
    """Characters of the training split in some batches, and in the others."""
    new = old = 0
    for row in _rows(["batch_id", "n_chars"], lang, version):
        if row["batch_id"] in batches:
            new += row["n_chars"] or 0
        else:
            old += row["n_chars"] or 0
    return new, old


def _rows(columns: list[str], lang: str, version: int | None) -> Iterator[dict[str, Any]]:
    import pyarrow.compute as pc

    where = (pc.field("lang") == lang) & (pc.field("split") == "train")
    for batch in Lake.open().table("corpus").scan(columns, where, version):
        yield from batch.to_pylist()
