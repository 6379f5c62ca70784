"""Vectors in the formats that other programs read: word2vec's text format and TensorBoard's projector.

The binary format is `WordVectors.save`, safetensors `Embedding.save`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from lmflow.embeddings.container import Embedding
from lmflow.embeddings.vectors import Matrix, WordVectors

_ROWS_AT_ONCE: Final = 20_000
#: TensorBoard's projector runs in a browser; more points than this make it crawl.
PROJECTOR_WORDS: Final = 5_000
_PROJECTOR: Final = """embeddings {
  tensor_path: "vectors.tsv"
  metadata_path: "words.tsv"
}
"""


def write_text(vectors: WordVectors, path: Path) -> None:
    """word2vec's text format: a line of two sizes, then a line a word; numbers as short as they stay exact."""
    with path.open("wb") as file:
        file.write(f"{len(vectors.words)} {vectors.matrix.shape[1]}\n".encode())
        for start in range(0, len(vectors.words), _ROWS_AT_ONCE):
            words = vectors.words[start : start + _ROWS_AT_ONCE]
            rows = _lines(vectors.matrix[start : start + _ROWS_AT_ONCE], " ")
            file.write(b"".join(word.encode() + b" " + row + b"\n" for word, row in zip(words, rows, strict=True)))


def write_projector(embedding: Embedding, folder: Path) -> None:
    """Files for TensorBoard's projector: the most frequent words, their counts, and the configuration.

    `tensorboard --logdir FOLDER` shows them; vectors.tsv and words.tsv also load at projector.tensorflow.org.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = embedding.vectors.words[:PROJECTOR_WORDS]
    (folder / "vectors.tsv").write_bytes(b"\n".join(_lines(embedding.vectors.matrix[: len(words)], "\t")) + b"\n")
    lines = [f"{word}\t{count}\n" for word, count in zip(words, embedding.counts.tolist(), strict=False)]
    (folder / "words.tsv").write_text("word\tcount\n" + "".join(lines), encoding="utf-8")
    (folder / "projector_config.pbtxt").write_text(_PROJECTOR)


def _lines(matrix: Matrix, delimiter: str) -> list[bytes]:
    columns = pa.table({str(place): np.ascontiguousarray(column) for place, column in enumerate(matrix.T)})
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(columns, sink, pyarrow.csv.WriteOptions(include_header=False, delimiter=delimiter))
    written: bytes = sink.getvalue().to_pybytes()
    return written.split(b"\n")[:-1]
