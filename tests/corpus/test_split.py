"""Splits keep their shares, do not move, and never let a copy of a held-out document into training."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lmflow.corpus.split import SPLITS, choose, joined, regime_of


def test_small_corpora_have_held_out_documents_in_every_stratum() -> None:
    strata = {f"{lang}{n}": (lang, "news") for lang, size in (("en", 200), ("zh", 10), ("de", 2)) for n in range(size)}
    chosen = choose(strata, dict.fromkeys(strata, 1), {}, "small")
    counts = {
        lang: Counter(split for name, split in chosen.items() if strata[name][0] == lang) for lang in strata_of(strata)
    }
    assert counts["en"] == {"train": 160, "valid": 20, "test": 20}
    assert counts["zh"] == {"train": 8, "valid": 1, "test": 1}
    assert counts["de"] == {"train": 2}


def strata_of(strata: dict[str, tuple[str, str]]) -> set[str]:
    return {lang for lang, _ in strata.values()}


def test_large_corpora_hold_out_one_percent_for_each() -> None:
    clusters = {f"news:{n}": ("en", "news") for n in range(60_000)}
    counts = Counter(choose(clusters, dict.fromkeys(clusters, 1), {}, "large").values())
    assert abs(counts["test"] / 60_000 - 0.01) < 0.002 and abs(counts["valid"] / 60_000 - 0.01) < 0.002
    assert (regime_of(49_999), regime_of(50_000)) == ("small", "large")


def test_a_joined_cluster_leaves_evaluation_and_nothing_enters_it() -> None:
    assert joined(["test", "train"]) == joined(["valid", "train", "test"]) == "train"
    assert joined(["test", "valid"]) == "valid"
    assert joined(["test", "test"]) == "test"


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.integers(1, 5), max_size=60),
    st.sampled_from(["small", "large"]),
)
def test_the_choice_does_not_depend_on_the_order_of_clusters(sizes: dict[str, int], regime: str) -> None:
    strata = {name: ("en", "news") for name in sizes}
    one = choose(strata, sizes, {}, regime)  # type: ignore[arg-type]
    other = choose(dict(reversed(strata.items())), sizes, {}, regime)  # type: ignore[arg-type]
    assert one == other and set(one.values()) <= set(SPLITS)


def test_later_documents_fill_what_earlier_ones_left_behind() -> None:
    counts = {("en", "news"): {"train": 90, "valid": 0, "test": 0}}
    clusters = {f"n{n}": ("en", "news") for n in range(10)}
    assert Counter(choose(clusters, dict.fromkeys(clusters, 1), counts, "small").values()) == {"valid": 5, "test": 5}
