"""From a filled-in form to the options of every job. Knows no Airflow: a form in, plain lists and dictionaries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmflow.crawl.sources import Source, Sources
from lmflow.errors import InputError

JobOptions = dict[str, Any]
#: Kinds of source, as the form weighs them.
KINDS = ("wikipedia", "news", "social")


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
    embeddings = plan_embeddings(form) if form["embeddings"] else {"embeddings": [], "promotions": []}
    models = plan_language_models(form)
    return {
        **ingest,
        "corpus": {"languages": languages, "evaluation_dir": form["evaluation_dir"]},
        **embeddings,
        **models,
        "promotions": embeddings["promotions"] + models["promotions"],
    }


def plan_embeddings(form: Mapping[str, Any]) -> dict[str, Any]:
    """The options of every job that makes embeddings and judges them."""
    languages = list(form["languages"])
    return {
        "embeddings": [_embedding(form, lang) for lang in languages],
        "promotions": _promotions(form, "embeddings", languages),
    }


def plan_language_models(form: Mapping[str, Any]) -> dict[str, Any]:
    """The options of every job that makes language models and judges them.

    Raises:
        InputError: a search and a warm start are asked for at once.
    """
    if form["search"] and form["warm_start"]:
        raise InputError("search and warm_start: a search trains anew; switch one of them off")
    languages = list(form["languages"])
    if form["together"] and len(languages) > 1:
        languages.append("-".join(sorted(languages)))
    networks = dict.fromkeys(family for name in form["architectures"] if (family := _family(name)) in PRESETS)
    return {
        "datasets": [_dataset(form, lang) for lang in languages],
        "searches": [_study(form, lang, family) for lang in languages for family in networks] if form["search"] else [],
        "models": [_model(form, lang, name) for lang in languages for name in form["architectures"]],
        "promotions": _promotions(form, "lm", languages),
    }


def with_winners(models: Sequence[JobOptions], studies: Sequence[Mapping[str, Any]]) -> list[JobOptions]:
    """The trainings with the settings that searches found; a mixture's network takes those of its family's search.

    Args:
        models: options of train_language_model.
        studies: results of search_language_model, each with its `winner`.
    """
    won = {(study["lang"], study["architecture"]): study["winner"] for study in studies}
    merged = []
    for model in models:
        winner = won.get((model["lang"], _family(model["architecture"])))
        found = {} if winner is None else {name: winner.get(name) for name in _SEARCHED}
        merged.append({**model, **found})
    return merged


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
    going_on = {"start_from": "newest"} if form["embedding_update"] and chosen != "glove" else {}
    return {
        "lang": lang,
        "algorithm": {"skip-gram": "word2vec", "cbow": "word2vec"}.get(chosen, chosen),
        "cbow": chosen == "cbow",
        "dim": form["embedding_dim"],
        "epochs": form["embedding_epochs"],
        "seed": form["seed"],
        **going_on,
    }


def _dataset(form: Mapping[str, Any], lang: str) -> JobOptions:
    capped = ("news", "social") if form["site_cap"] is not None else ()
    return {
        "lang": lang,
        "vocabulary": form["vocabulary"],
        "tokenizer": form["tokenizer"],
        "source_weights": {kind: form[f"{kind}_weight"] for kind in KINDS if form[f"{kind}_weight"] != 1},
        "language_alpha": form["language_alpha"],
        "site_caps": dict.fromkeys(capped, form["site_cap"]),
        "half_lives": {} if form["news_half_life"] is None else {"news": form["news_half_life"]},
    }


#: The shapes of every network, the default first (lmflow.models.families knows them; a DAG file must not import NumPy).
PRESETS = {
    "mlp": ("mlp-nano", "mlp-bengio"),
    "rnn": ("rnn-nano", "rnn-mikolov"),
    "lstm": ("lstm-nano", "lstm-zaremba-small", "lstm-zaremba-medium", "lstm-zaremba-large"),
    "awd-lstm": ("awd-lstm-nano", "awd-lstm-merity"),
    "transformer": ("transformer-nano", "transformer-small", "transformer-base"),
    "vae": ("vae-nano", "vae-bowman", "vae-timbmg"),
}
#: Which parameters of the form decide a family, by the name that the job has for them.
_NGRAM = {"order": "ngram_order"}
_TRAINING = {name: name for name in ("epochs", "batch_size", "learning_rate", "replicas", "seed")}
_SAMPLED = {"softmax_sample": "softmax_sample"}
_NETWORKS = {
    family: _TRAINING
    | {"preset": f"{family.replace('-', '_')}_preset"}
    | (_SAMPLED if family in ("rnn", "lstm", "transformer") else {})
    for family in PRESETS
}
_DECIDES = {"ngram": _NGRAM, **_NETWORKS, "lstm+ngram": _NGRAM | _NETWORKS["lstm"]}


def _model(form: Mapping[str, Any], lang: str, architecture: str) -> JobOptions:
    decides = {option: form[name] for option, name in _DECIDES[architecture].items()}
    going_on = {"warm_start": "newest", "replay": form["replay"]} if form["warm_start"] else {}
    return {"lang": lang, "architecture": architecture, **decides, **going_on}


#: What a search looks for: the option, and the parameter that lists its values.
_SEARCHED = {
    "learning_rate": "search_learning_rates",
    "batch_size": "search_batch_sizes",
    "dimension": "search_dimensions",
    "dropout": "search_dropouts",
}


def _study(form: Mapping[str, Any], lang: str, family: str) -> JobOptions:
    """What is searched; a single value that the form gives is the only one, where no list is given."""
    values = {
        option: list(form[name]) or ([form[option]] if form.get(option) is not None else [])
        for option, name in _SEARCHED.items()
    }
    limits = {name: form[f"search_{name}"] for name in ("trials", "budget", "rungs")}
    return {**_model(form, lang, family), **values, **limits}


def _family(architecture: str) -> str:
    """The network of a family, where it is mixed with another."""
    return architecture.partition("+")[0]


def _promotions(form: Mapping[str, Any], family: str, languages: Sequence[str]) -> list[JobOptions]:
    return [{"model": f"{family}-{lang}", "alpha": form["alpha"]} for lang in languages]
