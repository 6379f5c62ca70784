"""Serve the champions: python -m lmflow.serving [--port 8790]."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from lmflow.errors import InputError
from lmflow.settings import settings


def main() -> int:
    try:
        default = settings()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog="python -m lmflow.serving", description=__doc__)
    parser.add_argument("--port", type=int, default=default.serving_port, help="port to listen on (%(default)s)")
    parser.add_argument("--host", default=default.host, help="address to bind (%(default)s)")
    parser.add_argument("--poll-seconds", type=float, default=5.0, help="how often to look for a new champion")
    options = parser.parse_args()
    if not 1 <= options.port <= 65535:
        parser.error(f"--port {options.port} is no port: choose 1 to 65535")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    import uvicorn

    from lmflow.serving.app import make_app
    from lmflow.serving.champions import Champions

    uvicorn.run(
        make_app(Champions(options.poll_seconds), options.host),
        host=options.host,
        port=options.port,
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
