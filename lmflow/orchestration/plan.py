"""From a filled-in form to the options of every job. Knows no Airflow: a form in, plain lists and dictionaries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmflow.crawl.sources import Source, Sources
from lmflow.errors import InputError

JobOptions = dict[str, Any]


def plan_retraining(form: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """The options of every job of one retraining; None for a stage that is switched off.

    Raises:
        InputError: the form names an unknown site, or nothing would be read or trained.
    """
    languages = list(form["languages"])
    ingest = {
        "wikipedia": _ingest(form, "wikipedia", sources.wikipedia, languages),
        "news": _ingest(form, "news", sources.news, languages),
        "social": _ingest(form, "social", sources.social, languages),
    }
    if ingest["wikipedia"] is not None:
        ingest["wikipedia"]["date"] = form["wikipedia_date"]
    return {
        **ingest,
        "corpus": {"languages": languages},
        "embeddings": [_embedding(form, lang) for lang in languages] if form["embeddings"] else [],
        "datasets": [{"lang": lang, "vocabulary": form["vocabulary"]} for lang in languages],
        "models": [_model(form, lang, name) for lang in languages for name in form["architectures"]],
        "promotions": _promotions(form, languages),
    }


def _ingest(
    form: Mapping[str, Any], kind: str, sources: Sequence[Source], languages: Sequence[str]
) -> JobOptions | None:
    """The sites that were named, or the enabled ones of the languages; None when this kind is switched off."""
    if not form[kind]:
        return None
    known = {source.name for source in sources}
    unknown = [name for name in form[f"{kind}_sources"] if name not in known]
    if unknown:
        raise InputError(f"{kind}_sources: {unknown[0]} is not in sources.yaml; there are {', '.join(sorted(known))}")
    named = list(form[f"{kind}_sources"])
    chosen = named or [
        source.name for source in sources if source.enabled and source.lang.partition("-")[0] in languages
    ]
    return {"source": chosen} if chosen else None


def _embedding(form: Mapping[str, Any], lang: str) -> JobOptions:
    chosen = form["embedding_algorithm"]
    return {
        "lang": lang,
        "algorithm": {"skip-gram": "word2vec", "cbow": "word2vec"}.get(chosen, chosen),
        "cbow": chosen == "cbow",
        "dim": form["embedding_dim"],
        "epochs": form["embedding_epochs"],
        "seed": form["seed"],
    }


#: The shapes of every network, the default first (lmflow.models.families knows them; a DAG file must not import NumPy).
PRESETS = {
    "mlp": ("mlp-nano", "mlp-bengio"),
    "rnn": ("rnn-nano", "rnn-mikolov"),
    "lstm": ("lstm-nano", "lstm-zaremba-small", "lstm-zaremba-medium", "lstm-zaremba-large"),
    "awd-lstm": ("awd-lstm-nano", "awd-lstm-merity"),
    "transformer": ("transformer-nano", "transformer-small", "transformer-base"),
    "vae": ("vae-nano", "vae-bowman"),
}
#: Which parameters of the form decide a family, by the name that the job has for them.
_NGRAM = {"order": "ngram_order"}
_TRAINING = {name: name for name in ("epochs", "batch_size", "learning_rate", "replicas", "seed")}
_NETWORKS = {family: _TRAINING | {"preset": f"{family.replace('-', '_')}_preset"} for family in PRESETS}
_DECIDES = {"ngram": _NGRAM, **_NETWORKS, "lstm+ngram": _NGRAM | _NETWORKS["lstm"]}


def _model(form: Mapping[str, Any], lang: str, architecture: str) -> JobOptions:
    decides = {option: form[name] for option, name in _DECIDES[architecture].items()}
    return {"lang": lang, "architecture": architecture, **decides}


def _promotions(form: Mapping[str, Any], languages: Sequence[str]) -> list[JobOptions]:
    families = [*(["embeddings"] if form["embeddings"] else []), "lm"]
    return [{"model": f"{family}-{lang}", "alpha": form["alpha"]} for family in families for lang in languages]
