"""Passages end before a word of the text, in English and Chinese, and a model is asked for it token by token."""

from __future__ import annotations

import numpy as np
import pytest

from lmflow.dataset.tokenizer import TextTokenizer
from lmflow.evaluation.cloze import Passage, passages, score, wilson
from lmflow.models.ngram import KneserNey

ENGLISH = " ".join(
    f"In the year {number} the old man walked slowly to the harbour and looked at the ships. Then he went home."
    for number in range(12)
)
CHINESE = "".join(
    f"第{number}天，老人慢慢地走到港口，看着那些船，想起了年轻的时候。后来他回家了，给孩子们讲故事。"
    for number in range(12)
)


def test_a_passage_and_its_word_are_a_piece_of_the_text() -> None:
    for text, lang, ending in ((ENGLISH, "en", (" home", " ships")), (CHINESE, "zh", ("讲故事", "时候"))):
        found = passages([("news:1", text)], lang)
        assert len(found) >= 3
        for passage in found:
            assert passage.context + passage.word in text
            assert passage.word in ending
        assert found == passages([("news:1", text)], lang)
    assert passages([("a", ENGLISH), ("b", CHINESE)], "en") == passages([("b", CHINESE), ("a", ENGLISH)], "en")
    assert passages([("a", "Too short. ###")], "en") == []


def test_a_model_that_knows_the_text_is_right_and_one_that_does_not_is_not() -> None:
    tokenizer = TextTokenizer.fit([ENGLISH], 400)
    knows = KneserNey.fit(tokenizer.encode([ENGLISH] * 3), tokenizer.size, 4)
    strange = KneserNey.fit(tokenizer.encode(["zzz qqq xxx"]), tokenizer.size, 4)
    asked = passages([("news:1", ENGLISH)], "en")
    good, bad = score(knows, tokenizer.encode, asked), score(strange, tokenizer.encode, asked)
    assert good.accuracy > 0.9 > good.low and good.high == pytest.approx(1.0, abs=0.01) and good.perplexity < 2
    assert (bad.accuracy, bad.low) == (0.0, 0.0) and bad.perplexity > 100 and bad.passages == len(asked)
    one = asked[0]
    nats = knows.score(tokenizer.encode([one.context, one.context + one.word]))
    ends = [
        -np.log(knows.reader(tokenizer.encode([text])[0]).distribution()[0])
        for text in (one.context, one.context + one.word)
    ]
    by_hand = (nats[1] - ends[1]) - (nats[0] - ends[0])
    assert score(knows, tokenizer.encode, [one]).perplexity == pytest.approx(float(np.exp(by_hand)))
    with pytest.raises(ValueError, match="no passage"):
        score(knows, tokenizer.encode, list[Passage]())


def test_a_token_across_the_boundary_is_asked_for_as_a_whole() -> None:
    tokenizer = TextTokenizer.fit([CHINESE], 600)  # few tokens: some hold several words
    knows = KneserNey.fit(tokenizer.encode([CHINESE] * 3), tokenizer.size, 5)
    asked = passages([("news:1", CHINESE)], "zh")
    contexts = tokenizer.encode([each.context for each in asked])
    whole = tokenizer.encode([each.context + each.word for each in asked])
    assert any(its[: len(context)].tolist() != context.tolist() for context, its in zip(contexts, whole, strict=True))
    assert score(knows, tokenizer.encode, asked).accuracy > 0.9


def test_wilson_intervals_are_those_of_the_literature() -> None:
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-3)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-3)  # Newcombe 1998, table I, method 3
