"""Serve the sample sites on loopback until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from lmflow.errors import InputError
from lmflow.samples.server import DEFAULT_HELD_BACK, DEFAULT_PORT, DEFAULT_RATE_LIMIT, HOST, make_server


def _between(low: int, high: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text} is not a whole number between {low} and {high}")
        return int(text)

    return whole_number


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, exit status 2."""
        self.exit(2, f"lmflow.samples: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m lmflow.samples", description=__doc__)
    parser.add_argument("--port", type=_between(0, 65535), default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--host", default=HOST, help="address to bind (default: %(default)s)")
    parser.add_argument("--url", default="", help="address that crawlers use, where it is another one")
    parser.add_argument("--log", type=Path, help="append the access log to this file, one JSON object a line")
    parser.add_argument(
        "--held-back",
        type=_between(0, 90),
        default=DEFAULT_HELD_BACK,
        metavar="PERCENT",
        help="newest part of each news and social site that stays hidden until POST /_advance (default: %(default)s)",
    )
    parser.add_argument(
        "--rate-limit",
        type=_between(1, 10**9),
        default=DEFAULT_RATE_LIMIT,
        metavar="REQUESTS",
        help="requests that a social site answers in five minutes (default: %(default)s)",
    )
    return parser


def main() -> int:
    """Run the server; 0 when stopped, 2 when it cannot start."""
    options = _parser().parse_args()
    try:
        server = make_server(
            options.port, options.log, options.held_back, options.rate_limit, options.host, options.url
        )
    except InputError as error:
        print(f"lmflow.samples: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"sample sites on {server.url}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
