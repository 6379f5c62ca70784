"""A dataset in the lake is built once, and again where it was damaged: the remedy that the error names."""

from __future__ import annotations

import pytest

from lmflow.dataset import store
from lmflow.dataset.shards import Dataset
from lmflow.errors import InputError
from lmflow.lake import Lake
from tests.dataset.test_shards import splits


def rebuilt_after_damage(lake: Lake) -> None:
    """Build a dataset, damage what this host reads of it in two ways, and build it again each time."""

    def build() -> Dataset:
        return store.find(lake, "en", "k") or store.build(lake, "en", "k", splits(), 300, {"lang": "en"})

    whole = build()
    store.point_to(lake, "en", "k")
    shard = whole.folder / "train.tokens.npy"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x07")
    with pytest.raises(InputError, match=r"train\.tokens\.npy is damaged: .*; run build_dataset again"):
        store.latest(lake, "en")
    assert build().digest == store.latest(lake, "en").digest == whole.digest
    lake.objects.delete("datasets/en/k/valid.ends.npy")
    with pytest.raises(InputError, match=r"valid\.ends\.npy is missing: .*; run build_dataset again"):
        store.latest(lake, "en")
    assert build().digest == store.latest(lake, "en").digest == whole.digest


def test_a_damaged_dataset_is_built_again() -> None:
    rebuilt_after_damage(Lake.open())
