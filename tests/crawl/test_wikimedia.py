"""Dumps: found by name or as the latest, downloaded complete or not at all, resumed where they broke off."""

import errno
import hashlib
import json
import random
import re
import resource
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import command
from jobs.command import Bar
from lmflow.crawl import wikimedia
from lmflow.crawl.dump_names import wiki_name
from lmflow.crawl.http import Fetcher, Policy
from lmflow.crawl.wikimedia import DumpFile, UnfinishedError, discover, download, download_all
from lmflow.errors import InputError, ServiceError
from lmflow.lake import Lake
from lmflow.settings import settings
from tests.crawl.dump_site import DumpSite, running_dump_site
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


def test_a_mirror_below_a_path_is_downloaded_from_there(fetcher: Fetcher) -> None:
    with running_dump_site() as site:
        site.below = "/mirror/dumps"
        site.dumps["enwiki", "20241101"] = {"enwiki-20241101-pages-articles.xml.bz2": b"pages"}
        (part,) = discover(fetcher, f"{site.url}{site.below}", "enwiki").parts
        objects = Lake.open().objects
        assert objects.get(download(fetcher, part.data, objects, "raw/x.bz2")) == b"pages"
        assert {path[: len(site.below)] for path, _ in site.asked} == {site.below}


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


NAME = "xwiki-20260101-pages-articles.xml.bz2"


@pytest.fixture
def dumps() -> Iterator[DumpSite]:
    with running_dump_site() as running:
        running.dumps["xwiki", "20260101"] = {NAME: random.Random(1).randbytes(300_000)}
        yield running


def get(dumps: DumpSite, fetcher: Fetcher, sizes: list[int]) -> bytes:
    file = discover(fetcher, dumps.url, "xwiki").parts[0].data
    objects = Lake.open().objects
    return objects.get(download(fetcher, file, objects, f"raw/{NAME}", sizes.append))


def test_an_unfinished_dump_is_passed_over(dumps: DumpSite, fetcher: Fetcher) -> None:
    dumps.dumps["xwiki", "20260201"] = {NAME: b"later"}
    dumps.unfinished = 1
    news: list[str] = []
    assert discover(fetcher, dumps.url, "xwiki", say=news.append).date == "20260101"
    assert news == [
        f"the dump {dumps.url}/xwiki/20260201/ is not finished (its articles are in-progress); "
        "taking that of 20260101 (or wait: --wait-hours)"
    ]
    dumps.unfinished = 1
    with pytest.raises(UnfinishedError, match=r"20260201/ is not finished \(its articles are in-progress\)"):
        discover(fetcher, dumps.url, "xwiki", "20260201")


def test_a_dump_is_waited_for_with_news_and_an_end(
    dumps: DumpSite, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wikimedia, "_ASK_AGAIN_S", 0.05)
    news: list[str] = []
    dumps.unfinished = 3
    assert discover(fetcher, dumps.url, "xwiki", "20260101", wait_hours=1, say=news.append).date == "20260101"
    assert len(news) == 3
    assert "asking again in 0 s, for 1.0 hours at most" in news[0]
    dumps.unfinished = 10**9
    started = time.monotonic()
    with pytest.raises(UnfinishedError):
        discover(fetcher, dumps.url, "xwiki", "20260101", wait_hours=0.5 / 3600)
    assert 0.5 <= time.monotonic() - started < 5


def test_the_latest_dump_is_waited_for_and_an_older_one_taken_only_when_time_is_up(
    dumps: DumpSite, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wikimedia, "_ASK_AGAIN_S", 0.05)
    dumps.dumps["xwiki", "20260201"] = {NAME: b"later"}
    dumps.in_progress = {"20260201"}
    timer = threading.Timer(0.4, dumps.in_progress.clear)
    timer.start()
    news: list[str] = []
    assert discover(fetcher, dumps.url, "xwiki", wait_hours=1, say=news.append).date == "20260201"
    assert news and all("20260201/ is not finished" in line and "asking again" in line for line in news)

    dumps.in_progress = {"20260201"}
    news.clear()
    started = time.monotonic()
    assert discover(fetcher, dumps.url, "xwiki", wait_hours=0.5 / 3600, say=news.append).date == "20260101"
    assert 0.5 <= time.monotonic() - started < 5
    assert news[-1].endswith("is not finished (its articles are in-progress); taking that of 20260101")

    dumps.in_progress = {"20260101", "20260201"}
    with pytest.raises(UnfinishedError, match=r"20260201/ is not finished .*, nor is an older one"):
        discover(fetcher, dumps.url, "xwiki", wait_hours=0.1 / 3600)


def test_a_connection_that_breaks_again_and_again_still_brings_the_file(
    dumps: DumpSite, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "pause", lambda url, seconds: None)
    dumps.cut_after = 40_000
    sizes: list[int] = []
    assert get(dumps, fetcher, sizes) == dumps.dumps["xwiki", "20260101"][NAME]
    asked = [int(headers.get("Range", "bytes=0-")[6:-1]) for headers in dumps.downloads()]
    assert asked == sorted(set(asked))  # each went on where the one before broke
    assert len(asked) == 8
    assert sizes == sorted(sizes)


def test_a_site_that_ignores_range_is_read_from_the_start(dumps: DumpSite, fetcher: Fetcher) -> None:
    file = discover(fetcher, dumps.url, "xwiki").parts[0].data
    partial = settings().home / "downloads" / f"{file.sha1}.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * 1000)
    dumps.heeds_range = False
    assert get(dumps, fetcher, []) == dumps.dumps["xwiki", "20260101"][NAME]


@given(seed=st.integers(0, 2**31))
@hypothesis.settings(
    max_examples=15, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_connections_cut_anywhere_on_a_site_that_may_ignore_range_bring_the_file(
    seed: int, dumps: DumpSite, fetcher: Fetcher
) -> None:
    chance = random.Random(seed)
    fetcher.pause = lambda url, seconds: None  # type: ignore[method-assign]
    dumps.dumps["xwiki", "20260101"] = {NAME: chance.randbytes(chance.randrange(1, 200_000))}
    dumps.heeds_range = chance.random() < 0.7
    dumps.cuts = iter([chance.randrange(1, 60_000) for _ in range(3)])
    assert get(dumps, fetcher, []) == dumps.dumps["xwiki", "20260101"][NAME]
    assert list((settings().home / "downloads").iterdir()) == []


def test_what_is_there_already_and_longer_than_what_the_site_has_is_not_asked_for_again_and_again(
    dumps: DumpSite, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "pause", lambda url, seconds: None)
    file = discover(fetcher, dumps.url, "xwiki").parts[0].data
    partial = settings().home / "downloads" / f"{file.sha1}.part"
    partial.parent.mkdir(parents=True)
    whole = dumps.dumps["xwiki", "20260101"][NAME]
    for have in (len(whole) - 100, len(whole), len(whole) + 100):
        partial.write_bytes(b"x" * have)
        assert get(dumps, fetcher, []) == whole
        (settings().home / "lake/objects/raw" / NAME).unlink()
    dumps.dumps["xwiki", "20260101"][NAME] = whole[:1000]  # made again, and shorter
    partial.write_bytes(whole[:2000])
    with pytest.raises(ServiceError, match=r"1,000 of 300,000 bytes came|http_416"):
        download(fetcher, file, Lake.open().objects, f"raw/{NAME}")
    assert not partial.exists() or partial.stat().st_size <= 1000  # the site's answer to 2,000 was 416
    assert get(dumps, fetcher, []) == whole[:1000]


def test_a_file_that_is_made_again_while_it_comes_is_taken_as_it_is_then(
    dumps: DumpSite, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "pause", lambda url, seconds: None)
    file = discover(fetcher, dumps.url, "xwiki").parts[0].data
    dumps.cut_after = 100_000

    def made_again(done: int) -> None:
        dumps.dumps["xwiki", "20260101"][NAME] = random.Random(2).randbytes(300_000)

    with pytest.raises(ServiceError, match="SHA-1"):
        download(fetcher, file, Lake.open().objects, f"raw/{NAME}", made_again)
    assert get(dumps, fetcher, []) == random.Random(2).randbytes(300_000)


def test_without_a_checksum_a_size_must_be_right(dumps: DumpSite, fetcher: Fetcher) -> None:
    file = replace(discover(fetcher, dumps.url, "xwiki").parts[0].data, sha1="")
    objects = Lake.open().objects
    objects.put("raw/x", b"of another time")
    assert objects.get(download(fetcher, file, objects, "raw/x")) == dumps.dumps["xwiki", "20260101"][NAME]


def test_without_a_checksum_a_file_that_changed_meanwhile_is_read_from_its_beginning(
    dumps: DumpSite, fetcher: Fetcher
) -> None:
    file = replace(discover(fetcher, dumps.url, "xwiki").parts[0].data, sha1="")
    files = dumps.dumps["xwiki", "20260101"]
    first, second = files[NAME], bytes(reversed(files[NAME]))

    def change(done: int) -> None:
        files[NAME] = second

    objects = Lake.open().objects
    dumps.cuts = iter([len(first) // 2, 0])
    assert objects.get(download(fetcher, file, objects, "raw/changed", change)) == second
    dumps.cuts = iter([len(first) // 2, 0])
    assert objects.get(download(fetcher, file, objects, "raw/stayed")) == second
    asked = [headers for headers in dumps.downloads() if "If-Range" in headers]
    assert [headers["Range"] for headers in asked] == [f"bytes={len(first) // 2}-"] * 2
    assert not list((settings().home / "downloads").iterdir())
    dumps.etag_prefix, dumps.cuts = "W/", iter([len(first) // 2, 0])
    download(fetcher, file, objects, "raw/weak")
    assert "If-Range" not in dumps.downloads()[-1] and "Range" in dumps.downloads()[-1]


def test_a_mirror_without_statuses_is_named_and_one_that_lacks_the_newest_gives_an_older_dump(
    dumps: DumpSite, fetcher: Fetcher
) -> None:
    dumps.dumps["xwiki", "20260201"] = {NAME: b"later"}
    dumps.status_less = {"20260201"}
    news: list[str] = []
    assert discover(fetcher, dumps.url, "xwiki", say=news.append).date == "20260101"
    assert "20260201/ is not finished (its articles are not begun); taking that of 20260101" in news[0]
    dumps.status_less = {"20260101", "20260201"}
    with pytest.raises(InputError, match=r"no dump at .*/xwiki/ has a dumpstatus.json; .*--file"):
        discover(fetcher, dumps.url, "xwiki")
    with pytest.raises(InputError, match=r"20260101/dumpstatus.json cannot be read \(http_404\)"):
        discover(fetcher, dumps.url, "xwiki", "20260101")


@pytest.mark.parametrize("state", ["waiting", "in-progress", "failed"])
def test_a_dump_in_many_files_is_taken_when_all_are_done(dumps: DumpSite, fetcher: Fetcher, state: str) -> None:
    stem = "xwiki-20260101-pages-articles-multistream"
    ranges = ("1.xml-p1p41242", "2.xml-p41243p151573", "10.xml-p151574p1651573", "10.xml-p1651574p2000000")
    names = [f"{stem}{pages}.bz2" for pages in ranges]
    indexes = [name.replace("multistream", "multistream-index").replace(".xml", ".txt") for name in names]
    dumps.dumps["xwiki", "20260101"] = {name: name.encode() for name in sorted(names + indexes)}
    dumps.in_progress, dumps.state = {"20260101"}, state
    with pytest.raises(UnfinishedError, match=f"its articles are {state}"):
        discover(fetcher, dumps.url, "xwiki")
    dumps.in_progress = set()
    parts = discover(fetcher, dumps.url, "xwiki").parts
    assert [(part.data.name, part.index.name if part.index else "") for part in parts] == list(
        zip(names, indexes, strict=True)
    )


def test_a_download_that_does_not_fit_is_refused_before_it_begins(dumps: DumpSite, fetcher: Fetcher) -> None:
    dump = discover(fetcher, dumps.url, "xwiki")
    (part,) = dump.parts
    larger = replace(dump, parts=(replace(part, data=replace(part.data, size=10**18)),))
    with pytest.raises(InputError, match=r"1,000,000,000\.0 GB are to be downloaded"):
        download_all(larger, Lake.open().objects, [("raw/x", "")], "xwiki", lambda *about: Bar(*about[1:]))
    assert dumps.downloads() == []


def test_a_disk_that_fills_up_is_named_and_what_came_is_kept(dumps: DumpSite, fetcher: Fetcher) -> None:
    file = discover(fetcher, dumps.url, "xwiki").parts[0].data
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # stands in for the disk: EFBIG, not ENOSPC
    try:
        with pytest.raises(OSError, match=rf"{file.sha1}.part") as full:
            download(fetcher, file, Lake.open().objects, f"raw/{NAME}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.value.errno == errno.EFBIG
    assert (settings().home / "downloads" / f"{file.sha1}.part").stat().st_size == 100_000
    assert get(dumps, fetcher, []) == dumps.dumps["xwiki", "20260101"][NAME]
    assert dumps.downloads()[-1]["Range"] == "bytes=100000-"


@pytest.mark.parametrize("status", [429, 503])
def test_a_date_to_come_back_at_is_heeded_and_one_too_far_away_ends_the_download(
    dumps: DumpSite, fetcher: Fetcher, status: int
) -> None:
    dumps.busy, dumps.busy_status = 1, status
    dumps.retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    started = time.monotonic()
    assert get(dumps, fetcher, []) == dumps.dumps["xwiki", "20260101"][NAME]
    assert time.monotonic() - started >= 1.5  # a date has whole seconds
    (settings().home / "lake/objects/raw" / NAME).unlink()
    dumps.busy, dumps.retry_after = 1, "7200"
    with pytest.raises(ServiceError, match=f"http_{status}, the site asks for 7,200 s of rest; run the same command"):
        get(dumps, fetcher, [])


def test_a_busy_site_is_left_alone_as_long_as_it_asks(dumps: DumpSite, fetcher: Fetcher) -> None:
    dumps.busy, dumps.retry_after = 2, "1"
    started = time.monotonic()
    assert get(dumps, fetcher, []) == dumps.dumps["xwiki", "20260101"][NAME]
    assert time.monotonic() - started >= 2
    assert len(dumps.downloads()) == 3


def test_a_file_that_is_not_there_or_not_what_was_promised_is_given_up(dumps: DumpSite, fetcher: Fetcher) -> None:
    file = discover(fetcher, dumps.url, "xwiki").parts[0].data
    with pytest.raises(ServiceError, match="http_404"):
        download(fetcher, replace(file, url=file.url + "x"), Lake.open().objects, "raw/x")
    assert len(dumps.downloads()) == 1
    dumps.wrong_sha1 = True
    with pytest.raises(ServiceError, match="SHA-1"):
        get(dumps, fetcher, [])
    assert len(dumps.downloads()) == 3


def test_what_is_in_the_lake_is_fetched_again_only_when_it_is_not_the_same(dumps: DumpSite, fetcher: Fetcher) -> None:
    get(dumps, fetcher, [])
    get(dumps, fetcher, [])
    assert len(dumps.downloads()) == 1
    dumps.dumps["xwiki", "20260101"][NAME] = b"the dump was made again under the same date"
    assert get(dumps, fetcher, []) == dumps.dumps["xwiki", "20260101"][NAME]


def test_files_come_two_at_a_time_and_progress_counts_what_was_there(dumps: DumpSite) -> None:
    dumps.slow_s = 0.2
    names = [f"xwiki-20260101-pages-articles{n}.xml-p{n}p{n}.bz2" for n in range(1, 6)]
    dumps.dumps["xwiki", "20260101"] = {name: name.encode() * 1000 for name in names}
    with Fetcher(Policy.from_settings()) as fetcher:
        dump = discover(fetcher, dumps.url, "xwiki")
    objects = Lake.open().objects
    objects.put(names[0], dumps.dumps["xwiki", "20260101"][names[0]])
    opened: list[tuple[float, float]] = []

    @contextmanager
    def bar(total: float, what: str, unit: str, already: float) -> Iterator[Bar]:
        opened.append((total, already))
        yield Bar(what, total, unit, already)

    download_all(dump, objects, [(name, "") for name in names], "xwiki", bar)
    assert [objects.get(name) for name in names] == list(dumps.dumps["xwiki", "20260101"].values())
    assert dumps.most_at_once == 2
    assert len(dumps.downloads()) == 4
    assert {headers["User-Agent"] for headers in dumps.downloads()} == {settings().user_agent}
    ((total, already),) = opened
    assert already == pytest.approx(total / 5, rel=0.01)


def test_the_time_left_that_a_download_shows_is_true(dumps: DumpSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_PLAIN_INTERVAL_S", 0.2)
    names = [f"xwiki-20260101-pages-articles{n}.xml-p{n}p{n}.bz2" for n in range(1, 5)]
    dumps.dumps["xwiki", "20260101"] = {name: random.Random(name).randbytes(1_500_000) for name in names}
    with Fetcher(Policy.from_settings()) as fetcher:
        dump = discover(fetcher, dumps.url, "xwiki")
    objects = Lake.open().objects
    objects.put(names[0], dumps.dumps["xwiki", "20260101"][names[0]])  # what was there before is no speed
    partial = settings().home / "downloads" / f"{dump.parts[1].data.sha1}.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(dumps.dumps["xwiki", "20260101"][names[1]][:500_000])
    dumps.bytes_a_second = 400_000  # 4 MB over two connections: at least five seconds
    lines: list[tuple[float, str]] = []

    class Recorded(Bar):
        def _print(self, line: str, last: bool = False) -> None:
            lines.append((time.monotonic(), line))

    @contextmanager
    def bar(total: float, what: str, unit: str, already: float) -> Iterator[Bar]:
        yield Recorded(what, total, unit, already)

    started = time.monotonic()
    download_all(dump, objects, [(name, "") for name in names], "xwiki", bar)
    ended = time.monotonic()
    assert ended - started >= 4
    half_way = [(when, line) for when, line in lines if started + 2 < when < ended - 1]
    assert len(half_way) > 5
    for when, line in half_way:
        left = re.search(r"\((\d+) %\), ([\d,]+) s left", line)
        assert left is not None, line
        # Off by a third, a second of rounding, or what the last connection costs when it is alone.
        assert abs(float(left[2]) - (ended - when)) <= 0.34 * (ended - started) + 1, (line, ended - when)


def test_language_codes_become_database_names() -> None:
    assert [wiki_name(lang) for lang in ("en", "zh-min-nan")] == ["enwiki", "zh_min_nanwiki"]
