"""What the books of the corpus hold: assessed documents, and rows of the tables made from them and what was decided.

Reads the folders that assessing has written; what is in the lake's tables is the business of `ledger`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from lmflow.corpus import kin
from lmflow.corpus.admission import FORGOTTEN, Admission, Member, Place
from lmflow.corpus.assess import ASSESSED, SUMMARY
from lmflow.corpus.fingerprint import HASHES, KEYS, Fingerprints
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.storage import filesystem
from lmflow.text.shingles import FOLDING

_BATCH_ROWS = 1024


def read_summary(assessed: str) -> pa.Table:
    """The assessed documents of a folder without their text, in an order that does not depend on its files."""
    schema = pa.schema([ASSESSED.field(name) for name in SUMMARY])
    rows = pa.Table.from_batches(list(scan(assessed, list(SUMMARY))), schema)
    return rows.sort_by([("batch_id", "ascending"), ("doc_id", "ascending"), ("revision", "ascending")])


def fingerprints_of(rows: pa.Table) -> Fingerprints:
    """Fingerprints from the columns n_shingles, signature and bands; zeros where they are null."""
    prints = Fingerprints(
        rows["n_shingles"].fill_null(0).to_numpy().astype(np.int64),
        np.zeros((rows.num_rows, HASHES), np.uint32),
        np.zeros((rows.num_rows, KEYS), np.int64),
    )
    for name, target in (("signature", prints.signatures), ("bands", prints.keys)):
        column = rows[name].combine_chunks()
        lengths = column.value_lengths().fill_null(0).to_numpy()
        values = column.flatten().to_numpy()
        target[np.arange(target.shape[1]) < lengths[:, None]] = values.astype(target.dtype)
    return prints


def verdict_rows(unit: pa.Table, outcome: Admission) -> pa.Table:
    """A unit as rows of the table verdicts."""
    columns = {
        "kept": pa.array(outcome.kept),
        "failures": pa.array(
            [[failure._asdict() for failure in row] for row in outcome.failures], ASSESSED.field("failures").type
        ),
        "duplicate_of": pa.array(outcome.duplicate_of, pa.string()),
        "cluster_id": pa.array(outcome.cluster_ids, pa.string()),
    }
    passed = unit.select(["batch_id", "doc_id", "revision", "lang", "lang_score", "signals", "policy_digest", "pii"])
    for name, column in columns.items():
        passed = passed.append_column(name, column)
    return _in_schema(passed, "verdicts")


def fingerprint_rows(unit: pa.Table, outcome: Admission) -> pa.Table:
    """The compared documents of a unit as rows of the table fingerprints."""
    compared = unit.filter(pa.array([cluster_id is not None for cluster_id in outcome.cluster_ids], pa.bool_()))
    prints = fingerprints_of(compared)
    has_keys = prints.n_shingles > 0
    offsets = np.concatenate([[0], np.cumsum(np.where(has_keys, kin.KEYS, 0))]).astype(np.int32)
    keys = pa.ListArray.from_arrays(offsets, kin.keys_of(prints.signatures[has_keys]).ravel())
    compared = compared.append_column("kin_keys", keys)
    compared = compared.append_column("folding", pa.array(np.full(compared.num_rows, FOLDING, np.int64)))
    return _in_schema(compared, "fingerprints")


def kin_keys_of(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Which rows have kin keys (column kin_keys), and the keys of these: [n], [n, 56]."""
    column = rows["kin_keys"].combine_chunks()
    have = np.flatnonzero(column.value_lengths().fill_null(0).to_numpy())
    return have, column.flatten().to_numpy().reshape(len(have), kin.KEYS)


def _in_schema(rows: pa.Table, table: str) -> pa.Table:
    return rows.select(SCHEMAS[table].names).cast(SCHEMAS[table])


def with_places(rows: pa.RecordBatch, places: Sequence[Place]) -> pa.RecordBatch:
    """Corpus rows with their places."""
    given = {name: pa.array([getattr(place, name) for place in places], pa.string()) for name in Place._fields}
    schema = SCHEMAS["corpus"]
    return pa.RecordBatch.from_arrays(
        [given[name] if name in given else rows[name] for name in schema.names], schema=schema
    )


def newest_revisions(rows: pa.Table) -> dict[str, int]:
    """The newest revision of each document."""
    grouped = rows.group_by("doc_id").aggregate([("revision", "max")])
    return dict(zip(grouped["doc_id"].to_pylist(), grouped["revision_max"].to_pylist(), strict=True))


def spoken_for(verdicts: pa.Table) -> pa.Table:
    """Without verdicts that a tombstone decided: once it is lifted, the same revision comes as if it were new."""
    final = [any(failure["rule"] == FORGOTTEN for failure in its) for its in verdicts["failures"].to_pylist()]
    return verdicts.filter(pc.invert(pa.array(final, pa.bool_())))


def cluster_now(doc_id: str, verdicts: Mapping[str, dict[str, str]], members: Mapping[str, Member]) -> str:
    """A stored document's cluster: its own row in the corpus, else that of the document it is a copy of."""
    verdict = verdicts.get(doc_id, {})
    member = members.get(doc_id) or members.get(verdict.get("duplicate_of") or "")
    return member.cluster_id if member else verdict.get("cluster_id") or doc_id


def scan(folder: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Rows of a folder of Parquet files in the schema ASSESSED."""
    system, path = filesystem(folder)
    schema = pa.schema([ASSESSED.field(name) for name in columns])
    found = ds.dataset(path, filesystem=system, format="parquet", schema=schema)
    yield from found.to_batches(columns=columns, batch_size=_BATCH_ROWS)
