"""Fit the small reference model whose perplexity a cleaning policy may look at, and write it as an ARPA file.

A modified Kneser-Ney model of characters or words, from the corpus's training split or a plain file (one document a
line) of text that is known to be good. Every tenth document is held out; its perplexities give the bounds between head,
middle and tail, at the 30th and 60th percentile as in cc_net.

Examples:
  python -m jobs.fit_reference_model --lang en --output policies/en.arpa
  python -m jobs.fit_reference_model --lang zh --order 4 --train-file wikipedia.txt --output policies/zh.arpa

The JSON line holds the lines to put into policies/<lang>.yaml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from jobs.command import Options, Progress, Result, main
from lmflow.corpus.reference import UNKNOWN, ReferenceModel, Unit, tokens
from lmflow.errors import InputError
from lmflow.lake import Lake
from lmflow.models.contract import END_OF_DOCUMENT
from lmflow.models.ngram import KneserNey
from lmflow.text.normalise import normalise

_HELD_OUT: Final = 10  # every tenth document
_HEAD, _MIDDLE = 30, 60  # percentiles (cc_net)
_RARE: Final = 2  # a token seen less often is an unknown one, so that the model has met some


class FitReferenceModel(Options):
    """Options of fit_reference_model."""

    lang: str = Field(description="Language, ISO 639 code.", pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])
    output: Path = Field(description="The file to write, best beside the policy that will name it.")
    unit: Unit = Field("characters", description="What the model counts.")
    order: int = Field(5, description="Longest n-gram, in tokens.", ge=2, le=8)
    train_file: Path | None = Field(None, description="Plain text, one document a line, in place of the corpus.")


def run(options: FitReferenceModel, progress: Progress) -> Result:
    """Fit, write, and measure the held-out documents with what was written."""
    documents = [
        [tokens(line, options.lang, options.unit) for line in normalise(text).text.split("\n") if line]
        for text in _texts(options)
    ]
    training = [line for at, document in enumerate(documents) if at % _HELD_OUT for line in document if line]
    held_out = documents[::_HELD_OUT]
    if len(documents) < _HELD_OUT or not training:
        raise InputError(f"{len(documents)} documents are too few to fit a model and to measure it; bring some hundred")
    progress.say(f"counting {options.unit} of {len(documents) - len(held_out):,} documents")
    counts = Counter(token for line in training for token in line)
    spelled = ["</s>", UNKNOWN, *sorted(token for token, count in counts.items() if count >= _RARE)]
    numbers = {token: number for number, token in enumerate(spelled) if number > END_OF_DOCUMENT}
    lines = [np.array([numbers.get(token, numbers[UNKNOWN]) for token in line], np.int64) for line in training]
    model = KneserNey.fit(lines, len(spelled), options.order)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    model.to_arpa(options.output, spelled)
    measured = ReferenceModel.load(options.output).perplexities(held_out)
    head, middle = (round(float(np.percentile(measured, at)), 2) for at in (_HEAD, _MIDDLE))
    return {
        "model": str(options.output),
        "documents": len(documents) - len(held_out),
        "held_out": len(held_out),
        "tokens": sum(map(len, training)),
        "ngrams": model.n_parameters // 2,
        "metrics": {"median_perplexity": float(np.median(measured))},
        "policy": f"reference: {{model: {options.output.name}, unit: {options.unit}, "
        f"head_at_most: {head}, middle_at_most: {middle}}}",
        "rule": f"rules: unlikely_text: {{signal: perplexity, at_most: {middle}}}   # drops the tail",
    }


def _texts(options: FitReferenceModel) -> Iterator[str]:
    if options.train_file is not None:
        try:
            yield from options.train_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--train-file {options.train_file}: {error}; give a readable UTF-8 file") from None
        return
    where = (pc.field("lang") == options.lang) & (pc.field("split") == "train")
    for batch in Lake.open().table("corpus").scan(["text"], where):
        yield from batch["text"].to_pylist()


if __name__ == "__main__":
    main(FitReferenceModel, run, __doc__)
