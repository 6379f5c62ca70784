"""WikiText-2's validation and test files as a data set of our own, in the way of published benchmarks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lmflow.dataset import plain_files
from lmflow.dataset.shards import Dataset


def wikitext_2(scratch: Path) -> tuple[Dataset, dict[str, Path]]:
    """Trains on the test file, validates on the first half of the validation file's lines, tests on the second."""
    given = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/language-modelling/wikitext-2")
    if not (given / "valid.txt").exists():
        sys.exit(f"{given} has no valid.txt: give the folder of WikiText-2's valid.txt and test.txt")
    lines = (given / "valid.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    half = len(lines) // 2
    texts = {
        "train": (given / "test.txt").read_text(encoding="utf-8"),
        "valid": "".join(lines[:half]),
        "test": "".join(lines[half:]),
    }
    files = {name: scratch / f"wikitext-2.{name}.txt" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, encoding="utf-8")
    os.environ["LMFLOW_HOME"] = str(scratch / "home")
    return plain_files.pack(files, 1_000_000, "whitespace"), files


if __name__ == "__main__":
    place = Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    place.mkdir(parents=True, exist_ok=True)
    print(*wikitext_2(place)[1].values(), sep="\n")
