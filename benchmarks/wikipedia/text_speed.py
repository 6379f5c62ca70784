"""Throughput of `to_text` and of every peer on the same markup, the slowest page, and seconds on hostile pages.

About three minutes. `--megabytes 3 --rounds 2` for a quick look.
"""

from __future__ import annotations

import argparse
import resource
import signal
import subprocess
import sys

from benchmarks.wikipedia import corpora
from benchmarks.wikipedia.peers import NAMES, OURS, Page, Peer

ALL = (OURS, "wikiextractor", "wikiextractor (no templates)", *NAMES[1:])
SLOW = ("mwparserfromhell", "wikitextparser")  # measured in one round
HOSTILE = {
    **{
        unit: unit
        for unit in ("{{{{", "[[[[", "{|{|", "\n{|", "<ref><ref", "'''''", "-{-{", "<div><div", "{{a|", "[[a|")
    },
    "mixture 1": "{{[[{|<ref>'''",
    "mixture 2": "-{[[{{a|<div>''\n*{|",
    "mixture 3": "]]}}|}</ref>{{x|[[y|\n|-\n|",
    "unclosed <!--": "<!-- a {{ ",
}
LIMIT = 10  # CPU seconds of a peer on one hostile page


def throughput(names: list[str], megabytes: float, rounds: int) -> None:
    """One table: corpus by extractor."""
    slowest: dict[str, tuple[float, str]] = {}
    print("MB of markup a CPU second (best round); ours against the fastest peer")
    for corpus in names:
        pages = corpora.sample(corpus, megabytes)
        size = sum(len(page.markup.encode()) for page in pages) / 1e6
        running = [Peer(name, pages) for name in ALL]
        best: dict[str, float] = {}
        for number in range(rounds):
            for peer in running:
                if number and peer.name in SLOW:
                    continue
                seconds = peer.seconds()
                best[peer.name] = min(best.get(peer.name, 1e9), sum(seconds))
                worst = max(range(len(pages)), key=seconds.__getitem__)
                if seconds[worst] > slowest.get(peer.name, (0.0, ""))[0]:
                    slowest[peer.name] = (seconds[worst], pages[worst].title)
        for peer in running:
            peer.close()
        fastest = min(best[name] for name in ALL if name != OURS)
        print(f"{corpus} ({len(pages)} articles, {size:.1f} MB)")
        for name in ALL:
            print(f"    {name:30} {size / best[name]:6.1f}")
        print(f"    ours / fastest peer            {fastest / best[OURS]:6.2f}", flush=True)
    print("slowest page, CPU seconds")
    for name, (worst_seconds, title) in slowest.items():
        print(f"    {name:30} {worst_seconds:6.3f}  {title}", flush=True)


def hostile() -> None:
    """Seconds on 2 MB of nothing but one unit."""
    print(f"2 MB of broken markup, CPU seconds (ended after {LIMIT})")
    for label, unit in HOSTILE.items():
        row = []
        for name in (OURS, *NAMES):
            command = [sys.executable, "-m", "benchmarks.wikipedia.text_speed", f"--hostile={unit}", "--peer", name]
            done = subprocess.run(command, capture_output=True, text=True)
            row.append(done.stdout.strip() or "crashed")
        print(
            f"    {label!r:22}",
            *(f"{name} {seconds:8}" for name, seconds in zip((OURS, *NAMES), row, strict=True)),
            flush=True,
        )


def hostile_page(unit: str, name: str) -> str:
    """CPU seconds of one extractor on one page; the limit is on its process too, which inherits it."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 1))
    with Peer(name, [Page("en", "hostile", unit * (2_000_000 // len(unit)))]) as peer:
        try:
            return f"{peer.seconds()[0]:.2f}"
        except RuntimeError as error:
            return f">{LIMIT}" if str(error).endswith(f" {-signal.SIGXCPU}") else "crashed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=6, help="of each corpus")
    parser.add_argument("--corpus", action="append", help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-hostile", action="store_true")
    parser.add_argument("--only-hostile", action="store_true")
    parser.add_argument("--hostile", help=argparse.SUPPRESS)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hostile:
        print(hostile_page(options.hostile, options.peer))
        return
    if not options.only_hostile:
        throughput(options.corpus or list(corpora.dumps()), options.megabytes, options.rounds)
    if not options.skip_hostile:
        hostile()


if __name__ == "__main__":
    main()
