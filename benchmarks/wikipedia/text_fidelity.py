"""Numbers and words of hand-checked snippets that survive, for us and every peer; `--show NAME` lists what it lost.

Two lists: the fixed one, and a second one of editions, years and templates that the first leaves out.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

from benchmarks.wikipedia.peers import NAMES, OURS, Page, Peer
from benchmarks.wikipedia.scoring import Score, Snippet, numbers, snippets

#: Stands before every snippet, for wiki2dataset gives nothing for a page with less than 60 characters of prose.
PROSE = "This paragraph of ordinary words only makes the page long enough for every extractor to keep the rest of it."

LISTS = ("snippets", "snippets_heldout")


def report(name: str, wanted: list[Snippet], texts: list[str]) -> None:
    """Two lines for one extractor."""
    total: Score = Score()
    by_language: dict[str, Score] = defaultdict(Score)
    for one, text in zip(wanted, texts, strict=True):
        total.add(one, text)
        by_language[one.lang].add(one, text)
    print(
        f"{name:18} numbers {_percent(total.numbers, total.of_numbers)}  words {_percent(total.words, total.of_words)}"
        f"  surplus {100 * total.surplus / total.of_numbers:5.1f} per 100  computed {total.computed} of"
        f" {total.of_computed}"
    )
    shares = (f"{lang} {_percent(score.numbers, score.of_numbers)}" for lang, score in sorted(by_language.items()))
    print("    numbers by language: " + "  ".join(shares), flush=True)


def show(wanted: list[Snippet], texts: list[str]) -> None:
    """What is lost, and what is too much."""
    for one, text in zip(wanted, texts, strict=True):
        there = numbers(text)
        lost = [*(one.numbers - there).elements()]
        lost += [word for word in one.words if "".join(word.split()) not in "".join(text.split())]
        surplus = [*(there - one.numbers - one.computed).elements()]
        if lost or surplus:
            print(f"{one.lang}: {one.markup!r}\n    {text!r}\n    lost {lost} surplus {surplus}")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", help="an extractor whose losses to list")
    parser.add_argument("--list", action="append", choices=LISTS, help="only this one")
    options = parser.parse_args()
    for listed in options.list or LISTS:
        wanted = snippets(listed)
        pages = [Page(one.lang, "Snippet", f"{PROSE}\n\n{one.markup}") for one in wanted]
        seen = sum(one.numbers.total() for one in wanted)
        print(f"{listed}: {len(wanted)} snippets in {len({one.lang for one in wanted})} languages, {seen} numbers")
        for name in [options.show] if options.show else [OURS, *NAMES]:
            with Peer(name, pages) as peer:
                texts = peer.texts()
            report(name, wanted, texts)
            if options.show:
                show(wanted, texts)


if __name__ == "__main__":
    main()
