"""A user's own text: plain text, JSON Lines, CSV and Parquet, local or on S3, as documents by a mapping of columns.

A text file is one document, a row of the others is one. Identity is the row's id, else its canonical address, else
(text files) the file's name, else what it says: a row without id or address that is edited is another document.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Literal, cast
from urllib.parse import urlsplit

import pyarrow.fs as pafs
import pyarrow.parquet as pq

from lmflow.crawl.urls import canonical_url
from lmflow.errors import InputError
from lmflow.extract.documents import Document, Known, Outcome
from lmflow.extract.page_facts import time as moment_of
from lmflow.extract.posts import author_hash
from lmflow.lake.storage import filesystem

Format = Literal["text", "jsonl", "csv", "parquet"]
FORMATS: Final[Mapping[str, Format]] = {
    ".txt": "text", ".text": "text", ".md": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
#: JSON Lines are read in parts of this many bytes, so that one large file keeps all cores busy.
PART_BYTES: Final = 64_000_000
LONGEST_ROW: Final = 20_000_000
#: Bytes: a line of JSON that is shorter holds no text whose place among others matters.
_SHORT_LINE: Final = 64
#: Rows that show which columns a file has.
_FIRST_ROWS: Final = 100
#: Everything that can happen to a row beside what happens to any document.
FAILURES: Final = ("failed:json", "failed:encoding", "failed:too_large", "failed:csv", "failed:column")
EMPTY: Final = "skipped:empty"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what; empty for none. Dots reach into JSON objects: `meta.url`."""

    text: str = "text"
    title: str = ""
    id: str = ""
    url: str = ""
    lang: str = ""
    date: str = ""
    author: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file that one task reads: the whole, a byte range of JSON Lines, or a row group of Parquet."""

    uri: str
    name: str  # relative to what the user named; identity of a text file
    kind: Format
    start: int = 0
    end: int = 0  # bytes, or row groups; 0 for the whole file


@dataclass(frozen=True, slots=True)
class Collection:
    """What all documents of an ingest share."""

    name: str
    lang: str
    license: str
    columns: Columns
    encoding: str = "utf-8"


def address(path: str) -> str:
    """The URI of what a user named."""
    return path if "://" in path else f"file://{Path(path).absolute()}"


def find(path: str, kind: Format | None, option: str = "--path") -> list[tuple[str, str, Format, int, str]]:
    """Files under a path, sorted: (uri, name, format, bytes, a stamp that changes when the file does).

    Args:
        path: a file or folder, local or s3://bucket/prefix.
        kind: the format of all of them; None: by their names.
        option: the one that named the path, for messages.

    Raises:
        InputError: there is nothing, or a format cannot be told from a name.
    """
    uri = address(path)
    if urlsplit(uri).scheme not in ("file", "s3"):
        raise InputError(f"{option} {path}: must be a local path, file:// or s3://")
    system, root = filesystem(uri)
    try:
        info = system.get_file_info(root)
        files = (
            [info]
            if info.type == pafs.FileType.File
            else system.get_file_info(pafs.FileSelector(root, recursive=True))
            if info.type == pafs.FileType.Directory
            else []
        )
    except OSError as error:
        raise InputError(f"{option} {path} cannot be read: {error}") from None
    found = []
    prefix = "s3://" if urlsplit(uri).scheme == "s3" else "file://"
    for file in sorted(files, key=lambda file: str(file.path)):
        name = file.path.removeprefix(root).lstrip("/") or file.base_name
        if file.type != pafs.FileType.File or any(step.startswith((".", "_")) for step in name.split("/")):
            continue
        told = kind or _format(file.base_name)
        if told is None:
            if len(files) == 1:
                raise InputError(f"{option} {path}: the name does not tell its format; add --format text, jsonl, …")
            continue
        stamp = f"{file.size}-{int(file.mtime.timestamp() * 1000) if file.mtime else 0}"
        found.append((prefix + file.path, name, told, int(file.size), stamp))
    if not found:
        raise InputError(f"{option} {path}: no file of a known format there (text, JSON Lines, CSV, Parquet)")
    return found


def parts(uri: str, name: str, kind: Format, size: int) -> list[Part]:
    """The pieces that a file is read in.

    Raises:
        InputError: a Parquet file that is none.
    """
    if kind == "parquet":
        groups = _parquet(uri).num_row_groups
        return [Part(uri, name, kind, group, group + 1) for group in range(groups)]
    if kind == "jsonl" and not name.endswith((".gz", ".bz2")) and size > PART_BYTES:
        return [Part(uri, name, kind, start, min(start + PART_BYTES, size)) for start in range(0, size, PART_BYTES)]
    return [Part(uri, name, kind)]


def column_names(part: Part, collection: Collection) -> set[str]:
    """Names of the columns of a file of rows, as its beginning shows them to who reads it; none where it is empty."""
    if part.kind == "parquet":
        return set(_parquet(part.uri).schema_arrow.names)
    first = (row for _, row in islice(rows(part, collection), _FIRST_ROWS))
    return {name for row in first if not isinstance(row, str) for name in row}


def check_columns(parts: Sequence[Part], collection: Collection) -> None:
    """Refuse a mapping to columns that the first file with rows does not have, before any work is done.

    Raises:
        InputError: a column is not there.
    """
    for part in (part for part in parts if part.kind != "text"):
        if names := column_names(part, collection):
            break
    else:
        return
    for what, column in asdict(collection.columns).items():
        if column and column not in names and column.partition(".")[0] not in names:
            raise InputError(
                f"--{what}-column {column}: {part.uri} has no such column; it has {', '.join(sorted(names))}"
            )


def check_encoding(encoding: str) -> None:
    """Refuse a character set that there is not.

    Raises:
        InputError: Python knows none of that name.
    """
    try:
        "".encode(encoding)
    except LookupError:
        raise InputError(f"--encoding {encoding}: unknown; name one such as utf-8, gb18030, cp1252") from None


def rows(part: Part, collection: Collection) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Every row of a part: its number, and its columns or, of one that cannot be read, which of `FAILURES` it is."""
    readers: Mapping[Format, Callable[[Part, Collection], Iterator[tuple[int, Mapping[str, Any] | str]]]] = {
        "text": _text,
        "jsonl": _json_lines,
        "csv": _csv_rows,
        "parquet": _parquet_rows,
    }
    try:
        yield from readers[part.kind](part, collection)
    except (EOFError, UnicodeError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{part.uri} cannot be read: {error}; is it whole, and are --format and --encoding right?"
        ) from None


def outcomes(part: Part, collection: Collection, known: Known, key: bytes, now: datetime) -> Iterator[Outcome]:
    """One outcome for each row of a part (each text file).

    Args:
        part: what to read.
        collection: what its documents share.
        known: what the lake has.
        key: key of the authors' hashes.
        now: when they are read; orders versions. Each row counts as fetched a moment after the one before it, so that
            the earliest of a file's copies is the one that stands first.
    """
    for number, row in rows(part, collection):
        item = f"{part.uri}#row={number}" if part.kind != "text" else part.uri
        if isinstance(row, str):
            yield Outcome(item, collection.name, row)
            continue
        text = value(row, collection.columns.text)
        if text is None or not text.strip():
            yield Outcome(item, collection.name, EMPTY if text is not None else "failed:column")
        elif len(text) > LONGEST_ROW:
            yield Outcome(item, collection.name, "failed:too_large")
        else:
            document = _document(row, text, item, part, collection, known, key, now, _place(part, number))
            yield Outcome(item, collection.name, known.outcome(document), document)


def _place(part: Part, number: int) -> timedelta:
    """How much later than the beginning of its file a row counts as fetched; a gigabyte of JSON Lines takes 16 s."""
    return timedelta(microseconds=number // _SHORT_LINE if part.kind == "jsonl" else number)


def _document(
    row: Mapping[str, Any],
    text: str,
    item: str,
    part: Part,
    collection: Collection,
    known: Known,
    key: bytes,
    now: datetime,
    place: timedelta,
) -> Document:
    columns = collection.columns
    values = {
        name: (value(row, getattr(columns, name)) or "").strip()
        for name in ("title", "id", "url", "lang", "date", "author", "license")
    }
    own = part.name if part.kind == "text" else f"{values['title']}\n{text}"
    identity = values["id"] or values["url"] or own
    doc_id = _doc_id(collection, identity)
    if not values["id"] and doc_id not in known.digests and doc_id not in known.forgotten:
        # What was stored, or is to be forgotten, under its address as it was spelled keeps that identity.
        doc_id = _doc_id(collection, _page(values["url"]) or own)
    return Document(
        doc_id=doc_id,
        revision=int(now.timestamp() * 1_000_000),
        source="file",
        site=collection.name,
        lang_hint=values["lang"].partition("-")[0].lower() or collection.lang,
        url=values["url"],
        title=values["title"],
        text=text,
        published_at=moment_of(values["date"]) if values["date"] else None,
        fetched_at=now + place,
        license=values["license"] or collection.license,
        author=author_hash(key, collection.name, values["author"]) if values["author"] else "",
        raw_uri=item,
        extra={"id": values["id"]},
    )


def _doc_id(collection: Collection, identity: str) -> str:
    return f"file:{collection.name}:{hashlib.sha1(identity.encode(), usedforsecurity=False).hexdigest()}"


def _page(url: str) -> str:
    """The canonical form of a web address; anything else as it is."""
    if not url.lower().startswith(("http://", "https://")):
        return url
    try:
        return canonical_url(url)
    except ValueError:
        return url


def value(row: Mapping[str, Any], path: str) -> str | None:
    """A column as text, following dots where there is no column of the whole name; None when it is not there."""
    found: Any = row.get(path) if path in row else None
    if found is None and "." in path:
        found = row
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if found is None or path == "":
        return None
    return found.isoformat() if isinstance(found, datetime) else found if isinstance(found, str) else str(found)


# Formats: (number of the row, its columns or what went wrong) --------------------------------------------------------


def _text(part: Part, collection: Collection) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with _open(part.uri) as file:
        content = file.read(LONGEST_ROW * 4 + 1)
    if len(content) > LONGEST_ROW * 4:
        yield 0, "failed:too_large"
        return
    try:
        yield 0, {collection.columns.text: content.decode(collection.encoding).removeprefix("\ufeff")}
    except UnicodeDecodeError:
        yield 0, "failed:encoding"


def _json_lines(part: Part, collection: Collection) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Lines that begin in the part; rows are numbered by the byte they begin at, the same however a file is cut."""
    with _open(part.uri) as file:
        at = part.start
        if at:
            file.seek(at - 1)
            at += len(file.readline()) - 1
        while not part.end or at < part.end:
            line = file.readline()
            if not line:
                return
            number, at = at, at + len(line)
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode(collection.encoding).removeprefix("\ufeff"))
            except UnicodeDecodeError:
                yield number, "failed:encoding"
            except (ValueError, RecursionError):
                yield number, "failed:json"
            else:
                yield number, row if isinstance(row, dict) else "failed:json"


def _csv_rows(part: Part, collection: Collection) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with _open(part.uri) as file:
        lines = io.TextIOWrapper(file, encoding=collection.encoding, errors="surrogateescape", newline="")
        rows = _csv(lines, part.name)
        header = [name.removeprefix("\ufeff").strip() for name in next(rows, [])]
        number = 0
        while True:
            number += 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield number, "failed:csv"
                continue
            if not row:
                continue
            if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
                yield number, "failed:encoding"
            else:
                yield number, dict(zip(header, row, strict=False))


def _csv(lines: IO[str], name: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_ROW)
    return csv.reader(lines, delimiter="\t" if ".tsv" in name.lower() else ",")


def _parquet_rows(part: Part, collection: Collection) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    file = _parquet(part.uri)
    columns = collection.columns
    wanted = {getattr(columns, name).partition(".")[0] for name in columns.__dataclass_fields__}
    names = [name for name in file.schema_arrow.names if name in wanted or name in _whole(columns)]
    number = sum(file.metadata.row_group(group).num_rows for group in range(part.start))
    for batch in file.iter_batches(batch_size=256, row_groups=[part.start], columns=names):
        for row in batch.to_pylist():
            yield number, row
            number += 1


def _whole(columns: Columns) -> set[str]:
    return {getattr(columns, name) for name in columns.__dataclass_fields__}


def _parquet(uri: str) -> pq.ParquetFile:
    system, path = filesystem(uri)
    try:
        return pq.ParquetFile(path, filesystem=system)
    except (OSError, ValueError) as error:
        raise InputError(f"{uri} is no Parquet file ({' '.join(str(error).split())[:200]})") from None


def _open(uri: str) -> IO[bytes]:
    """A file as bytes, decompressed by its name; seekable unless it was compressed."""
    system, path = filesystem(uri)
    file = io.BufferedReader(system.open_input_file(path), 1 << 20)
    if path.endswith(".gz"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if path.endswith(".bz2"):
        return bz2.BZ2File(file)
    return file


def _format(name: str) -> Format | None:
    name = name.lower().removesuffix(".gz").removesuffix(".bz2")
    return FORMATS.get("." + name.rpartition(".")[2]) if "." in name else None


def now() -> datetime:
    """The moment of an ingest."""
    return datetime.now(UTC)
