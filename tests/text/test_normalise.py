"""One spelling for one text, whatever came in."""

import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.text.normalise import _PLAIN, _respelled, normalise

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    ("raw", "clean", "changes"),
    [
        ("plain text", "plain text", {}),
        ("cafe\u0301", "café", {"nfc": 1}),
        ("The Mona Lisa doesnâ€™t have eyebrows.", "The Mona Lisa doesn’t have eyebrows.", {"mojibake": 1}),
        ("ä½\xa0å¥½ï¼Œä¸–ç•Œ", "你好，世界", {"mojibake": 1}),
        ("Il va Ã  la plage", "Il va à la plage", {"mojibake": 1}),
        ("voilÃ ", "voilà", {"mojibake": 1}),
        ("AMANHÃ É", "AMANHÃ É", {}),
        ("好……好…… 约翰·洛克", "好……好…… 约翰·洛克", {}),
        ("a\x00b\x07c", "abc", {"control": 2}),
        ("zero\u200bwidth\ufeff so\xadft", "zerowidth soft", {"invisible": 3}),
        ("\x1b[1;31mred\x1b[0m", "red", {"control": 2}),
        ("\ufff9right\u061c to\u180e left", "right to left", {"invisible": 3}),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour", {"line_ends": 3}),
        ("　　段落 一。\n　　段落二。", "段落 一。\n段落二。", {"spaces": 3}),
        ("a  b\t c \n\n\n\n d", "a b c\n\nd", {"spaces": 4, "blank_lines": 1}),
        ("", "", {}),
        ("\x00\u200b \n", "", {"control": 1, "invisible": 1, "spaces": 1}),
    ],
)
def test_each_kind_of_dirt_is_cleaned_and_counted(raw: str, clean: str, changes: dict[str, int]) -> None:
    result = normalise(raw)
    assert result.text == clean
    assert result.changes == changes


@pytest.mark.parametrize(
    "text",
    [
        "Naïve café, Zürich – “quoted” … £5 €6 °C",
        "中文，全角：ＡＢＣ１２３「引号」",
        "Привет, мир! Ελληνικά, français à côté",
        "می‌خواهم",  # the joiner carries meaning in Persian
        "👩‍👩‍👧‍👦 family",
    ],
)
def test_clean_text_is_left_alone(text: str) -> None:
    assert normalise(text).text == text
    assert not normalise(text).changes


def test_a_surrogate_pair_becomes_its_character_and_a_lone_one_a_replacement() -> None:
    assert normalise("x\ud83d\ude00y").text == "x😀y"
    assert normalise("x\ud800y").text == "x\ufffdy"


@given(ANY_TEXT)
def test_the_result_is_one_spelling(text: str) -> None:
    clean = normalise(text).text
    clean.encode()
    assert unicodedata.is_normalized("NFC", clean)
    assert "\r" not in clean and "\x00" not in clean and "  " not in clean and "\n\n\n" not in clean
    assert clean == clean.strip()
    again = normalise(clean)
    assert again.text == clean or "mojibake" in again.changes


def test_no_character_that_passes_for_plain_would_be_respelled() -> None:
    plain = [character for character in map(chr, range(sys.maxunicode + 1)) if _PLAIN.fullmatch(character)]
    assert len(plain) > 27_000
    for around in ("", "a", "か", "é"):
        for character in plain:
            changes = Counter[str]()
            assert _respelled(around + character, changes) == around + character and not changes
            assert _respelled(character + around, changes) == character + around and not changes
