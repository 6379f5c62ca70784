import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import feedparser
import httpx
import pytest

from lmflow.samples.server import make_server, serving

COMMAND = [sys.executable, "-m", "lmflow.samples"]


def test_the_access_log_shows_every_document_served(tmp_path):
    path = tmp_path / "logs" / "access.ndjson"
    with serving(log_path=path) as url, httpx.Client(base_url=url, headers={"User-Agent": "lmflow/0.1 test"}) as client:
        for target in ("/robots.txt", "/news-en/feed.xml", "/nowhere?q=1"):
            client.get(target)
        size = int(client.head("/dumps/enwiki/").headers["Content-Length"])
        served = client.get("/_log").text
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert served.splitlines() == path.read_text().splitlines()
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/robots.txt", 200),
        ("GET", "/news-en/feed.xml", 200),
        ("GET", "/nowhere?q=1", 404),
        ("HEAD", "/dumps/enwiki/", 200),
    ]
    assert {line["user_agent"] for line in lines} == {"lmflow/0.1 test"}
    assert lines[0]["bytes"] > 0
    assert (size > 0, lines[3]["bytes"]) == (True, 0)


def test_counts_say_what_a_polite_crawl_will_find(growing_site):
    for percent in (90, 95, 100):
        counts = growing_site.get("/_counts").json()
        assert counts["public_percent"] == percent
        for name in ("news-en", "news-zh"):
            entries = feedparser.parse(growing_site.get(f"/{name}/feed.xml").content).entries
            found, unwelcome = counts["sites"][name], [entry for entry in entries if "/private/" in entry.link]
            assert len(entries) == found["listed"]
            assert len(unwelcome) == found["disallowed"] == 1
            assert found["documents"] == found["listed"] - found["disallowed"] - found["dead_links"]
        growing_site.post("/_advance")
    answers = [growing_site.head(entry.link).status_code for entry in entries]
    assert answers.count(404) == counts["sites"]["news-zh"]["dead_links"] == 1
    assert answers.count(200) == len(answers) - 1
    assert counts["sites"]["dumps"] == {"documents": 106, "pages": 206, "redirects": 100, "xml_bytes": 6089746}
    assert counts["sites"]["social-zh"]["documents"] == 3000
    assert counts["sites"]["news-en"]["documents"] - counts["sites"]["news-en"]["distinct_texts"] == 7 + 4
    assert all(site.get("held_back", 0) == 0 for site in counts["sites"].values())


@pytest.mark.parametrize("percent", ["0", "101", "-5", "five", "１"])
def test_a_bad_advance_changes_nothing(growing_site, percent):
    answer = growing_site.post("/_advance", params={"percent": percent})
    assert answer.status_code == 400
    assert growing_site.get("/_health").json() == {"status": "ok", "public_percent": 90}


def test_methods_that_change_nothing_are_refused_and_the_connection_lives_on(site):
    refused = site.post("/news-en/feed.xml", content=b"x" * 1000)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert site.get("/_advance").status_code == 405
    assert site.get("/_health").status_code == 200


def test_the_front_page_links_to_sites_that_answer(site):
    links = [part.split('"')[0] for part in site.get("/").text.split('href="')[1:]]
    assert {"/dumps/", "/news-zh/feed.xml", "/social-en/", "/_counts"} <= set(links)
    assert all(site.get(link).status_code == 200 for link in links)


def test_two_servers_serve_the_same_bytes(site, growing_site):
    growing_site.post("/_advance", params={"percent": 10})
    for path in ("/news-zh/feed.xml", "/social-en/api/v1/timelines/public?limit=40"):
        first, second = (
            client.get(path).text.replace(str(client.base_url), "BASE/") for client in (site, growing_site)
        )
        assert first == second


def test_only_loopback_is_bound():
    server = make_server(port=0)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()


def test_the_command_serves_at_once_and_stops_at_once(tmp_path):
    log = tmp_path / "access.ndjson"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*COMMAND, "--port", str(port), "--log", str(log)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"sample sites on http://127.0.0.1:{port}/\n"
        with httpx.Client() as client:  # its idle connection must not delay the stop
            assert client.get(f"http://127.0.0.1:{port}/news-en/about.html").status_code == 200
            busy = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True)
            assert busy.returncode == 2
            assert busy.stderr == (
                f"lmflow.samples: port {port} cannot be used (Address already in use): choose another with --port\n"
            )
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 0
            assert time.monotonic() - started < 2
    finally:
        process.kill()
    assert "/news-en/about.html" in log.read_text()


def test_links_carry_the_address_that_crawlers_use():
    server = make_server(port=0, host="127.0.0.2", url="http://samples:8770/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        feed = httpx.get(f"http://127.0.0.2:{server.server_address[1]}/news-en/feed.xml").text
        assert "http://samples:8770/news-en/" in feed and "127.0.0" not in feed
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "many"], "argument --port: many is not a whole number between 0 and 65535"),
        (["--held-back", "95"], "argument --held-back: 95 is not a whole number between 0 and 90"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--host", "192.0.2.1"], "192.0.2.1 is no address of this machine: choose another with --host"),
        (
            ["--host", "no.such.host.invalid"],
            "no.such.host.invalid is no address of this machine: choose another with --host",
        ),
        (["--log", "/dev/null/x/log"], "access log /dev/null/x/log: Not a directory; choose another with --log"),
    ],
)
def test_bad_options_are_one_line_and_status_2(arguments, message):
    result = subprocess.run([*COMMAND, "--port", "0", *arguments], capture_output=True, text=True, cwd=Path.cwd())
    assert result.returncode == 2
    assert result.stderr == f"lmflow.samples: {message}\n"
