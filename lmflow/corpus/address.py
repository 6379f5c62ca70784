"""Which documents are one page by their address: the canonical URL of articles and of a user's own files.

Within a collection an identity was given at ingest already: an article's is its canonical URL, so that a page fetched
again is a newer revision of one document and no duplicate; a row's is its id, so that rows may share an address. Only
documents of different collections (articles; a user's collections) are compared here. Pages of Wikipedia are not, for a
page that was moved leaves its address to another; nor posts, whose address is not always their own.
"""

from __future__ import annotations

import hashlib
from typing import Final

from lmflow.crawl.urls import canonical_url

#: Kinds of source whose documents are pages.
ADDRESSED: Final = ("news", "file")


def url_key(url: str | None) -> int:
    """64 bits of a hash of the canonical address, never 0; 0 for what is no web address."""
    if not url or not url.strip().lower().startswith(("http://", "https://")):
        return 0
    try:
        address = canonical_url(url)
    except ValueError:
        return 0
    return int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest(), "little", signed=True) or 1


def collection(doc_id: str) -> str:
    """What gave a document its identity: everything before the last colon."""
    return doc_id.rpartition(":")[0]
