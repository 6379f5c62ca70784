"""The form of a retraining: every parameter with its type, bounds and meaning, so that no bad value gets past it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Param

from lmflow.crawl.sources import Source, Sources
from lmflow.orchestration.plan import KINDS, PRESETS

LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}
ARCHITECTURES = {
    "ngram": "n-gram (Kneser-Ney)",
    "mlp": "Feed-forward (Bengio)",
    "rnn": "Simple recurrent (Elman)",
    "lstm": "LSTM",
    "awd-lstm": "AWD-LSTM (Merity)",
    "transformer": "Transformer",
    "vae": "Variational autoencoder (Bowman)",
    "lstm+ngram": "LSTM and n-gram, mixed",
}
_USUAL_ARCHITECTURES = ("ngram", "lstm", "lstm+ngram")
DUMP_DATE = r"^(latest|[0-9]{8})$"

_DATA, _CORPUS, _EMBEDDINGS = "What to crawl", "Corpus and tokenizer", "Word embeddings"
_MODELS, _SEARCH, _PROMOTION = "Language models", "Search for settings", "Promotion"


def retrain_form(sources: Sources) -> dict[str, Param]:
    """Parameters of the DAG `retrain`; the names of sites come from the list of sources."""
    return {
        **_data(sources),
        **_tokens(),
        "embeddings": Param(True, type="boolean", section=_EMBEDDINGS, description="Train word vectors."),
        **_embeddings(),
        **_models(),
        **_search(),
        **_promotion(),
    }


def language_model_form(sources: Sources) -> dict[str, Param]:
    """Parameters of the DAG `train_language_model`: those of its part of a retraining."""
    return {"languages": languages(sources, _CORPUS), **_tokens(), **_models(), **_search(), **_promotion()}


def embeddings_form(sources: Sources) -> dict[str, Param]:
    """Parameters of the DAG `train_embeddings`."""
    seed = {"seed": _seed(_EMBEDDINGS)}
    return {"languages": languages(sources, _CORPUS), **_embeddings(), **seed, **_promotion()}


def site_names(sources: Sequence[Source], section: str, what: str) -> Param:
    """A choice of sites by name; none means all that are enabled in sources.yaml."""
    return Param(
        [],
        type="array",
        items={"type": "string"},
        uniqueItems=True,
        examples=[source.name for source in sources],
        section=section,
        description=f"{what} to read, by their names in sources.yaml. Empty: every enabled one of the languages.",
    )


def dump_date(section: str) -> Param:
    """Which Wikipedia dump to read."""
    return Param("latest", type="string", pattern=DUMP_DATE, section=section, description="latest, or YYYYMMDD.")


def dump_wait(section: str) -> Param:
    """How long to wait for a dump that is not finished."""
    what = "Hours to wait for the dump while it is not finished. 0 takes the newest finished one at once."
    return _number("number", 0, 0, 336, section, what)


def languages(sources: Sources, section: str) -> Param:
    """A choice among the languages of all sites, every one by default."""
    codes = sorted({source.lang.partition("-")[0] for group in _groups(sources) for source in group})
    return _choice(codes, codes, section, "A corpus and models are made for each.", LANGUAGE_NAMES)


def evaluation_dir(section: str) -> Param:
    """Which evaluation sets are kept out of the corpus."""
    return Param(
        None,
        type=["null", "string"],
        section=section,
        description="Folder of evaluation sets, by its path on the worker: documents that hold parts of them stay out. "
        "Empty: <home>/evaluation/text, if there is one.",
    )


def _data(sources: Sources) -> dict[str, Param]:
    form: dict[str, Param] = {"languages": languages(sources, _DATA)}
    for kind, group in zip(("wikipedia", "news", "social"), _groups(sources), strict=True):
        form[kind] = Param(True, type="boolean", section=_DATA, description=f"Look for new {kind} documents.")
        form[f"{kind}_sources"] = site_names(group, _DATA, f"Sites of kind {kind}")
    form["wikipedia_date"] = dump_date(_DATA)
    form["evaluation_dir"] = evaluation_dir(_CORPUS)
    return form


def _groups(sources: Sources) -> tuple[Sequence[Source], ...]:
    return sources.wikipedia, sources.news, sources.social


def _tokens() -> dict[str, Param]:
    what = "Tokens that the tokenizer of each language may have."
    copies = "How often training documents of {} are read, on average; 0 is never."
    return {
        "vocabulary": _number("integer", 1000, 257, 60_000, _CORPUS, what),
        "tokenizer": Param(
            "bpe",
            enum=["bpe", "unigram"],
            section=_CORPUS,
            description="How text is divided into tokens: byte-level BPE, or unigram pieces over the same bytes.",
        ),
        **{f"{kind}_weight": _number("number", 1, 0, 16, _CORPUS, copies.format(kind)) for kind in KINDS},
        "news_half_life": _limit(
            *("number", 0.1, 36_500, "Days after which a news article counts half. Empty: age does not count."), _CORPUS
        ),
        "site_cap": _limit(
            *("integer", 1, 100_000_000, "Most training documents of one news or social site. Empty: all."), _CORPUS
        ),
        "together": Param(
            False,
            type="boolean",
            section=_CORPUS,
            description="Beside those of each language, also make one model of all of them, such as lm-en-zh.",
        ),
        "language_alpha": _number(
            *("number", 1, 0, 1, _CORPUS),
            "One model of all: share of each language, its share of the text to this power. 0 makes them equal.",
        ),
    }


def _promotion() -> dict[str, Param]:
    return {
        "alpha": _number("number", 0.05, 0.0001, 0.5, _PROMOTION, "Largest p-value that counts as a significant win."),
        "approval": Param(
            False, type="boolean", section=_PROMOTION, description="Ask a person before anything is promoted."
        ),
    }


def _embeddings() -> dict[str, Param]:
    return {
        "embedding_algorithm": Param(
            "skip-gram",
            enum=["skip-gram", "cbow", "fasttext", "glove"],
            section=_EMBEDDINGS,
            description="Skip-gram and CBOW are word2vec's: the first better for a small corpus, the other faster. "
            "fastText also knows pieces of words; GloVe counts the whole corpus first.",
        ),
        "embedding_dim": _number("integer", 100, 2, 1000, _EMBEDDINGS, "Length of a word vector."),
        "embedding_epochs": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=500,
            section=_EMBEDDINGS,
            description="Passes over the text. Empty: 20 for a small corpus, 5 for a large one.",
        ),
        "embedding_update": Param(
            False,
            type="boolean",
            section=_EMBEDDINGS,
            description="Go on from the newest vectors of this kind, on new text and some of the old; cost follows the "
            "new text. When more than a fifth is new, or for GloVe, everything is learnt again.",
        ),
    }


def _models() -> dict[str, Param]:
    return {
        "architectures": _choice(_USUAL_ARCHITECTURES, list(ARCHITECTURES), _MODELS, "Each is trained.", ARCHITECTURES),
        "ngram_order": _number("integer", 5, 2, 7, _MODELS, "n-gram: its longest context and the next token."),
        **{
            f"{family.replace('-', '_')}_preset": Param(
                presets[0],
                enum=list(presets),
                section=_MODELS,
                description=f"{ARCHITECTURES[family]}: shape of the network, and how it is trained.",
            )
            for family, presets in PRESETS.items()
        },
        "epochs": _recipe("number", 0.01, 1000, "Networks: passes over the training split."),
        "batch_size": _recipe("integer", 1, 4096, "Networks: parallel streams, over all replicas."),
        "learning_rate": _recipe("number", 1e-6, 100, "Networks: highest learning rate."),
        "softmax_sample": _limit(
            *("integer", 1, 1_000_000),
            "RNN, LSTM, Transformer: train against so many tokens drawn a step in place of the whole vocabulary, where "
            "that is large; evaluation is over all. Empty: the whole vocabulary.",
            _MODELS,
        ),
        "replicas": _number("integer", 1, 1, 16, _MODELS, "Networks: GPUs of the host (MirroredStrategy)."),
        "seed": _seed(_MODELS),
        "warm_start": Param(
            False,
            type="boolean",
            section=_MODELS,
            description="Go on from the newest model of each kind (the champion if it is of that kind), on new text "
            "and some of the old; cost follows the new text. n-grams are counted again. Not with a search.",
        ),
        "replay": _number("number", 0.3, 0, 0.95, _MODELS, "Going on: share of old text among what a network reads."),
    }


def _search() -> dict[str, Param]:
    preset = "Empty: as the preset has it."
    return {
        "search": Param(
            False,
            type="boolean",
            section=_SEARCH,
            description="Try several settings of each network, a little first, and go on with the best. Without any "
            "list below: a third, once and three times the preset's learning rate.",
        ),
        "search_learning_rates": _values("number", 1e-6, 100, [0.003, 0.008, 0.02], "Highest learning rates.", preset),
        "search_batch_sizes": _values("integer", 1, 4096, [32, 64, 128], "Batch sizes.", preset),
        "search_dimensions": _values("integer", 2, 16_384, [96, 192, 384], "Widths of the network.", preset),
        "search_dropouts": _values("number", 0, 0.99, [0.1, 0.3], "Shares dropped while training.", preset),
        "search_trials": _limit("integer", 1, 1000, "Combinations to draw at random. Empty: all."),
        "search_budget": _limit(
            "number", 0.01, 100_000, "Most passes over the training split, all trials together. Empty: no limit."
        ),
        "search_rungs": _number(
            *("integer", 3, 1, 3, _SEARCH),
            "Comparisons; after each but the last the best third goes on. 1: every combination is trained in full.",
        ),
    }


def _values(kind: str, low: float, high: float, examples: Sequence[float], what: str, empty: str) -> Param:
    return Param(
        [],
        type="array",
        items={"type": kind, "minimum": low, "maximum": high},
        uniqueItems=True,  # no `examples`: the form would offer these and nothing else
        section=_SEARCH,
        description=f"{what} A list such as {list(examples)}. {empty}",
    )


def _limit(kind: str, low: float, high: float, description: str, section: str = _SEARCH) -> Param:
    return Param(None, type=["null", kind], minimum=low, maximum=high, section=section, description=description)


def _seed(section: str) -> Param:
    return _number("integer", 1, 0, 2**31 - 1, section, "The same seed and data give the same models.")


def _recipe(kind: str, low: float, high: float, description: str) -> Param:
    text = f"{description} Empty: as the preset has it."
    return Param(None, type=["null", kind], minimum=low, maximum=high, section=_MODELS, description=text)


def _number(kind: str, default: float, low: float, high: float, section: str, description: str) -> Param:
    text = f"{description} From {low:,} to {high:,}."
    return Param(default, type=kind, minimum=low, maximum=high, section=section, description=text)


def _choice(
    default: Sequence[str], values: Sequence[str], section: str, description: str, names: dict[str, Any]
) -> Param:
    return Param(
        list(default),
        type="array",
        items={"type": "string", "enum": list(values)},
        minItems=1,
        uniqueItems=True,
        examples=list(values),
        values_display={value: names[value] for value in values if value in names},
        section=section,
        description=description,
    )
