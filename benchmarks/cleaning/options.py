"""What the options of a policy cost and find: paragraphs in another language, and perplexity.

    python -m benchmarks.cleaning.options

Foreign paragraphs: one sentence in each of five languages, planted as paragraphs at a random place of clean English and
Chinese documents up to a share of the characters; found means all of them, and nothing else. Perplexity: a model of
characters fitted on every other document.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.cleaning.throughput import chinese, clean, english, size
from jobs.command import Progress
from jobs.fit_reference_model import FitReferenceModel, run
from lmflow.corpus.foreign import ForeignParagraphs, looks_mixed, sort_paragraphs
from lmflow.corpus.language import detect
from lmflow.corpus.policy import load
from lmflow.corpus.reference import ReferenceModel, tokens
from lmflow.text.normalise import normalise

_DOCUMENTS, _PLANTED = 200, 80
_SHARES: Final = (0.02, 0.1, 0.3)
_ASKED: Final = ForeignParagraphs(action="remove")
_POLICIES: Final = load(["en", "zh"])
PLANTED: Final = {
    "fr": "Le conseil municipal a décidé hier soir de fermer l'école du village, malgré les protestations des parents.",
    "de": "Der Gemeinderat hat gestern Abend beschlossen, die Schule des Dorfes zu schließen, obwohl viele Eltern eine "
    "bessere Lösung für ihre Kinder gefordert hatten.",
    "es": "El ayuntamiento decidió ayer por la noche cerrar la escuela del pueblo, a pesar de las protestas de los "
    "padres que pedían una solución mejor para sus hijos.",
    "ru": "Городской совет вчера вечером решил закрыть школу в деревне, несмотря на протесты родителей.",
    "it": "Il consiglio comunale ha deciso ieri sera di chiudere la scuola del paese, nonostante le proteste dei "
    "genitori che chiedevano una soluzione migliore per i loro figli.",
    "zh": "市议会昨晚决定关闭村里的学校，尽管许多家长表示抗议，要求为孩子们找到更好的解决办法。",
    "en": "The town council decided last night to close the village school, despite protests from parents.",
}


def plant(text: str, paragraph: str, share: float, draw: random.Random) -> tuple[str, int]:
    """A text with so many copies of a paragraph at one place that they are this share of it; and how many."""
    lines = text.split("\n")
    number = max(1, round(share * len(text) / (1 - share) / len(paragraph)))
    at = draw.randrange(len(lines) + 1)
    return "\n".join(lines[:at] + [paragraph] * number + lines[at:]), number


def foreign(lang: str, texts: Sequence[str]) -> None:
    """Print cost, false finds, and how many planted paragraphs are found."""
    detected = [detect(text) for text in texts]
    whole = sum(clean(texts).values())
    start = time.process_time()
    found = [
        sort_paragraphs(text, its, lambda _: _ASKED, _POLICIES.stop_words_of_others)
        for text, its in zip(texts, detected, strict=True)
    ]
    spent = time.process_time() - start
    mixed = [
        looks_mixed(text, its, _ASKED.bytes_at_least, _POLICIES.stop_words_of_others(its.lang))
        for text, its in zip(texts, detected, strict=True)
    ]
    false = sum(bool(its and its.signals["foreign_paragraphs"]) for its in found)
    print(f"{lang}: {len(texts)} documents, {100 * spent / whole:.0f} % of the time of the whole chain;", end=" ")
    print(f"{sum(mixed)} looked at line by line, {false} with a false find")
    for other, paragraph in PLANTED.items():
        if other == lang:
            continue
        rates = []
        for share in _SHARES:
            draw, right = random.Random(3), 0
            for text in texts[:_PLANTED]:
                planted, number = plant(text, paragraph, share, draw)
                its = sort_paragraphs(planted, detect(planted), lambda _: _ASKED, _POLICIES.stop_words_of_others)
                right += its is not None and its.signals["foreign_paragraphs"] == number and its.detected.lang == lang
            rates.append(f"{share:.0%}: {right / len(texts[:_PLANTED]):.2f}")
        print(f"  {other} found at {', '.join(rates)}", flush=True)


def perplexity(lang: str, texts: Sequence[str]) -> None:
    """Print the rate of measuring."""
    with tempfile.TemporaryDirectory() as folder:
        train, model = Path(folder) / "train.txt", Path(folder) / f"{lang}.arpa"
        train.write_text("\n".join(text.replace("\n", " ") for text in texts[::2]), encoding="utf-8")
        fitted = run(FitReferenceModel(lang=lang, output=model, train_file=train), Progress())
        reference = ReferenceModel.load(model)
    others = texts[1::2]
    start = time.process_time()
    reference.perplexities([[tokens(line, lang, "characters") for line in text.split("\n")] for text in others])
    rate = size(others) / (time.process_time() - start) / 1e6
    print(
        f"{lang}: perplexity of characters, order 5, {fitted['ngrams']:,} n-grams: {rate:.1f} MB/s a core", flush=True
    )


if __name__ == "__main__":
    for lang, texts, least in (("en", english(), 1000), ("zh", chinese(), 300)):
        normal = [text for text in (normalise(text).text for text in texts) if least < len(text) < 20_000]
        foreign(lang, normal[:_DOCUMENTS])
        perplexity(lang, normal[: 2 * _DOCUMENTS])
