"""What comparing lines across documents costs beside all the rest of assessing them, one core.

    python -m benchmarks.cleaning.repeats

Both read the same texts in turns, three times; the fastest of each counts. English: Lee news, thrice, so that lines do
repeat. Chinese: reports of the People's Daily.
"""

from __future__ import annotations

import time

import pyarrow as pa

from lmflow.corpus import repeats
from lmflow.corpus.assess import assess
from lmflow.corpus.policy import load
from lmflow.lake.schemas import SCHEMAS
from lmflow.samples import corpus
from tests.corpus.documents import as_batch, row

ROUNDS = 3

if __name__ == "__main__":
    policies = load(["en", "zh"])
    texts = {
        "English": ["\n".join(article.paragraphs) for article in corpus.lee_articles()] * 3,
        "Chinese": ["\n\n".join(article.paragraphs) for article in corpus.peoples_daily()][:1200],
    }
    schema = pa.schema([*(field for field in repeats.FOUND if field.name != "hashes"), ("text", pa.string())])
    for lang, its in texts.items():
        rows = [row(1, f"file:x:{number}", text) for number, text in enumerate(its)]
        documents = as_batch(rows)
        parts = pa.RecordBatch.from_pylist([{name: each[name] for name in repeats.READ} for each in rows], schema)
        assess(documents.slice(0, 50), policies)  # loads dictionaries and models
        size = sum(len(text.encode()) for text in its) / 1e6
        seconds: dict[str, list[float]] = {"rest": [], "lines": []}
        for _ in range(ROUNDS):
            start = time.process_time()
            assess(documents, policies)
            middle = time.process_time()
            found = repeats.find(parts, {"default": "line"})
            repeats.attribute(pa.Table.from_batches([found]), SCHEMAS["lines"].empty_table())
            seconds["rest"].append(middle - start)
            seconds["lines"].append(time.process_time() - middle)
        rest, lines = min(seconds["rest"]), min(seconds["lines"])
        print(
            f"{lang}: {len(its)} documents, {size:.1f} MB; lines {size / lines:.1f} MB/s, "
            f"the rest {size / rest:.2f} MB/s: {lines / rest:.2f} of its time"
        )
