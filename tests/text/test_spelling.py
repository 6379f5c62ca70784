"""Spellings that a policy may ask for."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.text.normalise import normalise
from lmflow.text.spelling import compatible, straighten_quotes


@pytest.mark.parametrize(
    ("curly", "straight", "number"),
    [
        ("“It’s ‘fine’,” she said.", "\"It's 'fine',\" she said.", 5),
        ("„Gänsefüßchen‟ ‚einfach‛", "\"Gänsefüßchen\" 'einfach'", 4),
        ("Hawaiʼi", "Hawai'i", 1),
        ("« Oui », ‹non›, 「引号」『』", "« Oui », ‹non›, 「引号」『』", 0),
        ("already 'straight' \"quotes\"", "already 'straight' \"quotes\"", 0),
    ],
)
def test_curly_quotes_become_straight_and_are_counted(curly: str, straight: str, number: int) -> None:
    assert straighten_quotes(curly) == (straight, number)


@pytest.mark.parametrize(
    ("text", "plain", "number"),
    [
        ("ＡＢＣ１２３，ｏｋ", "ABC123,ok", 9),
        ("ﬁn H²O ①", "fin H2O 1", 3),
        ("a\u00b4b", "a \u0301b", 1),
        ("中文、かな", "中文、かな", 0),
    ],
)
def test_compatibility_characters_become_plain_and_are_counted(text: str, plain: str, number: int) -> None:
    assert compatible(text) == (plain, number)


@given(st.text(max_size=80))
def test_a_compatible_text_is_in_nfkc_and_normalised(text: str) -> None:
    found, number = compatible(normalise(text).text)
    assert unicodedata.is_normalized("NFKC", found)
    again = normalise(found)
    assert again.text == found or "mojibake" in again.changes
    assert number or found == normalise(text).text
