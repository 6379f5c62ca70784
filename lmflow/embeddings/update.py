"""word2vec and fastText go on from an earlier model: new text, more words, and some old text against forgetting.

Counts of old and new text are added up, so a word that was too rare may come in; known words keep their vectors, new
ones start at random (fastText's from the n-grams they share with known words); then gensim trains on the new text and
half as much old text (experience replay), with half the usual learning rate.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.training import OnEpoch, Training, check_vocabulary
from lmflow.embeddings.vectors import Matrix
from lmflow.embeddings.word2vec import Word2VecConfig, fit, new_model

#: The learning rate of an update, as a share of a full training's.
GENTLER: Final = 0.5
#: Old text that an update reads again, as a share of the new text.
REPLAY: Final = 0.5


@dataclass(frozen=True)
class State:
    """What a training leaves for the next one to start from.

    Args:
        embedding: the input vectors, words and counts.
        outputs: the output vectors, shape [words, dimensions].
        rare: occurrences of the words that were too rare for a vector.
        own: for fastText, a word's vector without its n-grams', shape [words, dimensions].
    """

    embedding: Embedding
    outputs: Matrix
    rare: dict[str, int]
    own: Matrix | None = None

    def save(self, path: Path) -> None:
        """Write all but the embedding, which has its own file, as safetensors."""
        from safetensors.numpy import save_file

        tensors = {
            "outputs": np.ascontiguousarray(self.outputs, np.float32),
            "rare_words": np.frombuffer("\n".join(self.rare).encode(), np.uint8),
            "rare_counts": np.array(list(self.rare.values()), np.int64),
        }
        if self.own is not None:
            tensors["own"] = np.ascontiguousarray(self.own, np.float32)
        save_file(tensors, path)

    @classmethod
    def load(cls, embedding: Embedding, path: Path) -> State:
        """Read what `save` wrote beside `embedding`."""
        from safetensors.numpy import load_file

        tensors = load_file(path)
        counts = tensors["rare_counts"].tolist()
        words = tensors["rare_words"].tobytes().decode().split("\n")
        return cls(embedding, tensors["outputs"], dict(zip(words, counts, strict=False)), tensors.get("own"))


def word_counts(path: Path) -> Counter[str]:
    """Occurrences of every word of a file of sentences."""
    counts: Counter[str] = Counter()
    with path.open(encoding="utf-8") as file:
        for line in file:
            counts.update(line.split())
    return counts


def update_word2vec(
    state: State, new: Sentences, text: Sentences, config: Word2VecConfig, on_epoch: OnEpoch
) -> Training:
    """Go on from `state`.

    Args:
        state: the model to start from.
        new: the new text alone, whose words are added to the counts.
        text: what to train on: the new text and some old.
        config: as for a full training; `alpha` is made gentler.
        on_epoch: told after each pass.

    Returns:
        the training; its counts are those of old and new text.

    Raises:
        InputError: fewer than two words are frequent enough.
    """
    counts = word_counts(new.path)
    known = state.embedding.vectors
    counts.update(dict(zip(known.words, state.embedding.counts.tolist(), strict=True)))
    counts.update(state.rare)
    frequent = {word: count for word, count in counts.items() if count >= config.min_count}
    check_vocabulary(sum(counts.values()), len(frequent), config.min_count)
    model = new_model(config)
    model.build_vocab_from_freq(dict(sorted(frequent.items(), key=lambda item: (-item[1], item[0]))))
    rows = np.array([(row, known.index[word]) for row, word in enumerate(model.wv.index_to_key) if word in known.index])
    if len(rows):
        own = model.wv.vectors if state.own is None else model.wv.vectors_vocab
        own[rows[:, 0]] = (known.matrix if state.own is None else state.own)[rows[:, 1]]
        model.syn1neg[rows[:, 0]] = state.outputs[rows[:, 1]]
    if known.subwords is not None:
        _, here, there = np.intersect1d(model.wv.buckets, known.subwords.buckets, True, return_indices=True)
        model.wv.vectors_ngrams[here] = known.subwords.matrix[there]
    model.alpha = config.alpha * GENTLER
    training = fit(model, text, config, on_epoch)
    return replace(training, rare={word: count for word, count in counts.items() if word not in frequent})
