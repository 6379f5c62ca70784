import bz2
import hashlib
import re
import xml.etree.ElementTree as ET
from urllib.parse import urljoin

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.samples.corpus import enwiki_dump
from lmflow.samples.dumps import DATE, INDEX, MULTISTREAM, PAGES_A_STREAM, PLAIN, multistream

FOLDER = f"/dumps/enwiki/{DATE}/"


def pages_of(xml: bytes) -> list[bytes]:
    return re.findall(rb"  <page>\n.*?  </page>\n", xml, re.DOTALL)


@pytest.fixture(scope="module")
def original() -> bytes:
    return bz2.decompress(enwiki_dump().read_bytes())


@pytest.fixture(scope="module")
def packed(site: httpx.Client) -> bytes:
    return site.get(FOLDER + MULTISTREAM).content


@pytest.fixture(scope="module")
def index(site: httpx.Client) -> list[tuple[int, str, str]]:
    lines = bz2.decompress(site.get(FOLDER + INDEX).content).decode().splitlines()
    return [(int(offset), page_id, title) for offset, page_id, title in (line.split(":", 2) for line in lines)]


def test_the_whole_multistream_file_is_the_original_xml(site, packed, original):
    unpacked = bz2.decompress(packed)
    assert unpacked == original
    assert ET.fromstring(unpacked).tag.endswith("mediawiki")
    assert site.get(FOLDER + PLAIN).content == enwiki_dump().read_bytes()


def test_every_stream_of_the_index_holds_complete_pages_and_all_of_them_once(packed, index, original):
    offsets = sorted({offset for offset, _, _ in index})
    found = []
    for offset in offsets:
        stream = bz2.BZ2Decompressor()
        text = stream.decompress(packed[offset:])
        assert stream.eof
        pages = pages_of(text)
        assert b"".join(pages) == text, "nothing but complete pages"
        named = [(page_id, title) for at, page_id, title in index if at == offset]
        assert [re.search(rb"<id>(\d+)<", page)[1].decode() for page in pages] == [page_id for page_id, _ in named]
        assert [re.search(rb"<title>(.*)<", page)[1].decode() for page in pages] == [title for _, title in named]
        found += pages
    assert found == pages_of(original)
    assert len(offsets) == -(-206 // PAGES_A_STREAM)


def test_titles_with_colons_and_entities_stand_in_the_index_as_in_the_xml():
    page = "  <page>\n    <title>{}</title>\n    <ns>0</ns>\n    <id>{}</id>\n  </page>\n"
    xml = "<mediawiki>\n" + page.format("AT&amp;T: a history", 7) + page.format("零", 8) + "</mediawiki>\n"
    packed, index = multistream(xml.encode(), pages_a_stream=1)
    lines = bz2.decompress(index).decode().splitlines()
    assert [line.split(":", 1)[1] for line in lines] == ["7:AT&amp;T: a history", "8:零"]
    second = bz2.BZ2Decompressor().decompress(packed[int(lines[1].split(":")[0]) :])
    assert second.decode() == page.format("零", 8)


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=12), pages_a_stream=st.integers(1, 5))
def test_packing_loses_no_page_whatever_their_number(sizes, pages_a_stream):
    pages = [
        f"  <page>\n    <title>T{i}</title>\n    <id>{i}</id>\n    <text>{'x' * size}</text>\n  </page>\n"
        for i, size in enumerate(sizes)
    ]
    xml = ("<mediawiki>\n" + "".join(pages) + "</mediawiki>\n").encode()
    packed, index = multistream(xml, pages_a_stream)
    assert bz2.decompress(packed) == xml
    offsets = [int(line.split(b":")[0]) for line in bz2.decompress(index).splitlines()]
    assert len(offsets) == len(pages)
    starts = sorted(set(offsets))
    assert "".join(bz2.BZ2Decompressor().decompress(packed[at:]).decode() for at in starts) == "".join(pages)


def test_dumpstatus_and_sums_describe_the_files_served(site):
    status_url = str(site.base_url).rstrip("/") + FOLDER + "dumpstatus.json"
    jobs = site.get(status_url).json()["jobs"]
    assert {name: job["status"] for name, job in jobs.items()} == {
        "articlesdump": "done",
        "articlesmultistreamdump": "done",
    }
    files = {name: file for job in jobs.values() for name, file in job["files"].items()}
    assert set(files) == {PLAIN, MULTISTREAM, INDEX}
    sums = dict(line.split("  ")[::-1] for line in site.get(f"{FOLDER}enwiki-{DATE}-sha1sums.txt").text.splitlines())
    for name, file in files.items():
        body = site.get(urljoin(status_url, file["url"])).content
        assert len(body) == file["size"]
        assert hashlib.sha1(body).hexdigest() == file["sha1"] == sums[name]
        assert hashlib.md5(body).hexdigest() == file["md5"]


def test_listings_lead_to_the_dump(site):
    for start in ("/dumps/", "/dumps/enwiki/latest/", FOLDER):
        for link in re.findall(r'href="([^"]+)"', site.get(start).text):
            assert site.get(urljoin(start, link)).status_code == 200
    assert f'href="{DATE}/"' in site.get("/dumps/enwiki/").text
    latest = site.get("/dumps/enwiki/latest/" + MULTISTREAM.replace(DATE, "latest"))
    assert latest.content == site.get(FOLDER + MULTISTREAM).content


def test_an_interrupted_download_resumes(site, packed):
    url, cut = FOLDER + MULTISTREAM, 700_001
    etag = site.head(url).headers["ETag"]
    head = site.get(url, headers={"Range": f"bytes=0-{cut - 1}"})
    rest = site.get(url, headers={"Range": f"bytes={cut}-", "If-Range": etag})
    assert (head.status_code, rest.status_code) == (206, 206)
    assert rest.headers["Content-Range"] == f"bytes {cut}-{len(packed) - 1}/{len(packed)}"
    assert head.content + rest.content == packed
    changed = site.get(url, headers={"Range": f"bytes={cut}-", "If-Range": '"another"'})
    assert (changed.status_code, len(changed.content)) == (200, len(packed))


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=-5", 206, -5, -1),
        ("bytes=10-99999999", 206, 10, -1),
        ("bytes=99999999-", 416, 0, 0),
        ("bytes=5-2", 416, 0, 0),
        ("bytes=0-1,5-6", 200, 0, -1),
        ("pages=1-2", 200, 0, -1),
        ("bytes=-", 200, 0, -1),
    ],
)
def test_ranges_follow_rfc_9110(site, packed, wanted, status, first, last):
    response = site.get(FOLDER + MULTISTREAM, headers={"Range": wanted})
    assert response.status_code == status
    if status == 416:
        assert response.headers["Content-Range"] == f"bytes */{len(packed)}"
    else:
        assert response.content == packed[first : len(packed) + last + 1 if last < 0 else last + 1]


def test_an_unchanged_dump_is_not_sent_again(site):
    first = site.head(FOLDER + MULTISTREAM)
    assert first.content == b""
    assert int(first.headers["Content-Length"]) > 1_000_000
    for header, value in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        again = site.get(FOLDER + MULTISTREAM, headers={header: first.headers[value]})
        assert (again.status_code, again.content) == (304, b"")
