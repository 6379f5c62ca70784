"""What every network must keep to: scores, states, distributions, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from lmflow.models import families
from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.models.neural import NeuralModel
from lmflow.models.transformer import Transformer, TransformerPreset
from tests.training.trainer import SHAPES

V = 30
DOCUMENTS = [np.random.default_rng(n).integers(1, V, length) for n, length in enumerate([1, 5, 64, 150, 63, 0])]


# A VAE scores a bound, not what its decoder says of each token: tests/models/test_vae.py.
@pytest.fixture(scope="module", params=sorted(set(families.NEURAL) - {"vae"}))
def model(request: pytest.FixtureRequest) -> NeuralModel:
    return families.NEURAL[request.param](V, SHAPES[request.param], seed=3)


def test_scores_do_not_depend_on_the_batch_and_agree_with_what_is_read_token_by_token(model: NeuralModel) -> None:
    together = model.score(DOCUMENTS)
    for document, nats in zip(DOCUMENTS, together, strict=True):
        assert model.score([document])[0] == pytest.approx(nats, rel=1e-4)
    reader, nats = model.reader(np.array([], np.int64)), 0.0
    for word in [*DOCUMENTS[3].tolist(), 0]:
        found = reader.distribution()
        assert found.sum() == pytest.approx(1.0)
        nats -= np.log(found[word])
        reader.read(word)
    assert nats == pytest.approx(together[3], rel=1e-4)


def test_a_running_text_is_scored_as_one_document(model: NeuralModel) -> None:
    texts = DOCUMENTS[1:4]
    joined = np.concatenate([texts[0], [0], texts[1], [0], texts[2]])
    assert model.running_nats(texts) == pytest.approx(model.token_nats([joined]), rel=1e-5)
    assert model.running_nats(texts) != pytest.approx(model.token_nats(texts), rel=1e-5)


def test_an_untrained_model_is_close_to_uniform(model: NeuralModel) -> None:
    assert model.score(DOCUMENTS).sum() / sum(len(d) + 1 for d in DOCUMENTS) == pytest.approx(np.log(V), rel=0.1)


def test_a_saved_model_scores_and_writes_the_same(model: NeuralModel, tmp_path: Path) -> None:
    families.save(model, tmp_path)
    again = families.load(tmp_path)
    assert np.array_equal(model.score(DOCUMENTS), again.score(DOCUMENTS))
    prompt = np.array([4, 5])
    assert np.array_equal(model.generate(prompt, 12, seed=2), again.generate(prompt, 12, seed=2))
    assert not np.array_equal(model.generate(prompt, 12, seed=2), model.generate(prompt, 12, seed=9))
    assert model.n_parameters == again.n_parameters


def test_as_many_documents_are_scored_at_a_time_as_fit_into_memory() -> None:
    tried: list[int] = []

    class Tight(Lstm):
        def _score_batch(self, documents: Any) -> Any:
            tried.append(len(documents))
            if len(documents) > 2:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
            return super()._score_batch(documents)

    ample, tight = (kind(V, LstmPreset(1, 8, 0.0), seed=3) for kind in (Lstm, Tight))
    assert tight.token_nats(DOCUMENTS) == pytest.approx(ample.token_nats(DOCUMENTS), rel=1e-5)
    assert tried == [6, 6, 6, 6, 4, 2, 2, 2]  # at most 64, 32, 16, 8, 4, 2
    long = Transformer(V, TransformerPreset(layers=2, width=16, heads=2, inner=24, memory=100_000, dropout=0.0))
    assert long._score_rows == 60_000_000 // (2 * 2 * 100_000 * 16 + 100_000)
