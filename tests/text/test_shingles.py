"""Two spellings of one text fold to the same units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.text.shingles import fold, shingles, units


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It’s 10 o'clock — Café!", "it's 42 O’CLOCK, cafe"),
        ("１９９８年新年讲话（全文）", "2026年 新年讲话:全文"),
        ("ＡＢＣ ﬁne", "abc fine"),
        ("Ａ４纸、Ｂ５纸", "A0纸B0纸"),
        ("well-known", "well known"),
        ("國家主席發表新年講話", "国家主席发表新年讲话"),
    ],
)
def test_spelling_details_do_not_count(one: str, other: str) -> None:
    assert fold(one) == fold(other)


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
    assert fold(fold(text)) == fold(text)
