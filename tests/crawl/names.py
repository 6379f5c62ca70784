"""A name server on loopback that lies; what a name resolves to may change each time it is asked."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

#: Addresses by name. A list of lists: the first answer, the second, … the last one for ever (rebinding).
Zone = dict[str, list[list[str]]]


class NameServer:
    """Answers over UDP; notes what it was asked."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: Counter[str] = Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                wire, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(wire)
            for reply in self.replies(query):
                self.socket.sendto(reply, sender)

    def replies(self, query: dns.message.Message) -> Iterator[bytes]:
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        response = dns.message.make_response(query)
        match name:
            case "silent.test":
                return
            case "garbage.test":
                yield b"\x00garbage" * 20
                return
            case "servfail.test":
                response.set_rcode(dns.rcode.SERVFAIL)
            case "empty.test":
                pass
            case "loop.test" | "loop2.test":
                for one, other in (("loop.test.", "loop2.test."), ("loop2.test.", "loop.test.")):
                    response.answer.append(dns.rrset.from_text(one, 60, "IN", "CNAME", other))
            case "spoofed.test":
                response.id = (query.id + 1) % 65536
                response.answer.append(dns.rrset.from_text("spoofed.test.", 60, "IN", "A", "127.0.0.1"))
            case "truncated.test":
                response.flags |= dns.flags.TC
            case _ if name in self.zone:
                self._answer(response, question, name)
            case _:
                response.set_rcode(dns.rcode.NXDOMAIN)
        yield response.to_wire()

    def _answer(self, response: dns.message.Message, question: dns.rrset.RRset, name: str) -> None:
        turns = self.zone[name]
        addresses = turns[min(self.asked[name], len(turns) - 1)]
        if question.rdtype == dns.rdatatype.A:  # AAAA is asked first
            self.asked[name] += 1
        kind = "A" if question.rdtype == dns.rdatatype.A else "AAAA"
        fitting = [address for address in addresses if (":" in address) == (kind == "AAAA")]
        if fitting:
            response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", kind, *fitting))


@contextmanager
def name_server(zone: Zone) -> Iterator[NameServer]:
    server = NameServer(zone)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.socket.close()
