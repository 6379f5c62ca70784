"""A dataset is named by what is in it, and a damaged one is refused."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from lmflow.dataset.shards import Dataset, Document, write
from lmflow.errors import InputError


def splits(order: int = 0) -> dict[str, list[Document]]:
    documents = [Document(f"news:{n}", f"Document {n} speaks of 猫 number {n * n}.") for n in range(40)]
    train = documents[:30]
    random.Random(order).shuffle(train)
    return {"train": train, "valid": documents[30:35], "test": documents[35:]}


def built(folder: Path, order: int = 0) -> Dataset:
    folder.mkdir()
    write(folder, splits(order), 300, {"corpus": 3})
    return Dataset(folder)


def test_every_document_comes_back_with_its_bytes(tmp_path: Path) -> None:
    dataset = built(tmp_path / "a")
    for name, documents in splits().items():
        split = dataset.split(name)
        texts = {d.doc_id: d.text for d in documents}
        decoded = [dataset.tokenizer.decode(ids) for ids in split.documents()]
        assert dict(zip(split.doc_ids, decoded, strict=True)) == texts
        assert split.n_bytes.tolist() == [len(texts[doc].encode()) for doc in split.doc_ids]
        assert len(split.tokens) == dataset.manifest["splits"][name]["tokens"]
        assert np.count_nonzero(split.tokens == 0) == len(documents)


def test_the_digest_depends_on_the_documents_and_not_on_their_order(tmp_path: Path) -> None:
    assert built(tmp_path / "a", 1).digest == built(tmp_path / "b", 2).digest
    (tmp_path / "c").mkdir()
    other = splits()
    other["test"][0] = Document("news:35", "Something else.")
    assert write(tmp_path / "c", other, 300, {"corpus": 3}) != Dataset(tmp_path / "a").digest


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    built(tmp_path / "a")
    path = tmp_path / "a" / "valid.tokens.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(
        InputError, match=r"valid\.tokens\.npy is damaged: its digest is not \w+; run build_dataset again"
    ):
        Dataset(tmp_path / "a")
    path.unlink()
    with pytest.raises(InputError, match=r"valid\.tokens\.npy is missing: its digest was \w+; run build_dataset again"):
        Dataset(tmp_path / "a")


def test_an_empty_split_and_a_folder_without_a_dataset_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the test split is empty"):
        write(tmp_path, splits() | {"test": []}, 300, {})
    with pytest.raises(InputError, match="run build_dataset"):
        Dataset(tmp_path / "nowhere")
