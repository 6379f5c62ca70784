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
from lmflow.dataset.shards import Dataset, Document
from lmflow.errors import InputError
from lmflow.settings import settings


def pack(files: Mapping[str, Path], vocabulary: int) -> Dataset:
    """The dataset of a train, a valid and a test file, packed once for the same content.

    Args:
        files: UTF-8 text by split; documents are separated by empty lines.
        vocabulary: most tokens of the tokenizer, which is fitted on the train file.

    Raises:
        InputError: a file cannot be read or holds no text.
    """
    splits = {name: _documents(name, path) for name, path in files.items()}
    texts = {name: [document.text for document in documents] for name, documents in splits.items()}
    content = json.dumps([vocabulary, texts], sort_keys=True)
    folder = settings().home / "datasets" / hashlib.sha256(content.encode()).hexdigest()[:32]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
        try:
            shards.write(scratch, splits, vocabulary, {f"{name}_file": str(path) for name, path in files.items()})
            scratch.rename(folder)  # whole or absent
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return Dataset(folder)


def _documents(name: str, path: Path) -> list[Document]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--{name}-file {path} cannot be read as UTF-8 text ({error})") from None
    parts = [part.strip("\n") for part in re.split(r"\n\s*\n", text)]
    return [Document(f"file:{name}:{number:09d}", part) for number, part in enumerate(parts) if part.strip()]
