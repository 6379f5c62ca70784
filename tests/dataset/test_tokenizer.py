"""No byte is ever lost between text and tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gensim.test.utils import datapath
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.dataset.tokenizer import TextTokenizer
from lmflow.models.ngram import KneserNey

TEXTS = ["The cat sat on the mat. " * 20, "数学是研究数量、结构以及空间等概念的学科。" * 20]
#: GPT-2's bytes_to_unicode, by character.
_PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
ALPHABET = {chr(byte): byte for byte in _PRINTED}
ALPHABET |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in _PRINTED)}
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


@pytest.mark.parametrize("tokenizer", [TOKENIZER, UNIGRAM])
@given(st.data())
def test_what_may_follow_is_what_leaves_the_bytes_a_beginning_of_utf_8(tokenizer: TextTokenizer, data: Any) -> None:
    followed, written = tokenizer.whole_characters(), b""
    assert followed is not None
    begun = tokenizer.encode([data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=3))])[0].tolist()
    for token in [*begun, *data.draw(st.lists(st.integers(1, tokenizer.size - 1), max_size=4))]:
        longer = written + bytes(ALPHABET[character] for character in tokenizer.words()[token])
        assert followed.allowed()[token] == any(is_utf_8(longer + end) for end in ENDS)
        if followed.allowed()[token]:
            followed.read(token)
            written = longer
    assert followed.allowed()[0] == is_utf_8(written)  # a text ends between characters


#: One of them completes any character that was begun.
ENDS = [byte * count for byte in (b"\x80", b"\xbf") for count in range(4)]


def is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("tokenizer", [TOKENIZER, UNIGRAM])
def test_a_model_that_knows_no_order_of_tokens_writes_whole_characters(tokenizer: TextTokenizer) -> None:
    model = KneserNey.fit(tokenizer.encode(TEXTS), tokenizer.size, order=1)
    prompt = tokenizer.encode(["数学"])[0]
    broken = tokenizer.decode_written(model.generate(prompt, 200, seed=2))
    assert "\N{REPLACEMENT CHARACTER}" in broken
    written = [model.generate(prompt, 40, seed=seed, within=tokenizer.whole_characters()) for seed in range(20)]
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(map(tokenizer.decode_written, written))
    assert min(map(len, written)) < 40  # it ends where it would


def test_a_vocabulary_too_small_for_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 257"):
        TextTokenizer.fit(TEXTS, 256)
