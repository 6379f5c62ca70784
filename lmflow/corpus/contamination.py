"""Training text that holds parts of evaluation sets: 13-grams in common (Brown et al. 2020, appendix C).

An n-gram is 13 words of folded text, so that case, punctuation, digits and traditional characters hide nothing. Where
more than half of an evaluation text's units are single characters of scripts without spaces, it is 24 of them: a
Chinese word has 1.8 characters on average, and 13 characters are the name of a congress. An evaluation text shorter
than that is compared as a whole: 8 words or 15 characters at least, or it is too common to mean anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.corpus.fingerprint import run_hashes
from lmflow.errors import InputError
from lmflow.text.scripts import HAS_UNSPACED
from lmflow.text.shingles import FOLDING, units

NGRAM_WORDS: Final = 13
NGRAM_CHARACTERS: Final = 24
_SHORTEST_WORDS: Final = 8
_SHORTEST_CHARACTERS: Final = 15
#: The rule that a document breaks; its value is the number of n-grams it shares, its threshold 0.
CONTAMINATED: Final = "contaminated"
#: The signal with that number; there only when evaluation sets are registered.
SIGNAL: Final = "evaluation_ngrams"
#: Signal that identifies the sets it was compared with (48 bits of their digest): when they change, deciding again
#: reads its text again.
EVALUATED_BY: Final = "evaluated_by"


@dataclass(frozen=True)
class Evaluations:
    """Registered evaluation sets.

    Attributes:
        hashes: by number of units, the sorted uint64 hashes of runs of that many.
        digest: 16 hex digits that identify the sets.
    """

    hashes: dict[int, NDArray[np.uint64]]
    digest: str

    @property
    def number(self) -> float:
        """What identifies these sets, as a signal."""
        return float(int(self.digest[:12], 16))

    def shared(self, text: str) -> int:
        """How many n-grams of a text occur in an evaluation set."""
        found = units(text)
        return sum(int(np.isin(run_hashes(found, n), known).sum()) for n, known in self.hashes.items())


def register(texts: Iterable[str]) -> Evaluations:
    """Evaluation sets from their texts (questions, passages, sentences: one a text)."""
    by_length: dict[int, list[NDArray[np.uint64]]] = {}
    digest = sha256(f"{FOLDING} {NGRAM_WORDS} {NGRAM_CHARACTERS}\n".encode())
    for text in texts:
        found = units(text)
        unspaced = 2 * sum(len(unit) == 1 and HAS_UNSPACED.match(unit) is not None for unit in found) > len(found)
        most, least = (NGRAM_CHARACTERS, _SHORTEST_CHARACTERS) if unspaced else (NGRAM_WORDS, _SHORTEST_WORDS)
        n = min(len(found), most)
        if n >= least:
            by_length.setdefault(n, []).append(run_hashes(found, n))
        digest.update(" ".join(found).encode("utf-8", "surrogatepass") + b"\n")
    return Evaluations(
        {n: np.unique(np.concatenate(its)) for n, its in sorted(by_length.items())}, digest.hexdigest()[:16]
    )


def load(folder: Path) -> Evaluations:
    """Evaluation sets from the files of a folder: *.txt (a text a line), *.jsonl (every string of an object).

    Raises:
        InputError: no such files, or one that cannot be read; names it.
    """
    files = sorted([*folder.glob("*.txt"), *folder.glob("*.jsonl")])
    if not files:
        raise InputError(f"no evaluation set (*.txt, *.jsonl) in {folder}; put one there, or take the folder away")
    return register(text for path in files for text in _texts(path))


def _texts(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"evaluation set {path}: {error}; it must be UTF-8 text") from None
    for number, line in enumerate(lines, 1):
        if path.suffix == ".txt":
            yield line
        elif line.strip():
            try:
                yield from _strings(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"evaluation set {path}, line {number}: {error.msg}; each line must be JSON") from None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
