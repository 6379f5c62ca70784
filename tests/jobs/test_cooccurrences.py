"""Spark's counts of what stands near what are those of one process, however many partitions there are."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from jobs.cooccurrences import summed
from lmflow.embeddings.cooccurrence import count_pairs

WORDS = tuple("abcdefgh")


def test_partitions_add_up_to_what_one_process_counts(spark: Any) -> None:
    draw = random.Random(3)
    lines = [" ".join(draw.choices([*WORDS, "rare"], k=draw.randrange(12))) for _ in range(300)]
    index = {word: place for place, word in enumerate(WORDS)}
    expected: Counter[int] = Counter()
    for pairs, sums in count_pairs((line.split() for line in lines), index, 3):
        expected.update(dict(zip(pairs.tolist(), sums.tolist(), strict=True)))
    frame = spark.createDataFrame([(line,) for line in lines], "value string").repartition(4)
    found = summed(spark, frame, WORDS, 3, parts=3)
    assert found.rdd.getNumPartitions() == 3
    rows = [(row["pair"], row["sum"]) for row in found.collect()]
    assert len(rows) == len(dict(rows)) and dict(rows) == dict(expected)
