"""Interpolated modified Kneser-Ney n-grams (Chen & Goodman 1998, section 4.1.6), vectorised in NumPy.

For a history h and a word w at order k, with adjusted counts c and h' the history without its first word:

    p_k(w | h) = max(c(hw) - D(c(hw)), 0) / c(h*) + g(h) p_{k-1}(w | h'),    p_0 = 1 / V
    g(h) = (D1 N1(h*) + D2 N2(h*) + D3 N3+(h*)) / c(h*)

The highest order counts occurrences; lower orders count distinct left neighbours, except for n-grams that start a
document, which have none and keep their occurrences (as SRILM and KenLM do). Discounts D1, D2, D3+ are estimated for
each order from counts of counts. An n-gram is stored as (index of its prefix at order k-1) * V + last word, sorted: a
trie in flat arrays, looked up with binary search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from lmflow.models.contract import END_OF_DOCUMENT, Floats, LanguageModel, Tokens

Ints = NDArray[np.int64]

#: Discounts where a corpus is too small to estimate them (KenLM's --discount_fallback).
_FALLBACK_DISCOUNTS: Final = (0.5, 1.0, 1.5)
_QUERY_TOKENS: Final = 1_000_000  # tokens scored at a time, to bound memory


@dataclass(frozen=True)
class _Level:
    """One order of the trie: sorted keys, the discounted probability of each, and its weight as a history."""

    keys: Ints  # [n-grams] prefix index * V + word
    alpha: Floats  # [n-grams] max(c - D, 0) / c(h*)
    gamma: Floats  # [n-grams] g of this n-gram as a history of the next order; 1 where nothing follows it


class KneserNey(LanguageModel):
    """A Kneser-Ney model of order N over a vocabulary of V tokens.

    Example:
        >>> model = KneserNey.fit([np.array([5, 7, 5])], vocabulary=16, order=3)
        >>> model.score([np.array([5, 7])]).shape
        (1,)
    """

    def __init__(self, vocabulary: int, levels: Sequence[_Level], gamma0: float) -> None:
        self.vocabulary = vocabulary
        self._levels = list(levels)
        self._gamma0 = gamma0

    @property
    def order(self) -> int:
        """The longest n-gram, in tokens."""
        return len(self._levels)

    @property
    def n_parameters(self) -> int:
        """N-grams stored, two numbers each."""
        return sum(2 * len(level.keys) for level in self._levels)

    # ------------------------------------------------------------------- fit

    @classmethod
    def fit(cls, documents: Sequence[Tokens], vocabulary: int, order: int = 5) -> Self:
        """Estimate from documents of token ids below `vocabulary`.

        Raises:
            ValueError: no documents, an order below 1, or a token outside the vocabulary.
        """
        if not documents or order < 1:
            raise ValueError("an n-gram model needs at least one document and an order of at least 1")
        stream, position = _stream(documents)
        if stream.max() >= vocabulary or stream.min() < 0:
            raise ValueError(f"a token lies outside the vocabulary of {vocabulary}")
        keys, index, counts = _count(stream, position, vocabulary, order)
        adjusted = _adjust(index, position, counts)
        levels: list[_Level] = []
        gamma0 = 1.0
        for k in range(len(keys)):
            parents = keys[k] // vocabulary if k else np.zeros(len(keys[k]), np.int64)
            n_parents = len(keys[k - 1]) if k else 1
            alpha, gamma = _discount(adjusted[k], parents, n_parents)
            if k:
                levels[k - 1] = _Level(levels[k - 1].keys, levels[k - 1].alpha, gamma)
            else:
                gamma0 = float(gamma[0])
            levels.append(_Level(keys[k], alpha, np.ones(len(alpha))))
        return cls(vocabulary, levels, gamma0)

    # ----------------------------------------------------------------- query

    def token_nats(self, documents: Sequence[Tokens]) -> Floats:
        """Negative log probability of every token, document after document, each with its end. Shape [tokens]."""
        parts: list[Floats] = []
        start = 0
        while start < len(documents):
            stop, tokens = start, 0
            while stop < len(documents) and (stop == start or tokens < _QUERY_TOKENS):
                tokens += len(documents[stop]) + 1
                stop += 1
            stream, position = _stream(documents[start:stop])
            parts.append(-np.log(self._probabilities(stream, position)[position > 0]))
            start = stop
        return np.concatenate(parts) if parts else np.zeros(0)

    def distribution(self, history: Tokens) -> Floats:
        """Probability of every token after `history` (document start included by the caller). Shape [V]."""
        words = np.asarray(history, np.int64)
        level = self._levels[0]
        probability = np.full(self.vocabulary, self._gamma0 / self.vocabulary)
        probability += level.alpha
        for k in range(1, min(self.order, len(words) + 1)):
            parent = self._find(words[len(words) - k :])
            if parent < 0:
                break
            level = self._levels[k]
            low, high = np.searchsorted(level.keys, [parent * self.vocabulary, (parent + 1) * self.vocabulary])
            probability *= self._levels[k - 1].gamma[parent]
            probability[level.keys[low:high] % self.vocabulary] += level.alpha[low:high]
        return probability

    def reader(self, prompt: Tokens) -> _Reader:
        """The model after the start of a document and `prompt`."""
        return _Reader(self, [END_OF_DOCUMENT, *np.asarray(prompt, np.int64).tolist()])

    def _probabilities(self, stream: Ints, position: Ints) -> Floats:
        """p(token | its history in its document) at every place of a stream. Shape [stream]."""
        probability = self._gamma0 / self.vocabulary + self._levels[0].alpha[stream]
        for k in range(1, self.order):
            place = np.flatnonzero(position >= k)
            history = np.stack([stream[place - offset] for offset in range(k, 0, -1)], axis=1)
            parent = self._find_all(history)
            known = parent >= 0
            place, parent = place[known], parent[known]
            found, exists = _lookup(self._levels[k].keys, parent * self.vocabulary + stream[place])
            alpha = np.where(exists, self._levels[k].alpha[found], 0.0)
            probability[place] = alpha + self._levels[k - 1].gamma[parent] * probability[place]
        return probability

    def _find(self, words: Ints) -> int:
        return int(self._find_all(words[None, :])[0])

    def _find_all(self, histories: Ints) -> Ints:
        """Index at its own order of each history, -1 where unseen. `histories` has shape [n, words]."""
        index = histories[:, 0].copy()
        for k in range(1, histories.shape[1]):
            found, exists = _lookup(self._levels[k].keys, index * self.vocabulary + histories[:, k])
            index = np.where(exists & (index >= 0), found, -1)
        return index

    # ------------------------------------------------------------------ disk

    def to_arpa(self, path: Path, words: Sequence[str]) -> None:
        """Write the model in the ARPA format that SRILM, KenLM and others read (Doug Paul's, as SRILM documents it).

        Every probability is already interpolated, so that backing off gives the same numbers: log10 p of an n-gram that
        is listed, the backoff weight (log10 g) of a history otherwise. END_OF_DOCUMENT is `<s>` where a document
        starts and `</s>` where it ends.

        Args:
            path: the file.
            words: how each token is spelled, without white space. Length V.

        Raises:
            ValueError: a spelling is empty or has white space.
        """
        if any(word.split() != [word] for word in words[1:]):
            raise ValueError("an ARPA file divides words at blanks: a token that holds one cannot be written")
        with path.open("w", encoding="utf-8") as file:
            sizes = [len(level.keys) for level in self._levels]
            sizes[0] += 1  # END_OF_DOCUMENT is two words there
            file.write("\\data\\\n" + "".join(f"ngram {k}={size}\n" for k, size in enumerate(sizes, 1)))
            first = ["<s>", *words[1:]]
            last = np.array(["</s>", *words[1:]], dtype=object)
            spelled = np.array(first, dtype=object)
            for k, (level, probability) in enumerate(zip(self._levels, self._interpolated(), strict=True)):
                file.write(f"\n\\{k + 1}-grams:\n")
                ends = last[level.keys % self.vocabulary]
                texts = spelled[level.keys // self.vocabulary] + " " + ends if k else ends
                logs, weights = np.log10(probability), np.log10(level.gamma)
                if not k:
                    file.write(f"-99\t<s>\t{weights[END_OF_DOCUMENT]:.7f}\n")
                if k == self.order - 1:
                    file.writelines(f"{log:.7f}\t{text}\n" for log, text in zip(logs, texts, strict=True))
                else:
                    weights[0] = 0.0 if not k else weights[0]  # nothing follows </s>
                    rows = zip(logs, texts, weights, strict=True)
                    file.writelines(f"{log:.7f}\t{text}\t{weight:.7f}\n" for log, text, weight in rows)
                spelled = texts if k else spelled
            file.write("\n\\end\\\n")

    def _interpolated(self) -> list[Floats]:
        """Probability of every stored n-gram's last word after the others, by order."""
        found = [self._gamma0 / self.vocabulary + self._levels[0].alpha]
        suffix = np.zeros(self.vocabulary, np.int64)  # index of each n-gram without its first word, one order below
        for k in range(1, self.order):
            level = self._levels[k]
            parent, word = level.keys // self.vocabulary, level.keys % self.vocabulary
            suffix = word if k == 1 else _lookup(self._levels[k - 1].keys, suffix[parent] * self.vocabulary + word)[0]
            found.append(level.alpha + self._levels[k - 1].gamma[parent] * found[k - 1][suffix])
        return found

    def save(self, folder: Path) -> None:
        """Write `ngram.npz` (arrays only)."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for k, level in enumerate(self._levels):
            arrays |= {f"keys{k}": level.keys, f"alpha{k}": level.alpha, f"gamma{k}": level.gamma}
        arrays["shape"] = np.array([self.vocabulary, self.order])
        arrays["uniform_gamma"] = np.array(self._gamma0)
        np.savez_compressed(folder / "ngram.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / "ngram.npz", allow_pickle=False) as arrays:
            vocabulary, order = arrays["shape"].tolist()
            levels = [_Level(arrays[f"keys{k}"], arrays[f"alpha{k}"], arrays[f"gamma{k}"]) for k in range(order)]
            return cls(vocabulary, levels, float(arrays["uniform_gamma"]))


class _Reader:
    def __init__(self, model: KneserNey, words: list[int]) -> None:
        self._model, self._words = model, words

    def distribution(self) -> Floats:
        context = self._model.order - 1
        return self._model.distribution(np.array(self._words[-context:] if context else [], np.int64))

    def read(self, token: int) -> None:
        self._words.append(token)


def _stream(documents: Sequence[Tokens]) -> tuple[Ints, Ints]:
    """Documents joined, each between two END_OF_DOCUMENT, and every token's position in its document."""
    edge = np.array([END_OF_DOCUMENT], np.int64)
    parts = [part for document in documents for part in (edge, np.asarray(document, np.int64), edge)]
    position = [np.arange(len(document) + 2) for document in documents]
    return np.concatenate(parts), np.concatenate(position)


def _count(stream: Ints, position: Ints, vocabulary: int, order: int) -> tuple[list[Ints], list[Ints], list[Ints]]:
    """For each order: the sorted keys, the index of the n-gram that ends at each place (-1: none), and its count."""
    keys = [np.arange(vocabulary, dtype=np.int64)]
    index = [stream.astype(np.int64)]
    counts = [np.bincount(stream[position > 0], minlength=vocabulary)]
    for k in range(1, order):
        place = np.flatnonzero(position >= k)
        if not len(place):
            break  # no document is that long
        unique, inverse, count = np.unique(
            index[k - 1][place - 1] * vocabulary + stream[place], return_inverse=True, return_counts=True
        )
        ends = np.full(len(stream), -1, np.int64)
        ends[place] = inverse
        keys.append(unique)
        index.append(ends)
        counts.append(count)
    return keys, index, counts


def _adjust(index: list[Ints], position: Ints, counts: list[Ints]) -> list[Ints]:
    """Below the highest order: distinct left neighbours, or occurrences where an n-gram starts a document."""
    adjusted = list(counts)
    for k in range(len(counts) - 1):
        longer = index[k + 1]
        place = np.flatnonzero(longer >= 0)
        _, first = np.unique(longer[place], return_index=True)
        adjusted[k] = np.bincount(index[k][place[first]], minlength=len(counts[k]))
        if k:  # a single token never starts a document: what starts it is context, not a prediction
            starts = np.unique(index[k][position == k])
            adjusted[k][starts] = counts[k][starts]
    return adjusted


def _discount(counts: Ints, parents: Ints, n_parents: int) -> tuple[Floats, Floats]:
    """Discounted probabilities alpha [n-grams] and interpolation weights gamma [histories] of one order."""
    discounts = _discounts(counts)
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3)]
    total = np.bincount(parents, counts, minlength=n_parents)
    alpha = np.maximum(counts - taken, 0.0) / np.maximum(total[parents], 1)
    gamma = np.bincount(parents, taken, minlength=n_parents) / np.maximum(total, 1)
    return alpha, np.where(total > 0, gamma, 1.0)


def _discounts(counts: Ints) -> tuple[float, float, float]:
    """D1, D2 and D3+ of Chen & Goodman's equation 26, from how many n-grams were seen once to four times."""
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == times)) for times in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return _FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    if not all(0 <= value <= times for times, value in enumerate(found, 1)):
        return _FALLBACK_DISCOUNTS
    return found


def _lookup(keys: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Where each wanted key stands in sorted `keys` (a valid index anyway), and whether it is there."""
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return found, keys[found] == wanted
