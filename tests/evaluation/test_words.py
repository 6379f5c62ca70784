"""Word tests give the figures that scipy and gensim give, with honest coverage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError
from lmflow.evaluation.analogies import AnalogyTest, answer_analogies, read_questions
from lmflow.evaluation.catalogue import catalogue, find_tests, gensim_test_data
from lmflow.evaluation.word_report import WordTests
from lmflow.evaluation.words import (
    SimilarityTest,
    WordPair,
    compare_similarity,
    read_test,
    score_similarity,
    spearman,
)
from lmflow.settings import settings


def vectors_for(words: list[str], dim: int = 20, seed: int = 0) -> WordVectors:
    return WordVectors(tuple(words), np.random.default_rng(seed).normal(size=(len(words), dim)).astype(np.float32))


@pytest.fixture(scope="module")
def wordsim() -> SimilarityTest:
    path = gensim_test_data() / "wordsim353.tsv"
    return read_test("wordsim353", path.read_text(), path)


def sizes(lang: str) -> dict[str, int]:
    tests = WordTests.of(lang)
    return {test.name: len(test.pairs) for test in tests.similarity} | {
        test.name: len(test.questions) for test in tests.analogies
    }


SHIPPED = {
    "en": {
        "wordsim353": 353,
        "simlex999": 999,
        "google_analogies_semantic": 8869,
        "google_analogies_syntactic": 10675,
    },
    "zh": {"ca8_morphological": 10177, "ca8_semantic": 7636},  # the sizes that the paper gives
}


def test_what_is_shipped_is_there_whole_and_in_the_edition_the_catalogue_names() -> None:
    assert {lang: sizes(lang) for lang in SHIPPED} == SHIPPED
    assert sizes("de") == {}
    for lang in SHIPPED:
        assert not [test.name for test in find_tests(lang) if "other" in test.edition]


SHARED = settings().project.parent / "shared" / "data" / "embeddings"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the word tests that may not be shipped are not here")
def test_what_a_user_puts_in_place_is_found_by_its_usual_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMFLOW_EVALUATION_DIR", str(SHARED))
    settings.cache_clear()
    assert sizes("en") == {**SHIPPED["en"], "men": 3000, "rg65": 65, "rw": 2034}
    assert sizes("zh") == {**SHIPPED["zh"], "wordsim240": 240, "wordsim297": 297}
    assert {test.name for lang in SHIPPED for test in find_tests(lang)} == {entry.name for entry in catalogue()}
    assert not [test.name for lang in SHIPPED for test in find_tests(lang) if "other" in test.edition]


def test_the_figure_is_scipys_and_its_interval_holds_it(wordsim: SimilarityTest) -> None:
    from scipy.stats import spearmanr

    words = sorted({word.lower() for pair in wordsim.pairs for word in (pair.first, pair.second)})
    result = score_similarity(vectors_for(words), wordsim)
    human = np.array([pair.human for pair in wordsim.pairs])
    assert result.coverage == 1
    assert result.spearman is not None
    assert result.spearman.value == pytest.approx(spearmanr(human, result.cosines).statistic)
    assert result.spearman.low < result.spearman.value < result.spearman.high


def test_figures_equal_gensims_on_a_trained_model() -> None:
    from gensim.models import KeyedVectors

    words = sorted({w.lower() for line in QUESTIONS for w in line.split()[-4:]} | {"king", "queen", "money", "bank"})
    ours = vectors_for(words)
    theirs = KeyedVectors(ours.matrix.shape[1])
    theirs.add_vectors(words, ours.matrix)
    path = gensim_test_data() / "questions-words.txt"
    tests = read_questions("google", path.read_text(), path, "gram")
    semantic, syntactic = answer_analogies(ours, tests)
    _, sections = theirs.evaluate_word_analogies(str(path))
    parts = [entry for entry in sections if entry["section"] != "Total accuracy"]
    for result, is_part in ((semantic, False), (syntactic, True)):
        expected = [entry for entry in parts if entry["section"].startswith("gram") == is_part]
        correct = sum(len(entry["correct"]) for entry in expected)
        asked = correct + sum(len(entry["incorrect"]) for entry in expected)
        assert (result.right, result.known) == (correct, asked)
    known = [each for each in semantic.test.questions if set(each) <= set(words)]
    by_product = [theirs.most_similar_cosmul([b, c], [a], topn=1)[0][0] == d for a, b, c, d in known]
    assert semantic.right_by_product == sum(by_product)
    assert semantic.known > 100 and semantic.right
    metrics = semantic.metrics()
    assert metrics["google_semantic_oov_zero"] == semantic.right / 8869 < metrics["google_semantic"]
    assert {"google_semantic_3cosmul", "google_semantic_low", "google_semantic_coverage"} <= metrics.keys()


def test_questions_without_known_words_have_no_figure() -> None:
    (result,) = answer_analogies(vectors_for(["a", "b"]), [AnalogyTest("t", (("a", "b", "c", "d"),))])
    assert result.metrics() == {"t_coverage": 0.0, "t_oov_zero": 0.0}


@pytest.mark.parametrize(("content", "says"), [(": s\na b c\n", r"q\.txt:2"), (": s\n", "holds no questions")])
def test_a_broken_file_of_questions_is_refused(content: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_questions("q", content, Path("q.txt"))


QUESTIONS = (gensim_test_data() / "questions-words.txt").read_text().splitlines()[1:140]


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    truth = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman of a bivariate normal with correlation 0.5
    hits = 0
    for trial in range(40):
        first, noise = random.normal(size=(2, 200))
        estimate = spearman(first, 0.5 * first + np.sqrt(0.75) * noise, seed=trial)
        hits += estimate.low <= truth <= estimate.high
    assert hits >= 34  # of 40, 38 are expected; fewer than 34 has a chance below 2 %


def test_unknown_words_lower_the_coverage_and_count_as_zero(wordsim: SimilarityTest) -> None:
    known = sorted({word.lower() for pair in wordsim.pairs[:100] for word in (pair.first, pair.second)})
    result = score_similarity(vectors_for(known), wordsim)
    assert 0.28 < result.coverage < 0.5
    metrics = result.metrics()
    assert metrics["wordsim353_coverage"] == result.coverage
    assert metrics["wordsim353_spearman_oov_zero"] != metrics["wordsim353_spearman"]
    assert sum(row[3] is None for row in result.answers()) == np.isnan(result.cosines).sum()


def test_words_all_unknown_are_a_clear_error() -> None:
    with pytest.raises(InputError, match=r"no pair or question of wordsim353, simlex999, .* is in the vocabulary"):
        WordTests.of("en").judge(vectors_for(["词", "语"]))


def test_a_test_that_a_user_puts_in_place_is_used(home: Path) -> None:
    folder = home / "evaluation" / "zh"
    folder.mkdir(parents=True)
    (folder / "wordsim240.txt").write_text("银行\t钱\t9\n老虎\t猫\t7\n医生\t 病\t8\n", encoding="utf-8-sig")
    report = WordTests.of("zh").judge(vectors_for(["银行", "钱", "老虎", "猫", "医生", "病"]))
    assert set(report.metrics()) >= {"wordsim240_spearman", "wordsim240_coverage"}
    (folder / "own.txt").write_text(": capitals\n雅典 希腊 巴格达 伊拉克\n", encoding="utf-8")
    assert sizes("zh") == {**SHIPPED["zh"], "wordsim240": 3, "own": 1}
    (folder / "broken.tsv").write_text("银行\t钱\n")
    with pytest.raises(InputError, match=r"broken\.tsv:1"):
        WordTests.of("zh")
    (folder / "broken.tsv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        WordTests.of("zh")


@pytest.mark.parametrize("name", ["wordsim353.tsv", "EN-WS-353-ALL.txt", "en/wordsim353.txt"])
def test_a_users_copy_of_a_test_that_ships_takes_its_place_and_is_named(home: Path, name: str) -> None:
    path = home / "evaluation" / name
    path.parent.mkdir(parents=True)
    path.write_text("tiger\tcat\t7.35\nbook\tpaper\t7.46\ncomputer\tkeyboard\t7.62\n")
    assert sizes("en") == {**SHIPPED["en"], "wordsim353": 3}
    read = {test.name: test for test in find_tests("en")}
    assert read["wordsim353"].path == path and "other than the catalogue's" in read["wordsim353"].edition
    path.write_bytes((gensim_test_data() / "wordsim353.tsv").read_bytes())
    assert sizes("en") == SHIPPED["en"]
    assert not [test.name for test in find_tests("en") if "other" in test.edition]


def answers(noise: float, seed: int) -> dict[str, list[list[object]]]:
    human = np.linspace(0, 10, 300)
    cosines = human / 10 + noise * np.random.default_rng(seed).normal(size=300)
    return {"test": [[f"a{i}", f"b{i}", human[i], float(cosines[i])] for i in range(300)]}


def test_a_paired_comparison_finds_the_worse_model() -> None:
    worse = compare_similarity(answers(3.0, 3), answers(0.3, 1))
    assert worse is not None
    assert worse.difference.high < 0 and worse.p_value < 0.01
    assert compare_similarity({"one": answers(1, 1)["test"]}, {"two": answers(1, 1)["test"]}) is None


def test_a_paired_comparison_spares_models_that_are_equally_good() -> None:
    pairs = [compare_similarity(answers(0.3, seed), answers(0.3, 100 + seed)) for seed in range(10)]
    assert sum(compared is not None and compared.p_value < 0.05 for compared in pairs) <= 2


def test_a_pair_is_a_pair() -> None:
    test = SimilarityTest("tiny", (WordPair("a", "b", 1.0), WordPair("c", "d", 2.0)))
    result = score_similarity(vectors_for(["a", "b", "c", "d"]), test)
    assert result.spearman is None and result.coverage == 1  # two pairs correlate perfectly, whatever they say
