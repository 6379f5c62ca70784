"""Analogy questions (Mikolov et al. 2013): athens is to greece as oslo is to what.

Answered among the most frequent words by 3CosAdd, as gensim's `evaluate_word_analogies` does, and by 3CosMul (Levy &
Goldberg 2014), but many questions at a time: questions with an unknown word are left out and counted, the three given
words are no answers, case is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.vectors import WordVectors
from lmflow.errors import InputError
from lmflow.evaluation.compression import Estimate

#: Answers are sought among this many most frequent words (gensim's default).
RESTRICT_VOCABULARY: Final = 300_000
_AT_ONCE: Final = 2_000_000  # scores held at a time: few enough to stay in a core's cache
_Z95: Final = 1.959964
_EPSILON: Final = 1e-6  # gensim's, in the denominator of 3CosMul

Question = tuple[str, str, str, str]


@dataclass(frozen=True)
class AnalogyTest:
    """Questions under one name."""

    name: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class AnalogyResult:
    """Right answers among the questions whose words are known.

    Args:
        test: the questions.
        known: questions asked.
        right: how many 3CosAdd answers.
        right_by_product: how many 3CosMul answers.
    """

    test: AnalogyTest
    known: int
    right: int
    right_by_product: int

    @property
    def coverage(self) -> float:
        """Share of the questions whose words are all known."""
        return self.known / len(self.test.questions)

    @property
    def accuracy(self) -> Estimate | None:
        """Share of right answers with Wilson's 95 % interval; None when no question was asked."""
        return _share(self.right, self.known)

    @property
    def accuracy_oov_zero(self) -> Estimate | None:
        """The same over all questions, one with an unknown word counting as wrong."""
        return _share(self.right, len(self.test.questions))

    def metrics(self) -> dict[str, float]:
        """`<name>` (3CosAdd), its interval, `<name>_3cosmul`, `<name>_coverage`, `<name>_oov_zero` (unknown: wrong)."""
        name = self.test.name
        found = {f"{name}_coverage": self.coverage, f"{name}_oov_zero": self.right / len(self.test.questions)}
        if (accuracy := self.accuracy) is not None:
            found |= {name: accuracy.value, f"{name}_low": accuracy.low, f"{name}_high": accuracy.high}
            found[f"{name}_3cosmul"] = self.right_by_product / self.known
        return found


def read_questions(name: str, text: str, path: Path, syntactic_sections: str = "") -> list[AnalogyTest]:
    """Tests from the text of a file whose sections begin with `: name`; lines starting with # are comments.

    Args:
        name: of the test.
        text: the file's content.
        path: to name it in messages.
        syntactic_sections: when given, sections that begin so become <name>_syntactic, the others <name>_semantic.

    Raises:
        InputError: a line is not four words, or there is none.
    """
    tests: dict[str, list[Question]] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(":"):
            section = line[1:].strip()
        elif line.strip() and not line.startswith("#"):
            words = line.lower().split()
            if len(words) != 4:
                raise InputError(f"{path}:{number}: a question is four words, not {line!r}")
            kind = "_syntactic" if section.startswith(syntactic_sections) else "_semantic"
            test = name + kind if syntactic_sections else name
            tests.setdefault(test, []).append((words[0], words[1], words[2], words[3]))
    if not tests:
        raise InputError(f"{path} holds no questions; remove it or fill it")
    return [AnalogyTest(test, tuple(questions)) for test, questions in sorted(tests.items())]


def answer_analogies(vectors: WordVectors, tests: Sequence[AnalogyTest]) -> list[AnalogyResult]:
    """Ask every question of every test."""
    index: dict[str, int] = {}
    for row, word in enumerate(vectors.words[:RESTRICT_VOCABULARY]):
        index.setdefault(word.lower(), row)
    candidates = np.array(sorted(index.values()), np.int64)
    place = np.zeros(len(vectors.words), np.int64)
    place[candidates] = np.arange(len(candidates))
    unit = vectors.unit[candidates]
    results = []
    for test in tests:
        asked = [[index[word] for word in each] for each in test.questions if all(word in index for word in each)]
        rows = place[np.array(asked, np.int64).reshape(-1, 4)]
        results.append(AnalogyResult(test, len(rows), *_count_right(unit, rows)))
    return results


def _count_right(unit: NDArray[np.float32], rows: NDArray[np.int64]) -> tuple[int, int]:
    """Right answers by sum and by product. `unit` [candidates, dimensions], `rows` [questions, 4] of it."""
    step = max(1, _AT_ONCE // max(len(unit), 1))
    by_sum = by_product = 0
    for start in range(0, len(rows), step):
        first, second, third, expected = rows[start : start + step].T
        words, places = np.unique(rows[start : start + step, :3], return_inverse=True)  # questions share their words
        near = 1 + unit[words] @ unit.T
        near_first, near_second, near_third = (near[place] for place in places.reshape(-1, 3).T)
        total = near_second - near_first + near_third
        product = near_second * near_third / (near_first + 2 * _EPSILON)
        asked = np.arange(len(expected))
        for scores in (total, product):
            for given in (first, second, third):
                scores[asked, given] = -np.inf
        by_sum += int((total.argmax(axis=1) == expected).sum())
        by_product += int((product.argmax(axis=1) == expected).sum())
    return by_sum, by_product


def _share(right: int, asked: int) -> Estimate | None:
    if not asked:
        return None
    share = right / asked
    centre = (share + _Z95**2 / (2 * asked)) / (1 + _Z95**2 / asked)
    half = _Z95 * np.sqrt(share * (1 - share) / asked + _Z95**2 / (4 * asked**2)) / (1 + _Z95**2 / asked)
    return Estimate(share, float(centre - half), float(centre + half))
