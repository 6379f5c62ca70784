"""What must not crash nor take for ever: a 50 MB line, a million copies, broken text; CPU seconds and verdicts.

python -m benchmarks.cleaning.bad_input
"""

from __future__ import annotations

import time

import numpy as np

from lmflow.corpus.assess import assess
from lmflow.corpus.dedup import Stored, cluster
from lmflow.corpus.fingerprint import fingerprint
from lmflow.corpus.policy import load
from lmflow.text.normalise import normalise
from tests.corpus.documents import as_batch, english, row

TEXTS = {
    "a 50 MB line of words": "word and other words " * 2_500_000,
    "a 50 MB line without a space": "x" * 50_000_000,
    "50 MB of Chinese in one line": "今天天气很好" * 2_800_000,
    "50 MB of digits": "1234567 " * 6_250_000,
    "empty": "",
    "NUL bytes": "\x00" * 1000,
    "lone surrogates": "\ud800 \udfff" * 1000,
    "invalid UTF-8 read with surrogateescape": b"caf\xe9 \xff\xfe".decode("utf-8", "surrogateescape") * 200,
    "UTF-8 read as Latin-1": english(1).replace("e", "é").encode().decode("latin-1"),
}

if __name__ == "__main__":
    policies = load(["en", "zh"])
    for name, text in TEXTS.items():
        start = time.process_time()
        if not text.isprintable() and len(text) < 10_000:  # Arrow holds no surrogates
            text = normalise(text).text
        [found] = assess(as_batch([row(1, "a", text)]), policies).to_pylist()
        rules = ", ".join(failure["rule"] for failure in found["failures"]) or "kept"
        print(f"{name}: {time.process_time() - start:.1f} s; {rules}", flush=True)
    for number in (250_000, 1_000_000):
        copies = fingerprint([english(1)]).take(np.zeros(number, np.int64))
        start = time.process_time()
        found = cluster([f"{at:07}" for at in range(number)], copies, Stored([], [], [], fingerprint([])))
        dropped = len(found.duplicates)
        print(f"{number:,} identical documents: {time.process_time() - start:.1f} s; {dropped:,} dropped", flush=True)
