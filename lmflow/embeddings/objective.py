"""The loss of negative sampling, measured on a fixed sample of the training text.

gensim can add the loss up while it trains, but with several threads it reports one thread's sum, in single precision,
and pays for it in speed. A fixed sample with fixed noise words gives a curve that falls smoothly and compares runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.vectors import Matrix

if TYPE_CHECKING:
    from gensim.models import FastText, Word2Vec

_LINES, _WORDS_A_LINE, _PREDICTIONS, _SEED = 400, 100, 4_000, 7
_NOISE_EXPONENT = 0.75  # Mikolov et al. 2013, section 2.2
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SampledObjective:
    """A sample of predictions: a context, the word it should predict, and noise words it should not.

    Args:
        inputs: vocabulary rows of the words that occur as context; shape [inputs].
        contexts: which of them are averaged, -1 where there is none; shape [predictions, width].
        targets: rows of the words predicted; shape [predictions].
        noise: rows of noise words; shape [predictions, negative].
    """

    inputs: Rows
    contexts: Rows
    targets: Rows
    noise: Rows

    @classmethod
    def draw(cls, path: Path, model: Word2Vec | FastText, sg: bool) -> SampledObjective:
        """Draw predictions as training makes them, from lines spread evenly over the file.

        Skip-gram predicts from one context word, the bag of words from the mean of all in the (reduced) window.
        """
        random = np.random.default_rng(_SEED)
        width = 1 if sg else 2 * model.window
        index = model.wv.key_to_index
        kept = model.wv.expandos["sample_int"] / 2.0**32  # chance that thinning out keeps a word
        contexts, targets = [], []
        for line in _spread_lines(path, _LINES):
            known = [index[word] for word in line.split()[:_WORDS_A_LINE] if word in index]
            rows = [row for row in known if random.random() < kept[row]]
            for place, target in enumerate(rows):
                reach = int(random.integers(1, model.window + 1))
                around = rows[max(place - reach, 0) : place] + rows[place + 1 : place + 1 + reach]
                for chosen in [[each] for each in around] if sg else [around] if around else []:
                    contexts.append(chosen + [-1] * (width - len(chosen)))
                    targets.append(target)
        keep = random.permutation(len(targets))[:_PREDICTIONS]
        odds = model.wv.expandos["count"] ** _NOISE_EXPONENT
        noise = random.choice(len(odds), size=(len(keep), model.negative), p=odds / odds.sum())
        drawn = np.array(contexts, np.int64).reshape(-1, width)[keep]
        inputs = np.unique(drawn[drawn >= 0])
        places = np.where(drawn >= 0, np.searchsorted(inputs, drawn), -1)
        return cls(inputs, places, np.array(targets, np.int64)[keep], noise)

    def loss(self, inputs: Matrix, outputs: Matrix) -> float:
        """Mean loss in nats a prediction: -log s(u.v) - sum over noise of log s(-u.n), s the logistic function.

        Args:
            inputs: input vectors of the words `self.inputs`, shape [inputs, dimensions].
            outputs: output vectors of the whole vocabulary, shape [words, dimensions].

        Returns:
            not a number when the sample is empty (no sentence has two known words).
        """
        if not len(self.targets):
            return float("nan")
        present = (self.contexts >= 0)[..., None]
        mean = (inputs[self.contexts] * present).sum(axis=1) / present.sum(axis=1)
        true = np.einsum("pd,pd->p", mean, outputs[self.targets])
        false = np.einsum("pd,pnd->pn", mean, outputs[self.noise])
        return float((np.logaddexp(0, -true) + np.logaddexp(0, false).sum(axis=1)).mean())


def _spread_lines(path: Path, count: int) -> Iterator[str]:
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in range(0, size, max(size // count, 1)):
            file.seek(place)
            if place:
                file.readline()  # the rest of a line begun before
            if line := file.readline():
                yield line.decode()
