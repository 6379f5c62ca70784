"""Want of memory, of a GPU or of the host, as one line that says what did not fit and which settings to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lmflow.errors import InputError

#: For what depends on the network alone: its weights and optimizer, and scoring, which goes down to a row at a time.
SMALLER_NETWORK: Final = "choose a smaller --preset, or lower --dimension"


class OutOfMemory(InputError):
    """Something did not fit into memory; says what, and which settings to lower."""


@contextmanager
def fitting(what: str, remedy: str) -> Iterator[None]:
    """Name what did not fit, where TensorFlow, NumPy or Python cannot allocate within.

    Args:
        what: is done within: "step 3".
        remedy: which settings to lower.

    Raises:
        OutOfMemory: it did not fit.
    """
    try:
        yield
    except MemoryError as error:  # Python's own, or NumPy's
        reason = str(error)
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's; an n-gram model needs no import of it
            raise
        lines = str(error).splitlines()
        reason = next((line for line in lines if "OOM" in line), lines[0])
    else:
        return
    raise OutOfMemory(f"{what} does not fit into memory ({reason.strip()}); {remedy}")
