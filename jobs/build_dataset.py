"""Turn the clean documents of one language, or of several, into token shards: corpus -> tokenizer, shards, manifest.

The tokenizer (byte-level BPE, or unigram pieces over the same bytes) is fitted on the training split only
and registered as `tokenizer-<lang>`. The same documents and options are packed once: a second run finds the dataset and
says so.

The training split may be mixed: weights by source and language, caps a site, half-lives (lmflow/dataset/mixture.py
defines them). The manifest says what came of it: documents, copies, bytes and tokens by source and language, and every
document that was left out, with the reason. Held-out documents are never weighted.

Examples:
  python -m jobs.build_dataset --lang en
  python -m jobs.build_dataset --lang zh --vocabulary 4000 --tokenizer unigram
  python -m jobs.build_dataset --lang en zh --language-alpha 0.3
  python -m jobs.build_dataset --lang en --source-weights wikipedia=2 --half-lives news=90 --site-caps news=500
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import pyarrow.compute as pc
from pydantic import Field, model_validator

from jobs.command import Options, Progress, Result, main
from jobs.values import Languages, LanguageWeights, SourceCounts, SourceDays, SourceWeights
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.dataset import tokenizer as tokenizer_module
from lmflow.dataset.mixture import Candidate, Mixture, Recipe
from lmflow.dataset.shards import SPLITS, Dataset, Document
from lmflow.errors import InputError
from lmflow.lake import Lake, Table, faults
from lmflow.lake.lock import exclusive

_REQUIREMENTS: Final = ("mlflow", "numpy", "pandas", "tokenizers")


class BuildDataset(Options):
    """Options of build_dataset."""

    lang: Languages = Field(
        description="Language, ISO 639 code; several make one dataset, en-zh.", examples=["en", "zh", "en zh"]
    )
    vocabulary: int = Field(1000, description="Most tokens the tokenizer may have.", ge=257, le=60_000)
    tokenizer: Literal["bpe", "unigram"] = Field("bpe", description="How text is divided into tokens.")
    source_weights: SourceWeights = Field(
        {}, description="How often training documents of a source are read, on average; 1 where not given, 0 for never."
    )
    language_weights: LanguageWeights = Field({}, description="The same by language.")
    language_alpha: float = Field(
        1.0,
        description="Share of each language: its share of the bytes to this power. 1 leaves them, 0 makes them equal.",
        ge=0,
        le=1,
    )
    site_caps: SourceCounts = Field({}, description="Most training documents of one site, by source.")
    half_lives: SourceDays = Field(
        {}, description="Days after which a training document counts half, by source; counted from the newest."
    )

    @model_validator(mode="after")
    def _weighs_its_languages(self) -> Self:
        for language in self.language_weights:
            if language not in self.lang.split("-"):
                raise ValueError(f"--language-weights {language}: --lang is {self.lang}")
        return self

    @property
    def recipe(self) -> Recipe:
        """How to mix."""
        return Recipe(
            {str(source): weight for source, weight in self.source_weights.items()},
            self.language_weights,
            self.language_alpha,
            {str(source): cap for source, cap in self.site_caps.items()},
            {str(source): days for source, days in self.half_lives.items()},
        )


def run(options: BuildDataset, progress: Progress) -> Result:
    """Pack the corpus as it stands now."""
    lake, lang = Lake.open(), options.lang
    table = lake.table("corpus")
    version = table.version()
    rows = table.read(["doc_id", "revision", "split", "lang"], _of(lang), version).to_pylist()
    _check_languages(table, lang, {row["lang"] for row in rows}, version)
    identity = [(row["doc_id"], row["revision"], row["split"]) for row in rows]
    key = store.input_key(identity, options.vocabulary, options.tokenizer, options.recipe)
    with exclusive(f"dataset_{lang}"):
        found = store.find(lake, lang, key)
        if found is not None and _registered(found, lang) is not None:
            store.point_to(lake, lang, key)
            reason = f"the {len(rows):,} documents of {lang} and the options have not changed"
            return {"status": "nothing_new", "reason": reason, **_facts(found, lang, version)}
        progress.say(f"packing {len(rows):,} documents of {lang} from corpus version {version}")
        splits, mixture = _mixed(table, lang, version, options.recipe)
        lineage = {"corpus_uri": table.uri, "corpus_version": version, "lang": lang}
        with tracking.run("lmflow/dataset", f"dataset-{lang}", options.model_dump()) as opened:
            dataset = store.build(
                lake, lang, key, splits, options.vocabulary, lineage, options.tokenizer, mixture=mixture
            )
            store.point_to(lake, lang, key)
            facts = _log(opened, dataset, lang, version, table.uri)
            faults.point("dataset:registered")
    return {**facts, "run_id": opened.run_id, "run_url": tracking.run_url(opened.run_id)}


def _log(opened: tracking.Run, dataset: Dataset, lang: str, version: int, corpus_uri: str) -> Result:
    """Register the tokenizer, and put into the run what was made; returns the facts."""
    tokenizer = _registered(dataset, lang) or _register(opened, dataset, lang)
    facts = {**_facts(dataset, lang, version), "tokenizer": f"models:/tokenizer-{lang}/{tokenizer}"}
    opened.log_dataset(f"corpus-{lang}", corpus_uri, f"v{version}", "training", facts["splits"], version)
    opened.log_metrics(facts["metrics"])
    opened.log_artifact(dataset.folder / "manifest.json")
    opened.log_artifact(dataset.folder / "tokenizer.json")
    opened.set_tags({"dataset.digest": dataset.digest, "tokenizer.digest": facts["tokenizer_digest"]})
    return facts


def _of(lang: str) -> pc.Expression:
    return pc.field("lang").isin(lang.split("-"))


def _check_languages(table: Table, lang: str, found: Collection[str], version: int) -> None:
    """Raise InputError where the corpus lacks one of the languages."""
    missing = [code for code in lang.split("-") if code not in found]
    if missing:
        there = sorted({str(code) for code in table.read(["lang"], version=version)["lang"].unique().to_pylist()})
        raise InputError(
            f"the corpus has no documents in {missing[0]!r} (it has: {', '.join(there) or 'nothing'}); "
            "ingest some, then run `python -m jobs.build_corpus`"
        )


def _mixed(table: Table, lang: str, version: int, recipe: Recipe) -> tuple[dict[str, list[Document]], Mixture]:
    """The documents of every split, those of the training split mixed."""
    columns = ["doc_id", "text", "split", "lang", "source", "site", "url", "published_at"]
    rows = table.read(columns, _of(lang), version).to_pylist()
    mixture = Mixture.of([_candidate(row) for row in rows if row["split"] == "train"], recipe)
    copies = mixture.chosen.copies
    splits: dict[str, list[Document]] = {name: [] for name in SPLITS}
    for row in rows:
        times = copies.get(row["doc_id"], 0) if row["split"] == "train" else 1
        splits[row["split"]] += [Document(row["doc_id"], row["text"], row["lang"], copy) for copy in range(times)]
    if not splits["train"]:
        raise InputError("these weights leave no training document; raise one of them")
    return splits, mixture


def _candidate(row: Mapping[str, Any]) -> Candidate:
    """A training document; what was written before there was a column `site` has its host in place of it."""
    return Candidate(
        row["doc_id"],
        row["source"] or row["doc_id"].partition(":")[0],
        row["lang"],
        row["site"] or urlsplit(row["url"] or "").hostname or "",
        row["published_at"],
        len(row["text"].encode()),
    )


def _registered(dataset: Dataset, lang: str) -> int | None:
    """The version of `tokenizer-<lang>` that is this dataset's tokenizer, if it is registered."""
    found = registry.find(f"tokenizer-{lang}", {"tokenizer_digest": dataset.tokenizer.digest})
    return None if found is None else found.version


def _register(opened: tracking.Run, dataset: Dataset, lang: str) -> int:
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    kind = {"bpe": "Byte-level BPE", "unigram": "Unigram pieces over bytes"}[dataset.manifest["tokenizer_kind"]]
    size, train = dataset.tokenizer.size, dataset.manifest["splits"]["train"]
    source = f"corpus version {dataset.manifest['lineage']['corpus_version']}"
    return opened.log_model(
        name=f"tokenizer-{lang}",
        code=Path(tokenizer_module.__file__).with_name("tokenizer_pyfunc.py"),
        artifacts={"tokenizer": dataset.folder / "tokenizer.json"},
        modules=tokenizer_module.MODULES,
        requirements=[f"{package}=={metadata.version(package)}" for package in _REQUIREMENTS],
        input_example=pd.DataFrame({"text": ["The 猫."]}),
        signature=ModelSignature(
            inputs=Schema([ColSpec("string", "text")]), params=ParamSchema([ParamSpec("task", "string", "encode")])
        ),
        description=f"# tokenizer-{lang}\n\n{kind} of {size:,} tokens, fitted on {train['documents']:,} "
        f"training documents ({train['bytes'] / 1e6:.2f} MB) of {source}.",
        tags={"tokenizer_digest": dataset.tokenizer.digest, "dataset_digest": dataset.digest, **tracking.lineage()},
    ).version


def _facts(dataset: Dataset, lang: str, version: int) -> Result:
    splits = dataset.manifest["splits"]
    metrics = {f"{name}_{what}": float(count) for name, counts in splits.items() for what, count in counts.items()}
    return {
        "lang": lang,
        "dataset_digest": dataset.digest,
        "tokenizer_digest": dataset.manifest["tokenizer_digest"],
        "vocabulary": dataset.manifest["vocabulary"],
        "tokenizer_kind": dataset.manifest["tokenizer_kind"],
        "corpus_version": version,
        "splits": splits,
        "mixture": dataset.manifest.get("mixture", {}),
        "metrics": metrics,
    }


if __name__ == "__main__":
    main(BuildDataset, run, __doc__)
