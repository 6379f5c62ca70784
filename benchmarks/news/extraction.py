"""Article extraction: token F1 against gold, and pages a second on one core, lmflow beside trafilatura alone.

    python -m benchmarks.news.extraction [--fundus ../shared/data/news/fundus] [--repeats 3]

Both get the same bytes. `trafilatura` is `trafilatura.extract(html, url=url, include_comments=False)`: no title, author
or date; `trafilatura + metadata` also asks for these, as lmflow does. Timings are CPU seconds of this process, the
three taken in turn page by page; the median of the repeats counts. F1 is over tokens as bags (a CJK character is one),
mean over pages, with a 95 % bootstrap interval of the paired difference.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trafilatura

from benchmarks.news.gold import GoldPage, f1, fundus, sample
from lmflow.extract.article import extract

Extractor = Callable[[GoldPage], str]


def _ours(page: GoldPage) -> str:
    return extract(page.html, page.url).text


def _alone(page: GoldPage) -> str:
    return trafilatura.extract(page.html, url=page.url, include_comments=False) or ""


def _with_metadata(page: GoldPage) -> str:
    found = trafilatura.bare_extraction(page.html, url=page.url, include_comments=False, with_metadata=True)
    return str(found.text or "") if found is not None and not isinstance(found, dict) else ""


EXTRACTORS: dict[str, Extractor] = {
    "lmflow": _ours,
    "trafilatura": _alone,
    "trafilatura + metadata": _with_metadata,
}


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
    for _ in range(repeats):
        texts = {extractor: [] for extractor in EXTRACTORS}
        spent = dict.fromkeys(EXTRACTORS, 0.0)
        for page in pages:
            for extractor, run in EXTRACTORS.items():
                started = time.process_time()
                texts[extractor].append(run(page))
                spent[extractor] += time.process_time() - started
        for extractor, one in spent.items():
            seconds[extractor].append(one)
    scores = {
        extractor: [f1(text, page.text) for text, page in zip(found, pages, strict=True)]
        for extractor, found in texts.items()
    }
    print(f"{name}: {len(pages)} pages, {sum(len(page.html) for page in pages) / 1e6:.1f} MB")
    for extractor, rows in scores.items():
        precision, recall, mean = (statistics.fmean(column) for column in zip(*rows, strict=True))
        rate = len(pages) / statistics.median(seconds[extractor])
        print(f"  {extractor:24} F1 {mean:.4f} (P {precision:.4f}, R {recall:.4f}), {rate:.1f} pages/s a core")
    difference = [ours[2] - theirs[2] for ours, theirs in zip(scores["lmflow"], scores["trafilatura"], strict=True)]
    low, high = _interval(difference)
    print(f"  F1 lmflow - trafilatura: {statistics.fmean(difference):+.4f} ({low:+.4f} to {high:+.4f})")


def _interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    chance = random.Random(1)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(draws))
    return means[int(0.025 * draws)], means[int(0.975 * draws)]


if __name__ == "__main__":
    main()
