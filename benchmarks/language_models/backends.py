"""The same model definitions on other Keras backends: logits under JAX and PyTorch against TensorFlow's.

Each backend runs in a process of its own; JAX (Apache-2.0) and PyTorch (BSD-3) live, without TensorFlow, in scratch
environments that this makes. Every family's default preset, as TensorFlow's process wrote it, reads the same tokens in
two halves, the states carried from one to the other. Training and registered models are TensorFlow's alone.

Takes about two minutes. Usage: python -m benchmarks.language_models.backends
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.language_models.kneser_ney import environment
from benchmarks.language_models.torch_speed import TORCH

BACKENDS: Final = {"jax": "jax==0.7.2", "torch": TORCH}
_PROJECT: Final = Path(__file__).parents[2]
_WORKER: Final = Path(__file__).with_name("_backend_worker.py")


def run(python: str | Path, backend: str, folder: Path) -> dict[str, np.ndarray]:
    """Logits by family under a backend."""
    variables = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(_PROJECT)}
    subprocess.run([python, _WORKER, folder], env=variables, check=True)
    with np.load(folder / f"{backend}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        reference = run(sys.executable, "tensorflow", Path(name))
        for backend, requirement in BACKENDS.items():
            packages = (f"keras=={version('keras')}", f"numpy=={version('numpy')}", requirement)
            found = run(environment(f"keras-{backend}", *packages), backend, Path(name))
            for family, expected in reference.items():
                apart = float(np.abs(found[family] - expected).max())
                print(f"{requirement:14} {family:11} farthest logit {apart:.1e} of {np.abs(expected).max():.2f}")
                if apart > 1e-3:
                    sys.exit(f"{family} is not the same network under {backend}")


if __name__ == "__main__":
    main()
