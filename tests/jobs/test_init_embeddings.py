"""A language model's embedding starts from registered word vectors, and training with it is work of its own."""

from __future__ import annotations

import numpy as np
import pytest

from jobs import build_dataset, train_embeddings, train_language_model
from jobs.command import Progress
from lmflow import tracking
from lmflow.dataset import store
from lmflow.embeddings.registered import load_embedding
from lmflow.embeddings.tokens import token_vectors
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.models.families import PRESETS
from lmflow.models.lstm import Lstm
from tests.jobs.test_language_model_jobs import make_corpus


def test_tokens_start_from_the_vectors_that_the_option_names(mlflow_server: str) -> None:
    make_corpus(seed=7)
    build_dataset.run(build_dataset.BuildDataset(lang="en", vocabulary=300), Progress())
    options = train_embeddings.TrainEmbeddingsOptions(lang="en", dim=16, epochs=1, sample=0.1)
    vectors = train_embeddings.run(options, Progress())

    lstm = {"lang": "en", "architecture": "lstm", "epochs": 0.2, "batch_size": 8, "sequence_length": 16}
    plain = train_language_model.run(train_language_model.TrainLanguageModel(**lstm), Progress())
    warm = train_language_model.TrainLanguageModel(**lstm, init_embeddings=vectors["model_uri"])
    started = train_language_model.run(warm, Progress())
    assert started["version"] == plain["version"] + 1
    assert "init_embeddings_digest" in tracking.client().get_run(started["run_id"]).data.params
    assert train_language_model.run(warm, Progress())["status"] == "nothing_new"

    tokenizer = store.latest(Lake.open(), "en").tokenizer
    start = token_vectors(load_embedding(vectors["model_uri"]), tokenizer.encode, tokenizer.size, 192)
    model = Lstm(tokenizer.size, PRESETS["lstm"]["lstm-nano"], 1)
    model.start_from(start)
    assert np.array_equal(np.array(model.variables[0]), start)

    with pytest.raises(ValueError, match="is for lstm, not transformer"):
        train_language_model.TrainLanguageModel(
            lang="en", architecture="transformer", init_embeddings=vectors["model_uri"]
        )
    with pytest.raises(InputError, match="embeddings-en/99 cannot be read"):
        gone = warm.model_copy(update={"init_embeddings": "models:/embeddings-en/99"})
        train_language_model.run(gone, Progress())
