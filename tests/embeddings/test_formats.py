"""An embedding survives its file, and other programs read the formats it is written in."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.documents import DocumentVectors, NoKnownWordError
from lmflow.embeddings.exchange import write_projector, write_text
from lmflow.embeddings.phrases import join_phrases
from lmflow.embeddings.related import RelatedDocuments
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.subwords import Subwords
from lmflow.embeddings.vectors import WordVectors
from lmflow.embeddings.wording import Wording

words_without_spaces = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1)


def embedding(words: list[str], subwords: Subwords | None = None) -> Embedding:
    matrix = np.random.default_rng(1).normal(size=(len(words), 3)).astype(np.float32)
    return Embedding(WordVectors(tuple(words), matrix, subwords), np.arange(len(words), 0, -1), "en")


@settings(deadline=None)
@given(st.lists(words_without_spaces, unique=True, min_size=1))
def test_any_vocabulary_survives_safetensors_and_text(words: list[str]) -> None:
    from gensim.models import KeyedVectors

    one = embedding(words)
    with tempfile.TemporaryDirectory() as folder:
        one.save(Path(folder) / "e.safetensors")
        again = Embedding.load(Path(folder) / "e.safetensors")
        write_text(one.vectors, Path(folder) / "v.txt")
        theirs = KeyedVectors.load_word2vec_format(Path(folder) / "v.txt")
    assert again.vectors.words == one.vectors.words == tuple(theirs.index_to_key)
    assert np.array_equal(again.vectors.matrix, one.vectors.matrix)
    assert np.array_equal(theirs.vectors, one.vectors.matrix)
    assert np.array_equal(again.counts, one.counts) and again.lang == "en"


def test_a_model_cuts_a_text_as_its_training_text_was_cut(tmp_path: Path) -> None:
    cased = Wording("characters", lower_case=False, punctuation=True, stop_words=frozenset({"of", "the"}))
    one = embedding(["King", "king", "!"])
    Embedding(one.vectors, one.counts, "en", cased).save(tmp_path / "e.safetensors")
    again = Embedding.load(tmp_path / "e.safetensors")
    assert again.wording == cased
    unit = again.vectors.unit
    assert DocumentVectors(again).vector("the King") == pytest.approx(unit[0], abs=1e-6)
    assert DocumentVectors(one).vector("the King") == pytest.approx(unit[1], abs=1e-6)


def test_ngrams_survive_too(tmp_path: Path) -> None:
    kept = Subwords(3, 6, 100, np.array([3, 50]), np.array([[1, 2, 3], [4, 5, 6]], np.float16))
    embedding(["a", "b"], kept).save(tmp_path / "e.safetensors")
    again = Embedding.load(tmp_path / "e.safetensors").vectors.subwords
    assert again is not None and (again.min_n, again.max_n, again.bucket) == (3, 6, 100)
    assert np.array_equal(again.matrix, kept.matrix) and np.array_equal(again.buckets, kept.buckets)


@pytest.mark.parametrize("content", [b"", b"not safetensors", (2).to_bytes(8, "little") + b"{}"])
def test_a_file_that_is_no_embedding_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "e.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"e\.safetensors"):
        Embedding.load(tmp_path / "e.safetensors")


def test_the_projector_gets_a_point_a_word(tmp_path: Path) -> None:
    write_projector(embedding(["a", "b"]), tmp_path / "p")
    assert (tmp_path / "p" / "words.tsv").read_text() == "word\tcount\na\t2\nb\t1\n"
    assert np.loadtxt(tmp_path / "p" / "vectors.tsv").shape == (2, 3)
    assert 'tensor_path: "vectors.tsv"' in (tmp_path / "p" / "projector_config.pbtxt").read_text()


def test_a_text_is_as_its_rarer_words_say() -> None:
    matrix = np.eye(3, dtype=np.float32)
    documents = DocumentVectors(
        Embedding(WordVectors(("the", "river", "bank"), matrix), np.array([9000, 10, 10]), "en")
    )
    assert documents.similarity("The river", "river, RIVER, the") > 0.99
    assert documents.similarity("the river", "the bank") < 0.01
    with pytest.raises(NoKnownWordError, match="'Qwertz'"):
        documents.vector("Qwertz")


def test_pairs_that_belong_together_become_one_word(lee: Sentences, tmp_path: Path) -> None:
    joined = join_phrases(lee, tmp_path / "p.txt")
    text = joined.path.read_text()
    assert "prime_minister" in text and "of_the " not in text
    assert len(text.split()) == joined.words < lee.words
    assert text.replace("_", " ").split() == lee.path.read_text().split()


def test_the_index_finds_what_a_look_at_all_documents_finds(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(600, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = ((vector, {"doc_id": str(row)}) for row, vector in enumerate(vectors))
    assert RelatedDocuments.build(rows, 16, tmp_path / "r") == 600
    index = RelatedDocuments.load(tmp_path / "r")
    assert [int(index.nearest(query)[0]["doc_id"]) for query in vectors] == list(range(600))  # none is out of reach
    hits = 0
    for query in vectors[:50]:
        best = {str(row) for row in np.argsort(-(vectors @ query))[:10]}
        found = index.nearest(query)
        assert found[0]["score"] == pytest.approx(1, abs=2e-3)
        hits += len(best & {document["doc_id"] for document in found})
    assert hits / 500 > 0.95
    assert RelatedDocuments.build(iter(()), 16, tmp_path / "none") == 0
    assert RelatedDocuments.load(tmp_path / "none").nearest(vectors[0]) == []
