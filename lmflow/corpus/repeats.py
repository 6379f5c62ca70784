"""Lines or paragraphs that another document had first, taken out of every later one (cc_net; Wenzek et al. 2020, §3.2).

What is said on every page of a site (menus, licences, warnings) stays in one document and leaves the others. Two parts
are the same if their folded units are (`lmflow.text.shingles`: case, digits, punctuation, diacritics), compared by 64
bits of a hash as in cc_net; a part without letters and digits is never compared.

The first to have a part is the earliest document: by ingest batch, then publication (else fetching), then doc_id; what
an earlier build saw comes before. As in cc_net every document counts, also one that the policy drops later; a forgotten
one does not. Unlike cc_net, parts that repeat within one document stay: signals measure those. All revisions of a
document are one owner. So what is taken out depends on the documents alone, not on partitions, files or engines, and
batch after batch gives what building them together gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lmflow.corpus.language import detect
from lmflow.lake.schemas import SCHEMAS
from lmflow.text.normalise import normalise
from lmflow.text.shingles import units

Unit = Literal["line", "paragraph"]

#: Name of the rule: value, the share of characters taken out; threshold, `at_most` of the policy's repeated_text.
REPEATED_TEXT: Final = "repeated_text"
#: Signals by unit: parts taken out, and their characters. A document has those of its policy's unit, or none.
REMOVED: Final[Mapping[Unit, tuple[str, str]]] = {
    "line": ("removed_lines", "removed_line_chars"),
    "paragraph": ("removed_paragraphs", "removed_paragraph_chars"),
}
_SEPARATOR: Final[Mapping[Unit, str]] = {"line": "\n", "paragraph": "\n\n"}

_TIME: Final = pa.timestamp("us", tz="UTC")
_IDENTITY: Final = ("batch_id", "doc_id", "revision")
#: What finding parts reads of a document.
READ: Final = (*_IDENTITY, "published_at", "fetched_at", "text")
#: One document with the hashes of its parts a row; none where its policy takes nothing out.
FOUND: Final = pa.schema(
    [
        *((name, pa.string() if name == "doc_id" else pa.int64()) for name in _IDENTITY),
        ("published_at", _TIME),
        ("fetched_at", _TIME),
        ("hashes", pa.list_(pa.int64())),
    ]
)
#: One document with the hashes of the parts that are to be taken out of it a row.
REPEATED: Final = pa.schema([*(FOUND.field(name) for name in _IDENTITY), ("repeated", pa.list_(pa.int64()))])


@dataclass(frozen=True)
class Cut:
    """What is left of a text: without `parts` parts, which had `chars` characters."""

    text: str
    parts: int
    chars: int


@dataclass(frozen=True)
class Attribution:
    """Who had what first.

    Attributes:
        repeated: what is to be taken out, schema REPEATED; only documents that lose something.
        owned: parts that nobody had before, by the document that has them now, in the schema of the table `lines`.
    """

    repeated: pa.Table
    owned: pa.Table


def removed_share(signals: Mapping[str, float], unit: Unit) -> float:
    """Characters taken out as a share of those before; raises KeyError where nothing was compared by this unit."""
    chars = signals[REMOVED[unit][1]]
    return chars / (chars + signals["n_chars"]) if chars else 0.0


def measured_by(signals: Mapping[str, float]) -> Unit | None:
    """The unit by which a document's stored signals say that it was compared."""
    return next((unit for unit, (parts, _) in REMOVED.items() if parts in signals), None)


def part_hashes(text: str, unit: Unit) -> NDArray[np.int64]:
    """The hashes of the parts of a normalised text, in order; 0 for a part that is never compared."""
    return np.array([_hash(part) for part in text.split(_SEPARATOR[unit])], np.int64)


def _hash(part: str) -> int:
    found = units(part)
    if not found:
        return 0
    digest = hashlib.blake2b(" ".join(found).encode("utf-8", "surrogatepass"), digest_size=8, person=b"lmflow-part")
    return int.from_bytes(digest.digest(), "little", signed=True) or 1


def cut(text: str, unit: Unit, repeated: Collection[int]) -> Cut:
    """Take the parts with these hashes out of a normalised text."""
    if not repeated:
        return Cut(text, 0, 0)
    separator = _SEPARATOR[unit]
    parts = text.split(separator)
    gone = [hashed in repeated for hashed in part_hashes(text, unit).tolist()]
    left = separator.join(part for part, goes in zip(parts, gone, strict=True) if not goes)
    while "\n\n\n" in left:  # a line between two blank ones has gone
        left = left.replace("\n\n\n", "\n\n")
    return Cut(left.strip(), sum(gone), sum(len(part) for part, goes in zip(parts, gone, strict=True) if goes))


def find(documents: pa.RecordBatch, units_by_language: Mapping[str, Unit | None]) -> pa.RecordBatch:
    """The parts of documents (columns READ), row for row in the schema FOUND.

    Args:
        documents: as they were fetched; they are normalised here, and their language is found.
        units_by_language: what the policy of each language asks for; `default` for the others.
    """
    hashes = []
    for text in strings(documents.column("text")):
        clean = normalise(text).text
        lang = detect(clean).lang
        unit = units_by_language[lang if lang in units_by_language else "default"]
        hashes.append(np.unique(part_hashes(clean, unit)) if unit else np.empty(0, np.int64))
    columns = {name: documents.column(name).cast(FOUND.field(name).type) for name in FOUND.names if name != "hashes"}
    columns["hashes"] = pa.array([found[found != 0] for found in hashes], FOUND.field("hashes").type)
    return pa.RecordBatch.from_arrays([columns[name] for name in FOUND.names], schema=FOUND)


def attribute(found: pa.Table, stored: pa.Table, forgotten: Collection[str] = ()) -> Attribution:
    """Say of every part which document had it first.

    Args:
        found: all documents of a unit of work, schema FOUND, in any order.
        stored: rows of the table `lines`: the parts that earlier documents own.
        forgotten: documents with a tombstone; they own nothing and lose nothing.
    """
    ordered = _in_order(found.filter(pc.invert(pc.is_in(found["doc_id"], pa.array(sorted(forgotten), pa.string())))))
    flat, sizes = _flat(ordered["hashes"])
    theirs, _ = _flat(stored["hashes"])
    their_docs = pc.list_parent_indices(stored["hashes"]).combine_chunks()
    known = np.isin(theirs, flat)
    old = stored["doc_id"].take(their_docs.filter(pa.array(known)))
    new = ordered["doc_id"].take(pa.array(np.repeat(np.arange(ordered.num_rows), sizes)))
    whose = pa.chunked_array([*old.chunks, *new.chunks], pa.string()).combine_chunks().dictionary_encode()
    owner = whose.indices.to_numpy()
    _, first, of = np.unique(np.concatenate([theirs[known], flat]), return_index=True, return_inverse=True)
    lost = (owner[first][of] != owner)[known.sum() :]
    gained = np.zeros(len(owner), np.bool_)
    gained[first] = True
    gained = gained[known.sum() :]
    return Attribution(
        _by_document(ordered, sizes, flat, lost, REPEATED), _by_document(ordered, sizes, flat, gained, SCHEMAS["lines"])
    )


def _in_order(found: pa.Table) -> pa.Table:
    """Earliest first; documents without any time last."""
    times = pc.coalesce(found["published_at"], found["fetched_at"])
    order = [(name, "ascending") for name in ("batch_id", "time", "doc_id", "revision")]
    return found.append_column("time", times).sort_by(order)


def _flat(lists: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All values of a column of lists, and how many each list has."""
    return (
        pc.list_flatten(lists).combine_chunks().to_numpy(zero_copy_only=False).astype(np.int64, copy=False),
        pc.list_value_length(lists).combine_chunks().to_numpy(zero_copy_only=False).astype(np.int64),
    )


def _by_document(
    ordered: pa.Table, sizes: NDArray[np.int64], flat: NDArray[np.int64], chosen: NDArray[np.bool_], schema: pa.Schema
) -> pa.Table:
    """The chosen values of each document that has some; the values are the last column of the schema."""
    numbers = np.bincount(np.repeat(np.arange(len(sizes)), sizes)[chosen], minlength=len(sizes))
    offsets = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int32)
    values = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat[chosen], pa.int64()))
    *names, last = schema.names
    rows = ordered.select(names).append_column(last, values).filter(pa.array(numbers > 0))
    return rows.cast(schema)


def strings(column: pa.Array) -> Sequence[str]:
    """Values as strings; null is empty, and bytes that are no UTF-8 (Parquet does not check) become U+FFFD."""
    try:
        return [value or "" for value in column.to_pylist()]
    except UnicodeDecodeError:
        return [(value or b"").decode("utf-8", "replace") for value in column.cast(pa.binary()).to_pylist()]
