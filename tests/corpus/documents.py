"""Documents made for the tests, and a corpus built from them without Spark."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lmflow.corpus import entries, repeats
from lmflow.corpus.admission import Admission, admit
from lmflow.corpus.assess import READ, assess
from lmflow.corpus.dedup import Keeping
from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import Policies
from lmflow.lake import Lake, transaction_key
from lmflow.lake.schemas import SCHEMAS
from lmflow.lake.storage import filesystem
from lmflow.samples import corpus
from lmflow.text.normalise import normalise

NOUNS = [
    "river",
    "market",
    "council",
    "engine",
    "teacher",
    "village",
    "record",
    "window",
    "doctor",
    "harvest",
    "bridge",
    "letter",
    "storm",
    "museum",
]
VERBS = [
    "carried",
    "painted",
    "followed",
    "measured",
    "repaired",
    "discovered",
    "opened",
    "described",
    "crossed",
    "promised",
    "defended",
]
PLACES = [
    "Tromsø",
    "Kraków",
    "Lima",
    "Osaka",
    "Cairo",
    "Bergen",
    "Quito",
    "Dakar",
    "Porto",
    "Delhi",
    "Perth",
    "Hanoi",
    "Lagos",
    "Turin",
    "Malmö",
    "Izmir",
]
ADJECTIVES = [
    "quiet",
    "ancient",
    "narrow",
    "bright",
    "wooden",
    "distant",
    "famous",
    "broken",
    "golden",
    "hidden",
    "useful",
    "northern",
    "gentle",
]
SUBJECTS = ["房间", "早餐", "服务员", "电池", "屏幕", "这本书", "作者", "物流", "键盘", "位置", "价格", "前台", "散热"]
OPINIONS = ["很干净", "让人失望", "非常热情", "比想象的好", "不太方便", "值得推荐", "有点旧了", "很合理", "做得不错"]


def english(seed: int, sentences: int = 12) -> str:
    draw = random.Random(seed)
    return " ".join(
        f"The {draw.choice(ADJECTIVES)} {draw.choice(NOUNS)} of {draw.choice(PLACES)} {draw.choice(VERBS)} "
        f"a {draw.choice(NOUNS)} and the {draw.choice(ADJECTIVES)} {draw.choice(NOUNS)} near {draw.choice(PLACES)}."
        for _ in range(sentences)
    )


def chinese(seed: int, clauses: int = 8) -> str:
    draw = random.Random(seed)
    parts = [f"{draw.choice(SUBJECTS)}{draw.choice(OPINIONS)}" for _ in range(clauses)]
    return "，".join(parts) + "，所以我还是会再来的。"


def row(batch_id: int, doc_id: str, text: str, source: str = "news", revision: int = 1, **more: Any) -> dict[str, Any]:
    """One row of the table documents."""
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=batch_id)
    return {
        **{"batch_id": batch_id, "doc_id": doc_id, "revision": revision, "source": source, "text": text},
        **{"title": "A title", "url": f"https://example.org/{doc_id}", "license": "CC0", "fetched_at": when},
        **{"published_at": None, "site": "example", "lang_hint": None, "author": None, "thread_id": None},
        **{"parent_id": None, "raw_uri": None, "content_sha256": None, "extra": []},
        **more,
    }


def as_batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """Rows as what assessing reads."""
    schema = pa.schema([SCHEMAS["documents"].field(name) for name in READ])
    return pa.RecordBatch.from_pylist([{name: found[name] for name in READ} for found in rows], schema)


def ingest(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> None:
    """Commit rows to the table documents."""
    table = lake.table("documents")
    table.append(transaction_key("test", at=table.version()), pa.Table.from_pylist(list(rows), table.schema))


def build(lake: Lake, policies: Policies, files: int = 1, keeping: Keeping | None = None) -> list[Admission]:
    """What jobs/build_corpus does, with a loop in place of Spark."""
    ledger, outcomes = Ledger(lake), []
    for unit in ledger.units():
        where = pc.field("batch_id").isin(sorted(unit.batches))
        documents = ledger.documents.read(list(READ), where, unit.documents).combine_chunks()
        lines, repeated = attribute(ledger, documents, policies)
        documents = documents.append_column("repeated", repeated)
        assessed = ledger.corpus.stage()
        system, folder = filesystem(assessed)
        for part in range(files):
            mine = documents.take(pa.array(range(part, documents.num_rows, files), pa.int64())).combine_chunks()
            parts = [assess(batch, policies) for batch in mine.to_batches()]
            if parts:
                pq.write_table(pa.Table.from_batches(parts), f"{folder}/part-{part}.parquet", filesystem=system)
        rows = entries.read_summary(assessed)
        outcome = admit(rows, entries.fingerprints_of(rows), ledger.before(rows), keeping=keeping)
        key = transaction_key(
            "test", batches=sorted(unit.batches), policy=policies.digest, corpus=ledger.corpus.version()
        )
        ledger.settle(key, rows, assessed, outcome, unit.documents, lines)
        outcomes.append(outcome)
    return outcomes


def attribute(ledger: Ledger, documents: pa.Table, policies: Policies) -> tuple[pa.Table | None, pa.Array]:
    """What documents were first to have, and what is to be taken out of each."""
    lost: dict[tuple[Any, ...], list[int]] = {}
    lines = None
    if any(policies.repeated_units.values()):
        parts = documents.select(list(repeats.READ)).to_batches()
        found = pa.Table.from_batches([repeats.find(part, policies.repeated_units) for part in parts], repeats.FOUND)
        made = repeats.attribute(found, ledger.owned_lines(), ledger.forgotten(found["doc_id"]))
        lines, lost = made.owned, {tuple(row.values())[:3]: row["repeated"] for row in made.repeated.to_pylist()}
    identities = zip(*(documents[name].to_pylist() for name in ("batch_id", "doc_id", "revision")), strict=True)
    return lines, pa.array([lost.get(identity) for identity in identities], pa.list_(pa.int64()))


def contents(lake: Lake, without: Sequence[str] = ()) -> dict[str, list[Any]]:
    """All rows of the tables that building the corpus writes, in an order of their own."""
    return {
        name: sorted(
            (
                {column: value for column, value in sorted(found.items()) if column not in without}
                for found in lake.table(name).read().to_pylist()
            ),
            key=lambda found: (found["batch_id"], found["doc_id"], found["revision"]),
        )
        for name in ("verdicts", "fingerprints", "corpus")
    }


def comparable() -> dict[str, tuple[str, str]]:
    """Texts that cleaning is compared with a peer on, by name: (language, normalised text)."""
    found = {}
    for at, article in enumerate(corpus.lee_articles()[:20]):
        found[f"lee {at}"] = ("en", "\n".join(article.paragraphs))
    for at, post in enumerate(corpus.newsgroup_posts()[:20]):
        found[f"newsgroup {at}"] = ("en", post.text)
    for at, article in enumerate(corpus.peoples_daily()[:20]):
        found[f"daily {at}"] = ("zh", "\n\n".join(article.paragraphs))
    draw = random.Random(5)
    for at in range(20):
        lines = [english(seed, 1) for seed in draw.choices(range(6), k=12)]
        found[f"repetitive {at}"] = ("en", draw.choice(["\n", "\n\n", " "]).join(lines))
    return {name: (lang, normalise(text).text) for name, (lang, text) in found.items()}
