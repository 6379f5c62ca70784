"""The model card of a set of word vectors: what it is, what it learnt from, how good it is, how to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lmflow.embeddings.align import Drift
from lmflow.embeddings.sentences import Sentences
from lmflow.embeddings.vectors import WordVectors
from lmflow.embeddings.wording import Wording

_SAMPLES, _NEIGHBOURS = 8, 6


def model_card(
    name: str,
    vectors: WordVectors,
    sentences: Sentences,
    config: Mapping[str, object],
    source: str,
    scores: Sequence[tuple[str, str]],
    drift: Drift | None = None,
    wording: Wording | None = None,
) -> str:
    """Markdown for the registry.

    Args:
        name: registered name.
        vectors: the model.
        sentences: what it was trained on.
        config: how it was trained.
        source: where the text came from, in words.
        scores: rows of test and figure, in words; none when nothing judged the model.
        drift: how it differs from the version that went before, if there was one.
        wording: how the text was cut into words; None: it was taken as it is.
    """
    how = ", ".join(f"{key} {value}" for key, value in config.items())
    judged = "\n".join(f"| {test} | {figure} |" for test, figure in scores)
    table = f"{_HEAD}\n{judged}\n\n{_NOTE}" if scores else _UNJUDGED
    near = "\n".join(f"| {word} | {', '.join(others)} |" for word, others in neighbour_samples(vectors))
    return f"""# {name}

{len(vectors.words):,} words, {vectors.matrix.shape[1]} dimensions, trained on {sentences.words:,} words of
{sentences.documents:,} documents ({source}; {f"the training split only; {wording}" if wording else "taken as it is"}).

**Training**: {how}.

## Scores

{table}

## Nearest neighbours

| word | nearest |
|---|---|
{near}

{_moved(drift) if drift else ""}## Use

```python
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model("models:/{name}@champion")
model.predict(pd.DataFrame([{{"task": "most_similar", "word": "{_example(vectors)}"}}]), params={{"topn": 5}})
```

Tasks: `most_similar`, `similarity` (word, other), `vector`, `analogy` (word, other, like), `doc_similar` (text, other)
and, where the corpus was indexed, `related` (text).
The run's artifacts hold the same vectors as `vectors/vectors.bin` and `vectors/vectors.txt` (word2vec's formats) and as
`projector/` (TensorBoard); the model itself is `embedding.safetensors`.

The vectors repeat the associations of their corpus, prejudices included.
"""


def _moved(drift: Drift) -> str:
    rows = "\n".join(
        f"| {each.word} | {each.cosine:.2f} | {', '.join(each.was_near)} | {', '.join(each.is_near)} |"
        for each in drift.moved[:_SAMPLES]
    )
    return f"""## Since the version before

Turned into its space (orthogonal Procrustes), so stored vectors stay comparable: of the ten nearest words of a stored
vector {drift.stored_overlap:.0%} are the same. {drift.added:,} words are new, {drift.lost:,} are gone. What moved most:

| word | cosine | was near | is near |
|---|---|---|---|
{rows}

"""


def neighbour_samples(vectors: WordVectors) -> list[tuple[str, list[str]]]:
    """Some words of middling frequency, spread over the ranks, and what lies nearest to each."""
    ranks = range(min(100, len(vectors.words) // 4), min(2_000, len(vectors.words)))
    usable = [vectors.words[rank] for rank in ranks if _is_telling(vectors.words[rank])]
    step = max(1, len(usable) // _SAMPLES)
    return [(word, [near for near, _ in vectors.most_similar(word, _NEIGHBOURS)]) for word in usable[::step][:_SAMPLES]]


_HEAD = "| test | Spearman or accuracy | 95 % interval | known | all, unknown as 0 |\n|---|---|---|---|---|"
_NOTE = "Analogies by 3CosAdd among the 300,000 most frequent words; the run's metrics have 3CosMul beside it."
_UNJUDGED = (
    "No word test for this language is in place (`lmflow/evaluation/data/README.md`): nothing judged this model."
)


def _is_telling(word: str) -> bool:
    return word.isalpha() and len(word) >= (4 if word.isascii() else 2)


def _example(vectors: WordVectors) -> str:
    samples = neighbour_samples(vectors)
    return samples[0][0] if samples else vectors.words[0]
