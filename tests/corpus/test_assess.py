"""One document alone: clean text, verdict, no private data, whatever bytes came in."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.corpus.assess import ASSESSED, assess
from lmflow.corpus.policy import Policies
from lmflow.corpus.signals import SIGNALS
from tests.corpus.documents import as_batch, english, row


def assessed(policies: Policies, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    result = assess(as_batch(rows), policies)
    assert result.schema == ASSESSED
    return result.to_pylist()  # type: ignore[no-any-return]


def test_a_good_document_passes_with_clean_text_and_a_fingerprint(policies: Policies) -> None:
    text = english(1) + "\r\n\u200bWrite to ann@example.org or call 212-555-0187.  "
    [found] = assessed(policies, row(1, "a", text))
    assert found["failures"] == []
    assert found["text"].endswith("Write to <EMAIL> or call <PHONE>.")
    assert dict(found["pii"]) == {"email": 1, "phone": 1}
    assert dict(found["changes"]) == {"line_ends": 1, "invisible": 1, "spaces": 1}
    assert (found["lang"], found["n_chars"]) == ("en", len(found["text"]))
    assert dict(found["signals"]).keys() == SIGNALS.keys()
    assert (len(found["signature"]), len(found["bands"])) == (112, 15)


def test_a_dropped_document_has_all_its_failures_and_no_fingerprint(policies: Policies) -> None:
    [found] = assessed(policies, row(1, "a", "## Prices ## mail bob@example.org ## Shipping worldwide today ##"))
    assert {failure["rule"] for failure in found["failures"]} >= {"too_few_words", "no_stop_words", "hash_signs"}
    assert found["bands"] is None and found["signature"] is None
    assert "bob@" not in found["text"]


def test_a_short_chinese_review_passes_where_a_short_article_does_not(policies: Policies) -> None:
    text = "房间很干净，服务员也热情，下次还会来住。"
    review, article = assessed(policies, row(1, "a", text, "social"), row(1, "b", text, "file"))
    assert review["failures"] == [] and review["lang"] == "zh"
    assert [failure["rule"] for failure in article["failures"]] == ["too_few_words", "few_sentences"]


@pytest.mark.parametrize(
    "text", ["", None, "\x00\x00", "\ufffe", " \n\t", "a" * 100_000, "好\n" * 50_000, "\ufffd" * 99]
)
def test_bad_text_gets_a_verdict(policies: Policies, text: str | None) -> None:
    [found] = assessed(policies, {**row(1, "a", ""), "text": text, "title": None, "source": None})
    assert found["failures"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=80), st.sampled_from(["news", "social", "wikipedia", "other"])), max_size=6))
def test_every_row_comes_out_once_and_only_failures_lack_fingerprints(
    policies: Policies, texts: list[tuple[str, str]]
) -> None:
    rows = [row(1, str(at), text, source) for at, (text, source) in enumerate(texts)]
    found = assessed(policies, *rows)
    assert [one["doc_id"] for one in found] == [one["doc_id"] for one in rows]
    assert all((one["bands"] is None) == bool(one["failures"]) for one in found)


def test_bytes_that_are_no_utf8_become_replacement_characters(policies: Policies) -> None:
    batch = as_batch([row(1, "a", english(1))])
    broken = pa.array([english(1).encode() + b" caf\xe9 \xff."]).cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 1, broken.buffers())
    [found] = assess(batch.set_column(batch.schema.names.index("text"), "text", text), policies).to_pylist()
    assert found["text"].endswith("caf\ufffd \ufffd.")
