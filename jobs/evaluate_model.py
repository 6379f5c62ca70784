"""Score a registered language model on the held-out documents of the latest dataset of its language.

The score is bits per byte of the original text, so models with different tokenizers are compared on equal terms: in
all, by source and by language, each with a bootstrap interval over documents. Scores by document are kept with the run
that trained the model; the gate pairs them. Beside it, how often the model completes the last word of a passage
(lmflow/evaluation/cloze.py). Scored once for the same documents.

Examples:
  python -m jobs.evaluate_model --model models:/lm-en/3
  python -m jobs.evaluate_model --model models:/lm-zh@champion
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from jobs.command import Options, Progress, Result, main
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.dataset.shards import Dataset
from lmflow.evaluation import cloze
from lmflow.evaluation.cloze import ClozeScore, passages
from lmflow.evaluation.compression import Estimate, bits_per_byte, by_group
from lmflow.evaluation.scores import Scores
from lmflow.lake import Lake

_AT_ONCE = 256  # documents handed to the model in one call


class EvaluateModel(Options):
    """Options of evaluate_model."""

    model: str = Field(
        description="Registered language model: models:/lm-<lang>/<version> or models:/lm-<lang>@<alias>.",
        pattern=r"^models:/lm-[a-z-]+(/\d+|@\w+)$",
        examples=["models:/lm-en@champion"],
    )


def run(options: EvaluateModel, progress: Progress) -> Result:
    """Score on the held-out documents as they are now, unless that has been done."""
    import mlflow

    version = registry.resolve(options.model, "--model")
    lang = version.name.removeprefix("lm-")
    dataset = store.latest(Lake.open(), lang)
    digest, langs = dataset.manifest["held_out_digest"], dataset.split("test").langs
    facts = {"model": version.name, "version": version.version, "held_out_digest": digest, "run_id": version.run_id}
    facts["architecture"] = version.tags.get("architecture", "")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{digest[:16]}.parquet"
        if version.tags.get("held_out_digest") == digest:
            found = Scores.read(tracking.download(version.run_id, Scores.artifact(digest), Path(scratch)))
            reason = f"version {version.version} was scored on these {len(found.doc_ids):,} documents before"
            return {"status": "nothing_new", "reason": reason, **facts, **_figures(found, langs)}
        loaded = mlflow.pyfunc.load_model(version.uri)
        scores = _score(version, loaded, dataset, digest, progress)
        scores.write(path)
        completions = _cloze(loaded.unwrap_python_model(), dataset, progress)
        figures = {**_figures(scores, langs), "cloze": {lang: asdict(score) for lang, score in completions.items()}}
        completed = {
            f"test_cloze_{lang}_{name}": float(value)
            for lang, score in figures["cloze"].items()
            for name, value in score.items()
        }
        with tracking.run("lmflow/language-model", version.name, {}, run_id=version.run_id) as opened:
            opened.log_artifact(path, "evaluation")
            opened.log_dict(figures, f"evaluation/{digest[:16]}.json")
            opened.log_metrics({**figures["metrics"], **completed})
            opened.log_dataset(
                f"held-out-{lang}", dataset.folder.as_uri(), digest, "evaluation", dataset.manifest["splits"]["test"]
            )
        client = tracking.client()
        for tag, value in {"held_out_digest": digest, **figures["metrics"]}.items():
            client.set_model_version_tag(version.name, str(version.version), tag, str(value))
    return {**facts, **figures}


def _cloze(loaded: Any, dataset: Dataset, progress: Progress) -> dict[str, ClozeScore]:
    """How often the model completes a passage's last word, by language; languages without passages are left out."""
    split = dataset.split("test")
    texts = [dataset.tokenizer.decode(ids) for ids in split.documents()]
    found = {}
    for lang in sorted(set(split.langs)):
        mine = [(split.doc_ids[at], texts[at]) for at, its in enumerate(split.langs) if its == lang]
        if asked := passages(mine, lang):
            found[lang] = cloze.score(loaded.model, loaded.tokenizer.encode, asked)
            progress.say(f"{lang}: {found[lang].accuracy:.1%} of {len(asked)} passages end in the model's first choice")
    return found


def _score(version: registry.Version, model: Any, dataset: Dataset, digest: str, progress: Progress) -> Scores:
    split = dataset.split("test")
    texts = [dataset.tokenizer.decode(ids) for ids in split.documents()]
    return Scores(digest, split.doc_ids, nats_of(version, model, texts, split.n_bytes, progress), split.n_bytes)


def nats_of(
    version: registry.Version, model: Any, texts: Sequence[str], n_bytes: NDArray[np.int64], progress: Progress
) -> NDArray[np.float64]:
    """Negative log probability of each text under a version, loaded as `model`. Shape [texts]."""
    import pandas as pd

    bits: list[float] = []
    with progress.bar(len(texts), f"scoring {version.name} version {version.version}", "documents") as bar:
        for start in range(0, len(texts), _AT_ONCE):
            rows = pd.DataFrame({"prompt": list(texts[start : start + _AT_ONCE])})
            bits += model.predict(rows, params={"task": "score"})
            bar.advance(len(rows))
    return np.asarray(np.array(bits) * n_bytes * np.log(2), np.float64)


def _figures(scores: Scores, langs: Sequence[str]) -> Result:
    """Bits per byte in all, by source and by language, with intervals; `langs` are those of the documents."""
    estimate: Estimate = bits_per_byte(scores.nats, scores.n_bytes)
    groups = {
        "by_source": by_group(scores.nats, scores.n_bytes, [doc_id.partition(":")[0] for doc_id in scores.doc_ids]),
        "by_language": by_group(scores.nats, scores.n_bytes, langs),
    }
    metrics = {
        "test_bits_per_byte": estimate.value,
        "test_bits_per_byte_low": estimate.low,
        "test_bits_per_byte_high": estimate.high,
    }
    for found in groups.values():
        for name, group in found.items():
            metrics[f"test_bits_per_byte_{name}"] = group.value
            metrics[f"test_bits_per_byte_{name}_low"] = group.low
            metrics[f"test_bits_per_byte_{name}_high"] = group.high
    return {
        "documents": len(scores.doc_ids),
        "bits_per_byte": asdict(estimate),
        **{name: {group: asdict(each) for group, each in found.items()} for name, found in groups.items()},
        "metrics": metrics,
    }


if __name__ == "__main__":
    main(EvaluateModel, run, __doc__)
