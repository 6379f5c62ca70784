"""Documents that are half alike are in one kin group, whatever came with or before what."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.corpus import kin
from lmflow.corpus.dedup import Stored, cluster
from lmflow.corpus.fingerprint import fingerprint, joined
from lmflow.text.shingles import shingles
from tests.corpus.test_dedup import CHARACTERS, WORDS, corpora, document, edited, partition

NOTHING = Stored([], [], [], fingerprint([]))


def in_batches(texts: Sequence[str], cuts: Sequence[int]) -> dict[str, str]:
    """Groups of texts that come batch by batch; of stored ones only those that may be kin are compared."""
    groups: dict[str, str] = {}
    for start, end in pairwise([0, *sorted(cuts), len(texts)]):
        old, new = fingerprint(texts[:start]), fingerprint(texts[start:end])
        keys = kin.keys_of(old.signatures[old.n_shingles > 0])
        near = np.flatnonzero(old.n_shingles)[kin.sharing(keys, kin.keys_of(new.signatures[new.n_shingles > 0]))]
        names = [*(groups[str(at)] for at in near), *map(str, range(start, end))]
        both = joined(old.take(near), new)
        found = kin.join_groups(names, names, np.ones(len(names), np.bool_), both, len(near))
        groups = {name: found.get(group, group) for name, group in groups.items()}
        groups |= {name: found[name] for name in map(str, range(start, end))}
    return groups


@settings(max_examples=100, deadline=None)
@given(corpora(), st.data())
def test_any_division_into_batches_gives_the_same_groups(texts: dict[str, str], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(texts)), max_size=4))
    whole = in_batches(list(texts.values()), [])
    assert partition(in_batches(list(texts.values()), cuts)) == partition(whole)


@pytest.mark.parametrize("vocabulary", [WORDS, CHARACTERS], ids=["english", "chinese"])
def test_no_two_documents_with_half_of_their_shingles_in_common_are_apart(vocabulary: Sequence[str]) -> None:
    """At 5 % of words changed, half alike or a little more, bands find a third of the pairs."""
    joint = " " if vocabulary is WORDS else ""
    bases = [document(n, vocabulary, 200) for n in range(1000)]
    copies = [edited(base, 0.05, n, vocabulary) for n, base in enumerate(bases)]
    texts = [joint.join(words) for words in (*bases, *copies)]
    prints, names = fingerprint(texts), [str(n) for n in range(2000)]
    dropped = cluster(names, prints, NOTHING).duplicates
    groups = kin.join_groups(names, names, np.array([name not in dropped for name in names]), prints, 0)
    apart = together = 0
    for one, other in zip(names[:1000], names[1000:], strict=True):
        mine, theirs = shingles(texts[int(one)]), shingles(texts[int(other)])
        if other not in dropped and 2 * len(mine & theirs) >= len(mine | theirs):
            apart += groups[one] != groups[other]
            together += groups[one] == groups[other]
    assert apart == 0 and together > 400
    assert len(set(groups.values())) >= 1000  # and nobody else's copy


def test_a_thousand_pages_of_one_template_are_one_group_and_what_is_dropped_joins_nothing() -> None:
    template = document(1, length=100)
    texts = [" ".join(template + document(n, length=30)) for n in range(2, 3002)]
    names = [str(n) for n in range(len(texts))]
    groups = kin.join_groups(names, names, np.ones(len(names), np.bool_), fingerprint(texts), 0)
    assert len(set(groups.values())) == 1
    one, other = " ".join(document(1, length=120)), " ".join(document(2, length=120))
    texts = [one, other, f"{one} {other}"]
    for kept in (True, False):
        groups = kin.join_groups(["a", "b", "c"], ["a", "b", "c"], np.array([True, True, kept]), fingerprint(texts), 0)
        assert (groups["a"] == groups["b"]) == kept


def test_keys_never_change() -> None:
    """Stored ones are compared with those of later versions of the code."""
    keys = kin.keys_of(fingerprint([" ".join(document(7))]).signatures)
    assert keys.shape == (1, kin.KEYS) and keys.dtype == np.int32
    assert keys[0, :2].tolist() == [2113601476, 1313439581]
