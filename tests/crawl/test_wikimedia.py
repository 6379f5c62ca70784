"""Dumps: found by name or as the latest, downloaded complete or not at all, resumed where they broke off."""

import hashlib
import json
import urllib.request
from dataclasses import replace

import pytest

from lmflow.crawl.http import Fetcher
from lmflow.crawl.wikimedia import DumpFile, discover, download, wiki_name
from lmflow.errors import InputError, ServiceError
from lmflow.lake import Lake
from lmflow.settings import settings
from tests.crawl.site import Site


def test_the_latest_finished_dump_is_found_with_its_parts(samples: str, fetcher: Fetcher) -> None:
    dump = discover(fetcher, f"{samples}/dumps", "enwiki")
    assert dump == discover(fetcher, f"{samples}/dumps", "enwiki", dump.date)
    (part,) = dump.parts
    assert part.index is not None and "multistream-index" in part.index.name
    assert part.data.url.startswith(samples)


def test_a_download_goes_on_where_it_broke_off_and_is_verified(samples: str, fetcher: Fetcher) -> None:
    file = discover(fetcher, f"{samples}/dumps", "enwiki").parts[0].data
    partial = settings().home / "downloads" / f"{file.sha1}.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(urllib.request.urlopen(file.url).read()[:1_000_000])
    objects = Lake.open().objects
    sizes: list[int] = []
    key = download(fetcher, file, objects, "raw/x.bz2", sizes.append)
    assert hashlib.sha1(objects.get(key)).hexdigest() == file.sha1
    assert sizes[-1] == file.size
    served = [json.loads(line) for line in urllib.request.urlopen(f"{samples}/_log")]
    assert {entry["status"] for entry in served if entry["path"].endswith("multistream.xml.bz2")} == {200, 206}
    assert not partial.exists()


def test_a_file_with_the_wrong_checksum_never_enters_the_lake(site: Site, fetcher: Fetcher) -> None:
    site.pages["/f.bz2"] = b"not what was promised"
    file = DumpFile("f.bz2", f"{site.url}/f.bz2", len(site.pages["/f.bz2"]), "0" * 40)
    objects = Lake.open().objects
    with pytest.raises(ServiceError, match="SHA-1"):
        download(fetcher, file, objects, "raw/f.bz2")
    assert not objects.exists("raw/f.bz2")
    good = replace(file, sha1=hashlib.sha1(site.pages["/f.bz2"]).hexdigest())
    assert objects.get(download(fetcher, good, objects, "raw/f.bz2")) == site.pages["/f.bz2"]


@pytest.mark.parametrize(
    ("wiki", "date", "complaint"),
    [("xxwiki", "latest", "cannot be read"), ("enwiki", "19990101", "cannot be read")],
)
def test_what_is_not_there_is_named(samples: str, fetcher: Fetcher, wiki: str, date: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        discover(fetcher, f"{samples}/dumps", wiki, date)


def test_an_unfinished_dump_is_passed_over(site: Site, fetcher: Fetcher) -> None:
    file = {"size": 3, "url": "/xwiki/20260101/xwiki-20260101-pages-articles.xml.bz2", "sha1": "a" * 40}
    done = {"jobs": {"articlesdump": {"status": "done", "files": {"xwiki-20260101-pages-articles.xml.bz2": file}}}}
    waiting = {"jobs": {"articlesdump": {"status": "waiting", "files": {}}}}
    site.pages["/xwiki/"] = b'<a href="20260101/">20260101/</a><a href="20260201/">20260201/</a><a href="latest/">l</a>'
    site.pages["/xwiki/20260101/dumpstatus.json"] = json.dumps(done).encode()
    site.pages["/xwiki/20260201/dumpstatus.json"] = json.dumps(waiting).encode()
    assert discover(fetcher, site.url, "xwiki").date == "20260101"
    with pytest.raises(InputError, match="not finished"):
        discover(fetcher, site.url, "xwiki", "20260201")


def test_language_codes_become_database_names() -> None:
    assert [wiki_name(lang) for lang in ("en", "zh-min-nan")] == ["enwiki", "zh_min_nanwiki"]
