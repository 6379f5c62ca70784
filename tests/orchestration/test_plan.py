"""The form, the plan made from it, and the jobs that get the plan's options: each must understand the next."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from airflow.sdk import Param

from jobs.command import Options, parse
from lmflow.crawl import sources
from lmflow.errors import InputError
from lmflow.models.families import PRESETS
from lmflow.orchestration import form
from lmflow.orchestration.job import command_line
from lmflow.orchestration.plan import plan_embeddings, plan_language_models, plan_retraining, with_winners
from lmflow.orchestration.stages import MOST_RUNGS
from lmflow.training import search


def filled_in(**changes: Any) -> dict[str, Any]:
    return {**defaults(form.retrain_form(sources.load())), **changes}


def defaults(parameters: Mapping[str, Param]) -> dict[str, Any]:
    return {name: param.resolve() for name, param in parameters.items()}


def plan(**changes: Any) -> dict[str, Any]:
    return plan_retraining(filled_in(**changes), sources.load())


def test_a_language_is_read_only_from_its_own_sites() -> None:
    planned = plan(languages=["zh"])
    assert planned["wikipedia"] is None  # the sample has an English Wikipedia only
    assert planned["news"] == {"source": ["sample-news-zh"]}
    assert planned["social"] == {"source": ["sample-social-zh"]}
    assert planned["corpus"] == {"languages": ["zh"], "evaluation_dir": None}
    assert plan(evaluation_dir="/sets")["corpus"]["evaluation_dir"] == "/sets"
    assert [each["model"] for each in planned["promotions"]] == ["embeddings-zh", "lm-zh"]


def test_sites_that_are_named_are_taken_though_they_are_not_enabled() -> None:
    assert plan(wikipedia_sources=["zhwiki"])["wikipedia"] == {"source": ["zhwiki"], "date": "latest"}


def test_what_is_switched_off_is_not_planned() -> None:
    planned = plan(news=False, embeddings=False)
    assert planned["news"] is None
    assert planned["embeddings"] == []
    assert [each["model"] for each in planned["promotions"]] == ["lm-en", "lm-zh"]


def test_a_sampled_softmax_reaches_the_networks_that_have_one() -> None:
    planned = plan(architectures=list(form.ARCHITECTURES), languages=["en"], softmax_sample=500)["models"]
    sampled = {each["architecture"] for each in planned if each.get("softmax_sample") == 500}
    assert sampled == {"rnn", "lstm", "transformer", "lstm+ngram"}
    for each in planned:
        parse(options_of("train_language_model"), command_line("train_language_model", each)[3:], "", "")


def test_every_architecture_is_trained_in_every_language() -> None:
    planned = plan(architectures=list(form.ARCHITECTURES))["models"]
    swept = {(each["lang"], each["architecture"]) for each in planned}
    assert swept == {(lang, name) for lang in ("en", "zh") for name in form.ARCHITECTURES}


def test_an_unknown_site_is_refused_by_name_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"social_sources: nowhere is not in sources\.yaml; there are alive-bar"):
        plan(social_sources=["nowhere"])


@pytest.mark.parametrize(
    ("job", "stage"),
    [
        ("ingest_wikipedia", "wikipedia"),
        ("ingest_news", "news"),
        ("ingest_social", "social"),
        ("build_corpus", "corpus"),
        ("train_embeddings", "embeddings"),
        ("build_dataset", "datasets"),
        ("search_language_model", "searches"),
        ("train_language_model", "models"),
        ("promote_model", "promotions"),
    ],
)
def test_every_job_understands_what_is_planned_for_it(job: str, stage: str) -> None:
    searched = {"search": True, "search_learning_rates": [0.3, 1], "search_dimensions": [64], "search_trials": 2}
    every = list(form.ARCHITECTURES)
    planned = plan(embedding_algorithm="cbow", embedding_epochs=3, architectures=every, **searched)[stage]
    mixed = {"news_weight": 2.5, "news_half_life": 30, "site_cap": 500, "together": True, "language_alpha": 0.3}
    going_on = plan(
        architectures=every, warm_start=True, embedding_update=True, replay=0.2, tokenizer="unigram", **mixed
    )[stage]
    for options in [*planned, *going_on] if isinstance(planned, list) else [planned, going_on]:
        understood = parse(options_of(job), command_line(job, options)[3:], job, "").model_dump(mode="json")
        assert {name: understood[name] for name in options} == options


def test_the_form_mixes_text_makes_one_model_of_all_and_goes_on_from_the_last() -> None:
    planned = plan(together=True, warm_start=True, social_weight=0, site_cap=9, news_half_life=7)
    assert [each["lang"] for each in planned["datasets"]] == ["en", "zh", "en-zh"]
    assert planned["datasets"][2]["source_weights"] == {"social": 0}
    assert planned["datasets"][0]["site_caps"] == {"news": 9, "social": 9}
    assert planned["datasets"][0]["half_lives"] == {"news": 7}
    assert {"lm-en-zh"} <= {each["model"] for each in planned["promotions"]}
    assert {each["warm_start"] for each in planned["models"]} == {"newest"}
    assert not any("warm_start" in each for each in plan()["models"]) and plan()["datasets"][0]["source_weights"] == {}
    with pytest.raises(InputError, match="a search trains anew"):
        plan(search=True, warm_start=True)


def test_the_form_offers_what_the_trainer_knows() -> None:
    fields = options_of("train_language_model").model_fields
    assert set(get_args(fields["architecture"].annotation)) == set(form.ARCHITECTURES)
    assert {family: tuple(presets) for family, presets in PRESETS.items()} == form.PRESETS
    for family in PRESETS:
        assert form.retrain_form(sources.load())[f"{family.replace('-', '_')}_preset"].schema["enum"] == list(
            PRESETS[family]
        )


def test_a_search_is_planned_for_each_network_once_and_only_when_it_is_asked_for() -> None:
    assert plan()["searches"] == []
    searches = plan(search=True, languages=["en"], batch_size=32, search_dimensions=[96, 192])["searches"]
    assert [(each["lang"], each["architecture"]) for each in searches] == [("en", "lstm")]  # lstm+ngram has the same
    assert (searches[0]["batch_size"], searches[0]["dimension"], searches[0]["learning_rate"]) == ([32], [96, 192], [])
    assert search.MOST_RUNGS == MOST_RUNGS


def test_what_a_search_found_goes_into_every_training_of_its_network_and_language() -> None:
    models = plan(languages=["en", "zh"])["models"]
    found = [{"lang": "en", "architecture": "lstm", "winner": {"lang": "en", "learning_rate": 0.02, "dimension": 96}}]
    merged = with_winners(models, found)
    for before, after in zip(models, merged, strict=True):
        if before["lang"] == "en" and before["architecture"] != "ngram":
            settings = {"learning_rate": 0.02, "dimension": 96, "batch_size": None, "dropout": None}
            assert after == {**before, **settings}
        else:
            assert after == before
    assert with_winners(models, []) == models


def test_the_training_dags_plan_what_retrain_plans_for_those_stages() -> None:
    whole, models = plan(), plan_language_models(defaults(form.language_model_form(sources.load())))
    embeddings = plan_embeddings(defaults(form.embeddings_form(sources.load())))
    assert all(models[stage] == whole[stage] for stage in ("datasets", "searches", "models"))
    assert embeddings["embeddings"] == whole["embeddings"]
    assert embeddings["promotions"] + models["promotions"] == whole["promotions"]


def test_options_become_words_that_no_shell_reads() -> None:
    options = {"a_list": ["x", "y z"], "off": False, "on": True, "none": None, "empty": [], "text": "-rf $(x)", "n": 0}
    assert command_line("some_job", options)[1:] == [
        *("-m", "jobs.some_job", "--a-list", "x", "y z", "--no-off", "--on", "--text=-rf $(x)", "--n=0")
    ]


def options_of(job: str) -> type[Options]:
    module = importlib.import_module(f"jobs.{job}")
    [found] = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Options) and each.__module__ == module.__name__
    ]
    return found


@pytest.mark.parametrize("chosen", ["skip-gram", "cbow", "fasttext", "glove"])
def test_every_embedding_that_the_form_offers_is_one_the_trainer_knows(chosen: str) -> None:
    (planned, *_) = plan(embedding_algorithm=chosen)["embeddings"]
    (updating, *_) = plan(embedding_algorithm=chosen, embedding_update=True)["embeddings"]
    assert updating == {**planned, **({} if chosen == "glove" else {"start_from": "newest"})}
    options = options_of("train_embeddings")(**{name: value for name, value in planned.items() if value is not None})
    assert options.model_dump()["algorithm"] == {"skip-gram": "word2vec", "cbow": "word2vec"}.get(chosen, chosen)
