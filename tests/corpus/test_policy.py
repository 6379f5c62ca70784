"""Policies are data: validated, digested, and every failed rule is reported."""

from pathlib import Path

import pytest

from lmflow.corpus.language import Detected
from lmflow.corpus.policy import Failure, decide, load
from lmflow.corpus.signals import measure
from lmflow.errors import InputError

POLICIES = load(["en", "zh"])


def failed(text: str, lang: str, source: str, score: float = 0.95) -> list[Failure]:
    signals = measure(text, POLICIES.traits(lang), score)
    return decide(Detected(lang, score), signals, source, POLICIES)


def test_a_document_built_to_fail_five_rules_shows_five() -> None:
    text = "\n".join(["- 12 34 56 ##"] * 10)
    rules = {failure.rule: failure for failure in failed(text, "en", "news")}
    assert {"too_few_words", "few_letters", "no_stop_words", "hash_signs", "duplicate_lines"} <= rules.keys() or {
        "few_letters",
        "no_stop_words",
        "hash_signs",
        "bullet_lines",
        "duplicate_lines",
    } <= rules.keys()
    assert rules["duplicate_lines"] == Failure("duplicate_lines", 0.9, 0.3)
    assert rules["few_letters"].value == 0.0 and rules["few_letters"].threshold == 0.8


def test_what_is_too_short_for_an_article_is_long_enough_for_a_review() -> None:
    review = "房间很干净，服务员也热情，下次还会来住。"
    assert failed(review, "zh", "social") == []
    assert [failure.rule for failure in failed(review, "zh", "file")] == ["too_few_words"]
    assert failed("Great phone, and the camera is lovely", "en", "social") == []


def test_a_language_that_is_not_wanted_breaks_the_language_rule_and_others_still_count() -> None:
    rules = [failure.rule for failure in failed("Kurz und knapp.", "de", "news")]
    assert rules[0] == "language" and "too_few_words" in rules


def test_the_digest_changes_with_any_threshold_and_with_the_languages(tmp_path: Path) -> None:
    text = (Path(load.__code__.co_filename).parent / "policies/en.yaml").read_text(encoding="utf-8")
    (tmp_path / "en.yaml").write_text(text.replace("at_least: 50}", "at_least: 51}"), encoding="utf-8")
    changed = load(["en", "zh"], tmp_path)
    assert changed.of("en").digest != POLICIES.of("en").digest
    assert changed.of("zh").digest == POLICIES.of("zh").digest
    assert len({changed.digest, POLICIES.digest, load(["en"]).digest}) == 3
    assert load(["zh", "en"]).digest == POLICIES.digest


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("language: xx\nterminal_punctuation: .\nrules: {a: {signal: n_wrods, at_least: 1}}", "no signal 'n_wrods'"),
        ("language: xx\nterminal_punctuation: .\nrules: {a: {signal: n_words}}", "at_least or at_most"),
        ("language: xx\nterminal_punctuation: .\nrules: {}\nsources: {blog: {}}", "no kind of source 'blog'"),
        ("language: xx\nterminal_punctuation: .\nrules: {}\nsources: {news: {a: null}}", "do not exist: a"),
        ("language: xx\nterminal_punctuation: .\nrules: {}\nextra: 1", "extra"),
        ("language: yy\nterminal_punctuation: .\nrules: {}", "xx.yaml"),
        ("language: [", "xx.yaml"),
    ],
)
def test_a_bad_policy_is_refused_in_one_line_that_names_file_and_key(
    tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "xx.yaml").write_text(content)
    with pytest.raises(InputError) as caught:
        load(["en"], tmp_path)
    assert complaint in str(caught.value) and "xx.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no policy"):
        load(["en"], tmp_path)
