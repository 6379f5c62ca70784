"""From a dump file to documents on disk: the command a user types, ours and the peers', on one core and on two.

The dump is the English sample that ships with gensim, repeated with fresh page ids to 200 MB of XML and packed as one
bz2 stream (the kind nobody else can split) and as multistream with an index. Every command runs as a process of its
own, pinned to its cores; rounds are interleaved and the best of each counts, for scaling the median. CPU seconds are
of the process and all its children; memory is the largest process of a command, as the kernel keeps it.

    make bench ARGS="wikipedia.whole_process --rounds 3"             about 4 minutes on a quiet machine
    make bench ARGS="wikipedia.whole_process --only 'lmflow, one' --megabytes 600 --big-page 8"
"""

from __future__ import annotations

import argparse
import bz2
import ctypes
import itertools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.wikipedia.peers import environment
from lmflow.samples.corpus import enwiki_dump
from lmflow.samples.dumps import multistream

_ROOT = Path(__file__).parents[2]
_STEM = "enwiki-20260101-pages-articles"
#: Page ids of one copy are this far from those of the next.
_STRIDE = 100_000_000
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


@dataclass(frozen=True)
class Measured:
    """One run of one command."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def repeated(megabytes: float, big_page_mb: float = 0) -> bytes:
    """The sample's pages again and again, each copy under ids of its own; at first one very long page, if wanted."""
    xml = bz2.decompress(enwiki_dump().read_bytes())
    pages = re.findall(rb"  <page>\n.*?  </page>\n", xml, re.DOTALL)
    pieces = [xml[: xml.index(pages[0])]]
    if big_page_mb:
        longest = max(pages, key=len)
        text = re.search(rb"<text[^>]*>([^<]*)</text>", longest)
        assert text is not None
        times = int(big_page_mb * 1e6 / len(text[1]))
        pieces.append(longest.replace(text[1], text[1] * times).replace(b"<id>", b"<id>9", 1))
    size, copy = 0, 0
    while size < 1e6 * megabytes:
        for page in pages:
            found = re.search(rb"<id>(\d+)</id>", page)
            assert found is not None
            pieces.append(page.replace(found[0], b"<id>%d</id>" % (int(found[1]) + copy * _STRIDE), 1))
            size += len(page)
        copy += 1
    return b"".join([*pieces, b"</mediawiki>\n"])


def pack(xml: bytes, folder: Path) -> dict[str, Path]:
    """The dump as one stream, and as multistream with its index."""
    single = folder / f"{_STEM}.xml.bz2"
    single.write_bytes(bz2.compress(xml))
    packed, index = multistream(xml, 100)
    several = folder / f"{_STEM}-multistream.xml.bz2"
    several.write_bytes(packed)
    (folder / f"{_STEM}-multistream-index.txt.bz2").write_bytes(index)
    return {"one stream": single, "multistream": several}


def commands(dumps: dict[str, Path], cores: int, out: Path) -> dict[str, list[str]]:
    """What a user types, by a name for the table."""
    ours = [sys.executable, "-m", "jobs.ingest_wikipedia", "--lang", "en", "--file"]
    peer, single = str(environment()), str(dumps["one stream"])
    extractor = [peer, "-m", "wikiextractor.WikiExtractor", single, "-o", str(out), "--json", "-q"]
    return {
        "lmflow, one stream": [*ours, single],
        "lmflow, multistream": [*ours, str(dumps["multistream"])],
        "lmflow on Spark, one stream": [*ours, single, "--engine", "spark"],
        "wikiextractor --no-templates": [*extractor, "--no-templates", "--processes", str(cores)],
        "wikiextractor": [*extractor, "--processes", str(cores)],
        "gensim segment_wiki": [
            *(peer, "-m", "gensim.scripts.segment_wiki", "-f", single, "-o", f"{out}/segmented.json.gz"),
            *("-w", str(cores)),
        ],
    }


def measure(command: Sequence[str], cores: Iterable[int], mlflow: str) -> Measured:
    """Run a command on some cores, in a home of its own."""
    home = Path(tempfile.mkdtemp())
    # Spark in local mode asks Java for the cores, which heeds the pinning.
    environment = {**os.environ, "LMFLOW_HOME": str(home), "LMFLOW_MLFLOW_URI": mlflow, "PYTHONWARNINGS": "ignore"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        start_new_session=True,
    )
    peak = _Peak(process.pid)
    assert process.stderr is not None
    errors = process.stderr.read()
    status = process.wait()
    wall = time.monotonic() - started
    _wait_for_orphans(process.pid)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(home, ignore_errors=True)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}: {errors.decode()[-1000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(wall, cpu, peak.stop() / 1e6)


def one_on_each_core(command: Sequence[str], cores: int, mlflow: str) -> float:
    """Seconds until a command has ended that runs once on each core, the runs knowing nothing of each other.

    Twice the work in as much time as one run alone takes would be a machine whose cores share nothing: what this takes
    longer is lost to the machine (caches, memory, a core that is half of one), not to what the command shares.
    """
    with ThreadPoolExecutor(cores) as pool:
        return max(pool.map(lambda core: measure(command, [core], mlflow).wall_s, range(cores)))


def _adopt_orphans() -> None:
    """Processes whose parent ends become children of this one, so that their CPU seconds are counted."""
    subreaper = 36  # PR_SET_CHILD_SUBREAPER of Linux's prctl
    if ctypes.CDLL(None, use_errno=True).prctl(subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _wait_for_orphans(session: int) -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-session, 0)


class _Peak:
    """The largest resident memory of any process of a family, in bytes, as the kernel keeps it (`VmHWM`).

    Asking costs little (a tenth of a percent of a core; it took three before), for it runs on the cores of what is
    measured, and only where a command has all of them does it take their time.
    """

    def __init__(self, pid: int) -> None:
        self._root, self._largest, self._over = psutil.Process(pid), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        family: list[psutil.Process] = []
        for look in itertools.count():
            if look % 10 == 0:  # who belongs to it costs a look at every process of the machine
                with suppress(psutil.Error):
                    family = [self._root, *self._root.children(recursive=True)]
            for process in family:
                with suppress(OSError):
                    found = _PEAK.search(Path(f"/proc/{process.pid}/status").read_bytes())
                    self._largest = max(self._largest, 1024 * int(found[1]) if found else 0)
            if self._over.wait(0.1):
                return

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return float(self._largest)


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The tracking server that a user of lmflow has running; not part of what is measured."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *(
                "--backend-store-uri",
                f"sqlite:///{folder}/mlflow.db",
                "--artifacts-destination",
                str(folder / "mlflow"),
            ),
        ],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=2)
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def scaling(runs: dict[tuple[str, int], list[Measured]], apart: dict[str, list[float]], label: str, most: int) -> str:
    """How many times as fast a command is on several cores, and how many times one run's work the machine does on them.

    Each round's runs stand beside each other in time and are compared with each other: a machine that others use too
    changes its speed by a third within minutes, which the best of all rounds would mix.
    """
    alone = [run.wall_s for run in runs[label, 1]]
    faster = [one / run.wall_s for one, run in zip(alone, runs[label, most], strict=True)]
    machine = [most * one / seconds for one, seconds in zip(alone, apart[label], strict=True)]
    rounds = ", ".join(f"{each:.2f}" for each in faster)
    return (
        f"{label}: {median(faster):.2f} times as fast on {most} cores (rounds: {rounds}); "
        f"{most} runs apart, one on each core, do {median(machine):.2f} times one run's work in its time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--big-page", type=float, default=0, help="MB of a page put before the others")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cores", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--only", nargs="*", default=[""], help="commands whose names start so")
    options = parser.parse_args()
    _adopt_orphans()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        xml = repeated(options.megabytes, options.big_page)
        size, dumps = len(xml) / 1e6, pack(xml, folder)
        del xml
        print(f"{size:.1f} MB of XML, {dumps['one stream'].stat().st_size / 1e6:.1f} MB as one bz2 stream", flush=True)
        runs: defaultdict[tuple[str, int], list[Measured]] = defaultdict(list)
        apart: defaultdict[str, list[float]] = defaultdict(list)
        most = max(options.cores)
        labels = [label for label in commands(dumps, 1, folder) if label.startswith(tuple(options.only))]
        with mlflow_server(folder) as mlflow:
            for _, label in itertools.product(range(options.rounds), labels):
                for cores in options.cores:
                    shutil.rmtree(folder / "out", ignore_errors=True)
                    (folder / "out").mkdir()
                    run = measure(commands(dumps, cores, folder / "out")[label], range(cores), mlflow)
                    print(f"  {label}, {cores} cores: {run}", file=sys.stderr, flush=True)
                    runs[label, cores].append(run)
                if label.startswith("lmflow, ") and 1 in options.cores and most > 1:
                    command = commands(dumps, 1, folder / "out")[label]
                    apart[label].append(one_on_each_core(command, most, mlflow))
                    print(f"  {label}, one on each core: {apart[label][-1]:.1f} s", file=sys.stderr, flush=True)
    print("| command | cores | seconds | CPU seconds | MB of XML a CPU second | largest process, MB |")
    print("|---|---|---|---|---|---|")
    for (label, cores), rounds in runs.items():
        wall, cpu = min(run.wall_s for run in rounds), min(run.cpu_s for run in rounds)
        peak = max(run.peak_mb for run in rounds)
        print(f"| {label} | {cores} | {wall:.1f} | {cpu:.1f} | {size / cpu:.1f} | {peak:.0f} |")
    for label in apart:
        print(scaling(runs, apart, label, most))


if __name__ == "__main__":
    main()
