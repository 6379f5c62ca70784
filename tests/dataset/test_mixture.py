"""A mixture follows from ids and options alone, comes close to what was asked for, and accounts for every document."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmflow.dataset.mixture import MOST_COPIES, NOT_DRAWN, SITE_CAP, Candidate, Recipe, choose, realised

NEWEST = datetime(2026, 11, 1, tzinfo=UTC)


def candidates(n: int = 4000, zh_share: float = 0.1) -> list[Candidate]:
    draw = random.Random(1)
    found = []
    for number in range(n):
        source = draw.choice(["news", "wikipedia", "social"])
        lang = "zh" if draw.random() < zh_share else "en"
        site = f"{source}{draw.randrange(5)}.example"
        age = timedelta(days=draw.randrange(400))
        when = None if source == "wikipedia" else NEWEST - age
        found.append(Candidate(f"{source}:{number}", source, lang, site, when, 900 + draw.randrange(200)))
    return found


def share(result: dict[str, dict[str, int]], name: str) -> float:
    return result[name]["bytes"] / sum(counts["bytes"] for counts in result.values())


def mixed(recipe: Recipe, documents: list[Candidate]) -> dict[str, dict[str, dict[str, int]]]:
    return realised(documents, choose(documents, recipe), {each.doc_id: each.n_bytes // 3 for each in documents})


def test_a_weight_is_how_often_documents_are_read_on_average() -> None:
    documents = candidates()
    found = mixed(Recipe(source_weights={"news": 2.5, "social": 0.25}), documents)["by_source"]
    for source, weight in (("news", 2.5), ("social", 0.25), ("wikipedia", 1.0)):
        assert found[source]["copies"] / found[source]["documents_in"] == pytest.approx(weight, rel=0.12)
    assert found["news"][NOT_DRAWN] == 0 and found["wikipedia"]["copies"] == found["wikipedia"]["documents"]
    assert mixed(Recipe(source_weights={"news": 0.0}), documents)["by_source"]["news"]["documents"] == 0


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, 0.1), (0.5, 0.25), (0.3, 0.341), (0.0, 0.5)])
def test_temperature_sampling_gives_a_small_language_the_share_of_the_formula(alpha: float, expected: float) -> None:
    documents = candidates()
    q = sum(each.n_bytes for each in documents if each.lang == "zh") / sum(each.n_bytes for each in documents)
    assert q**alpha / (q**alpha + (1 - q) ** alpha) == pytest.approx(expected, rel=0.1)
    found = mixed(Recipe(language_alpha=alpha), documents)
    assert share(found["by_language"], "zh") == pytest.approx(expected, rel=0.12)
    assert found["bytes"] == pytest.approx(sum(each.n_bytes for each in documents), rel=0.05)  # type: ignore[call-overload]


def test_a_cap_holds_for_each_site_of_its_source_and_no_other() -> None:
    documents = candidates()
    found = mixed(Recipe(site_caps={"news": 100}), documents)
    assert found["by_source"]["news"]["documents"] == 500 and found["by_source"]["social"][SITE_CAP] == 0
    assert {counts["documents"] for counts in found["by_capped_site"].values()} == {100}


def test_half_lives_halve_what_is_that_old_and_leave_what_has_no_date() -> None:
    documents = [each for each in candidates(12_000) if each.source != "social"]
    copies = choose(documents, Recipe(half_lives={"news": 100, "wikipedia": 1})).copies
    by_age: dict[int, list[int]] = {}
    for each in documents:
        if each.published_at is not None:
            by_age.setdefault((NEWEST - each.published_at).days // 100, []).append(copies.get(each.doc_id, 0))
        else:
            assert copies[each.doc_id] == 1
    first, second, third, fourth = (sum(by_age[age]) / len(by_age[age]) for age in range(4))
    assert second / first == pytest.approx(0.5, abs=0.06) and fourth / third == pytest.approx(0.5, abs=0.12)


recipes = st.builds(
    Recipe,
    source_weights=st.dictionaries(st.sampled_from(["news", "social"]), st.floats(0, 20)),
    language_weights=st.dictionaries(st.sampled_from(["en", "zh"]), st.floats(0, 3)),
    language_alpha=st.floats(0, 1),
    site_caps=st.dictionaries(st.sampled_from(["news", "wikipedia"]), st.integers(1, 30)),
    half_lives=st.dictionaries(st.sampled_from(["news", "social"]), st.floats(0.5, 1000)),
)


@given(recipes, st.randoms())
@example(Recipe(language_weights={"en": 2.2e-311}, language_alpha=0.0), random.Random(0))
@example(Recipe(source_weights={"news": 1e-13}, language_alpha=0.0, half_lives={"news": 0.5}), random.Random(0))
@settings(max_examples=40, deadline=None)
def test_every_document_is_read_or_accounted_for_in_any_order(recipe: Recipe, draw: random.Random) -> None:
    documents = candidates(300)
    chosen = choose(documents, recipe)
    assert chosen.copies.keys() | chosen.left_out.keys() == {each.doc_id for each in documents}
    assert not chosen.copies.keys() & chosen.left_out.keys()
    assert all(1 <= copies <= MOST_COPIES for copies in chosen.copies.values())
    shuffled = draw.sample(documents, len(documents))
    assert choose(shuffled, recipe) == chosen
    found = realised(documents, chosen, {})
    for counts in (found, *found["by_source"].values(), *found["by_language"].values()):
        assert counts["documents_in"] == counts["documents"] + counts[SITE_CAP] + counts[NOT_DRAWN]


def test_a_document_more_changes_nothing_for_the_others() -> None:
    documents, recipe = candidates(500), Recipe(source_weights={"news": 0.5}, site_caps={"social": 200})
    before, after = choose(documents[:-1], recipe).copies, choose(documents, recipe).copies
    assert {doc_id: number for doc_id, number in after.items() if doc_id != documents[-1].doc_id} == before
    assert Recipe().changes_nothing and set(choose(documents, Recipe()).copies.values()) == {1}
