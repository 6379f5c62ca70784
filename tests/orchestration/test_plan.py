"""The form, the plan made from it, and the jobs that get the plan's options: each must understand the next."""

from __future__ import annotations

import importlib
from typing import Any, get_args

import pytest

from jobs.command import Options, parse
from lmflow.crawl import sources
from lmflow.errors import InputError
from lmflow.models.families import PRESETS
from lmflow.orchestration import form
from lmflow.orchestration.job import command_line
from lmflow.orchestration.plan import plan_retraining


def filled_in(**changes: Any) -> dict[str, Any]:
    defaults = {name: param.resolve() for name, param in form.retrain_form(sources.load()).items()}
    return {**defaults, **changes}


def plan(**changes: Any) -> dict[str, Any]:
    return plan_retraining(filled_in(**changes), sources.load())


def test_a_language_is_read_only_from_its_own_sites() -> None:
    planned = plan(languages=["zh"])
    assert planned["wikipedia"] is None  # the sample has an English Wikipedia only
    assert planned["news"] == {"source": ["sample-news-zh"]}
    assert planned["social"] == {"source": ["sample-social-zh"]}
    assert planned["corpus"] == {"languages": ["zh"]}
    assert [each["model"] for each in planned["promotions"]] == ["embeddings-zh", "lm-zh"]


def test_sites_that_are_named_are_taken_though_they_are_not_enabled() -> None:
    assert plan(wikipedia_sources=["zhwiki"])["wikipedia"] == {"source": ["zhwiki"], "date": "latest"}


def test_what_is_switched_off_is_not_planned() -> None:
    planned = plan(news=False, embeddings=False)
    assert planned["news"] is None
    assert planned["embeddings"] == []
    assert [each["model"] for each in planned["promotions"]] == ["lm-en", "lm-zh"]


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
        ("train_language_model", "models"),
        ("promote_model", "promotions"),
    ],
)
def test_every_job_understands_what_is_planned_for_it(job: str, stage: str) -> None:
    planned = plan(embedding_algorithm="cbow", embedding_epochs=3, architectures=list(form.ARCHITECTURES))[stage]
    for options in planned if isinstance(planned, list) else [planned]:
        understood = parse(options_of(job), command_line(job, options)[3:], job, "").model_dump(mode="json")
        assert {name: understood[name] for name in options} == options


def test_the_form_offers_what_the_trainer_knows() -> None:
    fields = options_of("train_language_model").model_fields
    assert set(get_args(fields["architecture"].annotation)) == set(form.ARCHITECTURES)
    assert {family: tuple(presets) for family, presets in PRESETS.items()} == form.PRESETS
    for family in PRESETS:
        assert form.retrain_form(sources.load())[f"{family.replace('-', '_')}_preset"].schema["enum"] == list(
            PRESETS[family]
        )


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
    options = options_of("train_embeddings")(**{name: value for name, value in planned.items() if value is not None})
    assert options.model_dump()["algorithm"] == {"skip-gram": "word2vec", "cbow": "word2vec"}.get(chosen, chosen)
