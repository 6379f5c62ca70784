"""The fetcher against a site that misbehaves: every outcome is a record, nothing hangs, nothing inside is reached."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lmflow.crawl.address import is_public
from lmflow.crawl.body import read_body, read_start
from lmflow.crawl.http import Fetcher, charset_of
from lmflow.crawl.pace import retry_after
from lmflow.crawl.robots import rules
from lmflow.crawl.urls import canonical_url
from tests.conftest import free_port
from tests.crawl.authority import Authority
from tests.crawl.conftest import POLICY
from tests.crawl.http2_site import http2_site
from tests.crawl.site import Site


def test_a_page_in_several_gzip_members_is_one_page(site: Site, fetcher: Fetcher) -> None:
    assert fetcher.get(site.url + "/gzip").body == b"one two"
    assert fetcher.get(site.url + "/missing").error == "http_404"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_every_encoding_that_is_asked_for_is_read(site: Site, fetcher: Fetcher, encoding: str) -> None:
    site.pages["/page"] = b"The same words again and again. " * 9000
    fetch = fetcher.get(f"{site.url}/page?encoding={encoding}")
    assert (fetch.error, fetch.headers["content-encoding"]) == ("", encoding)
    assert fetch.body == site.pages["/page"]


@pytest.mark.parametrize("behind", [b"\r\n", b"<!-- 0.01s -->", b"\0" * 100, b"\x1f", b"\x1fx", b"x" * 100_000])
@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_what_stands_behind_a_complete_gzip_is_ignored(behind: bytes, step: int) -> None:
    whole = gzip.compress(b"one ") + gzip.compress(b"two") + behind
    chunks = (whole[at : at + step] for at in range(0, len(whole), step))
    assert read_body(chunks, "gzip", 1_000_000) == b"one two"


@pytest.mark.parametrize("encoding", ["none", "UTF-8", "identity, none", "binary", ","])
def test_an_encoding_that_names_no_coding_is_none(encoding: str) -> None:
    assert read_body([b"words"], encoding, 100) == b"words"
    assert read_body([gzip.compress(b"words")], f"gzip, {encoding}", 100) == b"words"


@pytest.mark.parametrize(
    "url", ["ftp://x.org/", "file:///etc/passwd", "http://", "http://a:b@127.0.0.1/", "x", "http://x:99999/"]
)
def test_what_is_no_web_address_is_refused(fetcher: Fetcher, url: str) -> None:
    assert fetcher.get(url).error == "url"


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]))


def test_a_known_page_is_asked_for_conditionally(site: Site, fetcher: Fetcher) -> None:
    site.pages["/page"] = b"hello"
    first = fetcher.get(site.url + "/page")
    assert (first.status, first.body, first.charset) == (200, b"hello", "utf-8")
    again = fetcher.get(site.url + "/page", etag=first.headers["etag"])
    assert (again.status, again.error, again.not_modified) == (304, "", True)


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/html; Charset=Windows-1251", "Windows-1251"),
        ('text/html;charset = "euc-kr" ; boundary=x', "euc-kr"),
        ("text/html; charset=", ""),
        ("text/html", ""),
    ],
)
def test_the_charset_parameter_has_no_case(content_type: str, charset: str) -> None:
    assert charset_of(content_type) == charset


def test_the_crawler_says_who_it_is(site: Site, fetcher: Fetcher) -> None:
    fetcher.get(site.url + "/ok")
    assert {headers["User-Agent"] for _, _, headers in site.requests} == {POLICY.user_agent}


def test_robots_txt_closes_what_it_names_and_is_asked_once(site: Site, fetcher: Fetcher) -> None:
    site.robots = (200, b"User-agent: lmflow-test\nDisallow: /private/\nCrawl-delay: 0.2\n")
    site.pages["/private/x"] = b"secret"
    assert fetcher.get(site.url + "/private/x").error == "robots"
    started = time.monotonic()
    assert [fetcher.get(site.url + "/ok").error for _ in range(3)] == ["", "", ""]
    assert time.monotonic() - started >= 0.4
    assert fetcher.get(site.url + "/to/" + site.url + "/private/x").error == "robots"
    assert (site.asked("/robots.txt"), site.asked("/private/x")) == (1, 0)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (b"lmflow-test", "robots"),
        (b"LMFlow-Test/1.0", "robots"),
        (b"lmflow-test (news) # us", "robots"),
        (b"other\nUser agent lmflow-test", "robots"),
        (b"l", ""),
        (b"lmflow", ""),
        (b"lmflow-tester", ""),
        (b"*", ""),  # the group of our own name comes before that of all
    ],
)
def test_a_group_of_robots_txt_is_ours_by_its_whole_name(site: Site, fetcher: Fetcher, name: bytes, error: str) -> None:
    ours = b"User-agent: lmflow-test\nAllow: /\n" if name == b"*" else b""
    site.robots = (200, ours + b"User-agent: " + name + b"\nDisallow: /\n")
    assert fetcher.get(site.url + "/ok").error == error


def test_of_a_long_robots_txt_the_beginning_counts(site: Site, fetcher: Fetcher) -> None:
    site.pages["/private"] = b"secret"
    filler = b"# a comment that says nothing\n" * 20_000
    cut = b"User-agent: *\nDisallow: /private\n" + filler + b"Disallow: /ok\n"
    site.robots = (200, cut)
    assert (fetcher.get(site.url + "/private").error, fetcher.get(site.url + "/ok").error) == ("robots", "")


def test_many_names_and_many_rules_are_read_in_time() -> None:
    names = b"".join(b"User-agent: a%d\n" % n for n in range(12_000))
    started = time.process_time()
    rules(200, names + b"Disallow: /x\n" * 20_000, POLICY.user_agent)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(("status", "error"), [(404, ""), (403, ""), (500, "robots"), (503, "robots")])
def test_a_missing_robots_txt_opens_and_a_broken_one_closes(
    site: Site, fetcher: Fetcher, status: int, error: str
) -> None:
    site.robots = (status, b"User-agent: *\nDisallow: /\n")
    assert fetcher.get(site.url + "/ok").error == error


def test_a_busy_host_is_asked_again_after_it_says_so(site: Site, fetcher: Fetcher) -> None:
    site.busy = 2
    fetch = fetcher.get(site.url + "/busy")
    assert (fetch.status, fetch.attempts) == (200, 3)


def test_a_host_that_asks_for_hours_is_left_alone(site: Site, fetcher: Fetcher) -> None:
    fetch = fetcher.get(site.url + "/limited")
    assert (fetch.error, fetch.attempts) == ("http_429", 1)
    assert fetch.retry_at is not None and (fetch.retry_at - fetch.fetched_at).total_seconds() > 7000
    assert site.asked("/limited") == 1


def test_a_host_that_asks_for_hours_is_left_alone_by_every_fetcher(site: Site, fetcher: Fetcher) -> None:
    asked_for = fetcher.get(site.url + "/limited").retry_at
    with Fetcher(POLICY) as another:
        for client in (fetcher, another):
            fetch = client.get(site.url + "/ok")
            assert (fetch.error, fetch.attempts) == ("waiting", 0)
            assert fetch.retry_at is not None and asked_for is not None
            assert abs((fetch.retry_at - asked_for).total_seconds()) < 5
    assert site.asked("/ok") == 0


def test_a_host_that_fails_page_after_page_is_left_alone(site: Site) -> None:
    with Fetcher(replace(POLICY, failures_in_a_row=3)) as fetcher:
        site.robots = (404, b"")
        errors = [fetcher.get(f"{site.url}/broken?{n}").error for n in range(6)]
        assert errors == ["http_500"] * 3 + ["waiting"] * 3
        assert fetcher.get(f"{site.url}/ok").error == "waiting"


def test_a_page_that_fails_among_others_leaves_its_host_open(site: Site) -> None:
    with Fetcher(replace(POLICY, failures_in_a_row=2)) as fetcher:
        errors = [fetcher.get(site.url + path).error for path in ("/broken", "/ok", "/broken", "/ok", "/broken")]
    assert errors == ["http_500", "", "http_500", "", "http_500"]


def test_a_site_that_speaks_http_2_only_is_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    body = b"a page over HTTP/2 " * 20_000  # more than one window: flow control has to work
    with http2_site(authority, body) as url, Fetcher(replace(POLICY, ca_file=str(authority.file))) as fetcher:
        fetches = [fetcher.get(f"{url}/{n}") for n in range(3)]
    assert [(fetch.status, fetch.error, fetch.detail) for fetch in fetches] == [(200, "", "")] * 3
    assert {fetch.body for fetch in fetches} == {body}


def test_politeness_measured_at_the_server(site: Site) -> None:
    with Fetcher(replace(POLICY, rate=20, concurrency=2)) as fetcher:
        threads = [threading.Thread(target=fetcher.get, args=(f"{site.url}/ok?{n}",)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = sorted(at for at, path, _ in site.requests if path.startswith("/ok"))
    assert len(times) == 12
    assert times[-1] - times[0] >= 11 / 20 * 0.95
    assert site.most_at_once <= 2


def test_an_unreachable_host_is_a_record(fetcher: Fetcher) -> None:
    assert fetcher.get(f"http://127.0.0.1:{free_port()}/").error == "connect"
    assert fetcher.get("http://no-such-host.invalid/").error == "dns"


def test_retry_after_is_read_as_seconds_or_date() -> None:
    assert retry_after("120") == 120
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("soon") is None


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.ORG:80/a?utm_source=x&b=1&utm_medium=y#frag", "http://example.org/a?b=1"),
        ("https://例え.jp/路?q=é", "https://xn--r8jz45g.jp/%E8%B7%AF?q=é"),
        ("https://x.org/?key=%C4%E3&utm_source=rss", "https://x.org/?key=%C4%E3"),
        ("https://x.org/?q=a%20b&utm_source=z&c=d+e", "https://x.org/?q=a%20b&c=d+e"),
        ("https://x.org/?p&%75tm_source=z&p=", "https://x.org/?p&p="),
        ("https://x.org/?a=1;b=2&UTM_Medium=x", "https://x.org/?a=1;b=2"),
        ("https://x.org/?utm_source=z", "https://x.org/"),
        ("https://x.org/?q=utm_source", "https://x.org/?q=utm_source"),
        ("https://x.org:8443", "https://x.org:8443/"),
        ("https://x.org/a%20b c", "https://x.org/a%20b%20c"),
    ],
)
def test_one_page_has_one_address(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_what_is_left_of_a_long_text_ends_with_a_line(end: bytes) -> None:
    rules = b"User-agent: *" + end + b"Disallow: /" + end
    assert read_start([rules, b"Allow: /" + b"x" * 1000], "", 100) == rules
    assert read_start([gzip.compress(rules + b"Allow: /" + b"x" * 1000)], "gzip", 100) == rules
    assert read_start([rules, b"Allow: /"], "", 100) == rules + b"Allow: /"
