"""How a trained language model enters the registry: its files, its signature, its card, its loss curve."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmflow import tracking
from lmflow.dataset.shards import Dataset
from lmflow.dataset.tokenizer import MODULES as TOKENIZER_MODULES
from lmflow.dataset.tokenizer import TextTokenizer
from lmflow.models import families
from lmflow.models.contract import LanguageModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What a model needs where it is loaded; lmflow is not among it.
_SMALL: Final = ("mlflow", "numpy", "pandas", "tokenizers")
_NEURAL: Final = (*_SMALL, "tensorflow", "keras")
_PROMPTS: Final = {"en": ("The", "In the"), "zh": ("中国", "我们")}


def register(
    opened: tracking.Run,
    name: str,
    architecture: str,
    model: LanguageModel,
    dataset: Dataset,
    card: str,
    tags: Mapping[str, object],
) -> tracking.ModelVersion:
    """Register a model with its tokenizer as a new version of `name`.

    Args:
        opened: the run that trained it.
        name: `lm-<lang>`.
        architecture: its family, a key of `families.FAMILIES`.
        model: the model.
        dataset: what it was trained on; its tokenizer goes with the model.
        card: Markdown.
        tags: lineage.
    """
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    parameters = ParamSchema(
        [
            ParamSpec("task", "string", "generate"),
            ParamSpec("max_tokens", "long", 60),
            ParamSpec("temperature", "double", 0.8),
            ParamSpec("seed", "long", 0),
        ]
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        families.save(model, folder)
        dataset.tokenizer.save(folder)
        return opened.log_model(
            name=name,
            code=Path(__file__).with_name("language_model_pyfunc.py"),
            artifacts={"model": folder},
            modules=["lmflow.models", *TOKENIZER_MODULES],
            requirements=[
                f"{package}=={version(package)}" for package in (_SMALL if architecture == "ngram" else _NEURAL)
            ],
            input_example=pd.DataFrame({"prompt": ["The"]}),
            signature=ModelSignature(inputs=Schema([ColSpec("string", "prompt")]), params=parameters),
            description=card,
            tags=tags,
        )


def load(uri: str) -> LanguageModel:
    """The model behind a registered version (`models:/lm-en/3`), without its tokenizer."""
    return load_whole(uri)[0]


def load_whole(uri: str) -> tuple[LanguageModel, TextTokenizer]:
    """The model behind a registered version, and its tokenizer."""
    loaded = tracking.load_model(uri).unwrap_python_model()
    return loaded.model, loaded.tokenizer


def samples(lang: str, dataset: Dataset, model: LanguageModel) -> dict[str, str]:
    """What the model writes after a few prompts of its languages (`en`, `en-zh`), always with the same seed."""
    prompts = [prompt for code in lang.split("-") for prompt in _PROMPTS.get(code, ())] or [""]
    tokenizer = dataset.tokenizer
    encoded = tokenizer.encode(prompts)
    return {
        prompt: tokenizer.decode_written(model.generate(ids, 60, 0.8, 1, tokenizer.whole_characters()))
        for prompt, ids in zip(prompts, encoded, strict=True)
    }


def model_card(
    title: str, dataset: Dataset, metrics: Mapping[str, float], written: Mapping[str, str], remark: str = ""
) -> str:
    """What a person wants to know of a version, as Markdown."""
    train = dataset.manifest["splits"]["train"]
    lines = [
        f"# {title}",
        "",
        f"Trained on {train['documents']:,} documents, {train['bytes'] / 1e6:.2f} MB, {train['tokens']:,} tokens "
        f"(dataset `{dataset.digest[:12]}`, {_origin(dataset)}).",
        "",
        *([f"Going on from an earlier version: {remark}.", ""] if remark else []),
        *(f"- {metric}: {value:,.4g}" for metric, value in metrics.items()),
        "",
        "## What it writes",
        "",
        *(f"> **{prompt}**{_in_one_line(text)}\n" for prompt, text in written.items()),
        "A model of this size echoes its corpus; it states nothing as fact.",
    ]
    return "\n".join(lines)


def _in_one_line(text: str) -> str:
    """With the blank that parts it from its prompt, where the model wrote one."""
    return (" " if text[:1].isspace() else "") + " ".join(text.split())


def _origin(dataset: Dataset) -> str:
    lineage = dataset.manifest["lineage"]
    if "corpus_version" in lineage:
        return f"corpus version {lineage['corpus_version']}"
    return f"file {Path(str(lineage['train_file'])).name}"


def loss_curve(training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]]) -> Figure:
    """A picture of both losses over the steps; points are (step, nats a token)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4))
    axes: Any = figure.subplots()
    for name, points, marker in (("training", training, None), ("validation", validation, "o")):
        axes.plot([step for step, _ in points], [loss for _, loss in points], label=name, marker=marker)
    axes.set(xlabel="step", ylabel="loss, nats a token")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    return figure
