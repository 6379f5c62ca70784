"""Every word test of a language, put to one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError
from lmflow.evaluation.analogies import AnalogyResult, Questions, answer_analogies, read_questions
from lmflow.evaluation.words import (
    SimilarityResult,
    SimilarityTest,
    gensim_test_data,
    score_similarity,
    similarity_tests,
)


@dataclass(frozen=True)
class WordTests:
    """The tests there are for a language; may be none."""

    similarity: Sequence[SimilarityTest]
    questions: Questions

    @classmethod
    def of(cls, lang: str) -> Self:
        """Read them.

        Raises:
            InputError: a file that a user added is not a test.
        """
        questions = read_questions(gensim_test_data() / "questions-words.txt") if lang == "en" else {}
        return cls(similarity_tests(lang), questions)

    def judge(self, vectors: WordVectors) -> WordReport:
        """Put them all to a model.

        Raises:
            InputError: there are similarity tests, and the model knows no pair of any of them.
        """
        similarity = [score_similarity(vectors, test) for test in self.similarity]
        if similarity and not any(result.coverage for result in similarity):
            names = ", ".join(test.name for test in self.similarity)
            raise InputError(f"no word pair of {names} is in the vocabulary: wrong language, or too little text")
        return WordReport(similarity, answer_analogies(vectors, self.questions) if self.questions else {})


@dataclass(frozen=True)
class WordReport:
    """A model's results."""

    similarity: Sequence[SimilarityResult]
    analogies: Mapping[str, AnalogyResult]

    def metrics(self) -> dict[str, float]:
        """All figures under their fixed names; a figure that is not defined is left out."""
        found: dict[str, float] = {}
        for result in self.similarity:
            found |= result.metrics()
        for name, answered in self.analogies.items():
            found |= answered.metrics(name)
        return {name: value for name, value in found.items() if value == value}

    def rows(self) -> list[tuple[str, str]]:
        """Test and figure with interval and coverage, in words."""
        scored = [(result.test.name, result.spearman, result.coverage) for result in self.similarity]
        scored += [(name, answered.accuracy, answered.coverage) for name, answered in self.analogies.items()]
        return [
            (
                name,
                f"{score.value:.3f} | {score.low:.3f} to {score.high:.3f} | {coverage:.0%}"
                if score
                else f"– | – | {coverage:.0%}",
            )
            for name, score, coverage in scored
        ]

    def answers(self) -> dict[str, list[list[Any]]]:
        """Similarity answers pair by pair, for `compare_similarity`."""
        return {result.test.name: result.answers() for result in self.similarity}
