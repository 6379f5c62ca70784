"""Vectors answer as gensim does, and survive word2vec's binary format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.embeddings.vectors import UnknownWordError, WordVectors

WORDS = ("athens", "greece", "oslo", "norway", "银行", "存款")


def some_vectors(dim: int = 7) -> WordVectors:
    matrix = np.random.default_rng(3).normal(size=(len(WORDS), dim)).astype(np.float32)
    return WordVectors(WORDS, matrix)


def test_answers_equal_gensims(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    ours = some_vectors()
    ours.save(tmp_path / "v.bin")
    theirs = KeyedVectors.load_word2vec_format(tmp_path / "v.bin", binary=True)
    assert np.array_equal(theirs["银行"], ours.vector("银行"))
    for mine, other in (
        (ours.most_similar("oslo", 5), theirs.most_similar("oslo", topn=5)),
        (ours.analogy("athens", "greece", "oslo", 3), theirs.most_similar(["greece", "oslo"], ["athens"], topn=3)),
    ):
        assert [word for word, _ in mine] == [word for word, _ in other]
        assert np.allclose([score for _, score in mine], [score for _, score in other], atol=1e-6)
    assert ours.similarity("athens", "greece") == pytest.approx(theirs.similarity("athens", "greece"), abs=1e-6)


def test_a_file_written_by_gensim_is_read(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    ours = some_vectors()
    theirs = KeyedVectors(7)
    theirs.add_vectors(list(WORDS), ours.matrix)
    theirs.save_word2vec_format(tmp_path / "v.bin", binary=True)
    again = WordVectors.load(tmp_path / "v.bin")
    assert again.words == WORDS
    assert np.array_equal(again.matrix, ours.matrix)


@given(st.lists(st.text(st.characters(exclude_characters=" \n", exclude_categories=["Cs"]), min_size=1), unique=True))
def test_any_vocabulary_survives_the_file(words: list[str]) -> None:
    import tempfile

    matrix = np.random.default_rng(1).normal(size=(len(words), 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        WordVectors(tuple(words), matrix).save(Path(folder) / "v.bin")
        again = WordVectors.load(Path(folder) / "v.bin")
    assert again.words == tuple(words)
    assert np.array_equal(again.matrix, matrix)


def test_more_neighbours_than_words_gives_all_others() -> None:
    assert len(some_vectors().most_similar("oslo", 100)) == len(WORDS) - 1


def test_an_unknown_word_is_named_and_a_capital_is_forgiven() -> None:
    with pytest.raises(UnknownWordError, match="no word 'atlantis'"):
        some_vectors().vector("atlantis")
    assert some_vectors().similarity("Oslo", "OSLO") == pytest.approx(1)


@pytest.mark.parametrize("content", [b"", b"not a header\n", b"3 2\nword \x00\x00"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"v\.bin"):
        WordVectors.load(tmp_path / "v.bin")
