"""Datasets in the lake: built once for the same documents and options, found by language (`en`, or `en-zh`)."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmflow import __version__
from lmflow.dataset import shards
from lmflow.dataset.mixture import Mixture, Recipe
from lmflow.dataset.shards import DamagedDataset, Dataset, Document
from lmflow.dataset.tokenizer import Kind, TextTokenizer
from lmflow.errors import InputError
from lmflow.lake import Lake, faults


def input_key(
    identity: Sequence[tuple[str, int, str]],
    vocabulary: int,
    tokenizer_kind: Kind = "bpe",
    recipe: Recipe | None = None,
) -> str:
    """What decides a dataset.

    Args:
        identity: (doc_id, revision, split) of its documents.
        vocabulary: of the tokenizer.
        tokenizer_kind: how text is divided.
        recipe: how the training split is mixed.
    """
    digest = hashlib.sha256(f"{__version__}:{tokenizer_kind}:{vocabulary}".encode())
    if recipe is not None and not recipe.changes_nothing:
        digest.update(json.dumps(asdict(recipe), sort_keys=True).encode())
    for row in sorted(identity):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:32]


def find(lake: Lake, lang: str, key: str) -> Dataset | None:
    """The dataset of a language built under `key`, if there is one; a damaged one is as good as none."""
    if not lake.objects.exists(f"{_place(lang, key)}/manifest.json"):
        return None
    try:
        return Dataset(_local(lake, lang, key))
    except DamagedDataset:
        return None


def latest(lake: Lake, lang: str) -> Dataset:
    """The dataset of a language that was built last.

    Raises:
        InputError: there is none.
    """
    pointer = f"datasets/{lang}/latest.json"
    if not lake.objects.exists(pointer):
        raise InputError(f"no dataset of {lang!r} yet; run `python -m jobs.build_dataset --lang {lang}`")
    return Dataset(_local(lake, lang, json.loads(lake.objects.get(pointer))["key"]))


def point_to(lake: Lake, lang: str, key: str) -> None:
    """Make the dataset under `key` the latest of its language."""
    lake.objects.put(f"datasets/{lang}/latest.json", json.dumps({"key": key}).encode())


def build(
    lake: Lake,
    lang: str,
    key: str,
    splits: Mapping[str, Sequence[Document]],
    vocabulary: int,
    lineage: Mapping[str, Any],
    tokenizer_kind: Kind = "bpe",
    frozen: TextTokenizer | None = None,
    mixture: Mixture | None = None,
) -> Dataset:
    """Write a dataset into the lake; its manifest goes last, so that a killed build leaves nothing that looks whole.

    Arguments are those of `shards.write`. `point_to` makes it the latest of its language.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shards.write(folder, splits, vocabulary, lineage, tokenizer_kind, frozen=frozen, mixture=mixture)
        names = sorted(path.name for path in folder.iterdir() if path.name != "manifest.json")
        for name in names:
            lake.objects.put(f"{_place(lang, key)}/{name}", folder / name)
        faults.point("dataset:before_commit")
        lake.objects.put(f"{_place(lang, key)}/manifest.json", folder / "manifest.json")
        faults.point("dataset:after_commit")
    return Dataset(_local(lake, lang, key))


def _place(lang: str, key: str) -> str:
    return f"datasets/{lang}/{key}"


def _local(lake: Lake, lang: str, key: str) -> Path:
    """A local folder with all files of a dataset.

    Raises:
        DamagedDataset: there are none.
    """
    paths = [lake.objects.local(name) for name in lake.objects.list(f"{_place(lang, key)}/")]
    if not paths:
        raise DamagedDataset(f"no file is left in {lake.objects.uri(_place(lang, key))}; run build_dataset again")
    return paths[0].parent
