"""The text that the other benchmarks of this folder read: everything at hand in one language, a paragraph a line.

    python -m benchmarks.embeddings.corpus --lang en --out en.txt [--wikitext FOLDER]

English: the sample corpus (Wikipedia articles, Lee news, newsgroups) and, where FOLDER has them, WikiText-2's
validation and test files. Chinese: the People's Daily of January 1998 and the reviews of the sample corpus. The text is
cut into words as the job does.
"""

from __future__ import annotations

import argparse
import bz2
from collections.abc import Iterator
from pathlib import Path

from lmflow.embeddings.sentences import write_sentences
from lmflow.extract.wikidump import pages
from lmflow.extract.wikitext import to_text
from lmflow.samples import corpus


def english(wikitext: Path) -> Iterator[str]:
    """Documents of the sample corpus, then the two files."""
    with bz2.open(corpus.enwiki_dump()) as dump:
        for page in pages(iter(lambda: dump.read(1 << 20), b"")):
            if page.namespace == 0 and not page.redirect:
                yield to_text(page.text, "en")
    yield from (article.text for article in corpus.lee_articles())
    yield from (post.text for post in corpus.newsgroup_posts())
    for name in ("valid.txt", "test.txt"):
        if (wikitext / name).is_file():
            yield (wikitext / name).read_text(encoding="utf-8").replace("<unk>", " ").replace(" @-@ ", "-")


def chinese() -> Iterator[str]:
    """Documents of the sample corpus."""
    yield from (article.text for article in corpus.peoples_daily())
    yield from (post.text for post in corpus.reviews())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--wikitext", type=Path, default=Path("../shared/data/language-modelling/wikitext-2"))
    given = parser.parse_args()
    documents = english(given.wikitext) if given.lang == "en" else chinese()
    written = write_sentences(documents, given.lang, given.out)
    print(f"{given.out}: {written.words:,} words in {written.sentences:,} lines of {written.documents:,} documents")


if __name__ == "__main__":
    main()
