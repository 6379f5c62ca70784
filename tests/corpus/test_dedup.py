"""Survivors and clusters depend on the order of documents alone, and match what theory and brute force say."""

import random
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.corpus.dedup import NEAR, Clustering, Keeping, Stored, cluster
from lmflow.corpus.fingerprint import BANDS, Fingerprints, fingerprint
from lmflow.text.shingles import shingles

NOTHING = Stored([], [], [], fingerprint([]))
WORDS = [f"w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(3000)]
CHARACTERS = [chr(0x4E00 + i) for i in range(3000)]


def document(seed: int, vocabulary: Sequence[str] = WORDS, length: int = 80) -> list[str]:
    return random.Random(seed).choices(vocabulary, k=length)


def edited(words: Sequence[str], share: float, seed: int, vocabulary: Sequence[str] = WORDS) -> list[str]:
    draw = random.Random(seed)
    return [draw.choice(vocabulary) if draw.random() < share else word for word in words]


def at_once(texts: dict[str, str], urls: dict[str, str] | None = None) -> Clustering:
    keys = [urls[name] for name in texts] if urls else []
    return cluster(list(texts), fingerprint(list(texts.values())), NOTHING, addresses=keys)


def in_batches(texts: dict[str, str], cuts: Sequence[int], urls: dict[str, str]) -> tuple[set[str], dict[str, str]]:
    """Feed the documents batch by batch, carrying only what the lake stores; returns the kept and all clusters."""
    names, kept, clusters, dropped = list(texts), set[str](), dict[str, str](), dict[str, str]()
    bounds = [0, *sorted(cuts), len(names)]
    for start, end in pairwise(bounds):
        old, new = names[:start], names[start:end]
        prints = fingerprint([texts[n] for n in old])
        addresses = [urls[n] if n in kept else "" for n in old]
        stored = Stored(old, [n in kept for n in old], [clusters[n] for n in old], prints, addresses=addresses)
        found = cluster(new, fingerprint([texts[n] for n in new]), stored, addresses=[urls[n] for n in new])
        clusters = {n: found.merged.get(c, c) for n, c in clusters.items()} | found.clusters
        kept |= set(new) - found.duplicates.keys()
        dropped |= {name: match.duplicate_of for name, match in found.duplicates.items()}
    assert set(dropped.values()) <= kept
    return kept, clusters


def partition(clusters: dict[str, str]) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for name, label in clusters.items():
        groups.setdefault(label, set()).add(name)
    return set(map(frozenset, groups.values()))


@st.composite
def corpora(draw: st.DrawFn) -> dict[str, str]:
    """Documents with copies, near copies, chains of them, and short texts."""
    texts: list[str] = []
    for _ in range(draw(st.integers(2, 14))):
        kind = draw(st.sampled_from(["new", "copy", "near", "near", "bridge", "short"]))
        if kind == "short":
            texts.append(" ".join(document(draw(st.integers(0, 2)), length=3)))
        elif kind == "new" or not texts:
            texts.append(" ".join(document(draw(st.integers(0, 5)))))
        elif kind == "bridge":
            one, other = (texts[draw(st.integers(0, len(texts) - 1))].split() for _ in range(2))
            texts.append(" ".join(one + other))
        else:
            share = 0.0 if kind == "copy" else draw(st.sampled_from([0.01, 0.03, 0.06]))
            base = texts[draw(st.integers(0, len(texts) - 1))].split()
            texts.append(" ".join(edited(base, share, draw(st.integers(0, 9)))))
    return {f"d{draw(st.integers(0, 9))}-{number:02}": text for number, text in enumerate(texts)}


@settings(max_examples=150, deadline=None)
@given(corpora(), st.data())
def test_any_division_into_batches_gives_the_same_survivors_and_clusters(
    texts: dict[str, str], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(texts)), max_size=4))
    urls = {name: data.draw(st.sampled_from(["", "", "", "one", "two"])) for name in texts}
    texts = {
        f"{data.draw(st.sampled_from(['news', 'file:mine', 'file:web']))}:{name}": its for name, its in texts.items()
    }
    urls = {name: urls[name.rpartition(":")[2]] for name in texts}
    whole = at_once(texts, urls)
    kept, clusters = in_batches(texts, cuts, urls)
    assert kept == set(texts) - whole.duplicates.keys()
    pages = [(urls[name], name.rpartition(":")[0]) for name in kept if urls[name]]
    assert len(dict(pages)) == len(set(pages))  # one collection to an address
    assert partition(clusters) == partition(whole.clusters)


@settings(max_examples=100, deadline=None)
@given(corpora())
def test_buckets_find_what_comparing_all_pairs_finds(texts: dict[str, str]) -> None:
    prints, names = fingerprint(list(texts.values())), list(texts)
    kept: list[int] = []
    for node in range(len(names)):
        meets = [
            other
            for other in kept
            if (prints.keys[node] == prints.keys[other])[prints.keys[node] != 0].any()
            and (
                prints.keys[node, 0] == prints.keys[other, 0]
                or (prints.signatures[node] == prints.signatures[other]).mean() >= NEAR
            )
        ]
        if not meets:
            kept.append(node)
    assert {names[node] for node in kept} == set(names) - at_once(texts).duplicates.keys()


def test_the_earliest_copy_is_kept_and_the_others_name_it() -> None:
    base = document(1)
    found = at_once(
        {
            "a": " ".join(base),
            "b": " ".join(base).upper() + "!",
            "c": " ".join(edited(base, 0.02, 3)),
            "d": "other text",
        }
    )
    assert {name: (match.duplicate_of, match.exact) for name, match in found.duplicates.items()} == {
        "b": ("a", True),
        "c": ("a", False),
    }
    assert found.duplicates["b"].similarity == 1.0
    assert NEAR <= found.duplicates["c"].similarity < 1.0
    assert found.clusters == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_a_bridge_joins_the_clusters_of_two_stored_documents() -> None:
    words = document(1, length=200)
    # Two overlapping parts that were kept (bands miss a pair now and then); the whole is near to both.
    one, other = " ".join(words[:175]), " ".join(words[25:])
    stored = Stored(["x", "y"], [True, True], ["x", "y"], fingerprint([one, other]))
    found = cluster(["z"], fingerprint([" ".join(words)]), stored)
    assert found.duplicates["z"].duplicate_of in ("x", "y")
    assert found.merged == {"y": "x"} and found.clusters == {"z": "x"}


def test_short_texts_are_duplicates_only_when_they_are_the_same() -> None:
    found = at_once({"a": "很好", "b": "很好！", "c": "不好", "d": "ok then", "e": "OK, then.", "f": "ok than"})
    assert {name: match.duplicate_of for name, match in found.duplicates.items()} == {"b": "a", "e": "d"}
    assert all(match.exact for match in found.duplicates.values())


@pytest.mark.parametrize("vocabulary", [WORDS, CHARACTERS], ids=["english", "chinese"])
def test_recall_follows_theory_and_unique_documents_all_stay(vocabulary: Sequence[str]) -> None:
    joint = " " if vocabulary is WORDS else ""
    pairs, length = 300, 200
    for share in (0.02, 0.05, 0.1, 0.2):
        ours, expected = 0, 0.0
        bases = [document(1000 + n, vocabulary, length) for n in range(pairs)]
        copies = [edited(base, share, n, vocabulary) for n, base in enumerate(bases)]
        texts = [joint.join(words) for words in (*bases, *copies)]
        found = cluster([f"{n:04}" for n in range(2 * pairs)], fingerprint(texts), NOTHING)
        for n in range(pairs):
            one, other = shingles(texts[n]), shingles(texts[pairs + n])
            similarity = len(one & other) / len(one | other)
            expected += 1 - (1 - similarity**8) ** BANDS
            ours += f"{pairs + n:04}" in found.duplicates
        assert not any(f"{n:04}" in found.duplicates for n in range(pairs))
        # Three standard deviations of 300 draws; the benchmark measures it finer.
        spread = 3 * np.sqrt(max(expected * (1 - expected / pairs), 1)) / pairs
        assert abs(ours - expected) / pairs <= spread


def test_a_fingerprint_does_not_depend_on_its_batch_and_never_changes() -> None:
    texts = [" ".join(document(7)), "今天天气很好，我们去公园散步吧。", "short", ""]
    together = fingerprint(texts)
    for row, text in enumerate(texts):
        alone = fingerprint([text])
        assert (alone.keys[0] == together.keys[row]).all()
        assert (alone.signatures[0] == together.signatures[row]).all()
    # Stored fingerprints are compared with those of later versions of the code and of rensa.
    assert together.n_shingles.tolist() == [76, 10, 0, 0]
    assert together.keys[1, :3].tolist() == [5235693072770802781, 2423400121745022791, -140899526784947384]
    assert together.signatures[1, :3].tolist() == [3247153248, 3382301182, 2902022677]


def test_a_hundred_thousand_copies_of_one_text_cost_as_many_look_ups() -> None:
    one = fingerprint([" ".join(document(1))])
    many = one.take(np.zeros(100_000, np.int64))
    found = cluster([f"{n:06}" for n in range(100_000)], many, NOTHING)
    assert len(found.duplicates) == 99_999


@pytest.mark.parametrize("text", ["", "\x00", "\ud800 \udfff" * 10, "😀" * 50, "a" * 1_000_000])
def test_no_text_breaks_fingerprinting(text: str) -> None:
    assert isinstance(fingerprint([text, text]), Fingerprints)


def pairs_of(texts: dict[str, str]) -> set[frozenset[str]]:
    """All near-duplicate pairs, by comparing all with all."""
    prints, names = fingerprint(list(texts.values())), list(texts)
    found = set()
    for one in range(len(names)):
        for other in range(one):
            same_text = prints.keys[one, 0] == prints.keys[other, 0]
            meet = (prints.keys[one] == prints.keys[other])[prints.keys[one] != 0].any()
            if same_text or (meet and (prints.signatures[one] == prints.signatures[other]).mean() >= NEAR):
                found.add(frozenset((names[one], names[other])))
    return found


@settings(max_examples=100, deadline=None)
@given(corpora(), st.data())
def test_drop_all_keeps_exactly_the_documents_without_a_copy(texts: dict[str, str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    names, alike = list(texts), set().union(*pairs_of(texts))
    first = cluster(names[:cut], fingerprint([texts[n] for n in names[:cut]]), NOTHING, Keeping("drop_all"))
    kept = [name not in first.duplicates for name in names[:cut]]
    clusters = [first.clusters[name] for name in names[:cut]]
    stored = Stored(names[:cut], kept, clusters, fingerprint([texts[n] for n in names[:cut]]))
    second = cluster(names[cut:], fingerprint([texts[n] for n in names[cut:]]), stored, Keeping("drop_all"))
    assert first.duplicates.keys() | second.duplicates.keys() | second.withdrawn.keys() == alike
    assert second.withdrawn.keys() <= set(names[:cut]) and not first.withdrawn


@settings(max_examples=100, deadline=None)
@given(corpora(), st.data())
def test_against_drops_only_copies_of_the_reference_documents(texts: dict[str, str], data: st.DataObject) -> None:
    names, against = list(texts), Keeping(against=("news",))
    sources = data.draw(st.lists(st.sampled_from(["news", "social"]), min_size=len(names), max_size=len(names)))
    of = dict(zip(names, sources, strict=True))
    cut = data.draw(st.integers(0, len(names)))  # whatever came first
    prints = fingerprint(list(texts.values()))
    first = cluster(names[:cut], prints.take(range(cut)), NOTHING, against, sources[:cut])
    kept = [name not in first.duplicates for name in names[:cut]]
    stored = Stored(names[:cut], kept, [first.clusters[n] for n in names[:cut]], prints.take(range(cut)), sources[:cut])
    found = cluster(names[cut:], prints.take(range(cut, len(names))), stored, against, sources[cut:])
    expected = {
        name
        for pair in pairs_of(texts)
        for name, other in (tuple(pair), tuple(pair)[::-1])
        if of[name] == "social" and of[other] == "news"
    }
    matches = {**first.duplicates, **found.duplicates, **found.withdrawn}
    assert matches.keys() == expected
    assert all(of[match.duplicate_of] == "news" for match in matches.values())


def test_texts_that_differ_in_numbers_are_compared_with_a_reference_in_linear_time() -> None:
    text = "word ".join(map(str, range(100, 160)))
    names = [f"d{n:04}" for n in range(4000)]
    prints = fingerprint([f"{text} {n:05}" for n in range(4000)])
    started = time.process_time()
    found = cluster(names, prints, NOTHING, Keeping(against=("wikipedia",)), ["news"] * 3999 + ["wikipedia"])
    assert time.process_time() - started < 5  # comparing all with all: 13 s
    assert len(found.duplicates) == 3999
    assert {match.duplicate_of for match in found.duplicates.values()} == {"d3999"}
    assert not any(match.exact for match in found.duplicates.values())
