"""Word tests give the figures that scipy and gensim give, with honest coverage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError
from lmflow.evaluation.analogies import answer_analogies, read_questions
from lmflow.evaluation.word_report import WordTests
from lmflow.evaluation.words import (
    SimilarityTest,
    WordPair,
    compare_similarity,
    gensim_test_data,
    read_test,
    score_similarity,
    similarity_tests,
    spearman,
)


def vectors_for(words: list[str], dim: int = 20, seed: int = 0) -> WordVectors:
    return WordVectors(tuple(words), np.random.default_rng(seed).normal(size=(len(words), dim)).astype(np.float32))


@pytest.fixture(scope="module")
def wordsim() -> SimilarityTest:
    return read_test(gensim_test_data() / "wordsim353.tsv")


def test_english_has_its_two_tests_and_their_pairs() -> None:
    assert {test.name: len(test.pairs) for test in similarity_tests("en")} == {"wordsim353": 353, "simlex999": 999}
    assert similarity_tests("zh") == []


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
    _, sections = theirs.evaluate_word_analogies(str(path))
    syntactic = [entry for entry in sections if entry["section"].startswith("gram")]
    semantic = [
        entry for entry in sections if not entry["section"].startswith("gram") and entry["section"] != "Total accuracy"
    ]
    answered = answer_analogies(ours, read_questions(path))
    for name, expected in (("semantic", semantic), ("syntactic", syntactic)):
        right = sum(len(entry["correct"]) for entry in expected)
        asked = right + sum(len(entry["incorrect"]) for entry in expected)
        result = answered[f"google_analogies_{name}"]
        assert (result.right, result.known) == (right, asked)
    assert answered["google_analogies_semantic"].known > 100


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
    with pytest.raises(InputError, match="no word pair of wordsim353, simlex999 is in the vocabulary"):
        WordTests.of("en").judge(vectors_for(["词", "语"]))


def test_a_test_that_a_user_puts_in_place_is_used(home: Path) -> None:
    folder = home / "evaluation" / "zh"
    folder.mkdir(parents=True)
    (folder / "wordsim240.txt").write_text("银行\t钱\t9\n老虎\t猫\t7\n医生\t 病\t8\n", encoding="utf-8-sig")
    report = WordTests.of("zh").judge(vectors_for(["银行", "钱", "老虎", "猫", "医生", "病"]))
    assert set(report.metrics()) >= {"wordsim240_spearman", "wordsim240_coverage"}
    (folder / "broken.tsv").write_text("银行\t钱\n")
    with pytest.raises(InputError, match=r"broken\.tsv:1"):
        similarity_tests("zh")


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
