"""Documents in, assessed documents out: all that can be said of a document by looking at it alone.

Normalise, find the language, measure, decide, redact, fingerprint: Arrow batch to Arrow batch, the same from Spark, a
test or a notebook. What needs other documents (duplicates, revisions, split) comes after, in `admission`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from lmflow.corpus.fingerprint import Fingerprints, fingerprint
from lmflow.corpus.language import detect
from lmflow.corpus.pii import redact
from lmflow.corpus.policy import Policies, decide
from lmflow.corpus.signals import measure
from lmflow.lake.schemas import FAILURE
from lmflow.text.normalise import normalise

#: Columns that pass through from the table documents.
PASSED: Final = ("batch_id", "doc_id", "revision", "source", "published_at", "fetched_at", "url", "license")
#: Columns that assessing reads.
READ: Final = (*PASSED, "title", "text")

_TIME: Final = pa.timestamp("us", tz="UTC")
#: One assessed document a row. `text` is the clean text of a document that passed; of one that failed it is the
#: beginning, for the report. `signature` and `bands` are null for those that failed.
ASSESSED: Final = pa.schema(
    [
        ("batch_id", pa.int64()),
        ("doc_id", pa.string()),
        ("revision", pa.int64()),
        ("source", pa.string()),
        ("published_at", _TIME),
        ("fetched_at", _TIME),
        ("url", pa.string()),
        ("license", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("n_chars", pa.int64()),
        ("n_words", pa.int64()),
        ("lang", pa.string()),
        ("lang_score", pa.float64()),
        ("signals", pa.map_(pa.string(), pa.float64())),
        ("changes", pa.map_(pa.string(), pa.int64())),
        ("policy_digest", pa.string()),
        ("failures", pa.list_(FAILURE)),
        ("pii", pa.map_(pa.string(), pa.int64())),
        ("n_shingles", pa.int64()),
        ("signature", pa.list_(pa.int64())),
        ("bands", pa.list_(pa.int64())),
    ]
)
#: The columns of ASSESSED that deciding on a whole unit of work reads: everything but text.
SUMMARY: Final = tuple(name for name in ASSESSED.names if name not in ("title", "text", "url", "license"))

_EXCERPT_CHARS: Final = 280


def assess(documents: pa.RecordBatch, policies: Policies) -> pa.RecordBatch:
    """Assess a batch of documents (columns READ) in the schema ASSESSED, row for row."""
    rows = [
        _assess_one(title or "", text or "", source or "", policies)
        for title, text, source in zip(
            *(documents.column(name).to_pylist() for name in ("title", "text", "source")), strict=True
        )
    ]
    passed = [at for at, row in enumerate(rows) if not row["failures"]]
    columns: dict[str, Any] = {name: documents.column(name).cast(ASSESSED.field(name).type) for name in PASSED}
    for name in rows[0] if rows else ():
        columns[name] = pa.array([row[name] for row in rows], ASSESSED.field(name).type)
    columns |= _fingerprint_columns(len(rows), passed, fingerprint([rows[at]["text"] for at in passed]))
    return pa.RecordBatch.from_arrays(
        [columns.get(field.name, pa.nulls(0, field.type)) for field in ASSESSED], schema=ASSESSED
    )


def _assess_one(title: str, text: str, source: str, policies: Policies) -> dict[str, Any]:
    clean = normalise(text)
    detected = detect(clean.text)
    signals = measure(clean.text, policies.traits(detected.lang), detected.score)
    failures = decide(detected, signals, source, policies)
    redacted, heading = redact(clean.text, source), redact(normalise(title).text, source)
    return {
        "title": heading.text,
        "text": redacted.text[:_EXCERPT_CHARS] if failures else redacted.text,
        "n_chars": len(redacted.text),
        "n_words": int(signals["n_words"]),
        "lang": detected.lang,
        "lang_score": detected.score,
        "signals": list(signals.items()),
        "changes": list(clean.changes.items()),
        "policy_digest": policies.of(detected.lang).digest,
        "failures": [failure._asdict() for failure in failures],
        "pii": list((Counter(redacted.counts) + Counter(heading.counts)).items()),
    }


def _fingerprint_columns(size: int, passed: Sequence[int], prints: Fingerprints) -> dict[str, pa.Array]:
    n_shingles: list[int | None] = [None] * size
    signatures: list[list[int] | None] = [None] * size
    bands: list[list[int] | None] = [None] * size
    for at, count, signature, keys in zip(
        passed, prints.n_shingles.tolist(), prints.signatures.tolist(), prints.keys.tolist(), strict=True
    ):
        n_shingles[at] = count
        signatures[at], bands[at] = (signature, keys) if count else ([], keys[:1])
    return {
        "n_shingles": pa.array(n_shingles, pa.int64()),
        "signature": pa.array(signatures, pa.list_(pa.int64())),
        "bands": pa.array(bands, pa.list_(pa.int64())),
    }
