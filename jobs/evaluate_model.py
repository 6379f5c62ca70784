"""Score a registered language model on the held-out documents of the latest dataset of its language.

The score is bits per byte of the original text, so models with different tokenizers are compared on equal terms: in
all, by source and by language, each with a bootstrap interval over documents. Scores by document are kept with the run
that trained the model; the gate pairs them. Beside it: the perplexity of a token and of a word (defined in the result),
how often the next token is the model's first choice and how well its confidence fits, and how often the model completes
the last word of a passage (lmflow/evaluation/cloze.py). Scored once for the same documents.

With --test-file the model is scored on that file (UTF-8 text), read as its own training would read it: documents apart
by empty lines or, where its tokens are words between blanks, lines of one running text. What was trained with
--train-file is scored in this way; train and valid files are not needed for it. The result is kept with the run.

Examples:
  python -m jobs.evaluate_model --model models:/lm-en/3
  python -m jobs.evaluate_model --model models:/lm-zh@champion
  python -m jobs.evaluate_model --model models:/lm-en-ptb-train/1 --test-file ptb.test.txt
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from jobs.command import Options, Progress, Result, main
from lmflow import registry, tracking
from lmflow.corpus.language import detect_all
from lmflow.dataset import plain_files, store
from lmflow.dataset.shards import Dataset
from lmflow.errors import InputError
from lmflow.evaluation import cloze, scores
from lmflow.evaluation.cloze import ClozeScore, passages
from lmflow.evaluation.compression import Estimate, bits_per_byte, by_group, count_words, perplexity
from lmflow.evaluation.generation import next_token
from lmflow.evaluation.scores import Scores
from lmflow.lake import Lake
from lmflow.text.scripts import HAS_UNSPACED
from lmflow.text.segment import UNSPACED_LANGUAGES

_AT_ONCE = 256  # documents handed to the model in one call
#: What the figures mean that are defined in more than one way; part of every result.
DEFINITIONS: Final = {
    "test_bits_per_byte": "bits of all documents, the end of each included / UTF-8 bytes of their text",
    "test_perplexity": "exp(nats / tokens of the model's own tokenizer), the end of each document counted as one",
    "test_perplexity_per_word": "exp(nats / words), the end of each document counted as one; words are what stands "
    "between blanks, or what segmentation finds where a language puts none",
    "test_next_token_accuracy": "share of the first 1,000 tokens that are the model's first choice",
    "test_calibration_error": "expected calibration error of those first choices over ten bins of confidence",
}


class EvaluateModel(Options):
    """Options of evaluate_model."""

    model: str = Field(
        description="Registered language model: models:/lm-<lang>/<version> or models:/lm-<lang>@<alias>.",
        pattern=r"^models:/lm-[A-Za-z0-9-]+(/\d+|@\w+)$",
        examples=["models:/lm-en@champion"],
    )
    test_file: Path | None = Field(None, description="Plain text to score, in place of the held-out documents.")


def run(options: EvaluateModel, progress: Progress) -> Result:
    """Score on the held-out documents as they are now, unless that has been done; or on a file."""
    version = registry.resolve(options.model, "--model")
    if options.test_file is not None:
        return _on_file(version, options.test_file, progress)
    if version.tags.get("corpus_version") == "":
        raise InputError(f"--model {version.uri} was trained on files: name one to score it on with --test-file")
    return _on_held_out(version, progress)


def _on_file(version: registry.Version, path: Path, progress: Progress) -> Result:
    loaded = tracking.load_model(version.uri).unwrap_python_model()
    kind = loaded.tokenizer.kind
    documents = plain_files.documents("test", path, kind)
    texts = [document.text for document in documents]
    n_bytes = np.array([len(text.encode()) for text in texts], np.int64)
    if not n_bytes.sum():
        raise InputError(f"--test-file {path} holds no text")
    progress.say(f"scoring {version.uri} on {path.name}")
    nats = scores.nats_of(loaded.model, loaded.tokenizer.encode(texts), plain_files.running(kind))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = Scores(digest, tuple(document.doc_id for document in documents), nats, n_bytes)
    langs = _languages(texts, tracking.Run(tracking.client(), version.run_id).parameters()["lang"].split("-"))
    figures = _figures(found, langs, _by_tokens(loaded, texts, langs, nats))
    with tracking.run("lmflow/language-model", version.name, {}, run_id=version.run_id) as opened:
        opened.log_dict({"test_file": str(path), **figures}, f"evaluation/{path.stem}-{digest[:16]}.json")
        counts = {"documents": len(texts), "bytes": int(n_bytes.sum())}
        opened.log_dataset(path.name, path.absolute().as_uri(), digest, "evaluation", counts)
    return {**_facts(version, digest), **figures}


def _languages(texts: Sequence[str], known: Sequence[str]) -> list[str]:
    """The language of each text among those of a model; for one in none of them, one that puts blanks as it does."""
    if len(known) == 1:
        return [known[0]] * len(texts)

    def likest(text: str) -> str:
        unspaced = HAS_UNSPACED.search(text) is not None
        return next((lang for lang in known if (lang in UNSPACED_LANGUAGES) == unspaced), known[0])

    found = zip(detect_all(texts), texts, strict=True)
    return [detected.lang if detected.lang in known else likest(text) for detected, text in found]


def _on_held_out(version: registry.Version, progress: Progress) -> Result:
    lang = version.name.removeprefix("lm-")
    dataset = store.latest(Lake.open(), lang)
    digest, langs = dataset.manifest["held_out_digest"], dataset.split("test").langs
    facts = _facts(version, digest)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{digest[:16]}.parquet"
        if version.tags.get("held_out_digest") == digest:
            found = Scores.read(tracking.download(version.run_id, Scores.artifact(digest), Path(scratch)))
            by_tokens = {name: float(version.tags[name]) for name in DEFINITIONS if name in version.tags}
            reason = f"version {version.version} was scored on these {len(found.doc_ids):,} documents before"
            return {"status": "nothing_new", "reason": reason, **facts, **_figures(found, langs, by_tokens)}
        loaded = tracking.load_model(version.uri)
        texts = [dataset.tokenizer.decode(ids) for ids in dataset.split("test").documents()]
        found = _score(version, loaded, dataset, texts, progress)
        found.write(path)
        completions = _cloze(loaded.unwrap_python_model(), dataset, texts, progress)
        by_tokens = _by_tokens(loaded.unwrap_python_model(), texts, langs, found.nats)
        figures = {
            **_figures(found, langs, by_tokens),
            "cloze": {lang: asdict(score) for lang, score in completions.items()},
        }
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


def _facts(version: registry.Version, digest: str) -> Result:
    facts = {"model": version.name, "version": version.version, "held_out_digest": digest, "run_id": version.run_id}
    return {**facts, "architecture": version.tags.get("architecture", "")}


def _by_tokens(loaded: Any, texts: Sequence[str], langs: Sequence[str], nats: NDArray[np.float64]) -> dict[str, float]:
    """Perplexities, and what the model thinks of the first thousand next tokens."""
    tokens = loaded.tokenizer.encode(texts)
    asked = next_token(loaded.model, tokens)
    return {
        "test_perplexity": perplexity(nats, sum(map(len, tokens)) + len(tokens)),
        "test_perplexity_per_word": perplexity(nats, count_words(texts, langs)),
        "test_next_token_accuracy": asked.accuracy,
        "test_calibration_error": asked.calibration_error,
    }


def _cloze(loaded: Any, dataset: Dataset, texts: Sequence[str], progress: Progress) -> dict[str, ClozeScore]:
    """How often the model completes a passage's last word, by language; languages without passages are left out."""
    split, found = dataset.split("test"), {}
    for lang in sorted(set(split.langs)):
        mine = [(split.doc_ids[at], texts[at]) for at, its in enumerate(split.langs) if its == lang]
        if asked := passages(mine, lang):
            found[lang] = cloze.score(loaded.model, loaded.tokenizer.encode, asked)
            progress.say(f"{lang}: {found[lang].accuracy:.1%} of {len(asked)} passages end in the model's first choice")
    return found


def _score(version: registry.Version, model: Any, dataset: Dataset, texts: Sequence[str], progress: Progress) -> Scores:
    split, digest = dataset.split("test"), dataset.manifest["held_out_digest"]
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


def _figures(found: Scores, langs: Sequence[str], by_tokens: Mapping[str, float]) -> Result:
    """Bits per byte in all, by source and by language, with intervals; `langs` are those of the documents."""
    estimate: Estimate = bits_per_byte(found.nats, found.n_bytes)
    groups = {
        "by_source": by_group(found.nats, found.n_bytes, [doc_id.partition(":")[0] for doc_id in found.doc_ids]),
        "by_language": by_group(found.nats, found.n_bytes, langs),
    }
    metrics = {
        **by_tokens,
        "test_bits_per_byte": estimate.value,
        "test_bits_per_byte_low": estimate.low,
        "test_bits_per_byte_high": estimate.high,
    }
    for its in groups.values():
        for name, group in its.items():
            metrics[f"test_bits_per_byte_{name}"] = group.value
            metrics[f"test_bits_per_byte_{name}_low"] = group.low
            metrics[f"test_bits_per_byte_{name}_high"] = group.high
    return {
        "documents": len(found.doc_ids),
        "bits_per_byte": asdict(estimate),
        **{name: {group: asdict(each) for group, each in its.items()} for name, its in groups.items()},
        "metrics": metrics,
        "definitions": DEFINITIONS,
    }


if __name__ == "__main__":
    main(EvaluateModel, run, __doc__)
