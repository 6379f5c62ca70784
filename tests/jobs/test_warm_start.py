"""A warm start goes on from a version on what is new, keeps its tokens, and says how it does on what was held out."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs import build_dataset, train_language_model
from jobs.command import Progress
from jobs.train_language_model import TrainLanguageModel
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.lake.schemas import SCHEMAS
from lmflow.training import registration

PROGRESS = Progress()
LANG = "nl"


def add_documents(batch: int, count: int, nouns: list[str], sentences: int = 20) -> None:
    """One ingest batch of documents about these nouns, a tenth each in valid and test."""
    draw = random.Random(batch)
    rows = [
        {
            **{"batch_id": batch, "doc_id": f"news:{batch}-{number}", "revision": 1, "lang": LANG, "source": "news"},
            "split": {0: "test", 1: "valid"}.get(number % 10, "train"),
            "text": " ".join(f"The {draw.choice(nouns)} sees a {draw.choice(nouns)} again." for _ in range(sentences)),
        }
        for number in range(count)
    ]
    Lake.open().table("corpus").append(f"made:{batch}", pa.Table.from_pylist(rows, SCHEMAS["corpus"]))
    build_dataset.run(build_dataset.BuildDataset(lang=LANG, vocabulary=300), PROGRESS)


def train(architecture: str, **options: Any) -> dict[str, Any]:
    small = {"batch_size": 8, "sequence_length": 16, "epochs": 1, **options} if architecture != "ngram" else options
    return train_language_model.run(TrainLanguageModel(lang=LANG, architecture=architecture, **small), PROGRESS)


def test_a_warm_start_reads_what_is_new_and_its_share_of_the_old(mlflow_server: str) -> None:
    add_documents(1, 100, ["cat", "dog", "river", "tree"])
    with pytest.raises(InputError, match="lm-nl has no champion; train and promote"):
        train("lstm", warm_start="champion")
    first = train("lstm", warm_start="newest", dimension=24)  # there is nothing to go on from yet
    counts = train("ngram", order=3)
    tracking.client().set_registered_model_alias("lm-nl", "champion", str(first["version"]))
    nothing = train("lstm", warm_start="champion")
    assert (nothing["status"], nothing["version"]) == ("nothing_new", first["version"])
    with pytest.raises(InputError, match="is of lstm, not ngram; say newest"):
        train("ngram", warm_start="champion")

    add_documents(2, 20, ["zebra", "quokka", "xylophone"])
    latest = store.latest(Lake.open(), LANG)
    warm = train("lstm", warm_start="champion", replay=0.5)
    facts = warm["warm_start"]
    assert facts["origin"] == first["model_uri"] and facts["new_documents"] == 16
    assert 14 <= facts["replayed_documents"] <= 20
    tags = tracking.client().get_model_version("lm-nl", str(warm["version"])).tags
    old_tags = tracking.client().get_model_version("lm-nl", str(first["version"])).tags
    assert tags["tokenizer_digest"] == old_tags["tokenizer_digest"] != latest.tokenizer.digest
    assert tags["corpus_version"] == str(latest.manifest["lineage"]["corpus_version"]) > old_tags["corpus_version"]
    assert (tags["preset"], tags["dimension"], tags["warm_start"]) == ("lstm-nano", "24", first["model_uri"])
    assert store.latest(Lake.open(), LANG).digest == latest.digest  # what a warm start reads is nobody else's dataset
    assert set(warm["metrics"]) >= {"old_held_out_bits_per_byte", "old_held_out_difference_low"}
    assert facts["verdict"].startswith(("WORSE than models:/lm-nl/", "no worse than models:/lm-nl/"))
    assert facts["verdict"] == tags["warm_start_verdict"]
    assert "on the 10 documents held out before" in facts["verdict"]

    refit = train("ngram", warm_start="newest", order=3)
    assert refit["warm_start"]["origin"] == counts["model_uri"]
    assert refit["warm_start"]["replayed_documents"] == 80  # counted again over all text
    assert (
        registration.load_whole(refit["model_uri"])[1].digest == registration.load_whole(counts["model_uri"])[1].digest
    )


def test_a_warm_start_begins_at_the_weights_and_says_when_it_got_worse(mlflow_server: str) -> None:
    add_documents(1, 100, ["cat", "dog", "river", "tree"], sentences=1)
    first = train("vae", dimension=24, learning_rate=0.01, epochs=5)
    add_documents(2, 20, ["zebra", "quokka", "xylophone"], sentences=1)
    still = train("vae", warm_start=first["model_uri"], learning_rate=1e-9, epochs=0.1)
    before, after = (registration.load(each["model_uri"]) for each in (first, still))
    for its, mine in zip(before.variables, after.variables, strict=True):  # type: ignore[attr-defined]
        assert np.allclose(np.array(its), np.array(mine), atol=1e-6)
    assert still["metrics"]["old_held_out_difference"] == pytest.approx(0, abs=1e-4)

    spoiled = train("vae", warm_start=first["model_uri"], learning_rate=0.3, epochs=9, replay=0)
    assert spoiled["warm_start"]["replayed_documents"] == 0
    assert (
        spoiled["warm_start"]["verdict"].startswith("WORSE")
        and "which may be chance" not in spoiled["warm_start"]["verdict"]
    )
    assert spoiled["metrics"]["old_held_out_difference_low"] > 0
    description = tracking.client().get_model_version("lm-nl", str(spoiled["version"])).description
    assert f"Going on from an earlier version: WORSE than {first['model_uri']}" in description
    with pytest.raises(InputError, match="give the --preset and --dimension of that version"):
        train("vae", warm_start=first["model_uri"], dimension=12)


@pytest.fixture(autouse=True)
def none_registered(mlflow_server: str) -> None:
    """The MLflow server is shared by the session."""
    for version in registry.versions(f"lm-{LANG}"):
        tracking.client().delete_model_version(f"lm-{LANG}", str(version.version))
