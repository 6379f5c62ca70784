"""Many quick loopback sites in one process: each address 127.1.x.y is a host with pages and feeds of
all, the even and the odd ones; arrivals are noted.

    python -m tests.crawl.farm --hosts 50 --pages 100

Prints one line, the port. `/_log` gives every arrival as [monotonic seconds, host, path], `/_cpu` the process's CPU
seconds. Written on asyncio's protocols so that it takes little of the machine it shares with what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WORDS = [
    "".join(random.Random(n).choice(("ka", "lo", "mi", "ren", "tu", "sha", "vo")) for _ in range(2 + n % 3))
    for n in range(4000)
]


def host_name(number: int) -> str:
    """The address of the Nth host."""
    return f"127.1.{number // 200}.{1 + number % 200}"


def page(host: str, number: int, paragraphs: int) -> bytes:
    """A page of one host: an article of words that no other page has in that order."""
    source = random.Random(f"{host}/{number}")
    body = "".join("<p>" + " ".join(source.choices(_WORDS, k=60)).capitalize() + ".</p>\n" for _ in range(paragraphs))
    title = f"Story {number} of {host}"
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title></head>"
        f"<body><nav><a href=/>Home</a></nav><article><h1>{title}</h1>\n{body}</article></body></html>"
    ).encode()


class Farm:
    """What all connections share."""

    def __init__(self, hosts: int, pages: int, paragraphs: int) -> None:
        self.log: list[tuple[float, str, str]] = []
        self.responses: dict[tuple[str, str], bytes] = {}
        for number in range(hosts):
            host = host_name(number)
            for path, listed in (
                ("/feed.xml", range(pages)),
                ("/even.xml", range(0, pages, 2)),
                ("/odd.xml", range(1, pages, 2)),
            ):
                links = "".join(f"<item><title>t</title><link>/p/{n}.html</link></item>" for n in listed)
                feed = f'<rss version="2.0"><channel><title>{host}</title>{links}</channel></rss>'.encode()
                self.responses[host, path] = _response("application/rss+xml", feed)
            for n in range(pages):
                self.responses[host, f"/p/{n}.html"] = _response("text/html", page(host, n, paragraphs), f'"{n}"')


def _response(kind: str, body: bytes, etag: str = "") -> bytes:
    packed = gzip.compress(body, 6)
    tag = f"ETag: {etag}\r\n" if etag else ""
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}; charset=utf-8\r\n{tag}Content-Encoding: gzip\r\n"
        f"Content-Length: {len(packed)}\r\n\r\n"
    )
    return head.encode() + packed


#: What every site is asked for once and does not have.
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, farm: Farm) -> None:
        self._farm, self._held = farm, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            self._answer(head.split(b" ", 2)[1].decode("latin-1"))

    def _answer(self, path: str) -> None:
        if path == "/_log":
            self._transport.write(_plain(json.dumps(self._farm.log).encode()))
        elif path == "/_count":
            self._transport.write(_plain(str(len(self._farm.log)).encode()))
        elif path == "/_cpu":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self._transport.write(_plain(str(usage.ru_utime + usage.ru_stime).encode()))
        else:
            self._farm.log.append((time.monotonic(), self._host, path))
            self._transport.write(self._farm.responses.get((self._host, path), _MISSING))


def _plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _listen(hosts: int) -> list[socket.socket]:
    """One port on every address; another is tried where some address has it taken."""
    for _ in range(20):
        first = socket.create_server((host_name(0), 0), backlog=256)
        port = first.getsockname()[1]
        listeners = [first]
        try:
            listeners += [socket.create_server((host_name(n), port), backlog=256) for n in range(1, hosts)]
        except OSError:
            for listener in listeners:
                listener.close()
            continue
        return listeners
    raise SystemExit("no port is free on all addresses")


@contextmanager
def running_farm(hosts: int, pages: int, paragraphs: int = 40) -> Iterator[RunningFarm]:
    """A farm in a process of its own."""
    command = [sys.executable, "-m", "tests.crawl.farm", *("--hosts", str(hosts), "--pages", str(pages))]
    command += ["--paragraphs", str(paragraphs)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield RunningFarm(int(process.stdout.readline()), hosts, pages)
        finally:
            process.kill()


@dataclass(frozen=True)
class RunningFarm:
    """How to speak to a farm."""

    port: int
    hosts: int
    pages: int

    def url(self, host: int, path: str) -> str:
        """An address of the Nth host."""
        return f"http://{host_name(host)}:{self.port}{path}"

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(self.url(0, what), timeout=20) as answer:
            return json.load(answer)

    def count(self) -> int:
        """Arrivals so far."""
        return int(self._ask("/_count"))

    def cpu_s(self) -> float:
        """CPU seconds of the farm so far."""
        return float(self._ask("/_cpu"))

    def log(self) -> list[tuple[float, str, str]]:
        """Every arrival: seconds, host, path."""
        return [(at, host, path) for at, host, path in self._ask("/_log")]


async def _serve(farm: Farm, listeners: list[socket.socket]) -> None:
    loop = asyncio.get_running_loop()
    for listener in listeners:
        await loop.create_server(lambda: Talk(farm), sock=listener)
    print(listeners[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--paragraphs", type=int, default=40)
    options = parser.parse_args()
    asyncio.run(_serve(Farm(options.hosts, options.pages, options.paragraphs), _listen(options.hosts)))
