"""The families of language models by name, and how any of them is written to and read from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from lmflow.models.contract import LanguageModel
from lmflow.models.lstm import Lstm
from lmflow.models.mixture import Mixture
from lmflow.models.ngram import KneserNey

FAMILIES: Final[dict[str, type[LanguageModel]]] = {"ngram": KneserNey, "lstm": Lstm, "lstm+ngram": Mixture}
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
