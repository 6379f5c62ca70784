"""Every word test of a language, put to one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError
from lmflow.evaluation.analogies import AnalogyResult, AnalogyTest, answer_analogies, read_questions
from lmflow.evaluation.catalogue import find_tests
from lmflow.evaluation.compression import Estimate
from lmflow.evaluation.words import SimilarityResult, SimilarityTest, read_test, score_similarity


@dataclass(frozen=True)
class WordTests:
    """The tests there are for a language; may be none.

    Args:
        similarity: word pairs.
        analogies: questions.
        editions: which edition of each is in place.
    """

    similarity: Sequence[SimilarityTest]
    analogies: Sequence[AnalogyTest]
    editions: dict[str, str]

    @classmethod
    def of(cls, lang: str) -> Self:
        """Read them.

        Raises:
            InputError: a file that a user added is not a test.
        """
        files = find_tests(lang)
        similarity = [read_test(file.name, file.text, file.path) for file in files if file.kind == "similarity"]
        analogies = [
            test
            for file in files
            if file.kind == "analogy"
            for test in read_questions(file.name, file.text, file.path, file.syntactic_sections)
        ]
        return cls(similarity, analogies, {file.name: file.edition for file in files})

    def judge(self, vectors: WordVectors) -> WordReport:
        """Put them all to a model.

        Raises:
            InputError: there are tests, and the model knows no pair or question of any of them.
        """
        similarity = [score_similarity(vectors, test) for test in self.similarity]
        analogies = answer_analogies(vectors, self.analogies)
        report = WordReport(similarity, analogies)
        if (unknown := report.unknown()) and len(unknown) == len(similarity) + len(analogies):
            raise InputError(
                f"no pair or question of {', '.join(unknown)} is in the vocabulary: wrong language, or too little text"
            )
        return report


@dataclass(frozen=True)
class WordReport:
    """A model's results."""

    similarity: Sequence[SimilarityResult]
    analogies: Sequence[AnalogyResult]

    def metrics(self) -> dict[str, float]:
        """All figures under their fixed names; a figure that is not defined is left out."""
        found = [result.metrics() for result in self.similarity] + [result.metrics() for result in self.analogies]
        return {name: value for each in found for name, value in each.items() if value == value}

    def headline(self) -> dict[str, float]:
        """Of every test that it knows something of, Spearman's rho or the accuracy, with the ends of its interval."""
        found = self.metrics()
        names = [f"{result.test.name}_spearman" for result in self.similarity]
        names += [result.test.name for result in self.analogies]
        ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
        return {name: found[name] for name in ends if name in found}

    def unknown(self) -> list[str]:
        """The tests that nothing is known of: their words are not in the vocabulary."""
        return [result.test.name for result in self.similarity if not result.coverage] + [
            result.test.name for result in self.analogies if not result.coverage
        ]

    def rows(self) -> list[tuple[str, str]]:
        """Test and figure with interval, coverage, and the figure when unknown words count as 0, in words."""
        rows = [
            _row(result.test.name, result.spearman, result.coverage, result.spearman_oov_zero)
            for result in self.similarity
        ]
        return rows + [
            _row(result.test.name, result.accuracy, result.coverage, result.accuracy_oov_zero)
            for result in self.analogies
        ]

    def answers(self) -> dict[str, list[list[Any]]]:
        """Similarity answers pair by pair, for `compare_similarity`."""
        return {result.test.name: result.answers() for result in self.similarity}


def _row(name: str, score: Estimate | None, coverage: float, of_all: Estimate | None) -> tuple[str, str]:
    figure = f"{score.value:.3f} | {score.low:.3f} to {score.high:.3f}" if score else "– | –"
    return name, f"{figure} | {coverage:.0%} | {f'{of_all.value:.3f}' if of_all else '–'}"
