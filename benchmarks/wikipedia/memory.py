"""Memory of an ingest of millions of pages: of the driver, and of the largest of its workers.

The pages are tiny, for what grows with a dump is what is kept for every page: its line in the index, its revision in
the lake, its row in the list of pages. Two dumps of one wiki are read one after the other. The second meets a lake that
knows every page: a half of them have a newer revision, and one in ten is missing and gets a tombstone. Resident memory
is sampled twenty times a second.

    make bench ARGS="wikipedia.memory --pages 1000000"          about 8 minutes; `--engine spark` for Spark
"""

from __future__ import annotations

import argparse
import bz2
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.wikipedia.whole_process import mlflow_server

_ROOT = Path(__file__).parents[2]
_A_STREAM = 100
_TEXT = "'''Page {page}''' is the name of page number {page} of a wiki that has [[many pages]]. [[Category:Pages]]"


def write_dump(folder: Path, date: str, pages: int, revision: Callable[[int], int]) -> Path:
    """A multistream dump with its index and checksum; a page whose revision is 0 is left out."""
    path = folder / f"xxwiki-{date}-pages-articles-multistream.xml.bz2"
    index_path = folder / f"xxwiki-{date}-pages-articles-multistream-index.txt.bz2"
    with path.open("wb") as dump, bz2.open(index_path, "wt", compresslevel=1) as index:
        dump.write(bz2.compress(b"<mediawiki>\n<siteinfo><dbname>xxwiki</dbname></siteinfo>\n"))
        for first in range(1, pages + 1, _A_STREAM):
            there = [page for page in range(first, min(first + _A_STREAM, pages + 1)) if revision(page)]
            index.writelines(f"{dump.tell()}:{page}:Page with the number {page}\n" for page in there)
            xml = "".join(
                f"  <page>\n    <title>Page with the number {page}</title>\n    <ns>0</ns>\n    <id>{page}</id>\n"
                f"    <revision>\n      <id>{revision(page)}</id>\n      <timestamp>2026-01-02T03:04:05Z</timestamp>\n"
                f"      <text>{_TEXT.format(page=page)}</text>\n    </revision>\n  </page>\n"
                for page in there
            )
            dump.write(bz2.compress(xml.encode(), 1))
        dump.write(bz2.compress(b"</mediawiki>\n"))
    with path.open("rb") as dump_again:
        sha1 = hashlib.file_digest(dump_again, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
    (folder / f"xxwiki-{date}-sha1sums.txt").write_text(f"{sha1}  {path.name}\n")
    return path


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float, float, str]:
    """Seconds, MB of the driver and of the largest other process at their peaks, and what it printed."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peaks = {"driver": 0, "worker": 0}
    over = threading.Event()

    def watch() -> None:
        driver = psutil.Process(process.pid)
        while not over.wait(0.05):
            try:
                peaks["driver"] = max(peaks["driver"], driver.memory_info().rss)
                for worker in driver.children(recursive=True):
                    peaks["worker"] = max(peaks["worker"], worker.memory_info().rss)
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, errors = process.communicate()
    over.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.decode()[-1000:]}")
    return time.monotonic() - started, peaks["driver"] / 1e6, peaks["worker"] / 1e6, output.decode().strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1_000_000)
    parser.add_argument("--engine", default="processes", choices=["processes", "spark"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dumps = {
            "nothing known": write_dump(folder, "20260101", options.pages, lambda page: page),
            "every page known": write_dump(
                folder,
                "20260201",
                options.pages,
                lambda page: 0 if page % 10 == 0 else page + options.pages * (page % 2),
            ),
        }
        with mlflow_server(folder) as mlflow:
            environment = {**os.environ, "LMFLOW_HOME": str(folder / "home"), "LMFLOW_MLFLOW_URI": mlflow}
            print("| | pages | seconds | driver, MB | largest worker, MB | answer |\n|---|---|---|---|---|---|")
            for label, dump in dumps.items():
                command = [sys.executable, "-m", "jobs.ingest_wikipedia", "--lang", "xx", "--file", str(dump)]
                seconds, driver, worker, output = measure([*command, "--engine", options.engine], environment)
                print(
                    f"| {label} | {options.pages:,} | {seconds:.0f} | {driver:.0f} | {worker:.0f} | {output[:160]} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
