"""Spark plans of build_corpus: comparing the lines of a unit's documents, and assessing them, in tasks of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.command import Progress
from lmflow.corpus import repeats
from lmflow.corpus.assess import ASSESSED, READ, assess
from lmflow.corpus.contamination import Evaluations
from lmflow.corpus.entries import read_summary
from lmflow.corpus.ledger import Ledger, Unit
from lmflow.corpus.policy import Policies
from lmflow.lake.storage import filesystem, spark_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

#: Documents that one Spark task assesses, about a second to a minute of work on a core; and never more tasks than this.
_TASK_DOCUMENTS: Final = 1_000
_MOST_TASKS: Final = 2_000


def attribute_lines(ledger: Ledger, unit: Unit, policies: Policies, folder: str, progress: Progress) -> pa.Table | None:
    """Find with Spark the lines that other documents had first; what the unit's were first to have.

    None if no policy asks for it. What is to be taken out of each document lies in `folder`/repeated afterwards.
    """
    if not any(policies.repeated_units.values()):
        return None
    from jobs.spark import session, watching

    spark = session("build_corpus")
    documents, tasks = _documents(spark, ledger, unit, repeats.READ)
    frame = documents.mapInArrow(_finder(policies), _spark_schema(repeats.FOUND))
    with progress.bar(tasks, "comparing lines", "tasks") as bar, watching(spark, tasks, bar):
        frame.write.mode("append").parquet(spark_path(f"{folder}/found"))
    system, path = filesystem(folder)
    found = pq.read_table(f"{path}/found", filesystem=system, schema=repeats.FOUND)
    attribution = repeats.attribute(found, ledger.owned_lines(), ledger.forgotten(found["doc_id"]))
    system.create_dir(f"{path}/repeated")
    pq.write_table(attribution.repeated, f"{path}/repeated/part-00000.parquet", filesystem=system)
    progress.say(f"{attribution.repeated.num_rows} documents hold lines that another had first")
    return attribution.owned


def _documents(spark: SparkSession, ledger: Ledger, unit: Unit, columns: Sequence[str]) -> tuple[DataFrame, int]:
    """The documents of a unit, and into how many tasks they are cut."""
    from pyspark.sql import functions as sql

    from jobs.spark import read_table

    tasks = max(
        spark.sparkContext.defaultParallelism, min(math.ceil(ledger.count(unit) / _TASK_DOCUMENTS), _MOST_TASKS)
    )
    mine = read_table(spark, ledger.documents, unit.documents).where(sql.col("batch_id").isin(sorted(unit.batches)))
    # By doc_id and not round robin: a task that is run again must see the same rows.
    return mine.select(*columns).repartition(tasks, "doc_id"), tasks


def _spark_schema(schema: pa.Schema) -> StructType:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _finder(policies: Policies) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def find_in_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield repeats.find(batch, policies.repeated_units)

    return find_in_partition


def assess_unit(
    ledger: Ledger,
    unit: Unit,
    policies: Policies,
    evaluations: Evaluations | None,
    assessed: str,
    repeated: str | None,
    progress: Progress,
) -> pa.Table:
    """Assess the documents of a unit with Spark into the folder `assessed`; returns them without their text.

    `repeated` is the folder that says what other documents had first, if a policy asks for it.
    """
    from jobs.spark import session, watching

    progress.say(f"assessing {ledger.count(unit)} documents of {len(unit.batches)} batches")
    spark = session("build_corpus")
    documents, tasks = _documents(spark, ledger, unit, READ)
    if repeated:
        lost = spark.read.schema(_spark_schema(repeats.REPEATED)).parquet(spark_path(repeated))
        joined = documents.join(lost, ["batch_id", "doc_id", "revision"], "left")
        documents = joined.select(*READ, "repeated").repartition(tasks, "doc_id")
    frame = documents.mapInArrow(_assessor(policies, evaluations), _spark_schema(ASSESSED))
    with progress.bar(tasks, "assessing", "tasks") as bar, watching(spark, tasks, bar):
        frame.write.mode("append").parquet(spark_path(assessed))
    return read_summary(assessed)


def _assessor(
    policies: Policies, evaluations: Evaluations | None
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def assess_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield assess(batch, policies, evaluations)

    return assess_partition
