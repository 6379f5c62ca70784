"""Pictures of a training: the loss, and a map of frequent words on which related ones lie close together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from lmflow.embeddings.vectors import WordVectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORDS, _FIRST_RANK, _STEPS, _SEED = 300, 80, 500, 0  # the very first ranks are words without much meaning
_CJK_FONTS: Final = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "Droid Sans Fallback", "PingFang SC", "Microsoft YaHei", "SimHei", "Arial Unicode MS"),
)


def loss_curve(losses: Sequence[float], what: str) -> Figure:
    """Loss after each epoch; `what` says what it measures, and its unit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(losses) + 1), losses, marker="o", markersize=3)
    axes.set(xlabel="epoch", ylabel="loss", title=what[0].upper() + what[1:])
    axes.grid(alpha=0.3)
    return figure


def word_map(vectors: WordVectors) -> Figure:
    """Frequent words in the plane by t-SNE (van der Maaten & Hinton 2008).

    Without a font that has their characters, words are points without names.
    """
    from matplotlib.figure import Figure
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    first = _FIRST_RANK if len(vectors.words) > 2 * _FIRST_RANK else 0
    rows = [row for row, word in enumerate(vectors.words) if row >= first and not word.isdigit()][:_WORDS]
    points = vectors.unit[rows]
    if len(rows) > 3:
        spread = min(20.0, (len(rows) - 1) / 3)
        sne = TSNE(metric="cosine", init="pca", perplexity=spread, max_iter=_STEPS, random_state=_SEED)
        with threadpool_limits(1):  # so few points: threads only wait for each other
            points = sne.fit_transform(points)
    names = [vectors.words[row] for row in rows]
    font = font_for("".join(names))
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots()
    axes.scatter(points[:, 0], points[:, 1 % points.shape[1]], s=4, alpha=0.4)
    if font:
        for name, (x, y) in zip(names, np.asarray(points)[:, :2], strict=True):
            axes.annotate(name, (x, y), fontsize=7, fontfamily=font)
    remedy = "" if font else "; no font here has their characters: install WenQuanYi Micro Hei or Noto Sans CJK"
    axes.set(xticks=[], yticks=[], title=f"{len(rows)} frequent words; related ones lie close together{remedy}")
    return figure


def font_for(text: str) -> str | None:
    """A font family that can write `text`: the default one for Latin, an installed CJK font for the rest, or None."""
    from matplotlib import font_manager

    if all(ord(character) < 0x2E80 for character in text):
        return "DejaVu Sans"
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in _CJK_FONTS if name in installed), None)
