"""Article extraction: token F1 against gold, and pages a second on one core, lmflow beside trafilatura alone.

    python -m benchmarks.news.extraction [--fundus ../shared/data/news/fundus] [--repeats 3]

All get the same bytes, each in a process of its own, because lmflow changes how trafilatura works in its process.
`trafilatura` is `trafilatura.extract(html, url=url, include_comments=False)`: no title, author or date; `trafilatura +
metadata` also asks for these, as lmflow does. Timings are CPU seconds of these processes, taken in turn page by page,
who is first changing from page to page; the median of the repeats counts. F1 is over tokens as bags (a CJK character is
one), mean over pages, with a 95 % bootstrap interval of the paired difference.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.news.gold import GoldPage, f1, fundus, sample

Extractor = Callable[[GoldPage], str]


def _ours() -> Extractor:
    from lmflow.extract.article import extract

    return lambda page: extract(page.html, page.url).text


def _alone() -> Extractor:
    import trafilatura

    return lambda page: trafilatura.extract(page.html, url=page.url, include_comments=False) or ""


def _with_metadata() -> Extractor:
    import trafilatura

    def run(page: GoldPage) -> str:
        found = trafilatura.bare_extraction(page.html, url=page.url, include_comments=False, with_metadata=True)
        return str(found.text or "") if found is not None and not isinstance(found, dict) else ""

    return run


EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "lmflow": _ours,
    "trafilatura": _alone,
    "trafilatura + metadata": _with_metadata,
}


def _serve(extractor: str, connection: Connection) -> None:
    """Answer each page with its text and the CPU seconds it took, until there are no more."""
    logging.disable(logging.CRITICAL)
    run = EXTRACTORS[extractor]()
    while (page := connection.recv()) is not None:
        started = time.process_time()
        text = run(page)
        connection.send((text, time.process_time() - started))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fundus", type=Path, default=Path("../shared/data/news/fundus"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    sets = {"Chinese sample": list(sample())}
    if options.fundus.is_dir():
        sets = {"fundus": list(fundus(options.fundus)), **sets}
    for name, pages in sets.items():
        _measure(name, pages, options.repeats)


def _measure(name: str, pages: Sequence[GoldPage], repeats: int) -> None:
    texts: dict[str, list[str]] = {}
    seconds: dict[str, list[float]] = {extractor: [] for extractor in EXTRACTORS}
    served = _start()
    for extractor in EXTRACTORS:  # imports, and what is made once a process
        _ask(served[extractor], pages[0])
    for _ in range(repeats):
        texts = {extractor: [] for extractor in EXTRACTORS}
        spent = dict.fromkeys(EXTRACTORS, 0.0)
        order = list(EXTRACTORS)
        for page in pages:
            order.append(order.pop(0))
            for extractor in order:
                text, used = _ask(served[extractor], page)
                texts[extractor].append(text)
                spent[extractor] += used
        for extractor, one in spent.items():
            seconds[extractor].append(one)
    for connection in served.values():
        connection.send(None)
    scores = {
        extractor: [f1(text, page.text) for text, page in zip(found, pages, strict=True)]
        for extractor, found in texts.items()
    }
    print(f"{name}: {len(pages)} pages, {sum(len(page.html) for page in pages) / 1e6:.1f} MB")
    for extractor, rows in scores.items():
        precision, recall, mean = (statistics.fmean(column) for column in zip(*rows, strict=True))
        rate = len(pages) / statistics.median(seconds[extractor])
        print(f"  {extractor:24} F1 {mean:.4f} (P {precision:.4f}, R {recall:.4f}), {rate:.1f} pages/s a core")
    mine, alone = statistics.median(seconds["lmflow"]), statistics.median(seconds["trafilatura"])
    rounds = ", ".join(f"{b / a:.2f}" for a, b in zip(seconds["lmflow"], seconds["trafilatura"], strict=True))
    print(f"  lmflow {alone / mine:.2f} times as fast as trafilatura alone (by round {rounds})")
    difference = [ours[2] - theirs[2] for ours, theirs in zip(scores["lmflow"], scores["trafilatura"], strict=True)]
    low, high = _interval(difference)
    print(f"  F1 lmflow - trafilatura: {statistics.fmean(difference):+.4f} ({low:+.4f} to {high:+.4f})")


def _start() -> dict[str, Connection]:
    context = multiprocessing.get_context("spawn")
    served = {}
    for extractor in EXTRACTORS:
        served[extractor], theirs = context.Pipe()
        context.Process(target=_serve, args=(extractor, theirs), daemon=True).start()
    return served


def _ask(connection: Connection, page: GoldPage) -> tuple[str, float]:
    connection.send(page)
    text, used = connection.recv()
    return text, used


def _interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    chance = random.Random(1)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(draws))
    return means[int(0.025 * draws)], means[int(0.975 * draws)]


if __name__ == "__main__":
    main()
