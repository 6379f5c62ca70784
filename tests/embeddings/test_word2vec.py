"""word2vec and fastText are gensim's, the same to the bit with one worker, and their loss falls."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmflow.embeddings.card import model_card
from lmflow.embeddings.picture import loss_curve, word_map
from lmflow.embeddings.sentences import Sentences, copy_sentences, write_sentences
from lmflow.embeddings.subwords import hashed, ngrams
from lmflow.embeddings.training import Training, default_epochs
from lmflow.embeddings.word2vec import FastTextConfig, Word2VecConfig, new_model, train_word2vec
from lmflow.errors import InputError

CONFIG = Word2VecConfig(sg=True, dim=40, window=5, negative=5, sample=1e-3, min_count=3, epochs=4, seed=1, workers=1)

SUBWORDS = FastTextConfig(**dataclasses.asdict(CONFIG), min_n=3, max_n=5, bucket=20_000)


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


@pytest.fixture(scope="module")
def with_subwords(lee: Sentences) -> Training:
    return train_word2vec(lee, SUBWORDS, lambda epoch, loss: None)


def test_fasttext_is_gensims_for_words_it_knows_and_words_it_does_not(lee: Sentences, with_subwords: Training) -> None:
    from gensim.models import FastText

    by_hand = FastText(
        sg=1, vector_size=40, window=5, negative=5, sample=1e-3, min_count=3, seed=1, workers=1, min_n=3, max_n=5,
        bucket=20_000,
    )  # fmt: skip
    by_hand.build_vocab(corpus_file=str(lee.path))
    start = new_model(SUBWORDS)  # has a row for each n-gram that occurs, and so draws other numbers
    start.build_vocab(corpus_file=str(lee.path))
    assert 0 < len(start.wv.buckets) < 20_000
    by_hand.wv.vectors_ngrams[start.wv.buckets] = start.wv.vectors_ngrams
    by_hand.train(corpus_file=str(lee.path), total_examples=lee.sentences, total_words=lee.words, epochs=4)
    vectors = with_subwords.vectors
    assert vectors.words == tuple(by_hand.wv.index_to_key)
    assert np.array_equal(with_subwords.state["own"], by_hand.wv.vectors_vocab)
    assert vectors.subwords and np.array_equal(vectors.subwords.buckets, start.wv.buckets)
    assert np.array_equal(vectors.subwords.matrix, by_hand.wv.vectors_ngrams[start.wv.buckets].astype(np.float16))
    np.testing.assert_allclose(vectors.matrix, by_hand.wv.vectors, rtol=1e-5, atol=1e-6)
    # a word made of n-grams that the vocabulary has; the vectors of n-grams are kept in half precision
    assert "governmental" not in vectors.index
    assert vectors.vector("governmental") == pytest.approx(by_hand.wv["governmental"], abs=2e-3)
    assert vectors.most_similar("governmental")[0][0].startswith("govern")


@pytest.mark.parametrize("word", ["river", "é", "北京大学", "naïveté"])
def test_ngrams_and_their_hash_are_fasttexts(word: str) -> None:
    from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes

    assert ngrams(word, 1, 4) == compute_ngrams_bytes(word, 1, 4)
    assert [hashed(each) for each in ngrams(word, 1, 4)] == [ft_hash_bytes(each) for each in ngrams(word, 1, 4)]


def test_one_endless_line_is_learnt_whole_by_every_worker(lee: Sentences, tmp_path: Path) -> None:
    words = lee.path.read_text().split()
    (tmp_path / "text8").write_text(" ".join(words))
    copied = copy_sentences(tmp_path / "text8", tmp_path / "s.txt")
    for config in (dataclasses.replace(CONFIG, workers=2), dataclasses.replace(SUBWORDS, workers=2)):
        training = train_word2vec(copied, config, lambda epoch, loss: None)
        assert training.words_seen >= len(words) * config.epochs


def test_one_worker_gives_the_same_bytes_in_another_process(lee: Sentences, with_subwords: Training) -> None:
    script = f"""
import sys
from pathlib import Path
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.word2vec import FastTextConfig, train_word2vec
sentences = Sentences(Path({str(lee.path)!r}), 1, {lee.sentences}, {lee.words}, "")
config = FastTextConfig(**{dataclasses.asdict(SUBWORDS)!r})
sys.stdout.buffer.write(train_word2vec(sentences, config, lambda *_: None).vectors.matrix.tobytes())
"""
    hash_seed = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120, env=hash_seed)
    expected = with_subwords.vectors.matrix.tobytes()
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(expected).digest()


@pytest.mark.parametrize("config", [CONFIG, SUBWORDS])
@pytest.mark.parametrize("sg", [True, False])
def test_the_loss_starts_below_chance_and_falls(lee: Sentences, sg: bool, config: Word2VecConfig) -> None:
    seen: list[int] = []
    training = train_word2vec(
        lee, dataclasses.replace(config, sg=sg, workers=2), lambda epoch, loss: seen.append(epoch)
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
    loss_curve(trained.losses, trained.loss_name).savefig(tmp_path / "loss.png")
    assert min((tmp_path / name).stat().st_size for name in ("words.png", "loss.png")) > 5_000
