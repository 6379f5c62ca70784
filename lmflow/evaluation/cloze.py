"""Which word ends this passage? A cloze set made of held-out documents, in the manner of LAMBADA (Paperno et al. 2016).

LAMBADA's passages were chosen by people so that the last sentence alone does not give the word away; these are not:
they are every document's passages of about thirty words, so figures compare models and not papers. Scored as in
EleutherAI's lm-evaluation-harness (task lambada): a word is right when every token of it is the model's first choice,
and the word's perplexity is exp(mean nats of a word).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.dataset.mixture import uniform
from lmflow.models.contract import LanguageModel
from lmflow.text.segment import words
from lmflow.text.sentences import sentences

_CONTEXT_WORDS: Final = 30
_MOST: Final = 200  # passages of a language
_Z: Final = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Passage:
    """A text without its last word, and that word, with the blank before it where there is one."""

    context: str
    word: str


@dataclass(frozen=True)
class ClozeScore:
    """How a model does.

    Attributes:
        accuracy: share of passages whose word was the model's first choice, token by token.
        low: of its 95 % interval (Wilson 1927).
        high: of its 95 % interval.
        perplexity: exp(mean nats of a word).
        passages: how many.
    """

    accuracy: float
    low: float
    high: float
    perplexity: float
    passages: int


def passages(documents: Iterable[tuple[str, str]], lang: str, most: int = _MOST) -> list[Passage]:
    """Passages of documents, given as (doc_id, text): the same for the same documents in any order."""
    found = [
        (uniform(f"{doc_id}#{number}", "cloze"), passage)
        for doc_id, text in documents
        for number, passage in enumerate(_of_text(text, lang))
    ]
    return [passage for _, passage in sorted(found, key=lambda each: (each[0], each[1].context))[:most]]


def score(
    model: LanguageModel, encode: Callable[[Sequence[str]], list[NDArray[np.int64]]], asked: Sequence[Passage]
) -> ClozeScore:
    """Ask a model for the last word of each passage, in the tokens that the whole passage has.

    In Chinese a token may hold the end of the context and the beginning of the word: then it is asked for as a whole.

    Args:
        model: the model.
        encode: its tokenizer, texts to token ids.
        asked: the passages.

    Raises:
        ValueError: there are none.
    """
    if not asked:
        raise ValueError("there is no passage to complete")
    right, nats = 0, 0.0
    contexts, whole = encode([each.context for each in asked]), encode([each.context + each.word for each in asked])
    for context, tokens in zip(contexts, whole, strict=True):
        shared = _shared(context, tokens)
        target = tokens[shared:]
        reader, first = model.reader(tokens[:shared]), True
        for place, token in enumerate(target.tolist()):
            if place:
                reader.read(target[place - 1].item())
            probability = reader.distribution()
            first = first and int(probability.argmax()) == token
            nats -= math.log(max(float(probability[token]), 1e-300))
        right += first
    low, high = wilson(right, len(asked))
    return ClozeScore(right / len(asked), low, high, math.exp(nats / len(asked)), len(asked))


def _shared(context: NDArray[np.int64], tokens: NDArray[np.int64]) -> int:
    """How many tokens of the whole passage are those of its context: one may reach across, where no blank divides."""
    most = min(len(context), len(tokens) - 1)
    differs = np.flatnonzero(context[:most] != tokens[:most])
    return int(differs[0]) if len(differs) else most


def wilson(right: int, asked: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    share, spread = right / asked, _Z**2 / asked
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / asked + spread / (4 * asked))
    return max(0.0, middle - half), min(1.0, middle + half)


def _of_text(text: str, lang: str) -> Iterator[Passage]:
    """Passages one after the other, each from where the last ended to the end of a sentence about thirty words on."""
    start = place = read = 0
    for sentence in sentences(text):
        begin = text.find(sentence, place)
        if begin < 0:
            return
        place = begin + len(sentence)
        its = words(sentence, lang)
        read += len(its)
        if read < _CONTEXT_WORDS or len(its) < 2:
            continue
        at = text.rfind(its[-1], begin, place)
        context = text[start:at].rstrip(" ")
        if at > begin and its[-1].isalpha() and context.strip():
            yield Passage(context.lstrip(), text[start + len(context) : at] + its[-1])
        start, read = place, 0
