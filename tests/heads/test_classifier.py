"""A head answers as scikit-learn's own model does, keeps only numbers, and gives the shares where it knows nothing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.vectors import WordVectors
from lmflow.evaluation.classification import classified
from lmflow.heads.card import confusion_picture
from lmflow.heads.classifier import Head, TextClassifier
from lmflow.heads.fitting import STRENGTHS, fit


def clouds(labels: int, n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(labels)
    classes = draw.integers(0, labels, n)
    return (draw.normal(size=(labels, 8))[classes] + draw.normal(size=(n, 8))).astype(np.float32), classes


@pytest.mark.parametrize("labels", [2, 3, 7])
def test_probabilities_are_scikit_learns(labels: int) -> None:
    vectors, classes = clouds(labels)
    names = tuple("abcdefg"[:labels])
    validation = np.arange(len(classes)) % 5 == 0
    fitted = fit(vectors, classes, names, validation)
    assert set(fitted.losses) == set(STRENGTHS)
    assert fitted.losses[fitted.strength] == min(fitted.losses.values()) < np.log(labels)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=fitted.strength, max_iter=2000))
    theirs.fit(vectors.astype(float), classes)
    ours = fitted.head.probabilities(vectors, np.ones(len(vectors), bool))
    assert ours == pytest.approx(theirs.predict_proba(vectors.astype(float)), abs=1e-4)
    assert ours.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_penalty_is_weak_where_there_is_much_to_learn_and_strong_where_there_is_nothing() -> None:
    vectors, classes = clouds(2)
    noise = np.random.default_rng(0).integers(0, 2, len(classes))
    validation = np.arange(len(classes)) % 5 == 0
    assert fit(vectors, classes, ("a", "b"), validation).strength > fit(vectors, noise, ("a", "b"), validation).strength


def test_a_head_is_read_as_it_was_written_and_knows_its_limits(tmp_path: Path) -> None:
    words = WordVectors(("好", "坏"), np.array([[1, 0], [0, 1]], np.float32))
    embedding = Embedding(words, np.array([5, 3]), "zh")
    shares = np.array([0.25, 0.75], np.float32)
    head = Head(("正\n面", "负面"), np.array([[2, 0], [0, 2]], np.float32), np.zeros(2, np.float32), shares)
    head.save(tmp_path / "head.safetensors")
    again = Head.load(tmp_path / "head.safetensors")
    assert again.labels == head.labels and np.array_equal(again.weights, head.weights)
    good, bad, nothing = TextClassifier(embedding, again).probabilities(["好", "坏！", "qwertz"])
    assert good[0] > 0.8 and bad[1] > 0.8
    assert nothing == pytest.approx(shares)
    assert TextClassifier(embedding, again).probabilities([]).shape == (0, 2)
    embedding.save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="is not a task head"):
        Head.load(tmp_path / "other.safetensors")
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(ValueError, match="not in the safetensors format"):
        Head.load(tmp_path / "junk")


def test_a_class_without_training_texts_is_no_class() -> None:
    vectors, classes = clouds(2)
    with pytest.raises(ValueError, match="every class needs training texts"):
        fit(vectors, classes, ("a", "b", "c"), np.arange(len(classes)) < 5)


def test_classes_with_signs_of_mathematics_in_their_names_are_drawn() -> None:
    labels = ("$50_to_$100", "a|b", "\\frac{")
    scores = classified(labels * 4, labels * 4, labels)
    figure = confusion_picture(scores)
    figure.savefig(io.BytesIO(), format="png")  # where matplotlib reads its mathematics
    assert tuple(label.get_text() for label in figure.axes[0].get_yticklabels()) == labels
    assert not any(label.get_parse_math() for label in figure.axes[0].get_xticklabels())
