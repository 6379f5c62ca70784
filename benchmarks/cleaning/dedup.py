"""Near-duplicate detection of 200,000 documents on two cores, beside text-dedup: the same file, bands and rows.

    python -m benchmarks.cleaning.dedup [documents]

Both read one JSONL file and use 5-word shingles, 112 hashes and 14 bands of 8 rows in two processes. Ours ends with
the clusters and survivors, theirs with the deduplicated data set on disk. Wall-clock seconds, and CPU seconds of all
processes, which other work on the machine disturbs less; peak memory of our main process. Then how well each agrees
with what was planted, as text-dedup judges itself: precision, recall and F1 of the documents that have a copy (its CORE
benchmark), and the adjusted Rand index of the clusters (its NEWS-COPY benchmark; Hubert and Arabie 1985).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cleaning import peers, planted
from lmflow.corpus.dedup import Stored, cluster
from lmflow.corpus.fingerprint import Fingerprints, fingerprint

CORES, CHUNK = 2, 5_000


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


@dataclass(frozen=True)
class Outcome:
    """What a system found in how many seconds: documents left, and the cluster of each."""

    survivors: int
    seconds: float
    cpu: float
    clusters: Sequence[str | int]


def agreement(clusters: Sequence[str | int], planted_as: NDArray[np.int64]) -> str:
    """Precision, recall and F1 of having a copy, and the adjusted Rand index, of clusters against planted ones."""
    _, found = np.unique(np.array(clusters), return_inverse=True)
    has_copy, should = (np.bincount(labels)[labels] > 1 for labels in (found, planted_as))
    right = (has_copy & should).sum()
    precision, recall = right / has_copy.sum(), right / should.sum()

    def pairs(labels: NDArray[np.int64]) -> float:
        counts = np.unique(labels, return_counts=True)[1].astype(float)
        return float((counts * (counts - 1) / 2).sum())

    size = len(found)
    both, mine, theirs = pairs(found * size + planted_as), pairs(found), pairs(planted_as)
    expected = mine * theirs / (size * (size - 1) / 2)
    rand = (both - expected) / ((mine + theirs) / 2 - expected)
    f1 = 2 * precision * recall / (precision + recall)
    return f"precision {precision:.4f}, recall {recall:.4f}, F1 {f1:.4f}, adjusted Rand index {rand:.4f}"


def ours(path: Path) -> Outcome:
    """Fingerprints in two processes, then clusters."""
    start, cpu = time.perf_counter(), cpu_seconds()
    with path.open() as file, ProcessPoolExecutor(CORES) as pool:
        texts = [json.loads(line)["text"] for line in file]
        chunks = [texts[at : at + CHUNK] for at in range(0, len(texts), CHUNK)]
        found = list(pool.map(fingerprint, chunks))
    prints = Fingerprints(
        np.concatenate([its.n_shingles for its in found]),
        np.concatenate([its.signatures for its in found]),
        np.concatenate([its.keys for its in found]),
    )
    signed = time.perf_counter()
    names = [f"{number:07}" for number in range(len(texts))]
    clustering = cluster(names, prints, Stored([], [], [], fingerprint([])))
    print(f"    fingerprints {signed - start:.1f} s, clusters {time.perf_counter() - signed:.1f} s", file=sys.stderr)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    clusters = [clustering.clusters[name] for name in names]
    return Outcome(len(names) - len(clustering.duplicates), seconds, cpu, clusters)


def theirs(path: Path, folder: Path) -> Outcome:
    """text-dedup 0.4.0 in its own environment; seconds without its imports, and CPU seconds with them."""
    command = [str(peers.python()), str(peers.HERE / "peer_dedup.py"), str(path), str(folder)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder), "PYTHONPATH": ""}
    cpu = cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    result = json.loads(done.stdout.splitlines()[-1])
    return Outcome(result["survivors"], result["seconds"], cpu_seconds() - cpu, result["clusters"])


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    texts, planted_as = planted.corpus(number)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "documents.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        del texts
        print(f"{number} documents, {path.stat().st_size / 1e6:.0f} MB, {number // 10} planted copies", flush=True)
        peers.python()
        mine = min((ours(path) for _ in range(2)), key=lambda its: its.cpu)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"  lmflow: {mine.survivors} survive, {mine.seconds:.1f} s, {mine.cpu:.1f} CPU s, {memory:.2f} GB",
            flush=True,
        )
        print(f"    {agreement(mine.clusters, planted_as)}", flush=True)
        peer = theirs(path, Path(name))
        print(f"  text-dedup: {peer.survivors} survive, {peer.seconds:.1f} s, {peer.cpu:.1f} CPU s")
        print(f"    {agreement(peer.clusters, planted_as)}")
        print(f"  {peer.seconds / mine.seconds:.1f} times the time, {peer.cpu / mine.cpu:.1f} times the CPU time")
