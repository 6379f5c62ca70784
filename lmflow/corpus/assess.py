"""Documents in, assessed documents out: all that can be said of a document by looking at it alone.

Normalise, find the language, prepare as its policy asks, measure, decide, redact, fingerprint: Arrow batch to Arrow
batch, the same from Spark, a test or a notebook. What needs other documents (duplicates, revisions, split) comes after,
in `admission`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lmflow.corpus.contamination import CONTAMINATED, EVALUATED_BY, SIGNAL, Evaluations
from lmflow.corpus.fingerprint import Fingerprints, fingerprint
from lmflow.corpus.foreign import ForeignParagraphs, sort_paragraphs
from lmflow.corpus.language import Detected, detect_all
from lmflow.corpus.pii import redact
from lmflow.corpus.policy import Failure, Policies, decide_all
from lmflow.corpus.preparation import PREPARED_BY, respell
from lmflow.corpus.reference import PERPLEXITY, SCORED_BY, tokens
from lmflow.corpus.repeats import REMOVED, cut, strings
from lmflow.corpus.signals import MEASURED_CHARS, SIGNALS, measure_all
from lmflow.lake.schemas import FAILURE
from lmflow.text.normalise import Normalised, normalise

#: Columns that pass through from the table documents.
PASSED: Final = ("batch_id", "doc_id", "revision", "source", "site", "published_at", "fetched_at", "url", "license")
#: Columns that assessing reads. There may be one more, `repeated`: hashes of parts to take out (see `repeats`).
READ: Final = (*PASSED, "title", "text")

_TIME: Final = pa.timestamp("us", tz="UTC")
#: One assessed document a row. `text` is the clean text of a document that passed; of one that failed it is the
#: beginning, for the report. `signature` and `bands` are null for those that failed.
ASSESSED: Final = pa.schema(
    [
        ("batch_id", pa.int64()),
        ("doc_id", pa.string()),
        ("revision", pa.int64()),
        ("source", pa.string()),
        ("site", pa.string()),
        ("published_at", _TIME),
        ("fetched_at", _TIME),
        ("url", pa.string()),
        ("license", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("n_chars", pa.int64()),
        ("n_words", pa.int64()),
        ("lang", pa.string()),
        ("lang_score", pa.float64()),
        ("signals", pa.map_(pa.string(), pa.float64())),
        ("changes", pa.map_(pa.string(), pa.int64())),
        ("policy_digest", pa.string()),
        ("failures", pa.list_(FAILURE)),
        ("pii", pa.map_(pa.string(), pa.int64())),
        ("n_shingles", pa.int64()),
        ("signature", pa.list_(pa.int64())),
        ("bands", pa.list_(pa.int64())),
    ]
)
#: The columns of ASSESSED that deciding on a whole unit of work reads: everything but text and what only passes.
SUMMARY: Final = tuple(name for name in ASSESSED.names if name not in ("title", "text", "license", "site"))

_EXCERPT_CHARS: Final = 280


def assess(documents: pa.RecordBatch, policies: Policies, evaluations: Evaluations | None = None) -> pa.RecordBatch:
    """Assess a batch of documents (columns READ) in the schema ASSESSED, row for row.

    Documents that share an n-gram with registered evaluation sets break the rule `contaminated`. Where the policy takes
    out what another document had first, the language is that of the whole text; all else is measured of what is left,
    and of what paragraphs in other languages leave, where the policy takes those out.
    """
    titles, texts, sources = (strings(documents.column(name)) for name in ("title", "text", "source"))
    clean, detected, extras = _prepared(texts, documents, policies)
    signals = measure_all(
        [its.text for its in clean], [policies.traits(its.lang) for its in detected], [its.score for its in detected]
    )
    failures = decide_all(detected, signals, extras, sources, policies)
    if evaluations:
        for its, broken, extra in zip(clean, failures, extras, strict=True):
            extra |= {SIGNAL: float(evaluations.shared(its.text)), EVALUATED_BY: evaluations.number}
            if extra[SIGNAL]:
                broken.append(Failure(CONTAMINATED, extra[SIGNAL], 0.0))
    redacted = [redact(its.text, source) for its, source in zip(clean, sources, strict=True)]
    titled = _respelled([normalise(title) for title in titles], [its.lang for its in detected], policies)
    headings = [redact(title.text, source) for title, source in zip(titled, sources, strict=True)]
    passed = [at for at, broken in enumerate(failures) if not broken]
    given = {
        "title": [heading.text for heading in headings],
        "text": [
            its.text[:_EXCERPT_CHARS] if broken else its.text for its, broken in zip(redacted, failures, strict=True)
        ],
        "n_chars": [len(its.text) for its in redacted],
        "n_words": signals[:, list(SIGNALS).index("n_words")].astype(np.int64),
        "lang": [its.lang for its in detected],
        "lang_score": [its.score for its in detected],
        "changes": [list(its.changes.items()) for its in clean],
        "policy_digest": [policies.of(its.lang).digest for its in detected],
        "failures": [[failure._asdict() for failure in broken] for broken in failures],
        "pii": [
            list((Counter(text.counts) + Counter(heading.counts)).items()) if text.counts or heading.counts else []
            for text, heading in zip(redacted, headings, strict=True)
        ],
    }
    columns: dict[str, Any] = {name: documents.column(name).cast(ASSESSED.field(name).type) for name in PASSED}
    columns |= {name: pa.array(values, ASSESSED.field(name).type) for name, values in given.items()}
    columns["signals"] = _signal_maps(signals, extras)
    columns |= _fingerprint_columns(len(texts), passed, fingerprint([redacted[at].text for at in passed]))
    return pa.RecordBatch.from_arrays([columns[name] for name in ASSESSED.names], schema=ASSESSED)


def _prepared(
    texts: Sequence[str], documents: pa.RecordBatch, policies: Policies
) -> tuple[list[Normalised], list[Detected], list[dict[str, float]]]:
    """The texts as they are measured, their languages, and what that took, as signals of each."""
    clean = [normalise(text) for text in texts]
    detected = detect_all([its.text for its in clean])
    clean, extras = _without_repeats(clean, [its.lang for its in detected], documents, policies)
    clean, detected = _one_language(clean, detected, extras, policies)
    for extra, its in zip(extras, detected, strict=True):
        if options := policies.of(its.lang).prepare:
            extra[PREPARED_BY] = options.number
    langs = [its.lang for its in detected]
    clean = _respelled(clean, langs, policies)
    _score(clean, langs, extras, policies)
    return clean, detected, extras


def _score(
    clean: Sequence[Normalised], langs: Sequence[str], extras: Sequence[dict[str, float]], policies: Policies
) -> None:
    """Put the perplexity of each text whose policy names a reference model into `extras`."""
    for lang in sorted(set(langs)):
        reference, model = policies.of(lang).reference, policies.model(lang)
        if reference is None or model is None:
            continue
        rows = [row for row, its in enumerate(langs) if its == lang]
        heads = [clean[row].text[:MEASURED_CHARS].split("\n") for row in rows]
        found = model.perplexities([[tokens(line, lang, reference.unit) for line in lines] for lines in heads])
        for row, value in zip(rows, found.tolist(), strict=True):
            extras[row] |= {name: value for name in PERPLEXITY} | {SCORED_BY: reference.number}


def _without_repeats(
    clean: Sequence[Normalised], langs: Sequence[str], documents: pa.RecordBatch, policies: Policies
) -> tuple[list[Normalised], list[dict[str, float]]]:
    """The texts without what other documents had first, and what that took, as signals of each."""
    extras: list[dict[str, float]] = [{} for _ in clean]
    left = list(clean)
    has_column = "repeated" in documents.schema.names
    hashes = documents.column("repeated").to_pylist() if has_column else [None] * len(left)
    for row, lang in enumerate(langs):
        asked = policies.of(lang).repeated_text
        if asked:
            found = cut(left[row].text, asked.unit, frozenset(hashes[row] or ()))
            left[row] = Normalised(found.text, left[row].changes)
            extras[row] = dict(zip(REMOVED[asked.unit], (float(found.parts), float(found.chars)), strict=True))
    return left, extras


def _one_language(
    clean: Sequence[Normalised],
    detected: Sequence[Detected],
    extras: Sequence[dict[str, float]],
    policies: Policies,
) -> tuple[list[Normalised], list[Detected]]:
    """The texts without paragraphs in other languages where a policy asks; how many those were goes into `extras`."""
    texts, languages = list(clean), list(detected)
    for row, (text, its) in enumerate(zip(clean, detected, strict=True)):
        found = sort_paragraphs(text.text, its, partial(_asked, policies, its.lang), policies.stop_words_of_others)
        if found:
            texts[row], languages[row] = Normalised(found.text, text.changes), found.detected
            extras[row].update(found.signals)
    return texts, languages


def _asked(policies: Policies, first: str, lang: str) -> ForeignParagraphs | None:
    """What is asked of a document that was taken for language `first` and may be in another."""
    same = policies.of(first).repeated_text == policies.of(lang).repeated_text  # it has been compared as `first`
    return policies.of(lang).foreign_paragraphs if same else None


def _respelled(clean: Sequence[Normalised], langs: Sequence[str], policies: Policies) -> list[Normalised]:
    """The texts in the spelling that the policies of their languages want."""
    options = [policies.of(lang).prepare for lang in langs]
    return [respell(text, its) if its else text for text, its in zip(clean, options, strict=True)]


def _signal_maps(signals: NDArray[np.float64], extras: Sequence[Mapping[str, float]]) -> pa.Array:
    """Rows of signals as maps from name to value, with those that only some documents have behind them."""
    if any(extras):
        rows = [
            [*zip(SIGNALS, row, strict=True), *extra.items()]
            for row, extra in zip(signals.tolist(), extras, strict=True)
        ]
        return pa.array(rows, ASSESSED.field("signals").type)
    height, width = signals.shape
    keys = pa.DictionaryArray.from_arrays(np.tile(np.arange(width, dtype=np.int32), height), list(SIGNALS))
    offsets = pa.array(np.arange(height + 1, dtype=np.int32) * width)
    return pa.MapArray.from_arrays(offsets, keys.cast(pa.string()), pa.array(signals.ravel()))


def _fingerprint_columns(size: int, passed: Sequence[int], prints: Fingerprints) -> dict[str, pa.Array]:
    n_shingles: list[int | None] = [None] * size
    signatures: list[list[int] | None] = [None] * size
    bands: list[list[int] | None] = [None] * size
    for at, count, signature, keys in zip(
        passed, prints.n_shingles.tolist(), prints.signatures.tolist(), prints.keys.tolist(), strict=True
    ):
        n_shingles[at] = count
        signatures[at], bands[at] = (signature, keys) if count else ([], keys[:1])
    return {
        "n_shingles": pa.array(n_shingles, pa.int64()),
        "signature": pa.array(signatures, pa.list_(pa.int64())),
        "bands": pa.array(bands, pa.list_(pa.int64())),
    }
