"""Every signal on cases computed by hand, in English and Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.corpus.policy import load
from lmflow.corpus.signals import MEASURES, SIGNALS, measure, measure_all
from tests.corpus.documents import english

POLICIES = load(["en", "zh"])


def signals(text: str, lang: str = "en") -> dict[str, float]:
    return measure(text, POLICIES.traits(lang), 0.9)


@pytest.mark.parametrize(
    ("signal", "text", "value"),
    [
        ("language_score", "any", 0.9),
        ("n_chars", "ab c\n\nd", 7),
        ("n_words", "It's the well-known 42.", 5),
        ("n_lines", "a\nb\n\nc", 3),
        ("mean_word_length", "a bb ccc", 2),
        ("letter_word_ratio", "a1 22 three 4,5", 2 / 5),
        ("stop_words", "The cat and the dog and The end", 2),
        ("hash_word_ratio", "# one # two", 1),
        ("ellipsis_word_ratio", "one... two… three.... four..", 3 / 4),
        ("symbol_char_ratio", "ab, <> c!", 4 / 7),
        ("url_char_ratio", "see http://x.org/a ok", 14 / 21),
        ("replacement_char_ratio", "ab\ufffdc", 1 / 4),
        ("bullet_line_ratio", "- one\n• two\n* three\nfour", 3 / 4),
        ("ellipsis_line_ratio", "one...\ntwo…\nthree.\nfour", 1 / 2),
        ("terminal_line_ratio", "One.\nTwo?”\nthree\n(Four!)", 3 / 4),
        ("short_line_ratio", "x" * 30 + "\n" + "x" * 31, 1 / 2),
        ("newline_word_ratio", "a b\nc\n\nd", 3 / 4),
        ("duplicate_line_ratio", "a\nb\na\na", 2 / 4),
        ("duplicate_line_chars", "aa\nbbb\naa", 2 / 9),
        ("duplicate_paragraph_ratio", "a\n\nb\n\na", 1 / 3),
        ("duplicate_paragraph_chars", "aa\n\nb\n\naa", 2 / 9),
        ("top_2gram_chars", "a b x a b y", 2 * 3 / 11),
        ("top_3gram_chars", "a b c x a b c", 2 * 5 / 13),
        ("top_4gram_chars", "a b c d a b c d", 2 * 7 / 15),
        ("n_long_lines", "x" * 200 + "\n" + "x" * 199, 1),
        ("longest_word", "a bbb cc", 3),
        ("c4_sentences", "One two three. Four five!\nno mark at all\nToo short.\nAnd so on it goes...", 3),
        ("c4_sentences", "A sentence may end. Another goes on over\nthe end of the line. And a third, never en-", 2),
        ("c4_sentences", "We use cookies on this site.\nThis site needs JavaScript now.\nA real sentence here.", 1),
        ("boilerplate_line_ratio", "Terms of Use\nOne.\nEnable javascript\nTwo.", 2 / 4),
        ("curly_brackets", "if {a} or {b}", 2),
        ("lorem_ipsum", "Lorem ipsum dolor, lorem ipsum", 2),
        ("digit_char_ratio", "ab 12 cd", 2 / 6),
        ("upper_char_ratio", "AB cd Éé", 3 / 6),
        ("punctuation_char_ratio", "a, {b} #1", 4 / 7),
        # 20 letters of which the second five words repeat the first five: 10 of 29 characters
        ("duplicate_5gram_chars", "aa bb cc dd ee aa bb cc dd ee", 10 / 29),
        # after a repeat reading goes on behind it, so that the third copy counts and the overlaps do not
        ("duplicate_5gram_chars", "a b c d e " * 2 + "a b c d e", 10 / 29),
        ("duplicate_10gram_chars", "a b c d e f g h i j a b c d e f g h i j", 10 / 39),
        ("duplicate_6gram_chars", "a b c d e x a b c d e", 0),
        ("top_2gram_chars", "every word here is different", 0),
        ("top_2gram_chars", "ha ha ha ha", 1.0),
    ],
)
def test_english(signal: str, text: str, value: float) -> None:
    assert signals(text)[signal] == pytest.approx(value)


@pytest.mark.parametrize(
    ("signal", "text", "value"),
    [
        ("n_words", "我在北京大学读书。", 4),
        ("mean_word_length", "我在北京大学读书。", 8 / 4),
        ("stop_words", "我在北京大学读书。", 2),
        ("terminal_line_ratio", "今天很好。\n真的吗？”\n去了！（王五）\n标题（新华社）", 3 / 4),
        ("ellipsis_word_ratio", "好……很好。。。", 2 / 3),
        ("short_line_ratio", "十二个字的一行就算是短的\n这一行有十四个字所以就不算短了", 1 / 2),
        ("top_2gram_chars", "房间干净，房间干净", 2 * 4 / 9),
        ("symbol_char_ratio", "很好！！", 2 / 4),
        ("punctuation_char_ratio", "很好！！", 2 / 4),
        ("c4_sentences", "今天很好。明天也好！\n标题\n使用条款适用。", 2),
        ("boilerplate_line_ratio", "今天很好。\n本网站使用条款", 1 / 2),
    ],
)
def test_chinese(signal: str, text: str, value: float) -> None:
    assert signals(text, "zh")[signal] == pytest.approx(value)


@given(st.text(st.characters(exclude_categories=()), max_size=200), st.sampled_from(["en", "zh", "ja", "xx"]))
def test_any_text_has_all_signals_and_shares_stay_shares(text: str, lang: str) -> None:
    found = signals(text, lang)
    assert found.keys() == SIGNALS.keys()
    shares = [name for name in SIGNALS if name.endswith(("_ratio", "_chars")) and "word_ratio" not in name]
    assert all(0 <= found[name] <= 1 for name in shares if name not in ("n_chars", "compression_ratio"))


def test_an_empty_text_has_zeros() -> None:
    assert set(signals("").values()) == {0.0, 0.9, MEASURES}


def test_text_that_says_one_thing_again_and_again_deflates_to_nothing() -> None:
    assert signals("the same words " * 200)["compression_ratio"] > 30
    assert 1 < signals(english(1))["compression_ratio"] < 3


@given(st.lists(st.text("ab \n.好", max_size=60), max_size=6))
def test_a_text_is_measured_alike_alone_and_among_others(texts: list[str]) -> None:
    traits = POLICIES.traits("en")
    together = measure_all(texts, [traits] * len(texts), [0.5] * len(texts)).tolist()
    assert together == [list(measure(text, traits, 0.5).values()) for text in texts]


def test_a_text_of_fifty_million_characters_takes_seconds() -> None:
    found = signals("word and " * 6_000_000)
    assert found["n_chars"] == 54_000_000 and found["n_words"] > 100_000


def test_a_line_of_a_million_characters_is_measured() -> None:
    assert signals("好" * 1_000_000, "zh")["top_2gram_chars"] > 0.9
    assert signals("word " * 200_000)["top_4gram_chars"] == 1.0
