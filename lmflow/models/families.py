"""The families of language models by name, their presets, and how any of them is written to and read from a folder."""

from __future__ import annotations

import json
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


def save(model: LanguageModel, folder: Path) -> None:
    """Write a model and the name of its family into an empty folder."""
    name = next(name for name, family in FAMILIES.items() if isinstance(model, family))
    (folder / _FILE).write_text(json.dumps({"family": name}), encoding="utf-8")
    model.save(folder)


def load(folder: Path) -> LanguageModel:
    """Read what `save` wrote."""
    name = json.loads((folder / _FILE).read_text(encoding="utf-8"))["family"]
    return FAMILIES[name].load(folder)
