"""Token shards: documents, tokenised once, memory-mapped, with a manifest that names every byte.

A dataset is a folder: `tokenizer.json`, and for each split `<split>.tokens.npy` (all documents, each followed by
END_OF_DOCUMENT), `<split>.ends.npy` (where each ends), `<split>.bytes.npy` (UTF-8 bytes of each document's text) and
`<split>.documents.txt` (their ids); `<split>.languages.txt` where there are several, and `train.left_out.txt` where a
mixture left documents out, with the reason. `manifest.json` holds their digests and is written last; its own digest
names the dataset, so the same documents and tokenizer always give the same name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from lmflow.dataset.mixture import Mixture
from lmflow.dataset.tokenizer import Kind, TextTokenizer
from lmflow.errors import InputError

SPLITS: Final = ("train", "valid", "test")
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Document:
    """One document on its way into a shard; `copy` is its number where it is read more than once."""

    doc_id: str
    text: str
    lang: str = ""
    copy: int = 0


@dataclass(frozen=True)
class Split:
    """The documents of one split.

    Attributes:
        tokens: all documents, each followed by END_OF_DOCUMENT; memory-mapped. Shape [tokens].
        ends: index after each document's END_OF_DOCUMENT. Shape [documents].
        n_bytes: UTF-8 bytes of each document's text. Shape [documents].
        doc_ids: their ids.
        langs: their languages; empty for plain files.
    """

    tokens: NDArray[np.integer]
    ends: NDArray[np.int64]
    n_bytes: NDArray[np.int64]
    doc_ids: tuple[str, ...]
    langs: tuple[str, ...] = ()

    def documents(self) -> list[NDArray[np.integer]]:
        """Token ids of each document, without END_OF_DOCUMENT."""
        starts = np.concatenate([[0], self.ends[:-1]])
        return [self.tokens[start : end - 1] for start, end in zip(starts, self.ends, strict=True)]


def write(
    folder: Path,
    splits: Mapping[str, Sequence[Document]],
    vocabulary: int,
    lineage: Mapping[str, Any],
    tokenizer_kind: Kind = "bpe",
    running: bool = False,
    frozen: TextTokenizer | None = None,
    mixture: Mixture | None = None,
) -> str:
    """Fit a tokenizer on the training split, write all shards, and return the dataset's digest.

    Args:
        folder: an empty folder.
        splits: documents of `train`, `valid` and `test`. Order does not matter: documents are put in the order of a
            hash of their id, so that the sources are mixed and the digest depends only on what is in it.
        vocabulary: most tokens the tokenizer may have.
        lineage: what the documents came from (table versions, options), kept in the manifest.
        tokenizer_kind: how text is divided.
        running: the documents are lines of one text: their order is kept, and networks read on from one to the next.
        frozen: a tokenizer to keep, of that kind, in place of one that is fitted here.
        mixture: how the training split was mixed; accounted for in the manifest.

    Raises:
        InputError: a split is empty.
    """
    ordered = _ordered(splits, running)
    texts = (document.text for document in ordered["train"])
    tokenizer = frozen or TextTokenizer.fit(texts, vocabulary, tokenizer_kind)
    tokenizer.save(folder)
    several = len({document.lang for documents in ordered.values() for document in documents}) > 1
    lengths = {name: _write_split(folder, name, documents, tokenizer, several) for name, documents in ordered.items()}
    if mixture is not None and mixture.chosen.left_out:
        lines = "".join(f"{reason}\t{doc_id}\n" for doc_id, reason in sorted(mixture.chosen.left_out.items()))
        (folder / "train.left_out.txt").write_text(lines, encoding="utf-8")
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    manifest = {
        "digest": digest,
        "tokenizer_digest": tokenizer.digest,
        "vocabulary": tokenizer.size,
        "tokenizer_kind": tokenizer_kind,
        "running": running,
        "files": files,
        "splits": {name: _counts(documents, lengths[name]) for name, documents in ordered.items()},
        "held_out_digest": _held_out_digest(ordered["test"]),
        "lineage": dict(lineage),
    }
    if mixture is not None:
        tokens = {document.doc_id: n for document, n in zip(ordered["train"], lengths["train"], strict=True)}
        manifest["mixture"] = mixture.account(tokens)
    (folder / _MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    return digest


def _ordered(splits: Mapping[str, Sequence[Document]], running: bool) -> dict[str, list[Document]]:
    """Every split in the order that it is written in; raises InputError where one is empty."""
    ordered = {name: list(splits[name]) if running else sorted(splits[name], key=_place) for name in SPLITS}
    for name, documents in ordered.items():
        if not documents:
            raise InputError(f"the {name} split is empty: ingest more documents, or build the corpus first")
    return ordered


def _write_split(
    folder: Path, name: str, documents: Sequence[Document], tokenizer: TextTokenizer, several: bool
) -> list[int]:
    """Write the shards of a split, with the language of each document where there are several; tokens of each."""
    kind = np.uint16 if tokenizer.size <= np.iinfo(np.uint16).max else np.uint32
    texts = [document.text for document in documents]
    end = np.zeros(1, kind)
    encoded = tokenizer.encode(texts)
    lengths = [len(ids) + 1 for ids in encoded]
    np.save(
        folder / f"{name}.tokens.npy", np.concatenate([part for ids in encoded for part in (ids.astype(kind), end)])
    )
    np.save(folder / f"{name}.ends.npy", np.cumsum(lengths, dtype=np.int64))
    np.save(folder / f"{name}.bytes.npy", np.array([len(text.encode()) for text in texts], np.int64))
    lists = {"documents": [document.doc_id for document in documents]}
    if several:
        lists["languages"] = [document.lang for document in documents]
    for what, values in lists.items():
        (folder / f"{name}.{what}.txt").write_text("".join(f"{value}\n" for value in values), encoding="utf-8")
    return lengths


def _counts(documents: Sequence[Document], lengths: Sequence[int]) -> dict[str, int]:
    return {
        "documents": len(documents),
        "bytes": sum(len(document.text.encode()) for document in documents),
        "tokens": sum(lengths),
    }


class DamagedDataset(InputError):
    """A dataset's file is missing, or is not what its digest says; what builds the dataset makes it anew."""


class Dataset:
    """A dataset folder that `write` made."""

    def __init__(self, folder: Path) -> None:
        """Open a dataset.

        Raises:
            DamagedDataset: there is no manifest, or a file is missing or differs from its digest.
        """
        self.folder = folder
        path = folder / _MANIFEST
        if not path.is_file():
            raise DamagedDataset(f"{folder} holds no dataset (no {_MANIFEST}); run build_dataset")
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            files = dict(self.manifest["files"])
        except (ValueError, KeyError, TypeError):
            raise DamagedDataset(f"{path} is damaged: it is no manifest; run build_dataset again") from None
        for name, digest in files.items():
            file = folder / name
            if not file.is_file():
                raise DamagedDataset(f"{file} is missing: its digest was {digest}; run build_dataset again")
            if _digest(file) != digest:
                raise DamagedDataset(f"{file} is damaged: its digest is not {digest}; run build_dataset again")

    @property
    def digest(self) -> str:
        """What names this dataset."""
        return cast(str, self.manifest["digest"])

    @property
    def running(self) -> bool:
        """Whether its documents are lines of one text, which networks read in one go."""
        return bool(self.manifest.get("running", False))

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer the shards were made with."""
        return TextTokenizer.load(self.folder)

    def split(self, name: str) -> Split:
        """The documents of `train`, `valid` or `test`."""
        doc_ids, listed = self._lines(f"{name}.documents.txt"), f"{name}.languages.txt"
        lang = str(self.manifest["lineage"].get("lang", ""))
        return Split(
            tokens=np.load(self.folder / f"{name}.tokens.npy", mmap_mode="r"),
            ends=np.load(self.folder / f"{name}.ends.npy"),
            n_bytes=np.load(self.folder / f"{name}.bytes.npy"),
            doc_ids=doc_ids,
            langs=self._lines(listed) if listed in self.manifest["files"] else (lang,) * len(doc_ids) if lang else (),
        )

    def _lines(self, name: str) -> tuple[str, ...]:
        return tuple((self.folder / name).read_text(encoding="utf-8").splitlines())


def _place(document: Document) -> bytes:
    name = f"{document.doc_id}#{document.copy}" if document.copy else document.doc_id
    return hashlib.sha256(name.encode()).digest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _held_out_digest(documents: Sequence[Document]) -> str:
    """What names the held-out texts, whatever the tokenizer: scores are comparable only where this is equal."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(json.dumps([document.doc_id, document.text], ensure_ascii=False).encode())
    return digest.hexdigest()
