"""The families of language models by name, their presets, and how any of them is written to and read from a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lmflow.models import awd_lstm, lstm, mlp, rnn, transformer, vae
from lmflow.models.contract import LanguageModel
from lmflow.models.mixture import Mixture
from lmflow.models.neural import NeuralModel
from lmflow.models.ngram import KneserNey

NEURAL: Final[dict[str, type[NeuralModel]]] = {
    "mlp": mlp.Mlp,
    "rnn": rnn.Rnn,
    "lstm": lstm.Lstm,
    "awd-lstm": awd_lstm.AwdLstm,
    "transformer": transformer.Transformer,
    "vae": vae.Vae,
}
FAMILIES: Final[dict[str, type[LanguageModel]]] = {"ngram": KneserNey, **NEURAL, "lstm+ngram": Mixture}
#: The shapes of every family; a family's first is its default.
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "mlp": mlp.PRESETS,
    "rnn": rnn.PRESETS,
    "lstm": lstm.PRESETS,
    "awd-lstm": awd_lstm.PRESETS,
    "transformer": transformer.PRESETS,
    "vae": vae.PRESETS,
}
_FILE: Final = "family.json"


def resized(preset: Any, width: int | None, dropout: float | None) -> Any:
    """A preset with another width or dropout, where one is given.

    What hangs on the width follows it: a Transformer's feed-forward part in proportion (a multiple of 8), AWD-LSTM's
    embedding in proportion.

    Raises:
        ValueError: the width does not divide into the heads of a Transformer.
    """
    changes: dict[str, Any] = {} if dropout is None else {"dropout": dropout}
    if width is not None:
        share = width / preset.width
        changes["width"] = width
        if isinstance(preset, transformer.TransformerPreset):
            if width % (2 * preset.heads):
                raise ValueError(
                    f"a width of {width} does not divide into {preset.heads} heads of even size; "
                    f"choose a multiple of {2 * preset.heads}"
                )
            changes["inner"] = max(8, round(preset.inner * share / 8) * 8)
        if isinstance(preset, awd_lstm.AwdLstmPreset):
            changes["embedding"] = max(1, round(preset.embedding * share))
    return replace(preset, **changes)


def save(model: LanguageModel, folder: Path) -> None:
    """Write a model and the name of its family into an empty folder."""
    name = next(name for name, family in FAMILIES.items() if isinstance(model, family))
    (folder / _FILE).write_text(json.dumps({"family": name}), encoding="utf-8")
    model.save(folder)


def load(folder: Path) -> LanguageModel:
    """Read what `save` wrote."""
    name = json.loads((folder / _FILE).read_text(encoding="utf-8"))["family"]
    return FAMILIES[name].load(folder)
