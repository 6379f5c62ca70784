"""A site that speaks nothing but HTTP/2, over TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import h2.config
import h2.connection
import h2.events

from tests.crawl.authority import Authority


@contextmanager
def http2_site(authority: Authority, body: bytes) -> Iterator[str]:
    """Its address; robots.txt is missing, everything else is `body`."""
    context = authority.context("good", "h2")
    assert context is not None
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_talk, args=(plain, context, body), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _talk(plain: socket.socket, context: ssl.SSLContext, body: bytes) -> None:
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
        if connection.selected_alpn_protocol() != "h2":
            return
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        waiting: dict[int, bytes] = {}
        while data := connection.recv(65536):
            for event in state.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    path = dict(event.headers)[b":path"]
                    status = "404" if path == b"/robots.txt" else "200"
                    state.send_headers(event.stream_id, [(":status", status), ("content-type", "text/html")])
                    waiting[event.stream_id] = b"" if status == "404" else body
            for stream in list(waiting):
                rest = waiting[stream]
                while rest and state.local_flow_control_window(stream):
                    size = min(state.local_flow_control_window(stream), state.max_outbound_frame_size)
                    state.send_data(stream, rest[:size])
                    rest = rest[size:]
                waiting[stream] = rest
                if not rest:
                    state.end_stream(stream)
                    del waiting[stream]
            connection.sendall(state.data_to_send())
