"""Plain text files as a dataset: how a published benchmark goes through the code of a retraining."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lmflow.dataset import shards
from lmflow.dataset.shards import DamagedDataset, Dataset, Document
from lmflow.dataset.tokenizer import Kind
from lmflow.errors import InputError
from lmflow.lake.lock import exclusive
from lmflow.settings import settings


def pack(files: Mapping[str, Path], vocabulary: int, tokenizer_kind: Kind = "bpe") -> Dataset:
    """The dataset of a train, a valid and a test file, packed once for the same content; anew where it was damaged.

    Divided at whitespace, a file is what published benchmarks make of it: every line, an empty one too, is followed by
    `<eos>` (here END_OF_DOCUMENT), lines stay in their order, and networks read them as one running text. Otherwise
    documents are separated by empty lines.

    Args:
        files: UTF-8 text by split.
        vocabulary: most tokens of the tokenizer, which is fitted on the train file.
        tokenizer_kind: how text is divided.

    Raises:
        InputError: a file cannot be read or holds no text.
    """
    splits = {name: documents(name, path, tokenizer_kind) for name, path in files.items()}
    texts = {name: [document.text for document in documents] for name, documents in splits.items()}
    content = json.dumps([vocabulary, tokenizer_kind, texts], sort_keys=True)
    folder = settings().home / "datasets" / hashlib.sha256(content.encode()).hexdigest()[:32]
    with exclusive(f"pack_{folder.name}", timeout_s=600):
        try:
            return Dataset(folder)
        except DamagedDataset:
            shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
        try:
            lineage = {f"{name}_file": str(path) for name, path in files.items()}
            shards.write(scratch, splits, vocabulary, lineage, tokenizer_kind, running(tokenizer_kind))
            scratch.rename(folder)  # whole or absent
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return Dataset(folder)


def running(tokenizer_kind: Kind) -> bool:
    """Whether a file divided so is one running text: a line is no document by itself."""
    return tokenizer_kind == "whitespace"


def documents(name: str, path: Path, tokenizer_kind: Kind) -> list[Document]:
    """A file's documents, or its lines where it is divided at whitespace.

    Raises:
        InputError: it cannot be read as UTF-8 text.
    """
    return (_lines if running(tokenizer_kind) else _documents)(name, path)


def _documents(name: str, path: Path) -> list[Document]:
    parts = [part.strip("\n") for part in re.split(r"\n\s*\n", _text(name, path))]
    return [Document(f"file:{name}:{number:09d}", part) for number, part in enumerate(parts) if part.strip()]


def _lines(name: str, path: Path) -> list[Document]:
    lines = _text(name, path).removesuffix("\n").split("\n")
    return [Document(f"file:{name}:{number:09d}", line) for number, line in enumerate(lines, 1)]


def _text(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--{name}-file {path} cannot be read as UTF-8 text ({error})") from None
