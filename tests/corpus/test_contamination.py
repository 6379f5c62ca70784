"""Documents that hold parts of evaluation sets are kept out, however they are spelt."""

import json
from pathlib import Path

import pytest

from lmflow.corpus.assess import READ, assess
from lmflow.corpus.contamination import load, register
from lmflow.corpus.policy import Policies
from lmflow.errors import InputError
from tests.corpus.documents import as_batch, chinese, english, row

QUESTION = (
    "Which of the following rivers flows through the old harbour town before it reaches the northern sea at last?"
)
CHINESE_QUESTION = "下列哪一条河流在到达北方的大海之前先流过古老的港口城市？"


def test_thirteen_units_in_a_row_are_shared_and_twelve_are_not() -> None:
    words = QUESTION.split()
    sets = register([QUESTION])
    assert sets.shared("Once more: " + " ".join(words[2:15]).upper() + "!") == 1
    assert sets.shared("Once more: " + " ".join(words[2:16])) == 2
    assert sets.shared("Once more: " + " ".join(words[2:14])) == 0
    assert sets.shared("") == 0


def test_a_short_evaluation_text_is_compared_as_a_whole_and_a_very_short_one_not_at_all() -> None:
    sets = register(["the capital of the far northern province is small", "yes", ""])
    assert sets.shared("they say the capital of the far northern province is small and cold") == 1
    assert sets.shared("the capital of the far northern province") == 0
    assert sets.shared("yes") == 0


def test_traditional_characters_hide_nothing() -> None:
    sets = register([CHINESE_QUESTION])
    assert sets.shared("下列哪一條河流在到達北方的大海之前先流過古老的港口") > 0


def test_a_name_of_thirteen_characters_is_no_chinese_ngram_and_twenty_four_are() -> None:
    asked = "习近平总书记在中国共产党第二十次全国代表大会上提出了什么重要论断？"
    sets = register([asked, "中华人民共和国民法典"])  # the second one is the title of a law, and nothing by itself
    article = "律师指出，中国共产党第二十次全国代表大会以来，各地按照中华人民共和国民法典出台了政策。"
    assert sets.shared(article) == 0
    assert sets.shared(f"他问：{asked[:24]}") == 1 and sets.shared(asked[:23]) == 0


def test_a_contaminated_document_breaks_a_rule_that_says_how_much(policies: Policies) -> None:
    sets = register([QUESTION, CHINESE_QUESTION])
    rows = [
        row(1, "clean", english(1)),
        row(1, "leak", f"{english(2)} {QUESTION} {english(3)}"),
        row(1, "zh", f"{chinese(1)}{CHINESE_QUESTION}", "social"),
    ]
    found = assess(as_batch(rows), policies, sets).to_pylist()
    broken = {one["doc_id"]: [(f["rule"], f["threshold"]) for f in one["failures"]] for one in found}
    assert broken == {"clean": [], "leak": [("contaminated", 0.0)], "zh": [("contaminated", 0.0)]}
    signals = {one["doc_id"]: dict(one["signals"])["evaluation_ngrams"] for one in found}
    assert signals["clean"] == 0 < signals["leak"] == found[1]["failures"][0]["value"]
    assert found[1]["bands"] is None
    assert list(READ) == list(as_batch(rows).schema.names)


def test_a_text_may_hold_line_ends_that_are_none_in_a_file(tmp_path: Path) -> None:
    text = english(3).replace(" ", "\u2028", 1)
    (tmp_path / "set.jsonl").write_text(json.dumps({"q": text}, ensure_ascii=False) + "\r\n", encoding="utf-8")
    (tmp_path / "set.txt").write_text(text + "\n", encoding="utf-8")
    assert load(tmp_path).shared(english(3))


def test_sets_come_from_files_and_a_bad_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no evaluation set"):
        load(tmp_path)
    (tmp_path / "a.txt").write_text(QUESTION + "\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(
        json.dumps({"question": CHINESE_QUESTION, "choices": ["a", "b"]}), encoding="utf-8"
    )
    sets = load(tmp_path)
    assert sets.shared(QUESTION) > 0 and sets.shared(CHINESE_QUESTION) > 0
    (tmp_path / "c.jsonl").write_text("{nonsense\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"c.jsonl, line 1"):
        load(tmp_path)
