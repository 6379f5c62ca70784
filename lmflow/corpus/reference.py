"""Perplexity of a document under a small reference model, as cc_net measures quality (Wenzek et al. 2020, section 3.3).

The model is an n-gram model in the ARPA format, as KenLM, SRILM and `python -m jobs.fit_reference_model` write it.
Every line of a document is a sentence between `<s>` and `</s>`, and as in cc_net

    perplexity = 10 ** -(sum of log10 p over tokens and ends of lines / (tokens + lines))

n-grams are looked up by binary search, in a trie of flat arrays and without a collision, for many texts at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, model_validator

from lmflow.errors import InputError
from lmflow.text.segment import words

Unit = Literal["characters", "words"]

#: Signals, only where the policy of the language names a model: the measure, and what identifies model and unit.
PERPLEXITY: Final = {"perplexity": "of the text under the reference model; 0 for a text without tokens"}
SCORED_BY: Final = "scored_by"

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
_SPACE: Final = "\u2581"  # what stands for a blank among characters
_DIGITS: Final = str.maketrans("123456789", "000000000")


class Reference(BaseModel, frozen=True, extra="forbid"):
    """What a policy says of its reference model.

    Attributes:
        model: an ARPA file, beside the policy file.
        unit: what a token of it is: `characters` (lower case, digits as 0, blanks as U+2581), or `words` of the
            language (the same, without punctuation).
        head_at_most, middle_at_most: perplexities that divide documents into head, middle and tail (cc_net: the 30th
            and 60th percentile). A rule on `perplexity` decides whether a tail is dropped.
        sha256: of the file, filled in when the policy is read.
    """

    model: str
    unit: Unit = "characters"
    head_at_most: float | None = None
    middle_at_most: float | None = None
    sha256: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Reference:
        if (self.head_at_most is None) != (self.middle_at_most is None):
            raise ValueError("give head_at_most and middle_at_most, or neither")
        if (self.head_at_most or 0) > (self.middle_at_most or 0):
            raise ValueError("head_at_most is above middle_at_most")
        return self

    @cached_property
    def number(self) -> float:
        """What identifies model and unit, as a signal (48 bits of a SHA-256)."""
        return float(int(hashlib.sha256(f"{self.unit} {self.sha256}".encode()).hexdigest()[:12], 16))

    def bucket(self, perplexity: float) -> str:
        """`head`, `middle` or `tail`; empty without bounds."""
        if self.head_at_most is None or self.middle_at_most is None:
            return ""
        return "head" if perplexity <= self.head_at_most else "middle" if perplexity <= self.middle_at_most else "tail"


def tokens(line: str, lang: str, unit: Unit) -> list[str]:
    """The tokens of a line as models of this unit are fitted on."""
    folded = line.lower().translate(_DIGITS)
    return words(folded, lang) if unit == "words" else list(folded.replace(" ", _SPACE))


@dataclass(frozen=True)
class _Order:
    """n-grams of one length: sorted keys, log10 of the probability of each, and of its weight as a history."""

    keys: NDArray[np.uint64]  # [n-grams] index of the history at the order below * words + last word
    logs: NDArray[np.float32]
    weights: NDArray[np.float32]


class ReferenceModel:
    """A backoff model over words numbered as its 1-grams are."""

    def __init__(self, vocabulary: dict[str, int], orders: Sequence[_Order]) -> None:
        self._vocabulary = vocabulary
        self._orders = list(orders)

    @classmethod
    def load(cls, path: Path) -> ReferenceModel:
        """Read an ARPA file.

        Raises:
            InputError: it cannot be read, or is no ARPA file with `<s>`, `</s>` and `<unk>`.
        """
        try:
            with path.open(encoding="utf-8") as file:
                return cls._read(file)
        except OSError as error:
            raise InputError(f"reference model {path}: {error.strerror or error}") from None
        except (ValueError, KeyError, IndexError) as error:
            raise InputError(f"reference model {path} is no whole ARPA file: {error}") from None

    @classmethod
    def _read(cls, file: Iterator[str]) -> ReferenceModel:
        vocabulary: dict[str, int] = {}
        histories: dict[str, int] = {}
        orders: list[_Order] = []
        for n, rows in _sections(file):
            if n == 1:
                vocabulary = {text: at for at, (_, text, _) in enumerate(rows)}
            heads = [text.rpartition(" ")[::2] for _, text, _ in rows]
            keys = np.array(
                [(histories[head] * len(vocabulary) if n > 1 else 0) + vocabulary[last] for head, last in heads],
                np.uint64,
            )
            order = np.argsort(keys)
            logs, weights = (np.array([row[at] for row in rows], np.float32) for at in (0, 2))
            orders.append(_Order(keys[order], logs[order], weights[order]))
            places = np.empty(len(order), np.int64)
            places[order] = np.arange(len(order))
            histories = {text: place for (_, text, _), place in zip(rows, places.tolist(), strict=True)}
        missing = [word for word in (START, END, UNKNOWN) if word not in vocabulary]
        if missing:
            raise ValueError(f"it does not have {' '.join(missing)}")
        return cls(vocabulary, orders)

    def perplexities(self, texts: Sequence[Sequence[Sequence[str]]]) -> NDArray[np.float64]:
        """The perplexity of each text.

        Args:
            texts: as lines of tokens; a line without tokens is no line.

        Returns:
            float64 [texts], 0 where there is no token.
        """
        unknown, start, end = (self._vocabulary[word] for word in (UNKNOWN, START, END))
        numbers: list[int] = []
        sizes: list[int] = []
        for text in texts:
            before, lines = len(numbers), 0
            for line in text:
                if line:
                    numbers += [start, *(self._vocabulary.get(token, unknown) for token in line), end]
                    lines += 1
            sizes.append(len(numbers) - before - lines)
        stream = np.array(numbers, np.int64)
        starts = stream == start
        logs = self._logs(stream, starts)[~starts]
        counts = np.array(sizes, np.int64)
        sums = np.bincount(np.repeat(np.arange(len(texts)), counts), logs, len(texts))
        mean = np.divide(sums, counts, out=np.zeros(len(texts)), where=counts > 0)
        return np.where(counts > 0, 10.0**-mean, 0.0)

    def _logs(self, stream: NDArray[np.int64], starts: NDArray[np.bool_]) -> NDArray[np.float64]:
        """log10 p of every token after those of its line (Katz's backoff). Shape [stream]."""
        first = self._orders[0]
        logs = first.logs[stream].astype(np.float64)
        found = stream  # index at the order so far of the n-gram that ends here; -1: not in the model
        for below, order in zip(self._orders, self._orders[1:], strict=False):
            history = np.full(len(stream), -1, np.int64)
            history[1:] = np.where(starts[1:], -1, found[:-1])
            known = np.flatnonzero(history >= 0)
            wanted = (history[known] * len(self._vocabulary) + stream[known]).astype(np.uint64)
            at = np.minimum(np.searchsorted(order.keys, wanted), len(order.keys) - 1)
            hit = order.keys[at] == wanted
            logs[known] = np.where(hit, order.logs[at], logs[known] + below.weights[history[known]])
            found = np.full(len(stream), -1, np.int64)
            found[known[hit]] = at[hit]
        return logs


def _sections(file: Iterator[str]) -> Iterator[tuple[int, list[tuple[float, str, float]]]]:
    """Each order with its rows: log10 p, the n-gram, log10 of its weight."""
    sizes: list[int] = []
    for line in file:
        if line.startswith("ngram "):
            sizes.append(int(line.partition("=")[2]))
        elif line.startswith("\\") and line.rstrip().endswith("-grams:"):
            rows = []
            for row in file:
                fields = row.rstrip("\n").split("\t")
                if not fields[0]:
                    break
                rows.append((float(fields[0]), fields[1], float(fields[2]) if len(fields) > 2 else 0.0))
            n = int(line[1:].partition("-")[0])
            if len(sizes) < n or len(rows) != sizes[n - 1] or not rows:
                raise ValueError(f"{len(rows)} {n}-grams where it announces {sizes[n - 1 : n]}")
            yield n, rows
        elif line.startswith("\\end\\"):
            if not sizes:
                break
            return
    raise ValueError("there is no \\end\\")
