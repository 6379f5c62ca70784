"""Google's analogy questions (Mikolov et al. 2013): athens is to greece as oslo is to what.

Answered by 3CosAdd among the most frequent words, as gensim's `evaluate_word_analogies` does, but many questions at a
time: questions with an unknown word are left out and counted, the three given words are no answers, case is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.vectors import WordVectors
from lmflow.evaluation.compression import Estimate

#: Answers are sought among this many most frequent words (gensim's default).
RESTRICT_VOCABULARY: Final = 300_000
_AT_ONCE: Final = 20_000_000  # scores held at a time
_Z95: Final = 1.959964

Questions = dict[str, list[tuple[str, str, str, str]]]


@dataclass(frozen=True)
class AnalogyResult:
    """Right answers among the questions whose words are known.

    Args:
        right: how many.
        known: questions asked.
        questions: questions there are.
    """

    right: int
    known: int
    questions: int

    @property
    def coverage(self) -> float:
        """Share of the questions whose words are all known."""
        return self.known / self.questions if self.questions else 0.0

    @property
    def accuracy(self) -> Estimate | None:
        """Share of right answers with Wilson's 95 % interval; None when no question was asked."""
        if not self.known:
            return None
        n, share = self.known, self.right / self.known
        centre = (share + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
        half = _Z95 * np.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2)) / (1 + _Z95**2 / n)
        return Estimate(share, float(centre - half), float(centre + half))

    def metrics(self, name: str) -> dict[str, float]:
        """`<name>`, its interval and `<name>_coverage`."""
        found = {f"{name}_coverage": self.coverage}
        if (accuracy := self.accuracy) is not None:
            found |= {name: accuracy.value, f"{name}_low": accuracy.low, f"{name}_high": accuracy.high}
        return found


def read_questions(path: Path) -> Questions:
    """Section -> questions of four words; sections begin with `: name`, names in `gram` are syntactic."""
    sections: Questions = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(":"):
            section = line[1:].strip()
        elif len(words := line.lower().split()) == 4:
            sections.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
    return sections


def answer_analogies(vectors: WordVectors, questions: Questions) -> dict[str, AnalogyResult]:
    """Ask every question. Returns results by `google_analogies_semantic` and `google_analogies_syntactic`."""
    kinds: dict[str, list[tuple[str, str, str, str]]] = {"semantic": [], "syntactic": []}
    for section, asked in questions.items():
        kinds["syntactic" if section.startswith("gram") else "semantic"] += asked
    index: dict[str, int] = {}
    for row, word in enumerate(vectors.words[:RESTRICT_VOCABULARY]):
        index.setdefault(word.lower(), row)
    results = {}
    for kind, asked in kinds.items():
        rows = np.array([[index[word] for word in question] for question in asked if all(w in index for w in question)])
        right = _count_right(vectors, sorted(index.values()), rows) if len(rows) else 0
        results[f"google_analogies_{kind}"] = AnalogyResult(right, len(rows), len(asked))
    return results


def _count_right(vectors: WordVectors, candidates: list[int], rows: NDArray[np.int64]) -> int:
    """`rows` [questions, 4] of vocabulary rows; answers are sought among `candidates`."""
    position = np.zeros(len(vectors.words), np.int64)
    position[candidates] = np.arange(len(candidates))
    unit = vectors.unit[candidates]
    rows = position[rows]
    step = max(1, _AT_ONCE // len(unit))
    right = 0
    for start in range(0, len(rows), step):
        first, second, third, expected = rows[start : start + step].T
        scores = (unit[second] - unit[first] + unit[third]) @ unit.T
        for given in (first, second, third):
            scores[np.arange(len(scores)), given] = -np.inf
        right += int((scores.argmax(axis=1) == expected).sum())
    return right
