"""WARC reading: CPU seconds for a file of real news pages, lmflow beside fastwarc and warcio, on one core.

    python -m benchmarks.news.warc [--fundus ../shared/data/news/fundus] [--pages 1000] [--repeats 5]

The file holds the pages of fundus' test data, repeated, one gzip member a record (level 6, as CC-NEWS has it). Each
library decodes every HTTP body; processes of their own, taken in turn; the minimum of the repeats counts. fastwarc
and warcio hand out bytes, lmflow a view of the record it has inflated, which `ingest_news --warc` searches without a
copy; `lmflow-copies` makes one of each.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from benchmarks.news.gold import fundus
from lmflow.crawl.warc import WarcWriter

PACKAGES = ("fastwarc==2.0.1", "warcio==1.8.1")  # Apache-2.0, Apache-2.0
_WORKER = Path(__file__).with_name("warc_worker.py")
_ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fundus", type=Path, default=Path("../shared/data/news/fundus"))
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    peers = _environment()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "news.warc.gz"
        path.write_bytes(b"".join(_packed_anew(archive(options.fundus, options.pages))))
        pythons = {
            "lmflow": Path(sys.executable),
            "lmflow-copies": Path(sys.executable),
            "fastwarc": peers,
            "warcio": peers,
        }
        seconds: dict[str, list[float]] = {name: [] for name in pythons}
        sizes = {}
        for _ in range(options.repeats):
            for name, python in pythons.items():
                spent, count, size = _run(python, name, path)
                seconds[name].append(spent)
                sizes[name] = (count, size)
        print(f"{options.pages} pages, {path.stat().st_size / 1e6:.1f} MB packed, {sizes['lmflow'][1] / 1e6:.1f} MB")
        for name, spent_all in seconds.items():
            best = min(spent_all)
            rate = sizes[name][0] / best
            print(
                f"  {name:13} {best:.3f} s, {rate:,.0f} responses/s, {sizes[name][1] / best / 1e6:.0f} MB/s of bodies"
            )
        for name in ("lmflow", "lmflow-copies"):
            print(f"  {name} / fastwarc: {min(seconds['fastwarc']) / min(seconds[name]):.2f} of its speed")


def archive(root: Path, pages: int) -> bytes:
    """A WARC file of so many pages, each at an address of its own."""
    writer = WarcWriter("benchmark")
    for number, page in enumerate(islice(cycle(fundus(root)), pages)):
        headers = {"content-type": "text/html; charset=utf-8"}
        writer.add_response(f"{page.url}?n={number}", 200, headers, page.html, datetime(2026, 1, 2, tzinfo=UTC))
    return writer.content


def _packed_anew(content: bytes) -> Iterator[bytes]:
    """The gzip members of a file, packed as CC-NEWS packs them."""
    while content:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        yield gzip.compress(stream.decompress(content), 6, mtime=0)
        content = stream.unused_data


def _run(python: Path, name: str, path: Path) -> tuple[float, int, int]:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run([python, _WORKER, name, path], env=environment, capture_output=True, text=True, check=True)
    spent, count, size = json.loads(done.stdout)
    return spent, count, size


def _environment() -> Path:
    """The Python of the peers' environment, made on first use."""
    folder = Path(tempfile.gettempdir()) / "lmflow-peers-warc-2.0.1-1.8.1"
    if not (folder / "complete").exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin/python", *PACKAGES], check=True)
        (folder / "complete").touch()
    return folder / "bin" / "python"


if __name__ == "__main__":
    main()
