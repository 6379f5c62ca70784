"""What of the training split a dataset is made of: caps a site, and how often each document is read.

Held-out documents are never weighted. What happens to a document follows from its id, its facts and the options alone,
never from the order that documents come in, so a document more changes little of what was chosen before.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Self

#: Most copies of a document. Repeating text pays up to about four epochs and ever less after (Muennighoff et al. 2023),
#: and each copy is read in every epoch.
MOST_COPIES: Final = 16
#: A smaller weight is none: `uniform` has 48 bits, so that it would never be drawn.
_LEAST_WEIGHT: Final = 2.0**-48
SITE_CAP: Final = "site_cap"
NOT_DRAWN: Final = "not_drawn"
_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Candidate:
    """What is known of a training document before its text is read."""

    doc_id: str
    source: str
    lang: str
    site: str
    published_at: datetime | None
    n_bytes: int


@dataclass(frozen=True)
class Recipe:
    """How to mix.

    Attributes:
        source_weights: how often documents of a source are read, on average; 1 where nothing is said.
        language_weights: the same by language.
        language_alpha: the exponent of temperature sampling: a language with the share q of the bytes gets a share
            proportional to q^alpha (Lample & Conneau 2019, section 3.1, with 0.5; Xue et al. 2021, mT5, with 0.3). 1
            leaves shares as they are, 0 makes them equal. The expected number of bytes in all stays what it was.
        site_caps: most training documents of one site, by source.
        half_lives: days after which a document of a source counts half: 2^(-age / half-life), the exponential decay of
            Li & Croft 2003. Age counts from the newest training document; one without a date counts whole.
    """

    source_weights: Mapping[str, float] = field(default_factory=dict)
    language_weights: Mapping[str, float] = field(default_factory=dict)
    language_alpha: float = 1.0
    site_caps: Mapping[str, int] = field(default_factory=dict)
    half_lives: Mapping[str, float] = field(default_factory=dict)

    @property
    def changes_nothing(self) -> bool:
        """Whether every document is read once, whatever it is."""
        return self == Recipe()


@dataclass(frozen=True)
class Chosen:
    """What was decided, for every candidate.

    Attributes:
        copies: how often each document is read, for those that are.
        left_out: why each of the others is not: SITE_CAP, or NOT_DRAWN by its weight.
        language_rates: what `language_alpha` came to.
    """

    copies: dict[str, int]
    left_out: dict[str, str]
    language_rates: dict[str, float]


@dataclass(frozen=True)
class Mixture:
    """A training split as it was mixed: every document there was, how it should be mixed, and what was decided."""

    candidates: Sequence[Candidate]
    recipe: Recipe
    chosen: Chosen

    @classmethod
    def of(cls, candidates: Sequence[Candidate], recipe: Recipe) -> Self:
        """Decide on these documents."""
        return cls(candidates, recipe, choose(candidates, recipe))

    def account(self, tokens: Mapping[str, int]) -> dict[str, Any]:
        """What it was asked to be and what it came to; `tokens` of one copy of each document that is read."""
        return {"recipe": asdict(self.recipe), **realised(self.candidates, self.chosen, tokens)}


def choose(candidates: Sequence[Candidate], recipe: Recipe) -> Chosen:
    """Decide how often each training document is read.

    Expected copies are the product of the weights; the copies of a document are the whole part of that, and one more
    where a hash of its id, uniform in [0, 1), is below the rest. At most MOST_COPIES.
    """
    ordered = sorted(candidates, key=lambda each: uniform(each.doc_id))
    left_out = {each.doc_id: SITE_CAP for each in _over_the_cap(ordered, recipe.site_caps)}
    staying = [each for each in ordered if each.doc_id not in left_out]
    newest = max((each.published_at for each in staying if each.published_at), default=None)
    expected = {each.doc_id: _weight(each, recipe, newest) for each in staying}
    rates = _language_rates(staying, expected, recipe.language_alpha)
    copies = {}
    for each in staying:
        number = min(_copies(expected[each.doc_id] * rates[each.lang], uniform(each.doc_id)), MOST_COPIES)
        if number:
            copies[each.doc_id] = number
        else:
            left_out[each.doc_id] = NOT_DRAWN
    return Chosen(copies, left_out, rates)


def uniform(doc_id: str, salt: str = "") -> float:
    """A number in [0, 1) that follows from the id: the same in every run and any order of documents."""
    digest = hashlib.sha256(f"mixture:{salt}:{doc_id}".encode()).digest()
    return float(int.from_bytes(digest[:6])) / float(1 << 48)


def realised(candidates: Sequence[Candidate], chosen: Chosen, tokens: Mapping[str, int]) -> dict[str, Any]:
    """What a dataset's training split came to, for its manifest.

    Args:
        candidates: every training document there was.
        chosen: what was decided.
        tokens: of one copy of each document that is read.

    Returns:
        documents_in = documents + left_out, in all and by source, language and site (of sites only those that lost a
        document); copies, bytes and tokens count every copy.
    """
    groups: dict[str, dict[str, dict[str, int]]] = {
        name: defaultdict(lambda: dict.fromkeys(_COUNTED, 0)) for name in ("all", "source", "language", "site")
    }
    for each in candidates:
        copies = chosen.copies.get(each.doc_id, 0)
        counts = {
            "documents_in": 1,
            "documents": int(copies > 0),
            "copies": copies,
            "bytes": copies * each.n_bytes,
            "tokens": copies * tokens.get(each.doc_id, 0),
            SITE_CAP: int(chosen.left_out.get(each.doc_id) == SITE_CAP),
            NOT_DRAWN: int(chosen.left_out.get(each.doc_id) == NOT_DRAWN),
        }
        for group, name in (("all", "all"), ("source", each.source), ("language", each.lang), ("site", each.site)):
            for what, number in counts.items():
                groups[group][name][what] += number
    capped = {name: counts for name, counts in groups["site"].items() if counts[SITE_CAP]}
    return {
        **groups["all"]["all"],
        "language_rates": chosen.language_rates,
        "by_source": _sorted(groups["source"]),
        "by_language": _sorted(groups["language"]),
        "by_capped_site": _sorted(capped),
    }


_COUNTED: Final = ("documents_in", "documents", "copies", "bytes", "tokens", SITE_CAP, NOT_DRAWN)


def _sorted(groups: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {name: groups[name] for name in sorted(groups)}


def _over_the_cap(ordered: Sequence[Candidate], caps: Mapping[str, int]) -> list[Candidate]:
    """Documents of a site beyond the cap of their source, the first by hash staying."""
    seen: dict[tuple[str, str], int] = defaultdict(int)
    over = []
    for each in ordered:
        place = (each.source, each.site)
        seen[place] += 1
        if seen[place] > caps.get(each.source, math.inf):
            over.append(each)
    return over


def _weight(each: Candidate, recipe: Recipe, newest: datetime | None) -> float:
    weight = recipe.source_weights.get(each.source, 1.0) * recipe.language_weights.get(each.lang, 1.0)
    half_life = recipe.half_lives.get(each.source)
    if half_life is not None and each.published_at is not None and newest is not None:
        weight *= 2.0 ** (-((newest - each.published_at).total_seconds() / _DAY_S) / half_life)
    return float(weight) if weight >= _LEAST_WEIGHT else 0.0


def _language_rates(staying: Sequence[Candidate], expected: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Factors r_l proportional to q_l^alpha / q_l, q_l being the share of the expected bytes, that keep their sum."""
    sizes: dict[str, float] = defaultdict(float)
    for each in sorted(staying, key=lambda each: each.doc_id):
        sizes[each.lang] += expected[each.doc_id] * each.n_bytes
    total = sum(sizes.values())
    flattened = {lang: (size / total) ** alpha if size else 0.0 for lang, size in sizes.items()}
    whole = sum(flattened.values())
    return {
        lang: (flattened[lang] / whole) / (size / total) if size and alpha != 1.0 else 1.0
        for lang, size in sorted(sizes.items())
    }


def _copies(expected: float, drawn: float) -> int:
    whole = math.floor(expected)
    return whole + int(drawn < expected - whole)
