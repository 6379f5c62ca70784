"""A dump site as Wikimedia runs it, with one dump: the English pages that gensim ships, packed as multistream bz2.

A multistream file is a bz2 stream with the XML header, then streams of a fixed number of complete pages, then one with
the closing tag. The index beside it has a line `offset:page id:title` for every page, titles escaped as in the XML, so
that a reader can start at any stream. Wikimedia puts 100 pages in a stream; here it is 20, so that these 206 pages
still make several partitions.
"""

from __future__ import annotations

import bz2
import hashlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from html import escape

from lmflow.samples.corpus import enwiki_dump
from lmflow.samples.exchange import Response, json_response, not_found

DATE = "20160501"  # the newest revision in the file is of that day
FINISHED = datetime(2016, 5, 4, 12, 0, tzinfo=UTC)
PAGES_A_STREAM = 20
LEGAL = "Text of Wikipedia by its authors, CC BY-SA 3.0 and GFDL; these pages are packaged in gensim."

PLAIN = f"enwiki-{DATE}-pages-articles.xml.bz2"
MULTISTREAM = f"enwiki-{DATE}-pages-articles-multistream.xml.bz2"
INDEX = f"enwiki-{DATE}-pages-articles-multistream-index.txt.bz2"
JOBS = {"articlesdump": (PLAIN,), "articlesmultistreamdump": (MULTISTREAM, INDEX)}

_PAGE = re.compile(rb"  <page>\n.*?  </page>\n", re.DOTALL)
_TITLE_AND_ID = re.compile(rb"<title>(.+?)</title>.*?<id>(\d+)</id>", re.DOTALL)


def multistream(xml: bytes, pages_a_stream: int = PAGES_A_STREAM) -> tuple[bytes, bytes]:
    """Pack an XML dump as Wikimedia's recompressxml does: (multistream bz2, bz2 of the index). No page is changed."""
    pages = _PAGE.findall(xml)
    groups = [pages[i : i + pages_a_stream] for i in range(0, len(pages), pages_a_stream)]
    header, footer = xml[: xml.index(pages[0])], xml[xml.rindex(pages[-1]) + len(pages[-1]) :]
    with ThreadPoolExecutor() as pool:  # bz2 releases the interpreter while it works
        streams = list(pool.map(bz2.compress, [header, *(b"".join(group) for group in groups), footer]))
    index, offset = [], len(streams[0])
    for group, stream in zip(groups, streams[1:-1], strict=True):
        index += [b"%d:%s:%s\n" % (offset, page_id, title) for title, page_id in map(_title_and_id, group)]
        offset += len(stream)
    return b"".join(streams), bz2.compress(b"".join(index))


def _title_and_id(page: bytes) -> tuple[bytes, bytes]:
    found = _TITLE_AND_ID.search(page)
    if not found:
        raise ValueError(f"a page without title or id: {page[:80]!r}")
    return found[1], found[2]


@cache
def dump_files() -> Mapping[str, bytes]:
    """The files of the dump by name; the plain one is the file that gensim ships, byte for byte."""
    plain = enwiki_dump().read_bytes()
    packed, index = multistream(bz2.decompress(plain))
    return {PLAIN: plain, MULTISTREAM: packed, INDEX: index}


class DumpSite:
    """Everything under /dumps/: listings, the dump with status and checksums, and `latest`. Nothing is held back."""

    prefix = "/dumps/"

    def respond(self, path: str, query: Mapping[str, str]) -> Response:
        """Answer for the path below the prefix."""
        names = [*dump_files(), *(f"enwiki-{DATE}-{kind}sums.txt" for kind in ("sha1", "md5")), "dumpstatus.json"]
        latest = {name.replace(DATE, "latest"): name for name in names if DATE in name}
        match path.split("/"):
            case [""]:
                return _listing("/dumps/", ["enwiki/"])
            case ["enwiki", ""]:
                return _listing("/dumps/enwiki/", [f"{DATE}/", "latest/"])
            case ["enwiki", str(date), ""] if date == DATE:
                return _listing(f"/dumps/enwiki/{DATE}/", names)
            case ["enwiki", "latest", ""]:
                return _listing("/dumps/enwiki/latest/", latest)
            case ["enwiki", str(date), str(name)] if date == DATE:
                return _file(name)
            case ["enwiki", "latest", str(name)]:
                return _file(latest.get(name, ""))
        return not_found()

    def counts(self) -> dict[str, int]:
        """How many pages the dump holds; `documents` are those that are not redirects."""
        return dict(_counts())


@cache
def _counts() -> dict[str, int]:
    xml = bz2.decompress(dump_files()[PLAIN])
    pages, redirects = xml.count(b"<page>"), xml.count(b"<redirect ")
    return {"documents": pages - redirects, "pages": pages, "redirects": redirects, "xml_bytes": len(xml)}


def _file(name: str) -> Response:
    files = dump_files()
    if name in files:
        return Response(files[name], "application/octet-stream", modified=FINISHED, ranges=True)
    if name == "dumpstatus.json":
        return json_response(_status(files))
    for kind in ("sha1", "md5"):
        if name == f"enwiki-{DATE}-{kind}sums.txt":
            lines = "".join(f"{_digest(kind, body)}  {file}\n" for file, body in files.items())
            return Response(lines.encode(), "text/plain; charset=utf-8", modified=FINISHED)
    return not_found()


def _status(files: Mapping[str, bytes]) -> dict[str, object]:
    """The dump's state in the shape of Wikimedia's dumpstatus.json, version 0.8."""

    def described(name: str) -> dict[str, object]:
        body = files[name]
        url = f"/dumps/enwiki/{DATE}/{name}"
        return {"size": len(body), "url": url, "md5": _digest("md5", body), "sha1": _digest("sha1", body)}

    jobs = {
        job: {
            "status": "done",
            "updated": FINISHED.strftime("%Y-%m-%d %H:%M:%S"),
            "files": {name: described(name) for name in names},
        }
        for job, names in JOBS.items()
    }
    return {"jobs": jobs, "version": "0.8"}


def _digest(kind: str, body: bytes) -> str:
    return hashlib.new(kind, body, usedforsecurity=False).hexdigest()


def _listing(folder: str, names: Iterable[str]) -> Response:
    """A folder as nginx's autoindex shows it."""
    moment = FINISHED.strftime("%d-%b-%Y %H:%M")
    lines = (f'<a href="{escape(name)}">{escape(name)}</a>{"":{max(1, 60 - len(name))}}{moment}' for name in names)
    body = (
        f"<html>\n<head><title>Index of {folder}</title></head>\n<body>\n<h1>Index of {folder}</h1>"
        f'<hr><pre><a href="../">../</a>\n' + "\n".join(lines) + f"\n</pre><hr><p>{LEGAL}</p></body>\n</html>\n"
    )
    return Response(body.encode(), modified=FINISHED)
