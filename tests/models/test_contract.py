"""What every network must keep to: scores, states, distributions, files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmflow.models import families
from lmflow.models.neural import NeuralModel
from tests.training.trainer import SHAPES

V = 30
DOCUMENTS = [np.random.default_rng(n).integers(1, V, length) for n, length in enumerate([1, 5, 64, 150, 63, 0])]
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", params=sorted(families.NEURAL))
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


def test_the_definitions_give_the_same_logits_on_another_keras_backend(tmp_path: Path) -> None:
    tokens, expected = np.stack([DOCUMENTS[2][:20], DOCUMENTS[3][:20]]).astype(np.int32), {}
    for name, family in families.NEURAL.items():
        model = family(V, SHAPES[name], seed=3)
        (tmp_path / name).mkdir()
        families.save(model, tmp_path / name)
        logits, _ = model.forward(tokens, model.zero_states(2))
        expected[name] = np.asarray(logits)
    np.savez(tmp_path / "expected.npz", tokens=tokens, **expected)
    script = (
        "import sys, numpy as np, keras; from pathlib import Path; from lmflow.models import families\n"
        "assert keras.backend.backend() == 'numpy'\n"
        "folder = Path(sys.argv[1]); known = np.load(folder / 'expected.npz'); worst = {}\n"
        "for name in families.NEURAL:\n"
        "    model = families.load(folder / name)\n"
        "    logits, _ = model.forward(known['tokens'], model.zero_states(2))\n"
        "    worst[name] = float(np.abs(np.asarray(logits) - known[name]).max())\n"
        "import json; print(json.dumps([worst, 'tensorflow' in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=PROJECT,
        env={"KERAS_BACKEND": "numpy", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    worst, imported = json.loads(done.stdout)
    assert not imported
    assert max(worst.values()) < 1e-4, worst
