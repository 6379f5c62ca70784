"""The Lee news corpus that gensim ships, as a file of sentences."""

from __future__ import annotations

import pytest

from lmflow.embeddings.sentences import Sentences, write_sentences
from lmflow.evaluation.catalogue import gensim_test_data


@pytest.fixture(scope="session")
def lee(tmp_path_factory: pytest.TempPathFactory) -> Sentences:
    documents = (gensim_test_data() / "lee_background.cor").read_text(encoding="utf-8").splitlines()
    return write_sentences(documents, "en", tmp_path_factory.mktemp("lee") / "sentences.txt")
