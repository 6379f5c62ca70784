"""Which dumps to read: those of a dump site, found and downloaded, or a file that a person has."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from jobs.command import Progress
from lmflow.crawl.dump_names import edition_code, index_name, wiki_name
from lmflow.errors import InputError
from lmflow.extract.wikipedia import Edition
from lmflow.lake import Objects

if TYPE_CHECKING:
    from jobs.ingest_wikipedia import IngestWikipedia
    from lmflow.crawl.wikimedia import Dump


@dataclass(frozen=True, slots=True)
class Work:
    """One dump to read: where its files are, and what identifies this reading of it."""

    source: str
    wiki: str  # database name, enwiki
    edition: Edition
    digest: str
    files: tuple[tuple[str, str], ...]  # keys of data and index (empty: none) below `objects`
    objects_root: str
    download: Dump | None
    is_whole: bool  # all files of a dump, with verified checksums


def works(options: IngestWikipedia, progress: Progress) -> list[Work]:
    """The dumps that the options ask for.

    Raises:
        InputError: they contradict each other, or there is no such dump or file.
    """
    if options.file is not None:
        return [_local_work(options, options.file, progress)]
    from jobs import wikipedia_sites  # here, for what asks a site takes 0.2 s to load and a file needs none of it

    return wikipedia_sites.works(options, progress)


def download(work: Work, progress: Progress) -> None:
    """Bring the dump's files into the lake, where they are not there yet."""
    if work.download is None:
        return
    from lmflow.crawl.wikimedia import download_all

    download_all(work.download, Objects(work.objects_root), work.files, work.source, progress.bar)


def language(code: str) -> str:
    """The language of an edition, by the code in its address."""
    return "en" if code == "simple" else code


def _local_work(options: IngestWikipedia, file: str, progress: Progress) -> Work:
    """A dump file the user has; its index and its checksums are used when they lie beside it."""
    if options.lang is None:
        raise InputError("--file needs --lang, the language of the dump, e.g. --lang en")
    scheme = urlsplit(file).scheme
    if scheme not in ("", "file", "s3"):
        raise InputError(f"--file {file}: only a path, file:// or s3:// (for http(s) use --site)")
    path = unquote(urlsplit(file).path) if scheme == "file" else file  # a path may hold what would be escaped
    address = file if scheme == "s3" else f"file://{Path(path).resolve()}"
    root, _, name = address.rpartition("/")
    objects = Objects(root)
    if not name or not objects.exists(name):
        raise InputError(f"--file {file}: no such file")
    wiki = wiki_name(options.lang)
    date = re.search(r"-(\d{8})-", name)
    digests = _digests(objects.local(name), progress)
    index = index_name(name)
    code = edition_code(wiki)
    return Work(
        source=wiki.replace("_", "-"),
        wiki=wiki,
        edition=Edition(code, language(code), f"{code}.wikipedia.org", date[1] if date else "", "CC BY-SA 4.0"),
        digest=digests["sha256"],
        files=((name, index if index and objects.exists(index) else ""),),
        objects_root=root,
        download=None,
        is_whole=_is_whole(objects, name, wiki, digests["sha1"]),
    )


def _digests(path: Path, progress: Progress) -> dict[str, str]:
    hashes = {"sha256": hashlib.sha256(), "sha1": hashlib.sha1(usedforsecurity=False)}
    with path.open("rb") as content, progress.bar(path.stat().st_size / 1e6, f"checking {path.name}", "MB") as bar:
        while chunk := content.read(1 << 22):
            for each in hashes.values():
                each.update(chunk)
            bar.advance(len(chunk) / 1e6)
    return {name: each.hexdigest() for name, each in hashes.items()}


def _is_whole(objects: Objects, name: str, wiki: str, sha1: str) -> bool:
    """Whether a file is a dump's only one, by its name, and the dump's list of checksums beside it says the same."""
    found = re.fullmatch(rf"{wiki}-(\d{{8}})-pages-articles(-multistream)?\.xml(\.\w+)?", name)
    sums = f"{wiki}-{found[1]}-sha1sums.txt" if found else ""
    if not sums or not objects.exists(sums):
        return False
    return f"{sha1}  {name}" in objects.get(sums).decode("utf-8", "replace").splitlines()
