"""Score a champion on the documents that came after it was trained, against those it was judged by.

Fresh are documents of the corpus that joined it after the version that the champion was trained on. Each source is
compared with itself, in bits per byte with a bootstrap interval, so that more news and less Wikipedia is no drift.
Drift is seen when the whole interval lies above --least. Also measured: how far the tokens of the fresh text diverge
from those of the training text (Jensen-Shannon, in bits), and how many documents joined the corpus since the model was
last trained, as a share of those before: --grown is the share that calls for another training.

A run in the MLflow experiment `lmflow/drift` for each measurement; measured once for the same champion and corpus.

Examples:
  python -m jobs.monitor_drift --model lm-en
  python -m jobs.monitor_drift --model lm-zh --documents 2000 --least 0.1 --grown 0.05
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from jobs import evaluate_model
from jobs.command import Options, Progress, Result, digest, main
from lmflow import registry, tracking
from lmflow.dataset import store
from lmflow.dataset.shards import Dataset
from lmflow.errors import InputError
from lmflow.evaluation.compression import by_group
from lmflow.evaluation.drift import Drift, compare_fresh, divergence
from lmflow.evaluation.scores import Scores
from lmflow.lake import Lake
from lmflow.registry.versions import CHAMPION, version

_EXPERIMENT: Final = "lmflow/drift"
_FEWEST: Final = 20  # documents below which an interval says nothing


class MonitorDrift(Options):
    """Options of monitor_drift."""

    model: str = Field(description="Registered language model.", pattern=r"^lm-[a-z-]+$", examples=["lm-en"])
    documents: int = Field(500, description="Fresh documents to score at most, drawn by a hash.", ge=_FEWEST)
    least: float = Field(0.05, description="Bits per byte by which fresh text must be worse to be drift.", ge=0)
    grown: float = Field(0.1, description="New documents for each old one that call for another training.", gt=0)


def run(options: MonitorDrift, progress: Progress) -> Result:
    """Compare, unless that has been done."""
    name = options.model
    number = registry.aliases(name).get(CHAMPION)
    if number is None:
        reason = f"{name} has no champion yet; promote_model makes one"
        return {"status": "nothing_new", "reason": reason, "model": name}
    champion = version(name, number)
    growth = _growth(registry.versions(name)[-1])
    facts = {"model": name, "version": number, "growth": growth, "grown": growth >= options.grown}
    rows, corpus_version = _fresh(champion, options.documents)
    if len(rows) < _FEWEST:
        reason = f"{len(rows)} documents came after version {number} was trained; {_FEWEST} are needed"
        return {"status": "nothing_new", "reason": reason, **facts, "documents": len(rows)}
    key = digest([champion.uri, options.least, *(f"{row['doc_id']}@{row['revision']}" for row in rows)])
    before = tracking.runs(_EXPERIMENT, {"drift_key": key})
    if before:
        seen = before[0].tags().get("drift") == "yes"
        reason = "these documents have been scored before"
        return {"status": "nothing_new", "reason": reason, **facts, "drift": seen, **_place(before[0].run_id)}
    judged = evaluate_model.run(evaluate_model.EvaluateModel(model=champion.uri), progress)
    with tempfile.TemporaryDirectory() as folder:
        path = tracking.download(champion.run_id, Scores.artifact(judged["held_out_digest"]), Path(folder))
        held = Scores.read(path)
    texts = [str(row["text"]) for row in rows]
    n_bytes = np.array([len(text.encode()) for text in texts], np.int64)
    model = tracking.load_model(champion.uri)
    nats = evaluate_model.nats_of(champion, model, texts, n_bytes, progress)
    sources = [str(row["source"]) for row in rows]
    found = compare_fresh((nats, n_bytes, sources), (held.nats, held.n_bytes, _sources(held.doc_ids)))
    dataset = store.latest(Lake.open(), name.removeprefix("lm-"))
    metrics = _metrics(found, nats, n_bytes, sources)
    metrics |= {"token_divergence": _divergence(dataset, texts), "growth": growth}
    seen = found.difference is not None and found.difference.low > options.least
    config = {**options.model_dump(), "version": number, "corpus_version": corpus_version}
    tags = {"model": name, "drift": "yes" if seen else "no"}
    with tracking.run(_EXPERIMENT, f"{name} version {number}", config, tags) as opened:
        opened.log_metrics(metrics)
        opened.log_dict({**asdict(found), "documents": [row["doc_id"] for row in rows]}, "drift.json")
        opened.set_tags({"drift_key": key})  # last: a run without it is not found, and the next begins anew
    progress.say(_verdict(name, number, found, seen))
    return {**facts, "drift": seen, "documents": len(rows), "metrics": metrics, **_place(opened.run_id)}


def _fresh(champion: registry.Version, at_most: int) -> tuple[list[dict[str, Any]], int]:
    """Documents that joined the corpus after the version that the champion was trained on; that of the corpus now."""
    table = Lake.open().table("corpus")
    version = table.version()
    new = sorted(table.batches(version) - table.batches(_corpus_version(champion)))
    where = pc.field("batch_id").isin(pa.array(new, pa.int64())) & _of_its_languages(champion)
    rows = table.read(["doc_id", "revision", "source"], where, version).to_pylist()
    chosen = {row["doc_id"] for row in sorted(rows, key=lambda row: digest([row["doc_id"]]))[:at_most]}
    columns = ["doc_id", "revision", "source", "text"]
    texts = table.read(
        columns, where & pc.field("doc_id").isin(pa.array(sorted(chosen), pa.string())), version
    ).to_pylist()
    return sorted(texts, key=lambda row: str(row["doc_id"])), version


def _growth(trained: registry.Version) -> float:
    """Documents that joined the corpus after the one that a version was trained on, for each document of that one."""
    table = Lake.open().table("corpus")
    batches = table.read(["batch_id"], _of_its_languages(trained))["batch_id"]
    known = pc.is_in(batches, pa.array(sorted(table.batches(_corpus_version(trained))), pa.int64()))
    before = pc.sum(known).as_py() or 0
    return (len(batches) - before) / max(before, 1)


def _corpus_version(trained: registry.Version) -> int:
    made_from = trained.tags.get("corpus_version", "")
    if not made_from.isdigit():
        raise InputError(f"{trained.uri} does not say which corpus it was trained on (tag corpus_version)")
    return int(made_from)


def _of_its_languages(trained: registry.Version) -> pc.Expression:
    return pc.field("lang").isin(trained.name.split("-")[1:])


def _metrics(
    found: Drift, nats: NDArray[np.float64], n_bytes: NDArray[np.int64], sources: list[str]
) -> dict[str, float]:
    metrics = {"fresh_bits_per_byte": found.fresh.value, "fresh_documents": float(len(nats))}
    metrics |= {f"fresh_bits_per_byte_{name}": each.value for name, each in by_group(nats, n_bytes, sources).items()}
    if found.difference is not None:
        names = ("drift_bits_per_byte", "drift_bits_per_byte_low", "drift_bits_per_byte_high")
        metrics |= dict(zip(names, asdict(found.difference).values(), strict=True))
    return metrics


def _divergence(dataset: Dataset, texts: Sequence[str]) -> float:
    """Of the fresh texts' tokens from the training split's."""
    size = dataset.manifest["vocabulary"]
    fresh = np.concatenate([np.asarray(ids) for ids in dataset.tokenizer.encode(list(texts))])
    return divergence(
        np.bincount(fresh, minlength=size), np.bincount(np.asarray(dataset.split("train").tokens), minlength=size)
    )


def _verdict(name: str, number: int, found: Drift, seen: bool) -> str:
    if found.difference is None:
        return f"{name} version {number}: no fresh document is of a source it was judged by"
    gap = found.difference
    shown = f"{gap.value:+.3f} bits per byte on fresh documents ({gap.low:+.3f} to {gap.high:+.3f})"
    return f"{name} version {number}: {shown}: {'drift' if seen else 'no drift'}"


def _sources(doc_ids: Sequence[str]) -> list[str]:
    return [doc_id.partition(":")[0] for doc_id in doc_ids]


def _place(run_id: str) -> dict[str, str]:
    return {"run_id": run_id, "run_url": tracking.run_url(run_id)}


if __name__ == "__main__":
    main(MonitorDrift, run, __doc__)
