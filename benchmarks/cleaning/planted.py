"""Documents with planted duplicates: 200 words each, some of them copies with a share of the words changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

WORDS = 200
EDITS = (0.0, 0.02, 0.05, 0.1, 0.2)


def vocabulary(lang: str, size: int = 20_000) -> NDArray[np.str_]:
    """Made-up English words of 2 to 9 letters, or Chinese characters."""
    if lang == "zh":
        return np.array([chr(0x4E00 + number) for number in range(6_000)])
    draw = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return np.array(sorted({"".join(draw.choice(letters, draw.integers(2, 10))) for _ in range(2 * size)})[:size])


def documents(number: int, lang: str, seed: int) -> NDArray[np.int64]:
    """int64 [number, WORDS]: places in the vocabulary; frequent words first, as Zipf's law has them."""
    size = len(vocabulary(lang))
    draw = np.random.default_rng(seed)
    return np.minimum((draw.pareto(1.0, (number, WORDS)) * 20).astype(np.int64) + draw.integers(0, 200), size - 1)


def edited(rows: NDArray[np.int64], share: float, lang: str, seed: int) -> NDArray[np.int64]:
    """Copies with each word changed into another with probability `share`."""
    draw = np.random.default_rng(seed)
    changed = draw.random(rows.shape) < share
    return np.where(changed, draw.integers(0, len(vocabulary(lang)), rows.shape), rows)


def texts(rows: NDArray[np.int64], lang: str) -> Iterator[str]:
    """As strings."""
    words, joint = vocabulary(lang), "" if lang == "zh" else " "
    for row in rows:
        yield joint.join(words[row])


def with_template(number: int, common: int, own: int, seed: int) -> Iterator[str]:
    """Documents of `common` English words that all share and `own` words of each."""
    words = vocabulary("en")
    draw = np.random.default_rng(seed)
    template = " ".join(draw.choice(words, common))
    for _ in range(number):
        yield f"{template} {' '.join(draw.choice(words, own))}"


def corpus(number: int, lang: str = "en", seed: int = 7) -> tuple[list[str], NDArray[np.int64]]:
    """Shuffled documents, a tenth of them copies in equal parts of `EDITS`; and the original of each: [number]."""
    copies = number // 10
    bases = documents(number - copies, lang, seed)
    parts = [
        edited(part, share, lang, seed)
        for part, share in zip(np.array_split(bases[:copies], len(EDITS)), EDITS, strict=True)
    ]
    found = [*texts(bases, lang), *(text for part in parts for text in texts(part, lang))]
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[at] for at in order], np.where(order < len(bases), order, order - len(bases))
