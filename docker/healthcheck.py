"""Succeeds when a server of the cluster is well: it answers, and says so.

python healthcheck.py URL [FIELD.FIELD=VALUE]
"""

from __future__ import annotations

import json
import sys
import urllib.request

TIMEOUT_S = 5.0


def is_well(url: str, wanted: str = "") -> bool:
    """True when `url` answers 200 and, if asked for, the field of its JSON (`a.b=value`) has the value."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:  # noqa: S310 - compose names the address
            if not wanted:
                return bool(reply.status == 200)
            found = json.load(reply)
    except (OSError, ValueError):
        return False
    path, _, value = wanted.partition("=")
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return str(found) == value


if __name__ == "__main__":
    sys.exit(0 if is_well(*sys.argv[1:]) else 1)
