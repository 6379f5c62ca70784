"""The text that the other benchmarks of this folder read: everything at hand in one language, a paragraph a line.

    python -m benchmarks.embeddings.corpus --lang en --out en.txt [--parts sample wikitext dumps] [--data FOLDER]

English: the sample corpus (Wikipedia articles, Lee news, newsgroups); WikiText-2's validation and test files and the
small dumps of the language, where FOLDER has them. Chinese: the People's Daily of January 1998 and the reviews of the
sample corpus, and the small dump. The text is cut into words as the job does.
"""

from __future__ import annotations

import argparse
import bz2
from collections.abc import Iterator, Sequence
from pathlib import Path

from lmflow.embeddings.sentences import write_sentences
from lmflow.extract.wikidump import pages
from lmflow.extract.wikitext import to_text
from lmflow.samples import corpus

DUMPS = {"en": ("en-wiki", "simple-wiki"), "zh": ("zh-wiki",)}


def articles(dump: Path, lang: str) -> Iterator[str]:
    """The text of a dump's articles."""
    with bz2.open(dump) as file:
        for page in pages(iter(lambda: file.read(1 << 20), b"")):
            if page.namespace == 0 and not page.redirect:
                yield to_text(page.text, lang)


def sample(lang: str) -> Iterator[str]:
    """Documents of the sample corpus."""
    if lang == "en":
        yield from articles(corpus.enwiki_dump(), lang)
        yield from (article.text for article in corpus.lee_articles())
        yield from (post.text for post in corpus.newsgroup_posts())
    else:
        yield from (article.text for article in corpus.peoples_daily())
        yield from (post.text for post in corpus.reviews())


def documents(lang: str, parts: Sequence[str], data: Path) -> Iterator[str]:
    """Documents of each part in turn; what is not there is left out."""
    if "sample" in parts:
        yield from sample(lang)
    wikitext = data / "language-modelling" / "wikitext-2"
    for path in (wikitext / "valid.txt", wikitext / "test.txt") if "wikitext" in parts and lang == "en" else ():
        if path.is_file():
            yield path.read_text(encoding="utf-8").replace("<unk>", " ").replace(" @-@ ", "-")
    for name in DUMPS[lang] if "dumps" in parts else ():
        if (dump := data / "wikipedia" / "minidumps" / f"{name}.xml.bz2").is_file():
            yield from articles(dump, lang)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", choices=tuple(DUMPS), default="en")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=("sample", "wikitext", "dumps"), default=["sample", "wikitext"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    written = write_sentences(documents(given.lang, given.parts, given.data), given.lang, given.out)
    print(f"{given.out}: {written.words:,} words in {written.sentences:,} lines of {written.documents:,} documents")


if __name__ == "__main__":
    main()
