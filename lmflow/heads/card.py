"""The model card of a task head, and its picture: which classes it takes for which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmflow.embeddings.picture import font_for
from lmflow.evaluation.classification import Classified
from lmflow.evaluation.compression import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: More classes than this are drawn without numbers in the cells.
_MOST_NUMBERS: Final = 20
_DEFAULT_FONT: Final = "DejaVu Sans"  # matplotlib's own


def model_card(
    name: str, scores: Classified, baseline: Classified, facts: Mapping[str, object], metrics: Mapping[str, float]
) -> str:
    """Markdown for the registry.

    Args:
        name: registered name.
        scores: on the held-out documents.
        baseline: of the most frequent class, always.
        facts: what is worth a line each: where documents and vectors came from, and how it was fitted.
        metrics: of the run; `test_coverage` and the numbers of documents are told.
    """
    listed = "\n".join(f"- {what}: {value}" for what, value in facts.items())
    by_class = "\n".join(
        f"| {each.label.replace('|', '&#124;')} "
        f"| {each.documents:,} | {each.precision:.3f} | {each.recall:.3f} | {each.f1:.3f} |"
        for each in scores.by_class()
    )
    return f"""# {name}

Tells {len(scores.labels)} classes of texts apart: {", ".join(scores.labels)}. Multinomial logistic regression over the
mean of a text's word vectors (smooth inverse frequency); the vectors are in the model.

{listed}

## Scores

On {metrics["test_documents"]:,.0f} held-out documents, none a copy or (by MinHash) near copy of one it learnt from;
{metrics["test_coverage"]:.1%} of them have a word that the vectors know. Intervals of 95 % by bootstrap over documents.
Where the corpus has these texts too, the vectors have read them, without their labels.

| | accuracy | macro-F1 |
|---|---|---|
| {name} | {_said(scores.accuracy)} | {_said(scores.macro_f1)} |
| always the most frequent class | {_said(baseline.accuracy)} | {_said(baseline.macro_f1)} |

| class | documents | precision | recall | F1 |
|---|---|---|---|---|
{by_class}

## Use

```python
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model("models:/{name}@champion")
model.predict(pd.DataFrame({{"text": ["…"]}}))  # columns label and probability_<class>
```

A text without a known word is given the shares that the classes have in training. The order of words counts for
nothing. What the labelled documents and the corpus of the vectors prejudge, it prejudges too.
"""


def confusion_picture(scores: Classified) -> Figure:
    """Answers by true class: colours are shares of a row, numbers are documents."""
    from matplotlib.figure import Figure

    size = len(scores.labels)
    shares = scores.confusion / np.maximum(scores.confusion.sum(axis=1, keepdims=True), 1)
    side = min(3 + 0.5 * size, 14)
    figure = Figure(figsize=(side + 1.5, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    figure.colorbar(image, ax=axes, label="share of the true class")
    font = font_for("".join(scores.labels))
    names = scores.labels if font else tuple(str(row) for row in range(1, size + 1))
    plain: Any = {"fontfamily": font or _DEFAULT_FONT, "parse_math": False}  # a class may have $ in its name
    axes.set_xticks(range(size), names, rotation=45 if size > 3 else 0, **plain)
    axes.set_yticks(range(size), names, **plain)
    if size <= _MOST_NUMBERS:
        for (row, column), documents in np.ndenumerate(scores.confusion):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{documents:,}", ha="center", va="center", color=colour)
    remedy = "" if font else "; classes by number: no font here has their characters"
    axes.set(xlabel="answer", ylabel="true class", title=f"{int(scores.confusion.sum()):,} held-out documents{remedy}")
    return figure


def _said(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
