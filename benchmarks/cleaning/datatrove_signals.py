"""Write tests/corpus/data/datatrove_signals.json: what datatrove 0.10.1 measures on texts of the sample corpus.

Run it again when the pinned datatrove changes. tests/corpus/test_datatrove.py compares our signals with the file.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.cleaning import peers
from lmflow.text.segment import words
from tests.corpus.documents import comparable

TARGET = Path(__file__).resolve().parents[2] / "tests/corpus/data/datatrove_signals.json"

if __name__ == "__main__":
    texts = comparable()
    found = peers.call("peer_signals.py", [[text, words(text, lang)] for lang, text in texts.values()])
    rows = {
        name: {signal: round(value, 8) for signal, value in row.items()} for name, row in zip(texts, found, strict=True)
    }
    TARGET.write_text(json.dumps(rows, indent=0, sort_keys=True) + "\n")
    print(f"{len(rows)} texts, {len(found[0])} signals -> {TARGET.name}")
