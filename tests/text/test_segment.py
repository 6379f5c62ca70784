"""Words and sentences of English, Chinese and mixtures of both."""

from hypothesis import given
from hypothesis import strategies as st

from lmflow.text.segment import half_width, words
from lmflow.text.sentences import sentences


def test_english_words_keep_their_apostrophes_and_lose_punctuation() -> None:
    assert words("Don't panic: it's the well-known 42nd try…", "en") == [
        *("Don't", "panic", "it's", "the", "well", "known", "42nd", "try"),
    ]


def test_chinese_words_come_from_a_dictionary() -> None:
    assert words("我在北京大学读书，价格是12元！", "zh") == ["我", "在", "北京大学", "读书", "价格", "是", "12", "元"]


def test_full_width_numbers_are_one_word() -> None:
    assert words("１９９８年增长９．５％", "zh") == ["1998", "年", "增长", "9.5"]


def test_characters_without_spaces_stand_alone_in_other_languages() -> None:
    assert words("the word 中国 means China", "en") == ["the", "word", "中", "国", "means", "China"]
    assert words("ab中国cd", "en") == ["ab", "中", "国", "cd"]


@given(st.text("１９Ａｚ．。，９8aA好\ud800\U0001f600"))
def test_full_width_letters_and_digits_become_half_width_in_their_places(text: str) -> None:
    table = {
        code: code - 0xFEE0 for code in (0xFF0E, *range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
    }
    assert half_width(text) == text.translate(table)


def test_an_apostrophe_joins_no_character_that_stands_alone() -> None:
    assert words("rock'n'roll l'東京 東'a", "fr") == ["rock'n'roll", "l", "東", "京", "東", "a"]


def test_sentences_end_where_a_reader_would_end_them() -> None:
    assert sentences("Mr. Smith went to Washington, D.C. on Jan. 5. He left! “Really?” she asked.") == [
        "Mr. Smith went to Washington, D.C. on Jan. 5.",
        "He left!",
        "“Really?” she asked.",
    ]
    assert sentences("今天天气很好。我们去公园吧！“好的。”他说。真的吗？") == [
        "今天天气很好。",
        "我们去公园吧！",
        "“好的。”",
        "他说。",
        "真的吗？",
    ]
    assert sentences("A title\nversion 3.11 is out. Use e.g. this one.") == [
        "A title",
        "version 3.11 is out.",
        "Use e.g. this one.",
    ]


@given(st.text(st.characters(exclude_categories=()), max_size=200), st.sampled_from(["en", "zh", "ja", "xx"]))
def test_no_text_breaks_the_segmentation(text: str, lang: str) -> None:
    assert all(word and any(c.isalnum() for c in word) for word in words(text, lang))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
