"""A training in a process that may take little more memory than it has when the model is made."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

from lmflow.models.lstm import Lstm, LstmPreset
from lmflow.training.batches import StreamBatches
from lmflow.training.checkpoint import in_folder
from lmflow.training.loop import train
from lmflow.training.schedule import Schedule

_SPARE = 900_000_000  # bytes of address space; the logits of one step take 1.6 GB
SCHEDULE = Schedule(batch_size=2000, sequence_length=40, epochs=1)


def build() -> Lstm:
    """The model, and from here on the limit."""
    model = Lstm(5000, LstmPreset(1, 64, 0.0))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return model


if __name__ == "__main__":
    tokens = np.arange(100_000) % 5000
    train(build, StreamBatches(tokens, SCHEDULE), lambda model: 0.0, SCHEDULE, in_folder(Path(sys.argv[1])))
