"""The Spark plan that counts co-occurrences for GloVe: lines -> pairs summed by block -> pairs summed in all.

Spark spills to disk what does not fit into memory, here and on a cluster alike. The lines are staged in the lake, where
executors can read them, and the counts come back the same way.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from jobs.spark import session
from lmflow.embeddings.cooccurrence import Ints, Records, Vocabulary, count_pairs, write_records
from lmflow.embeddings.glove import POWER, GloveConfig
from lmflow.embeddings.sentences import Sentences
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.lake.storage import filesystem, spark_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Pairs that may fall into one file of records, which is shuffled in memory (32 bytes a pair); the worst case is that
#: no pair ever comes twice.
_PAIRS_A_FILE = 16_000_000


def count_cooccurrences(sentences: Sentences, vocabulary: Vocabulary, config: GloveConfig, folder: Path) -> Records:
    """Count the pairs of a file of sentences and write them as shuffled records into a local folder.

    Raises:
        InputError: there is not one pair.
    """
    parts = max(1, math.ceil(sentences.words * config.window / _PAIRS_A_FILE))
    with _staging() as (root, place):
        files, base = filesystem(root)
        pafs.copy_files(str(sentences.path), f"{base}/{place}/lines/lines.txt", destination_filesystem=files)
        spark = session("cooccurrences")
        lines = spark.read.text(spark_path(f"{root}/{place}/lines"))
        summed(spark, lines, vocabulary.words, config.window, parts).write.parquet(spark_path(f"{root}/{place}/pairs"))
        found = _parts(files, f"{base}/{place}/pairs")
        records = write_records(found, len(vocabulary.words), folder, config.x_max, POWER, config.seed)
    if not records.count:
        raise InputError("no two words of the vocabulary share a line: GloVe needs sentences, not lists of words")
    return records


def summed(spark: SparkSession, lines: DataFrame, words: tuple[str, ...], window: int, parts: int) -> DataFrame:
    """Each pair once, with its sum, in `parts` partitions by hash of the pair.

    Args:
        spark: the session.
        lines: one column, `value`: words separated by spaces.
        words: the vocabulary, by row.
        window: words to each side.
        parts: partitions.
    """
    from pyspark.sql import functions as F

    vocabulary = spark.sparkContext.broadcast(words)

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        index = {word: row for row, word in enumerate(vocabulary.value)}
        tokens = (line.split() for batch in batches for line in batch.column(0).to_pylist())
        for pairs, sums in count_pairs(tokens, index, window):
            yield pa.RecordBatch.from_arrays([pa.array(pairs), pa.array(sums)], ["pair", "sum"])

    blocks = lines.mapInArrow(count, "pair long, sum long")
    return blocks.repartition(parts, "pair").groupBy("pair").agg(F.sum("sum").alias("sum"))


def _parts(files: pafs.FileSystem, folder: str) -> Iterator[tuple[Ints, Ints]]:
    found = files.get_file_info(pafs.FileSelector(folder))
    for info in sorted(found, key=lambda info: str(info.base_name)):  # part-00000-…: by partition
        if info.base_name.endswith(".parquet"):
            table = pq.read_table(info.path, filesystem=files)
            yield table["pair"].to_numpy().astype(np.int64), table["sum"].to_numpy().astype(np.int64)


@contextmanager
def _staging() -> Iterator[tuple[str, str]]:
    """The lake's root and a fresh folder under it, gone afterwards."""
    root, place = Lake.open().root, f"_work/{uuid.uuid4().hex}"
    files, base = filesystem(root)
    files.create_dir(f"{base}/{place}/lines", recursive=True)
    try:
        yield root, place
    finally:
        files.delete_dir(f"{base}/{place}")
