"""Erasing a page or a post leaves every other record where it was."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lmflow.crawl.erasure import erase_pages, erase_posts
from lmflow.crawl.warc import WarcWriter, read_response
from lmflow.crawl.warc_reader import WarcReader, responses

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=6), st.sets(st.integers(0, 5)), st.booleans())
def test_erased_pages_are_gone_and_the_others_are_where_they_were(
    bodies: list[bytes], doomed: set[int], by_place: bool
) -> None:
    writer = WarcWriter("test")
    places = [writer.add_response(f"https://x.org/{n}", 200, {}, body, NOW) for n, body in enumerate(bodies)]
    addresses = {f"https://x.org/{n}" for n in doomed}
    content, count = erase_pages(
        writer.content,
        lambda url: not by_place and url in addresses,
        [place for n, place in enumerate(places) if by_place and n in doomed],
    )
    left = [n for n in range(len(bodies)) if n not in doomed]
    assert (len(content), count) == (writer.size, len(bodies) - len(left))
    assert [read_response(io.BytesIO(content), places[n]) for n in left] == [bodies[n] for n in left]
    reader = WarcReader(io.BytesIO(content).read)
    assert [record.url for record, _ in responses(reader)] == [f"https://x.org/{n}" for n in left]
    assert not reader.damages
    assert erase_pages(content, lambda url: url in addresses)[1] == 0


def test_erased_posts_are_gone() -> None:
    lines = [json.dumps({"id": str(n), "content": f"post {n}\u2028 end"}, ensure_ascii=False) for n in range(4)]
    content = gzip.compress("\n".join(lines).encode())
    left, count = erase_posts(content, {"1", "3", "9"})
    assert (gzip.decompress(left).decode().split("\n"), count) == ([lines[0], lines[2]], 2)
    assert erase_posts(left, {"1"}) == (left, 0)
