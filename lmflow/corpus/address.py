"""Which documents are one page by their address: the canonical URL of articles and of a user's own files.

Within a collection an identity was given at ingest already: an article's is its canonical URL, and so is a row's that
has no id, so that a page met again is a newer revision of one document and no duplicate; rows with ids may share it.
Only documents of different collections (articles; a user's collections) are compared here. Pages of Wikipedia are not,
for a page that was moved leaves its address to another; nor posts, whose address is not always their own.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lmflow.crawl.urls import canonical_url

#: Kinds of source whose documents are pages.
ADDRESSED: Final = ("news", "file")

#: An address whose path is spelled as the canonical one has it; RE2 finds it in many at once.
_PLAIN: Final = r"^https?://[^/?#\s]+(?P<path>/[A-Za-z0-9/%:@!$&'()*+,;=~\-._]*)(?:[?#]|$)"


def collection(doc_id: str) -> str:
    """What gave a document its identity: everything before the last colon."""
    return doc_id.rpartition(":")[0]


def shared(doc_ids: pa.ChunkedArray, sources: pa.ChunkedArray, urls: pa.ChunkedArray) -> list[str]:
    """The canonical address of each document that shares it with one of another collection; empty for the others."""
    addresses = [""] * len(doc_ids)
    rows = np.flatnonzero(pc.is_in(sources, pa.array(ADDRESSED, pa.string())).to_numpy(zero_copy_only=False))
    collections = _codes(pc.replace_substring_regex(doc_ids.take(pa.array(rows)), r":[^:]*$", ""))
    if len(np.unique(collections)) < 2:
        return addresses
    its = urls.take(pa.array(rows))
    paths = pc.struct_field(pc.extract_regex(its, _PLAIN), "path").to_pylist()
    spelled = [_address(url) if path is None else None for path, url in zip(paths, its.to_pylist(), strict=True)]
    paths = [urlsplit(other).path if other else path for path, other in zip(paths, spelled, strict=True)]
    maybe = np.flatnonzero(_in_several(_codes(pa.array(paths, pa.string())), collections))
    canonical = [_address(url) for url in its.take(pa.array(maybe)).to_pylist()]
    certain = _in_several(_codes(pa.array(canonical, pa.string())), collections[maybe])
    for at in np.flatnonzero(certain).tolist():
        addresses[int(rows[maybe[at]])] = str(canonical[at])
    return addresses


def _address(url: str | None) -> str | None:
    """The canonical form of a web address; None for anything else."""
    if not url or not url.strip().lower().startswith(("http://", "https://")):
        return None
    try:
        return canonical_url(url)
    except ValueError:
        return None


def _codes(values: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each distinct value, -1 for null."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    codes = whole.dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)


def _in_several(codes: NDArray[np.int64], collections: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows have a value (not null) that rows of another collection have too."""
    if not len(codes):
        return np.zeros(0, np.bool_)
    pairs = np.unique(np.stack([codes, collections]), axis=1)
    counts = np.bincount(pairs[0] + 1, minlength=int(codes.max()) + 2)
    return (codes >= 0) & (counts[codes + 1] > 1)
