"""No byte is ever lost between text and tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from gensim.test.utils import datapath
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.dataset.tokenizer import TextTokenizer

TEXTS = ["The cat sat on the mat. " * 20, "数学是研究数量、结构以及空间等概念的学科。" * 20]
TOKENIZER = TextTokenizer.fit(TEXTS, 400)
UNIGRAM = TextTokenizer.fit(TEXTS, 400, "unigram")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    for tokenizer in (TOKENIZER, UNIGRAM):
        ids = tokenizer.encode([text])[0]
        assert tokenizer.decode(ids) == text
        assert 0 not in ids


def test_text_that_spells_the_end_token_stays_text() -> None:
    ids = TOKENIZER.encode(["a<|end|>b"])[0]
    assert 0 not in ids
    assert TOKENIZER.decode(ids) == "a<|end|>b"


def test_fitting_again_gives_the_same_tokenizer_and_a_saved_one_keeps_its_digest(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path)
    again = TextTokenizer.load(tmp_path)
    assert TextTokenizer.fit(TEXTS, 400).digest == TOKENIZER.digest == again.digest
    assert again.encode(["猫 cat<|end|>"])[0].tolist() == TOKENIZER.encode(["猫 cat<|end|>"])[0].tolist()


def test_unigram_pieces_are_the_same_each_time_and_other_than_bpe() -> None:
    news = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()
    for texts in (TEXTS, news):
        assert len({TextTokenizer.fit(texts, 1000, "unigram").digest for _ in range(4)}) == 1
    assert UNIGRAM.digest != TOKENIZER.digest
    pieces = TextTokenizer.fit(news, 1000, "unigram").encode(news)
    assert sum(map(len, pieces)) < sum(len(text.encode()) for text in news) / 2


def test_a_text_that_was_cut_inside_a_character_ends_before_it() -> None:
    ids = TOKENIZER.encode(["a\N{CAT FACE}"])[0]
    assert TOKENIZER.decode_written(ids) == "a\N{CAT FACE}"
    assert [TOKENIZER.decode_written(ids[:end]) for end in range(1, len(ids))] == ["a"] * (len(ids) - 1)


def test_a_vocabulary_too_small_for_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 257"):
        TextTokenizer.fit(TEXTS, 256)
