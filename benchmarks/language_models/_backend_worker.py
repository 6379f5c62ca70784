"""Logits of every family under the Keras backend of this process. Run by benchmarks.language_models.backends.

Imports nothing but NumPy, Keras and lmflow.models: that is all its environment has.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from lmflow.models.families import NEURAL, PRESETS, load, save

VOCABULARY, ROWS, LENGTH = 500, 4, 32


def logits(folder: Path) -> None:
    """Write every family's logits, shape [rows, length, vocabulary], under the backend of this process."""
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (ROWS, LENGTH)).astype(np.int32)
    found = {}
    for name, family in NEURAL.items():
        if not (folder / name).exists():
            (folder / name).mkdir()
            save(family(VOCABULARY, next(iter(PRESETS[name].values())), 1), folder / name)
        model = load(folder / name)
        states = tuple(keras.ops.convert_to_tensor(state) for state in model.zero_states(ROWS))
        parts = []
        for half in np.split(tokens, 2, axis=1):
            part, states = model.forward(keras.ops.convert_to_tensor(half), states)
            parts.append(keras.ops.convert_to_numpy(part))
        found[name] = np.concatenate(parts, axis=1)
    np.savez(folder / keras.backend.backend(), allow_pickle=False, **found)


if __name__ == "__main__":
    logits(Path(sys.argv[1]))
