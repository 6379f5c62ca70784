"""A small piece of work for each way into the lake beside crawling pages: files, archives, dumps, an API."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

from lmflow.crawl.warc import WarcWriter
from lmflow.extract.wikipedia import PAGES
from lmflow.lake import Lake
from lmflow.lake.upkeep import sweep
from lmflow.samples.dumps import multistream
from tests.crawl.farm import page
from tests.crawl.site import Site


@dataclass(frozen=True)
class Workload:
    """Options of a job, what its environment needs besides, and how many documents come of it."""

    job: str
    arguments: tuple[str, ...]
    documents: int
    environment: tuple[tuple[str, str], ...] = ()
    victims: tuple[str, ...] = (
        "group",
    )  # what a kill hits: the process group, the driver alone, one process it started
    beside: str = r"$^"  # raw files, by their path in the lake, that no document points to and yet belong there
    check: Callable[[Path], None] = lambda home: None  # what else must hold of a home in the end


def _prose(number: int) -> str:
    words = random.Random(number)
    return f"Text {number}: " + " ".join(words.choices(("river", "stone", "lamp", "winter", "bread", "letter"), k=40))


def files(folder: Path, site: Site, size: int) -> Workload:
    """Text files, JSON Lines and CSV, a third of the documents each."""
    own = folder / "own"
    own.mkdir()
    third = size // 3
    for number in range(third):
        (own / f"{number}.txt").write_text(_prose(number))
    lines = [json.dumps({"id": number, "text": _prose(number)}) for number in range(third, 2 * third)]
    (own / "rows.jsonl").write_text("\n".join(lines))
    with (own / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, _prose(number)] for number in range(2 * third, 3 * third))
    options = ("--path", str(own), "--collection", "mine", "--lang", "en", "--id-column", "id")
    return Workload("ingest_files", options, 3 * third)


def archives(folder: Path, site: Site, size: int) -> Workload:
    """Two WARC files of news pages."""
    paths = []
    for part in range(2):
        writer = WarcWriter("test")
        for number in range(size // 2):
            url = f"https://paper-{part}.org/{number}.html"
            moment = datetime(2026, 1, 2, tzinfo=UTC)
            writer.add_response(url, 200, {"content-type": "text/html"}, page(f"paper-{part}", number, 3), moment)
        paths.append(folder / f"CC-NEWS-{part}.warc.gz")
        paths[-1].write_bytes(writer.content)
    return Workload("ingest_news", ("--warc", *map(str, paths)), 2 * (size // 2))


def reddit(folder: Path, site: Site, size: int) -> Workload:
    """A dump of comments in two files."""
    paths = []
    for part in range(2):
        rows = [
            {"id": f"c{n}", "author": f"u{n % 50}", "body": _prose(n), "link_id": "t3_s", "parent_id": "t3_s"}
            for n in range(part * (size // 2), (part + 1) * (size // 2))
        ]
        paths.append(folder / f"RC_2026-0{part + 1}.zst")
        paths[-1].write_bytes(zstandard.ZstdCompressor().compress("\n".join(map(json.dumps, rows)).encode()))
    return Workload("ingest_social", ("--dump", *map(str, paths), "--kind", "reddit", "--lang", "en"), 2 * (size // 2))


def stackexchange(folder: Path, site: Site, size: int) -> Workload:
    """Questions with a comment each."""
    half = size // 2
    posts = "".join(f'<row Id="{n}" PostTypeId="1" Title="T" Body="{_prose(n)}"/>' for n in range(1, half + 1))
    comments = "".join(f'<row Id="{n}" PostId="{n}" Text="{_prose(n + half)}" UserId="9"/>' for n in range(1, half + 1))
    (folder / "Posts.xml").write_text(f"<posts>{posts}</posts>")
    (folder / "Comments.xml").write_text(f"<comments>{comments}</comments>")
    dumps = ("--dump", str(folder / "Posts.xml"), str(folder / "Comments.xml"))
    options = (*dumps, "--kind", "stackexchange", "--site", "x.stackexchange.com", "--lang", "en")
    return Workload("ingest_social", options, 2 * half)


def hackernews(folder: Path, site: Site, size: int) -> Workload:
    """Items of an API, one request each."""
    site.robots = (200, b"User-agent: *\nAllow: /\n")
    for number in range(1, size + 1):
        item: dict[str, Any] = {"id": number, "by": f"u{number % 9}", "text": _prose(number), "time": number}
        item |= {"type": "comment", "parent": number - 1} if number % 10 else {"type": "story", "title": "T"}
        site.pages[f"/v0/item/{number}.json"] = json.dumps(item).encode()
    site.pages["/v0/maxitem.json"] = str(size).encode()
    site.pages["/v0/updates.json"] = b'{"items": [1, 2, 3], "profiles": []}'
    source = {"name": "hn", "lang": "en", "kind": "hackernews", "api": site.url, "license": "x", "rate": 200}
    (folder / "hn.yaml").write_text(json.dumps({"social": [{**source, "concurrency": 4}]}))
    environment = (("LMFLOW_SOURCES", str(folder / "hn.yaml")),)
    return Workload("ingest_social", ("--source", "hn"), size, environment)


def wikipedia(folder: Path, site: Site, size: int) -> Workload:
    """A multistream dump in four files with their indexes, to be downloaded; its text compresses badly."""
    quarter = size // 4
    files: dict[str, bytes] = {}
    for part in range(4):
        numbers = range(part * quarter + 1, (part + 1) * quarter + 1)
        xml = "".join(
            f"  <page>\n    <title>T{n}</title>\n    <ns>0</ns>\n    <id>{n}</id>\n    <revision>\n"
            f"      <id>{n + size}</id>\n      <text>{_noise(n)}</text>\n    </revision>\n  </page>\n"
            for n in numbers
        )
        stem = "xxwiki-20260101-pages-articles-multistream{}" + f"-p{numbers[0]}p{numbers[-1]}.bz2"
        packed, index = multistream(f"<mediawiki>\n{xml}</mediawiki>\n".encode(), 10)
        files[stem.format(f"{part + 1}.xml")] = packed
        files[stem.format(f"-index{part + 1}.txt")] = index
    entries = {name: {"size": len(body), "sha1": hashlib.sha1(body).hexdigest()} for name, body in files.items()}
    status = {"jobs": {"articlesmultistreamdump": {"status": "done", "files": entries}}}
    site.pages |= {f"/xxwiki/20260101/{name}": body for name, body in files.items()}
    site.pages["/xxwiki/20260101/dumpstatus.json"] = json.dumps(status).encode()
    site.pages["/xxwiki/"] = b'<a href="20260101/">20260101/</a>'

    def check(home: Path) -> None:
        """Every page is listed once; nothing that a killed run wrote is left, once its time is over."""
        lake = Lake(f"file://{home}/lake")
        raw = home / "lake/objects/raw/wikipedia/xxwiki"
        (lists,) = (raw / "pages").iterdir()
        listed = pq.read_table(list(lists.glob("part-*.parquet")), schema=PAGES)
        assert sorted(listed["page_id"].to_pylist()) == list(range(1, 4 * quarter + 1))
        assert set(listed["outcome"].to_pylist()) in ({"new"}, {"unchanged"})  # known, after a commit
        assert sorted(path.name for path in (raw / "20260101").iterdir()) == sorted(files)
        assert [path for path in raw.rglob(".*") if path.is_file()] == []
        assert list((home / "downloads").iterdir()) == []
        sweep(lake.table("documents"), (), 0, 0)
        table = lake.table("documents")
        assert sorted(
            f"{table.uri}/{path.path.partition('/documents/')[2]}" for path in table.parquet_files()
        ) == sorted(table.file_uris())

    options = ("--lang", "xx", "--site", site.url)
    beside = r"raw/wikipedia/xxwiki/(pages/.*/part-\d{5}\.parquet|20260101/.*-index.*)"
    return Workload("ingest_wikipedia", options, 4 * quarter, (), ("group", "driver", "process"), beside, check)


def _noise(number: int) -> str:
    """Six thousand characters in words, of which bz2 saves a quarter."""
    letters = base64.b64encode(random.Random(number).randbytes(4500), b"xy").decode()
    return " ".join(letters[at : at + 8] for at in range(0, len(letters), 8))


WORKLOADS: dict[str, Callable[[Path, Site, int], Workload]] = {
    each.__name__: each for each in (files, archives, reddit, stackexchange, hackernews, wikipedia)
}
