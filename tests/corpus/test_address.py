"""Addresses that several collections share, found among many without spelling each one out."""

from collections import defaultdict

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.corpus.address import ADDRESSED, collection, shared
from lmflow.crawl.urls import canonical_url

URLS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTPS://", " https://", "ftp://", ""]),
    st.sampled_from(["a.org", "A.org", "a.org:443", "me@a.org", "ä.org", "", "[::"]),
    st.sampled_from(["", "/", "/x", "/x ", "/é", "/%C3%A9", "/x\ty", "/x(1)", "/x|y", "x"]),
    st.sampled_from(["", "?", "?id=1", "?id=1&utm_source=feed", "?utm_source=feed&id=1"]),
    st.sampled_from(["", "#top", "#/x"]),
)
DOCUMENTS = st.tuples(
    st.sampled_from(["news:a", "file:mine:1", "file:mine:2", "file:web:1", "wikipedia:en:1", "social:s:1"]),
    st.one_of(st.none(), URLS),
)


def plainly(url: str | None) -> str:
    """The canonical address of a web address, one by one."""
    if not url or not url.strip().lower().startswith(("http://", "https://")):
        return ""
    try:
        return canonical_url(url)
    except ValueError:
        return ""


@settings(max_examples=400, deadline=None)
@given(st.lists(DOCUMENTS, max_size=12))
def test_the_quick_way_finds_what_comparing_every_canonical_address_finds(
    documents: list[tuple[str, str | None]],
) -> None:
    sources = [doc_id.partition(":")[0] for doc_id, _ in documents]
    found = [plainly(url) if its in ADDRESSED else "" for (_, url), its in zip(documents, sources, strict=True)]
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for (doc_id, _), address in zip(documents, found, strict=True):
        holders[address].add(collection(doc_id))
    expected = [address if len(holders[address]) > 1 else "" for address in found]
    columns = ([doc_id for doc_id, _ in documents], sources, [url for _, url in documents])
    assert shared(*(pa.chunked_array([its], pa.string()) for its in columns)) == expected
