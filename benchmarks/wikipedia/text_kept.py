"""Residue beside what is kept: prose, list items, definitions, table rows and numbers, for us and every peer.

About four minutes; README.md states the rules. `--show lmflow 20` prints lines with residue instead.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter

from benchmarks.wikipedia import corpora
from benchmarks.wikipedia.peers import NAMES, OURS, Peer
from benchmarks.wikipedia.units import KINDS, numbers, squeezed, units

STRICT = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|</?ref|style=", re.IGNORECASE)
WIDER = re.compile(
    r"</?(?:abbr|b|big|blockquote|br|center|cite|code|dd|del|div|dl|dt|em|font|gallery|h[1-6]|hr|i|ins|kbd|li|math|nowiki|"
    r"ol|p|poem|pre|s|section|small|source|span|strike|strong|sub|sup|syntaxhighlight|table|td|th|tr|tt|u|ul|var)\b[^<>]*>"
    r"|\b(?:colspan|rowspan|v?align|bgcolor|width|height|class|scope|border|cellpadding)\s*=\s*[\"'\d]"
    r"|'''|^\|-|&(?:nbsp|amp|lt|gt|quot|ndash|mdash|thinsp|#\d+);",
    re.IGNORECASE,
)


def score(name: str, pages: list, found: list) -> Counter[str]:  # type: ignore[type-arg]
    """Counts for one extractor on one corpus."""
    counts: Counter[str] = Counter()
    with Peer(name, pages) as peer:
        texts = peer.texts()
    for text, page_units in zip(texts, found, strict=True):
        lines = [line for line in text.split("\n") if line.strip()]
        counts["lines"] += len(lines)
        counts["strict"] += sum(1 for line in lines if STRICT.search(line))
        counts["wider"] += sum(1 for line in lines if STRICT.search(line) or WIDER.search(line))
        haystack = squeezed(text)
        counts["characters"] += len(haystack)
        for kind, wanted in page_units.texts.items():
            counts[f"of {kind}"] += len(wanted)
            counts[kind] += sum(1 for unit in wanted if unit in haystack)
        counts["of numbers"] += page_units.numbers.total()
        counts["numbers"] += (page_units.numbers & numbers(text)).total()
    return counts


def report(label: str, counts: Counter[str]) -> None:
    """One row."""
    kept = "  ".join(f"{kind} {100 * counts[kind] / max(1, counts[f'of {kind}']):5.1f} %" for kind in KINDS)
    rates = "  ".join(
        f"{kind} {counts[kind]:5} ({1e4 * counts[kind] / max(1, counts['lines']):8.2f})" for kind in ("strict", "wider")
    )
    print(
        f"    {label:18} lines {counts['lines']:7}  {rates}  {kept}  M characters {counts['characters'] / 1e6:6.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=20, help="of each corpus")
    parser.add_argument("--only", default="", help="extractors, by commas")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [OURS, *NAMES]
    totals: dict[str, Counter[str]] = {name: Counter() for name in names}
    print("residue: lines (per 10,000); kept: share of the units there are")
    for corpus in corpora.dumps():
        pages = corpora.sample(corpus, options.megabytes)
        found = [units(page.markup) for page in pages]
        there = "  ".join(f"{kind} {sum(len(page.texts[kind]) for page in found)}" for kind in KINDS[:4])
        print(f"{corpus} ({len(pages)} articles): {there}  numbers {sum(page.numbers.total() for page in found)}")
        for name in names:
            counts = score(name, pages, found)
            totals[name] += counts
            report(name, counts)
    print("all")
    for name in names:
        report(name, totals[name])


if __name__ == "__main__":
    main()
