"""Turn the clean documents of one language into token shards: corpus -> tokenizer, shards, manifest.

The tokenizer (byte-level BPE, or unigram pieces over the same bytes) is fitted on the training split only
and registered as `tokenizer-<lang>`. The same documents and options are packed once: a second run finds the dataset and
says so.

Examples:
  python -m jobs.build_dataset --lang en
  python -m jobs.build_dataset --lang zh --vocabulary 4000
  python -m jobs.build_dataset --lang en --tokenizer unigram
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import pyarrow.compute as pc
from pydantic import Field

from jobs.command import Options, Progress, Result, main
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.dataset import tokenizer as tokenizer_module
from lmflow.dataset.shards import SPLITS, Dataset, Document
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive

_REQUIREMENTS: Final = ("mlflow", "numpy", "pandas", "tokenizers")


class BuildDataset(Options):
    """Options of build_dataset."""

    lang: str = Field(description="Language, ISO 639 code.", pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])
    vocabulary: int = Field(1000, description="Most tokens the tokenizer may have.", ge=257, le=60_000)
    tokenizer: Literal["bpe", "unigram"] = Field("bpe", description="How text is divided into tokens.")


def run(options: BuildDataset, progress: Progress) -> Result:
    """Pack the corpus as it stands now."""
    lake = Lake.open()
    table = lake.table("corpus")
    version = table.version()
    rows = table.read(["doc_id", "revision", "split"], pc.field("lang") == options.lang, version).to_pylist()
    if not rows:
        there = sorted({str(lang) for lang in table.read(["lang"], version=version)["lang"].unique().to_pylist()})
        raise InputError(
            f"the corpus has no documents in {options.lang!r} (it has: {', '.join(there) or 'nothing'}); "
            "ingest some, then run `python -m jobs.build_corpus`"
        )
    key = store.input_key(
        [(row["doc_id"], row["revision"], row["split"]) for row in rows], options.vocabulary, options.tokenizer
    )
    with exclusive(f"dataset_{options.lang}"):
        found = store.find(lake, options.lang, key)
        if found is not None and _registered(found, options.lang) is not None:
            store.point_to(lake, options.lang, key)
            reason = f"the {len(rows):,} documents of {options.lang} and the options have not changed"
            return {"status": "nothing_new", "reason": reason, **_facts(found, options.lang, version)}
        progress.say(f"packing {len(rows):,} documents of {options.lang} from corpus version {version}")
        texts = table.read(["doc_id", "text", "split"], pc.field("lang") == options.lang, version).to_pylist()
        splits = {
            name: [Document(row["doc_id"], row["text"]) for row in texts if row["split"] == name] for name in SPLITS
        }
        lineage = {"corpus_uri": table.uri, "corpus_version": version, "lang": options.lang}
        with tracking.run("lmflow/dataset", f"dataset-{options.lang}", options.model_dump()) as opened:
            dataset = store.build(lake, options.lang, key, splits, options.vocabulary, lineage, options.tokenizer)
            tokenizer = _registered(dataset, options.lang) or _register(opened, dataset, options.lang)
            facts = {
                **_facts(dataset, options.lang, version),
                "tokenizer": f"models:/tokenizer-{options.lang}/{tokenizer}",
            }
            opened.log_dataset(f"corpus-{options.lang}", table.uri, f"v{version}", "training", facts["splits"])
            opened.log_metrics(facts["metrics"])
            opened.log_artifact(dataset.folder / "manifest.json")
            opened.log_artifact(dataset.folder / "tokenizer.json")
            opened.set_tags({"dataset.digest": dataset.digest, "tokenizer.digest": facts["tokenizer_digest"]})
    return {**facts, "run_id": opened.run_id, "run_url": tracking.run_url(opened.run_id)}


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
        modules=["lmflow.dataset.tokenizer"],
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
        "metrics": metrics,
    }


if __name__ == "__main__":
    main(BuildDataset, run, __doc__)
