"""Paragraphs in another language are found, counted, and taken out where a policy asks for it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.corpus.assess import assess
from lmflow.corpus.foreign import ForeignParagraphs, Sorted, sort_paragraphs
from lmflow.corpus.language import detect
from lmflow.corpus.policy import BUILT_IN, Policies, load
from lmflow.corpus.report import Account
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.text.normalise import normalise
from tests.corpus.documents import as_batch, build, english, ingest, row
from tests.corpus.test_ledger import check_books, corpus
from tests.corpus.test_redecision import again

FRENCH = (
    "Le conseil municipal a décidé hier soir de fermer l'école du village, malgré les protestations des parents "
    "qui demandaient une solution plus durable pour leurs enfants."
)
RUSSIAN = "Городской совет вчера вечером решил закрыть школу в деревне, несмотря на протесты родителей."
CHINESE = "市议会昨晚决定关闭村里的学校，尽管许多家长表示抗议，要求为孩子们找到更好的解决办法。"
REMOVE = ForeignParagraphs(action="remove")


def sorted_by_language(text: str, options: ForeignParagraphs = REMOVE) -> Sorted:
    others = load(["en", "zh"]).stop_words_of_others
    found = sort_paragraphs(text, detect(text), lambda _: options, others)
    assert found is not None
    return found


def asking(folder: Path, options: str, languages: Sequence[str] = ("en",), rule: str = "") -> Policies:
    folder.mkdir(exist_ok=True)
    for lang in languages:
        text = (BUILT_IN / f"{lang}.yaml").read_text(encoding="utf-8")
        text = text.replace("\nrules:\n", f"\nrules:\n{rule}")
        (folder / f"{lang}.yaml").write_text(text + f"\nprepare: {{foreign_paragraphs: {options}}}\n")
    return load(["en", "zh"], folder)


@pytest.mark.parametrize("foreign", [FRENCH, RUSSIAN, CHINESE])
def test_a_paragraph_in_another_language_leaves_and_is_counted_by_its_characters(foreign: str) -> None:
    own = [english(1), english(2)]
    found = sorted_by_language("\n".join([own[0], foreign, own[1]]))
    assert found.text == "\n".join(own)
    whole = len(own[0]) + len(own[1]) + len(foreign) + 2
    assert found.signals == {"foreign_paragraphs": 1.0, "foreign_char_ratio": len(foreign) / whole}
    assert found.detected.lang == "en"


def test_measuring_leaves_the_text_as_it_is() -> None:
    text = f"{english(1)}\n\n{FRENCH}\n\n{english(2)}"
    found = sorted_by_language(text, ForeignParagraphs(action="measure"))
    assert found.text == text and found.signals["foreign_paragraphs"] == 1
    assert sorted_by_language(text).text == f"{english(1)}\n\n{english(2)}"


@pytest.mark.parametrize(
    "line",
    ["Liberté, égalité, fraternité", "北京大学", "x = 42; print(x)", "Smith, J. (1998): 3–17.", "- - - -" * 20],
)
def test_what_cannot_be_told_for_certain_stays(line: str) -> None:
    text = f"{english(1)}\n{line}\n{english(2)}"
    assert sorted_by_language(text).text == text


def test_the_language_is_that_of_most_of_the_text_and_a_tie_changes_nothing() -> None:
    french = "\n".join([FRENCH] * 12)
    found = sorted_by_language(f"{english(1)}\n{french}")
    assert (found.detected.lang, found.text) == ("fr", french) and found.detected.score > 0.9
    alone = sort_paragraphs(
        f"{english(1)}\n{french}", detect(english(1)), lambda lang: REMOVE if lang == "en" else None, lambda _: []
    )
    assert alone is not None and alone.detected.lang == "en"  # French has no policy that asks


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([FRENCH, RUSSIAN, CHINESE, english(1), english(2), "", "…", "12"]), max_size=8))
def test_every_paragraph_stays_or_is_counted(paragraphs: list[str]) -> None:
    text = normalise("\n".join(paragraphs)).text
    found = sorted_by_language(text)
    lines, left = [line for line in text.split("\n") if line], [line for line in found.text.split("\n") if line]
    assert len(lines) - len(left) == found.signals["foreign_paragraphs"]
    lost = sum(map(len, lines)) - sum(map(len, left))
    assert found.signals["foreign_char_ratio"] == pytest.approx(lost / max(len(text), 1))


def test_a_corpus_is_built_without_them_and_the_books_balance(lake: Lake, tmp_path: Path, policies: Policies) -> None:
    mixed = [row(1, f"d{n}", f"{english(n)}\n{FRENCH}\n{english(50 + n)}") for n in range(3)]
    ingest(lake, [*mixed, row(1, "plain", english(9))])
    build(lake, policies)
    assert FRENCH in corpus(lake)["d0"]["text"]
    removing = asking(tmp_path, "{action: remove}")
    assert again(lake, removing).read == ["d0", "d1", "d2", "plain"]
    check_books(lake)
    assert corpus(lake)["d0"]["text"] == f"{english(0)}\n{english(50)}"
    assert again(lake, removing).read == []
    lenient = asking(tmp_path, "{action: remove, score_at_least: 0.9}")
    assert again(lake, lenient).read == ["d0", "d1", "d2", "plain"]


def test_a_rule_may_ask_for_one_language_and_needs_the_option(tmp_path: Path) -> None:
    rule = "  mixed_language: {signal: foreign_char_ratio, at_most: 0.05}\n"
    batch = as_batch([row(1, "a", f"{english(1)}\n{FRENCH}\n{english(2)}"), row(1, "b", english(3))])
    mixed, plain = assess(batch, asking(tmp_path, "{action: measure}", rule=rule)).to_pylist()
    assert [failure["rule"] for failure in mixed["failures"]] == ["mixed_language"]
    assert plain["failures"] == [] and FRENCH not in plain["text"]
    (tmp_path / "en.yaml").write_text(
        (BUILT_IN / "en.yaml").read_text(encoding="utf-8").replace("\nrules:\n", f"\nrules:\n{rule}")
    )
    with pytest.raises(InputError, match=r"foreign_char_ratio is measured with prepare\.foreign_paragraphs only"):
        load(["en"], tmp_path)


def test_the_account_says_how_many(lake: Lake, tmp_path: Path) -> None:
    text = f"{english(1)}\n{FRENCH}\n{english(2)}"
    ingest(lake, [row(1, "a", text), row(1, "b", english(3))])
    [outcome] = build(lake, asking(tmp_path, "{action: remove}"))
    assessed = assess(as_batch([row(1, "a", text), row(1, "b", english(3))]), asking(tmp_path, "{action: remove}"))
    account = Account()
    account.add(pa.Table.from_batches([assessed]), outcome)
    assert account.as_dict()["foreign_paragraphs"] == {"paragraphs": 1, "documents": 1}
