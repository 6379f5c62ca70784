"""Recall of near-duplicate detection against theory, what shares a template, and signatures a second.

    python -m benchmarks.cleaning.recall [pairs]

Theory: two documents whose shingle sets have Jaccard similarity s share one of 14 bands of 8 rows with probability
1-(1-s^8)^14; averaged over the pairs' true similarities. Unique documents are the originals: none may be removed. Nor
should pages that have a template in common and texts of their own, where the texts are half of the page or more.
"""

from __future__ import annotations

import sys
import time

from benchmarks.cleaning import planted
from lmflow.corpus.dedup import Stored, cluster
from lmflow.corpus.fingerprint import BANDS, ROWS, fingerprint
from lmflow.text.shingles import shingles


def recall(lang: str, share: float, pairs: int) -> tuple[float, float, int]:
    """Share of copies found, share expected, and originals wrongly removed."""
    rows = planted.documents(pairs, lang, seed=int(1000 * share) + 3)
    originals = list(planted.texts(rows, lang))
    copies = list(planted.texts(planted.edited(rows, share, lang, seed=11), lang))
    expected = 0.0
    for one, other in zip(originals, copies, strict=True):
        first, second = shingles(one), shingles(other)
        similarity = len(first & second) / len(first | second)
        expected += 1 - (1 - similarity**ROWS) ** BANDS
    names = [f"{number:06}" for number in range(2 * pairs)]
    found = cluster(names, fingerprint([*originals, *copies]), Stored([], [], [], fingerprint([]))).duplicates
    wrong = sum(name in found for name in names[:pairs])
    return sum(name in found for name in names[pairs:]) / pairs, expected / pairs, wrong


def removed_of_template(common: int, own: int, number: int) -> tuple[float, int]:
    """True similarity of two pages with so many words in common and of their own, and how many of all are removed."""
    pages = list(planted.with_template(number, common, own, seed=common + own))
    one, other = shingles(pages[0]), shingles(pages[1])
    names = [f"{at:06}" for at in range(number)]
    dropped = cluster(names, fingerprint(pages), Stored([], [], [], fingerprint([]))).duplicates
    return len(one & other) / len(one | other), len(dropped)


def speed(lang: str, number: int = 20_000) -> float:
    """Signatures a second: the best of three."""
    texts = list(planted.texts(planted.documents(number, lang, seed=5), lang))
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        fingerprint(texts)
        best = min(best, time.process_time() - start)
    return number / best


if __name__ == "__main__":
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for lang in ("en", "zh"):
        print(f"{lang}: {speed(lang):,.0f} signatures/s of {planted.WORDS}-word documents on a core", flush=True)
        for share in planted.EDITS[1:]:
            found, expected, wrong = recall(lang, share, pairs)
            print(
                f"  {share:4.0%} edits: found {found:.4f}, theory {expected:.4f}, wrongly removed {wrong}", flush=True
            )
    for common, own in ((60, 100), (100, 100), (100, 60), (150, 50)):
        similarity, removed = removed_of_template(common, own, 3_000)
        print(
            f"template of {common} words, {own} own: similarity {similarity:.2f}, removed {removed} of 3000", flush=True
        )
