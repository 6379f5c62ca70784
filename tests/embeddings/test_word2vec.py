"""Training is gensim's, deterministic with one worker, and its loss falls."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmflow.embeddings.card import model_card
from lmflow.embeddings.picture import loss_curve, word_map
from lmflow.embeddings.sentences import Sentences, write_sentences
from lmflow.embeddings.word2vec import Training, Word2VecConfig, default_epochs, train_word2vec
from lmflow.errors import InputError

CONFIG = Word2VecConfig(sg=True, dim=40, window=5, negative=5, sample=1e-3, min_count=3, epochs=4, seed=1, workers=1)


@pytest.fixture(scope="module")
def trained(lee: Sentences) -> Training:
    return train_word2vec(lee, CONFIG, lambda epoch, loss: None)


def test_vectors_are_those_of_gensim_called_by_hand(lee: Sentences, trained: Training) -> None:
    from gensim.models import Word2Vec

    by_hand = Word2Vec(
        corpus_file=str(lee.path), sg=1, vector_size=40, window=5, negative=5, sample=1e-3, min_count=3, epochs=4,
        seed=1, workers=1,
    )  # fmt: skip
    assert trained.vectors.words == tuple(by_hand.wv.index_to_key)
    assert np.array_equal(trained.vectors.matrix, by_hand.wv.vectors)
    assert trained.counts[0] == by_hand.wv.get_vecattr(trained.vectors.words[0], "count")


def test_one_worker_gives_the_same_bytes_in_another_process(lee: Sentences, trained: Training) -> None:
    script = f"""
import sys
from pathlib import Path
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.word2vec import Word2VecConfig, train_word2vec
sentences = Sentences(Path({str(lee.path)!r}), 1, 1, {lee.words}, "")
config = Word2VecConfig(**{dataclasses.asdict(CONFIG)!r})
sys.stdout.buffer.write(train_word2vec(sentences, config, lambda *_: None).vectors.matrix.tobytes())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120)
    assert done.stdout == trained.vectors.matrix.tobytes()


@pytest.mark.parametrize("sg", [True, False])
def test_the_loss_starts_below_chance_and_falls(lee: Sentences, sg: bool) -> None:
    seen: list[int] = []
    training = train_word2vec(
        lee, dataclasses.replace(CONFIG, sg=sg, workers=2), lambda epoch, loss: seen.append(epoch)
    )
    chance = (1 + CONFIG.negative) * np.log(2)
    assert seen == [1, 2, 3, 4]
    assert chance > training.losses[0] > training.losses[-1] > 0
    assert training.words_per_second > 0


def test_a_vocabulary_of_one_word_is_refused(tmp_path: Path) -> None:
    lonely = write_sentences(["word word word word other"], "en", tmp_path / "s.txt")
    with pytest.raises(InputError, match=r"vocabulary has 1 word.*--min-count"):
        train_word2vec(lonely, CONFIG, lambda epoch, loss: None)


def test_small_corpora_are_read_more_often() -> None:
    assert [default_epochs(words) for words in (1, 300_000, 1_000_000, 10**9)] == [20, 20, 10, 5]


def test_the_card_and_the_pictures_are_made(lee: Sentences, trained: Training, tmp_path: Path) -> None:
    card = model_card("embeddings-en", trained.vectors, lee, {"dim": 40}, "Lee", [])
    assert "nothing judged this model" in card
    assert card.count("\n| ") >= 8
    word_map(trained.vectors).savefig(tmp_path / "words.png")
    loss_curve(trained.losses).savefig(tmp_path / "loss.png")
    assert min((tmp_path / name).stat().st_size for name in ("words.png", "loss.png")) > 5_000
