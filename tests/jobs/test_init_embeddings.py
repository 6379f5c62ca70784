"""A language model's embedding starts from registered word vectors, and training with it is work of its own."""

from __future__ import annotations

import numpy as np
import pytest

from jobs import build_dataset, train_embeddings, train_language_model
from jobs.command import Progress
from lmflow import tracking
from lmflow.errors import InputError
from lmflow.models.families import NEURAL, PRESETS
from tests.jobs.test_language_model_jobs import make_corpus


def test_tokens_start_from_the_vectors_that_the_option_names(mlflow_server: str) -> None:
    make_corpus(seed=7)
    build_dataset.run(build_dataset.BuildDataset(lang="en", vocabulary=300), Progress())
    options = train_embeddings.TrainEmbeddingsOptions(lang="en", dim=16, epochs=1, sample=0.1)
    vectors = train_embeddings.run(options, Progress())

    mlp = {"lang": "en", "architecture": "mlp", "epochs": 0.2, "batch_size": 8, "sequence_length": 16}
    plain = train_language_model.run(train_language_model.TrainLanguageModel(**mlp), Progress())
    warm = train_language_model.TrainLanguageModel(**mlp, init_embeddings=vectors["model_uri"])
    started = train_language_model.run(warm, Progress())
    assert started["version"] == plain["version"] + 1
    assert "init_embeddings_digest" in tracking.client().get_run(started["run_id"]).data.params
    assert train_language_model.run(warm, Progress())["status"] == "nothing_new"

    tracking.client().set_registered_model_alias("embeddings-en", "champion", str(vectors["version"]))
    by_alias = warm.model_copy(update={"init_embeddings": "models:/embeddings-en@champion"})
    same = train_language_model.run(by_alias, Progress())  # what the alias stands for is what counts
    assert (same["status"], same["version"]) == ("nothing_new", started["version"])
    other = train_embeddings.run(options.model_copy(update={"seed": 2}), Progress())
    tracking.client().set_registered_model_alias("embeddings-en", "champion", str(other["version"]))
    moved = train_language_model.run(by_alias, Progress())
    assert moved["version"] > started["version"]
    params = [tracking.client().get_run(each["run_id"]).data.params for each in (started, moved)]
    assert params[0]["init_embeddings_digest"] != params[1]["init_embeddings_digest"]
    with pytest.raises(InputError, match="embeddings-en@shelf cannot be read"):
        gone = warm.model_copy(update={"init_embeddings": "models:/embeddings-en@shelf"})
        train_language_model.run(gone, Progress())

    with pytest.raises(InputError, match="embeddings-en/99 cannot be read"):
        gone = warm.model_copy(update={"init_embeddings": "models:/embeddings-en/99"})
        train_language_model.run(gone, Progress())


@pytest.mark.parametrize("family", NEURAL)
def test_every_network_starts_from_token_vectors_at_its_own_spread(family: str) -> None:
    model = NEURAL[family](50, next(iter(PRESETS[family].values())), 1)
    spread = float(np.std(np.array(model.variables[0])))
    vectors = np.random.default_rng(0).normal(size=(50, model.token_width)).astype(np.float32)
    model.start_from(vectors)
    table = np.array(model.variables[0])
    assert float(np.std(table)) == pytest.approx(spread, rel=1e-4)
    assert np.corrcoef(table.ravel(), vectors.ravel())[0, 1] == pytest.approx(1)
    states = tuple(np.array(state) for state in model.zero_states(1))
    assert np.isfinite(np.array(model.forward(np.array([[7, 3]]), states)[0])).all()
