"""An update keeps what was known, takes in what is new, and lies in the space of what went before."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from lmflow.embeddings.align import drift, rotated, rotation
from lmflow.embeddings.container import Embedding
from lmflow.embeddings.sentences import Sentences, copy_sentences
from lmflow.embeddings.training import Training
from lmflow.embeddings.update import State, update_word2vec, word_counts
from lmflow.embeddings.vectors import WordVectors
from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, train_word2vec

CONFIG = Word2VecConfig(sg=True, dim=40, window=5, negative=5, sample=1e-3, min_count=3, epochs=5, seed=1, workers=1)


def embedding(training: Training) -> Embedding:
    return Embedding(training.vectors, np.array(training.counts, np.int64), "en")


@pytest.fixture(scope="module")
def before(lee: Sentences) -> Training:
    return train_word2vec(lee, CONFIG, lambda epoch, loss: None)


@pytest.fixture(scope="module")
def update(lee: Sentences, before: Training, tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("update")
    state = State(embedding(before), before.state["outputs"], before.rare)
    state.save(folder / "state.safetensors")
    again = State.load(state.embedding, folder / "state.safetensors")
    assert again.rare == before.rare and np.array_equal(again.outputs, state.outputs)
    old = lee.path.read_text().splitlines()[::20]
    (folder / "new").write_text("the zyzzyva ate the israeli palestinian wheat\n" * 30)
    (folder / "text").write_text((folder / "new").read_text() + "\n".join(old))
    new, text = (copy_sentences(folder / name, folder / f"{name}.txt") for name in ("new", "text"))
    return update_word2vec(again, new, text, CONFIG, lambda epoch, loss: None)


def test_counts_are_those_of_old_and_new_text_together(lee: Sentences, before: Training, update: Training) -> None:
    expected = Counter(lee.path.read_text().split()) + Counter(
        ["the", "zyzzyva", "ate", "the", "israeli", "palestinian", "wheat"] * 30
    )
    found = dict(zip(update.vectors.words, update.counts, strict=True)) | update.rare
    assert found == dict(expected)
    assert list(update.counts) == sorted(update.counts, reverse=True)


def test_the_vocabulary_grows_and_old_words_stay_near_where_they_lay(before: Training, update: Training) -> None:
    assert "zyzzyva" not in before.vectors.index and "zyzzyva" in update.vectors.index
    measured = drift(embedding(before), embedding(update))
    assert measured.lost == 0 and measured.added >= 1
    assert measured.mean_cosine > 0.9
    assert measured.moved[0].cosine == min(each.cosine for each in measured.moved)


def test_fasttext_goes_on_with_the_ngrams_it_had(lee: Sentences, tmp_path: Path) -> None:
    config = FastTextConfig(**asdict(CONFIG), bucket=20_000)
    before = train_word2vec(lee, config, lambda epoch, loss: None)
    State(embedding(before), before.state["outputs"], before.rare, before.state["own"]).save(tmp_path / "state")
    state = State.load(embedding(before), tmp_path / "state")
    (tmp_path / "new").write_text("the zyzzyvas ate the israeli wheat\n" * 30 + lee.path.read_text()[:20_000])
    new = copy_sentences(tmp_path / "new", tmp_path / "new.txt")
    update = update_word2vec(state, new, new, config, lambda epoch, loss: None)
    assert drift(embedding(before), embedding(update)).mean_cosine > 0.9
    assert "zyzzyvas" in update.vectors.index and "government" in update.vectors.index
    # Started from nothing, the same text teaches its few words and leaves them elsewhere.
    alone = train_word2vec(new, config, lambda epoch, loss: None)
    assert drift(embedding(before), embedding(alone)).mean_cosine < 0.8
    old, again = before.vectors.subwords, update.vectors.subwords
    assert old is not None and again is not None
    kept = np.flatnonzero(np.isin(again.buckets, old.buckets))
    was = old.matrix[np.searchsorted(old.buckets, again.buckets[kept])]
    moved = np.linalg.norm(again.matrix[kept].astype(np.float32) - was, axis=1) / np.linalg.norm(was, axis=1)
    assert np.median(moved) < 0.3


def test_procrustes_finds_the_rotation_there_was(before: Training) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 40)))
    turned = rotated(before.vectors, turn.astype(np.float32))
    found = rotation(before.vectors, turned)
    assert found @ turn.astype(np.float32) == pytest.approx(np.eye(40), abs=1e-3) or np.allclose(
        turn.astype(np.float32) @ found, np.eye(40), atol=1e-3
    )
    assert rotated(turned, found).matrix == pytest.approx(before.vectors.matrix, abs=1e-3)


def test_alignment_makes_stored_vectors_of_another_training_useful(lee: Sentences, before: Training) -> None:
    other = train_word2vec(lee, replace(CONFIG, seed=77), lambda epoch, loss: None)
    raw = drift(embedding(before), embedding(other))
    turned = rotated(other.vectors, rotation(before.vectors, other.vectors))
    aligned = drift(embedding(before), Embedding(turned, np.array(other.counts), "en"))
    assert aligned.neighbour_overlap == pytest.approx(raw.neighbour_overlap, abs=0.01)  # a rotation keeps cosines
    assert aligned.stored_overlap > raw.stored_overlap
    assert aligned.mean_cosine > raw.mean_cosine
    assert {"drift_stored_overlap", "drift_added"} <= aligned.metrics().keys()


def test_spaces_that_share_nothing_are_left_as_they_are() -> None:
    one, other = (WordVectors((word,), np.ones((1, 3), np.float32)) for word in ("a", "b"))
    assert np.array_equal(rotation(one, other), np.eye(3))
    with pytest.raises(ValueError, match="3 and 2 dimensions"):
        rotation(one, WordVectors(("a",), np.ones((1, 2), np.float32)))


def test_words_are_counted_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a b a\nb c\n")
    assert word_counts(tmp_path / "s") == {"a": 2, "b": 2, "c": 1}
