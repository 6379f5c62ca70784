"""Words a second of our trainings, of gensim called by hand and of fastText's own package; GloVe against its reference.

    python -m benchmarks.embeddings.speed --file corpus.txt [--glove /path/to/glove] [--workers 2] [--epochs 3]

The file has a sentence a line. Each training is a process of its own; peers take turns with us within a round, who
goes first changes from round to round, and the figures are medians over rounds. fastText is installed into a scratch
environment. The reference GloVe is not on PyPI: build `glove` from its sources and name it; without it the count of
floating-point operations is given instead. Its seconds include its start and the saving of vectors, ours no compiling.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from lmflow.lake import Lake

PROJECT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("peer_worker.py")


def fasttext_python() -> str:
    """The interpreter of an environment that has Facebook's fastText, made when it is not there."""
    folder = Path(tempfile.gettempdir()) / "lmflow-peer-fasttext"
    python = folder / "bin" / "python"
    if not python.exists():
        uv = str(PROJECT / ".venv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "-p", str(python), "fasttext==0.9.3"], check=True)
    return str(python)


def seconds(python: str, *arguments: object) -> dict[str, float]:
    """What one training took: what it says itself, and `whole`, its process from start to end."""
    started = time.perf_counter()
    command = [python, str(WORKER), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout), "whole": time.perf_counter() - started}


def whole_job(file: Path, workers: int, epochs: int) -> float:
    """Seconds of the job from start to registered model, its text from a corpus table, tracking in a database file."""
    with tempfile.TemporaryDirectory() as home:
        lines = file.read_text().splitlines()
        texts = ["\n".join(lines[start : start + 50]) for start in range(0, len(lines), 50)]
        shared = {"batch_id": 1, "revision": 1, "lang": "en", "split": "train"}
        rows = [{**shared, "doc_id": f"file:{at}", "text": text, "n_chars": len(text)} for at, text in enumerate(texts)]
        corpus = Lake(f"file://{home}/lake").table("corpus")
        named = [{name: row.get(name) for name in corpus.schema.names} for row in rows]
        corpus.append("benchmark", pa.Table.from_pylist(named, corpus.schema))
        environment = {
            **os.environ, "PYTHONPATH": str(PROJECT), "LMFLOW_HOME": home, "LMFLOW_MLFLOW_URI": f"sqlite:///{home}/m.db",
        }  # fmt: skip
        command = [sys.executable, "-m", "jobs.train_embeddings", "--lang", "en", "--min-count", "5"]
        command += ["--workers", str(workers), "--epochs", str(epochs)]
        started = time.perf_counter()
        subprocess.run(command, cwd=home, env=environment, capture_output=True, check=True)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--glove", default="")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    file, words = given.file.resolve(), len(given.file.read_text().split())
    contests = {"word2vec": ("ours", "gensim"), "fasttext": ("ours", "gensim", "fasttext")}
    print(f"{words:,} words, {given.workers} workers, {given.epochs} epochs, {given.rounds} rounds; medians")
    for algorithm, peers in contests.items():
        pythons = {peer: fasttext_python() if peer == "fasttext" else sys.executable for peer in peers}
        rounds = [
            {peer: seconds(pythons[peer], peer, algorithm, file, given.workers, given.epochs) for peer in order}
            for order in itertools.islice(itertools.cycle((peers, peers[::-1])), given.rounds)
        ]
        for peer in peers:
            what = "with vocabulary" if peer == "fasttext" else "train"  # its package does both in one call
            took, ours = ([each[who][what] for each in rounds] for who in (peer, "ours"))
            whole = statistics.median(each[peer]["whole"] for each in rounds)
            ratio = statistics.median(peers / us for peers, us in zip(took, ours, strict=True))
            print(
                f"{algorithm:9} {peer:9} {words * given.epochs / statistics.median(took):9,.0f} words/s ({what}), "
                f"{whole:5.1f} s whole; ours / this {ratio:.2f} by pairs, {min(took) / min(ours):.2f} best against best"
            )
    took_s = whole_job(file, given.workers, given.epochs)
    print(f"word2vec  the whole job, from corpus table to registered model, {took_s:.1f} s")
    each = seconds(sys.executable, "glove", given.glove, file, given.workers, given.epochs)
    records, operations = each["records"], 100 * 12 + 15
    print(
        f"glove     ours {each['ours']:.2f} s an epoch of {records:,.0f} records, "
        f"{records * operations / each['ours'] / 1e9:.1f} GFLOP/s at {operations} operations a record"
    )
    if given.glove:
        print(f"glove     reference {each['reference']:.2f} s; ours / reference {each['ours'] / each['reference']:.2f}")
        print(f"glove     cost of the last epoch {each['ours_cost']:.5f}, reference {each['reference_cost']:.5f}")


if __name__ == "__main__":
    main()
