"""Two spellings of one text fold to the same units."""

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.samples import corpus
from lmflow.text.shingles import folded, shingles, units


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It’s 10 o'clock — Café!", "it's 42 O’CLOCK, cafe"),
        ("１９９８年新年讲话（全文）", "2026年 新年讲话:全文"),
        ("ＡＢＣ ﬁne", "abc fine"),
        ("Ａ４纸、Ｂ５纸", "A0纸B0纸"),
        ("well-known", "well known"),
        ("國家主席發表新年講話", "国家主席发表新年讲话"),
        ("Die Straße war groß und weiß.", "DIE STRASSE WAR GROSS UND WEISS"),
        ("Ο δρόμος προς τους κήπους της πόλης", "Ο ΔΡΌΜΟΣ ΠΡΟΣ ΤΟΥΣ ΚΉΠΟΥΣ ΤΗΣ ΠΌΛΗΣ"),
        ("He doesn't, they’re, weʼll: I'm sure", "he doesnt theyre well im sure"),
        ("مرحبـــا بالعالم", "مرحبا بالعالم"),
        ("他背著書包，瞭解情況，藉口好像是覆查", "他背着书包，了解情况，借口好象是复查"),
    ],
)
def test_spelling_details_do_not_count(one: str, other: str) -> None:
    assert units(one) == units(other)


def test_numbers_make_another_text_of_the_same_shingles() -> None:
    one, other = "In 2019 the team won 12 games and lost 3.", "In 2020 the team won 14 games and lost 5."
    assert folded(one) != folded(other) and shingles(one) == shingles(other)
    assert folded("１２ кг ٣") == folded("12 КГ 3")


@pytest.mark.parametrize("spelling", ["s2t", "s2tw", "s2hk"])
def test_what_is_copied_in_taiwan_or_hong_kong_folds_to_the_original(spelling: str) -> None:
    texts = ["\n".join(article.paragraphs) for article in corpus.peoples_daily()[:300]]
    texts += [post.text for post in corpus.reviews()[:300]]
    convert = opencc.OpenCC(spelling).convert
    different = sum(a != b for text in texts for a, b in zip(units(text), units(convert(text)), strict=True))
    assert different <= sum(map(len, texts)) / 50_000


def test_units_are_words_or_single_characters_by_script() -> None:
    assert units("Python编程 3.11") == ["python", "编", "程", "0", "00"]
    assert units("한국어 텍스트") == ["한국어", "텍스트"]
    assert units("ガが") == ["ガ", "が"]


def test_shingles_are_runs_of_five_units() -> None:
    assert shingles("a b c d e f") == {"a b c d e", "b c d e f"}
    assert shingles("今天天气很好") == {"今 天 天 气 很", "天 天 气 很 好"}
    assert shingles("a b c d") == set()


@given(st.text(st.characters(exclude_categories=()), max_size=100))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(" ".join(folded(text))) == folded(text)
