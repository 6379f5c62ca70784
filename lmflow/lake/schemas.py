"""The columns of every table (docs/architecture.md says what a row is). All nullable, as Delta readers expect.

A new column goes last: what was written without it reads as null, and the next commit adds it to the table.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")
_VERSIONED = [("batch_id", pa.int64()), ("doc_id", pa.string()), ("revision", pa.int64())]

#: One finding of the policy: which rule failed, on what value, against which threshold.
FAILURE: Final = pa.struct([("rule", pa.string()), ("value", pa.float64()), ("threshold", pa.float64())])

SCHEMAS: Final[dict[str, pa.Schema]] = {
    "documents": pa.schema(
        [
            *_VERSIONED,
            ("source", pa.string()),
            ("site", pa.string()),
            ("lang_hint", pa.string()),
            ("url", pa.string()),
            ("title", pa.string()),
            ("text", pa.string()),
            ("published_at", _TIME),
            ("fetched_at", _TIME),
            ("license", pa.string()),
            ("author", pa.string()),
            ("thread_id", pa.string()),
            ("parent_id", pa.string()),
            ("raw_uri", pa.string()),
            ("content_sha256", pa.string()),
            ("extra", pa.map_(pa.string(), pa.string())),
        ]
    ),
    "verdicts": pa.schema(
        [
            *_VERSIONED,
            ("lang", pa.string()),
            ("lang_score", pa.float64()),
            ("signals", pa.map_(pa.string(), pa.float64())),
            ("policy_digest", pa.string()),
            ("kept", pa.bool_()),
            ("failures", pa.list_(FAILURE)),
            ("pii", pa.map_(pa.string(), pa.int64())),
            ("duplicate_of", pa.string()),
            ("cluster_id", pa.string()),
        ]
    ),
    "fingerprints": pa.schema(
        [
            *_VERSIONED,
            ("n_shingles", pa.int64()),
            ("signature", pa.list_(pa.int64())),
            ("bands", pa.list_(pa.int64())),
            ("kin_keys", pa.list_(pa.int32())),
            ("folding", pa.int64()),
        ]
    ),
    "lines": pa.schema(
        [
            ("batch_id", pa.int64()),
            ("doc_id", pa.string()),
            ("hashes", pa.list_(pa.int64())),
        ]
    ),
    "corpus": pa.schema(
        [
            *_VERSIONED,
            ("source", pa.string()),
            ("lang", pa.string()),
            ("title", pa.string()),
            ("text", pa.string()),
            ("n_chars", pa.int64()),
            ("n_words", pa.int64()),
            ("cluster_id", pa.string()),
            ("split", pa.string()),
            ("published_at", _TIME),
            ("url", pa.string()),
            ("license", pa.string()),
            ("site", pa.string()),
            ("kin_id", pa.string()),
        ]
    ),
    "fetches": pa.schema(
        [
            ("batch_id", pa.int64()),
            ("key", pa.string()),
            ("kind", pa.string()),
            ("etag", pa.string()),
            ("last_modified", pa.string()),
            ("cursor", pa.string()),
            ("status", pa.int64()),
            ("attempts", pa.int64()),
            ("error", pa.string()),
            ("fetched_at", _TIME),
            ("next_due", _TIME),
        ]
    ),
    "tombstones": pa.schema(
        [
            ("batch_id", pa.int64()),
            ("doc_id", pa.string()),
            ("reason", pa.string()),
            ("requested_at", _TIME),
            ("applied_at", _TIME),
        ]
    ),
}
