"""Probes of the inside (SSRF): whatever a site says, no connection is ever made to a private address.

A public site is played on loopback: its name resolves to a public address, and the wire, below every check of ours,
leads that address to a server here and notes what else it is asked to connect to.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import httpcore
import pytest

from lmflow.crawl.address import is_public
from lmflow.crawl.http import Fetcher
from tests.crawl.conftest import POLICY
from tests.crawl.names import NameServer, name_server

PUBLIC = "93.184.215.14"
ZONE = {
    "public.test": [[PUBLIC]],
    "loopback.test": [["127.0.0.1"]],
    "ten.test": [["10.0.0.7"]],
    "office.test": [["192.168.1.1"]],
    "carrier.test": [["100.64.0.1"]],
    "metadata.test": [["169.254.169.254"]],
    "zero.test": [["0.0.0.0"]],
    "six.test": [["::1"]],
    "unique-local.test": [["fd00:ec2::254"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "nat64.test": [["64:ff9b::a9fe:a9fe"]],
    "both.test": [[PUBLIC, "10.0.0.7"]],
    "127.0.0.1.test": [["127.0.0.1"]],
}
PROBES = {
    "loopback": "http://127.0.0.1:{port}/",
    "loopback, short": "http://127.1:{port}/",
    "loopback, another of its addresses": "http://127.66.77.88:{port}/",
    "decimal": "http://2130706433:{port}/",
    "hexadecimal": "http://0x7f000001:{port}/",
    "octal": "http://0177.0.0.1:{port}/",
    "octal and hexadecimal mixed": "http://0177.0.0x0.1:{port}/",
    "leading zeros": "http://127.000.000.001:{port}/",
    "trailing dot": "http://127.0.0.1.:{port}/",
    "fullwidth digits": "http://１２７.０.０.１:{port}/",
    "circled digits": "http://①②⑦.0.0.1:{port}/",
    "ideographic full stops": "http://127。0。0。1:{port}/",
    "percent-encoded host": "http://%31%32%37.0.0.1:{port}/",
    "the name localhost": "http://localhost:{port}/",
    "localhost in capitals with a dot": "http://LOCALHOST.:{port}/",
    "unspecified": "http://0.0.0.0:{port}/",
    "zero": "http://0:{port}/",
    "IPv6 loopback": "http://[::1]:{port}/",
    "IPv6 loopback, long": "http://[0:0:0:0:0:0:0:1]:{port}/",
    "IPv6 unspecified": "http://[::]:{port}/",
    "IPv4-mapped IPv6": "http://[::ffff:127.0.0.1]:{port}/",
    "IPv4-mapped IPv6, hexadecimal": "http://[::ffff:7f00:1]:{port}/",
    "IPv4-compatible IPv6": "http://[::127.0.0.1]:{port}/",
    "NAT64": "http://[64:ff9b::7f00:1]:{port}/",
    "6to4": "http://[2002:7f00:1::]:{port}/",
    "Teredo": "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "IPv6 site-local, deprecated": "http://[fec0::1]:{port}/",
    "IPv4-translated IPv6": "http://[::ffff:0:7f00:1]:{port}/",
    "IPv6 for documentation": "http://[3fff::1]:{port}/",
    "IPv6 that nobody has": "http://[4000::1]:{port}/",
    "IPv6 link-local with zone": "http://[fe80::1%25lo]:{port}/",
    "IPv6 unique local (metadata of EC2)": "http://[fd00:ec2::254]:{port}/",
    "metadata of clouds": "http://169.254.169.254/latest/meta-data/",
    "metadata of clouds, decimal": "http://2852039166/latest/meta-data/",
    "private 10": "http://10.0.0.1/",
    "private 172.16": "http://172.16.0.1/",
    "private 192.168": "http://192.168.0.1/",
    "carrier-grade NAT": "http://100.64.0.1/",
    "benchmark network": "http://198.18.0.1/",
    "broadcast": "http://255.255.255.255/",
    "multicast": "http://224.0.0.1/",
    "userinfo": "http://public.test@127.0.0.1:{port}/",
    "userinfo with password": "http://public.test:80@127.0.0.1:{port}/",
    "userinfo behind a backslash": "http://public.test\\@127.0.0.1:{port}/",
    "backslash in place of a slash": "http://127.0.0.1:{port}\\@public.test/",
    "tab within the host": "http://127.0.\t0.1:{port}/",
    "another scheme": "gopher://127.0.0.1:{port}/_x",
    "a file": "file:///etc/passwd",
    "name of loopback": "http://loopback.test:{port}/",
    "name of a private address": "http://ten.test:{port}/",
    "name of an office router": "http://office.test:{port}/",
    "name within carrier-grade NAT": "http://carrier.test:{port}/",
    "name of the metadata address": "http://metadata.test/latest/",
    "name of 0.0.0.0": "http://zero.test:{port}/",
    "name of ::1": "http://six.test:{port}/",
    "name of a unique local address": "http://unique-local.test:{port}/",
    "name of a mapped address": "http://mapped.test:{port}/",
    "name of a NAT64 address": "http://nat64.test:{port}/",
    "name with a public and a private address": "http://both.test:{port}/",
    "name that begins like an address": "http://127.0.0.1.test:{port}/",
}  # fmt: skip
REFUSALS = {"address", "url", "dns"}


class Wire(httpcore.SyncBackend):
    """The internet with one public server in it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []

    def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.NetworkStream:
        self.asked.append(host)
        if host != PUBLIC:
            raise httpcore.ConnectError(f"{host} is not on this internet")
        return super().connect_tcp("127.0.0.1", self.port, *args, **options)


class Inside:
    """A server that no crawl may ever reach."""

    def __init__(self) -> None:
        self.visits = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server(dict(ZONE)) as server:
        yield server


@pytest.fixture(scope="module")
def inside() -> Iterator[Inside]:
    server = Inside()
    yield server
    server.socket.close()


@pytest.fixture(scope="module")
def public() -> Iterator[Any]:
    """The public site: `/to?N` redirects to the Nth entry of `targets`, everything else is well. No keep-alive."""

    class Site:
        targets: ClassVar[list[str]] = []
        port = 0

    def talk(connection: socket.socket) -> None:
        head = connection.recv(65536)
        path = head.split(b" ")[1].decode() if b" " in head else "/"
        if path.startswith("/to?"):
            location = Site.targets[int(path.removeprefix("/to?"))].encode()
            answer = (
                b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        elif path == "/robots.txt":
            answer = b"HTTP/1.1 404 N\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        else:
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine"
        connection.sendall(answer)
        connection.close()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    Site.port = listener.getsockname()[1]
    threading.Thread(target=serve, daemon=True).start()
    yield Site
    listener.close()


@pytest.mark.parametrize("probe", PROBES)
def test_a_link_to_the_inside_is_refused(probe: str, inside: Inside, names: NameServer) -> None:
    policy = replace(POLICY, private_hosts=(), nameservers=(names.address,))
    wire = Wire(0)
    with Fetcher(policy, wire) as fetcher:
        fetch = fetcher.get(PROBES[probe].format(port=inside.port), heed_robots=False)
    assert (fetch.error in REFUSALS, wire.asked, inside.visits) == (True, [], 0), fetch


@pytest.mark.parametrize("probe", PROBES)
def test_a_redirect_to_the_inside_is_refused_even_where_the_settings_name_the_host(
    probe: str, inside: Inside, names: NameServer, public: Any
) -> None:
    policy = replace(POLICY, private_hosts=("127.0.0.1", "localhost"), nameservers=(names.address,))
    wire = Wire(public.port)
    public.targets.append(PROBES[probe].format(port=inside.port))
    with Fetcher(policy, wire) as fetcher:
        fetch = fetcher.get(f"http://public.test/to?{len(public.targets) - 1}")
    if probe == "backslash in place of a slash":  # browsers read a path on the inside, RFC 3986 a public host
        assert fetch.error in {*REFUSALS, "http_404", ""}
    else:
        assert fetch.error in REFUSALS, fetch
    assert ({address for address in wire.asked if not is_public(address)}, inside.visits) == (set(), 0)


@pytest.mark.parametrize("turns", [[[PUBLIC], ["127.0.0.1"]], [[PUBLIC], [PUBLIC, "127.0.0.1"]], [[PUBLIC], ["::1"]]])
def test_a_name_that_moves_inside_between_two_requests_is_refused(
    turns: list[list[str]], inside: Inside, names: NameServer, public: Any
) -> None:
    names.zone["rebound.test"] = turns
    names.asked["rebound.test"] = 0
    policy = replace(POLICY, private_hosts=("127.0.0.1",), nameservers=(names.address,))
    wire = Wire(public.port)
    with Fetcher(policy, wire) as fetcher:
        first = fetcher.get("http://rebound.test/a", heed_robots=False)
        second = fetcher.get("http://rebound.test/b", heed_robots=False)
    assert (first.error, second.error, wire.asked) == ("", "address", [PUBLIC])
    assert names.asked["rebound.test"] == 2


def test_the_public_site_itself_is_reached(names: NameServer, public: Any) -> None:
    wire = Wire(public.port)
    with Fetcher(replace(POLICY, private_hosts=(), nameservers=(names.address,)), wire) as fetcher:
        assert fetcher.get("http://public.test/").body == b"fine"
    assert set(wire.asked) == {PUBLIC}
