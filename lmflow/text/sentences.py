"""Sentences of a text, by punctuation. Good enough to pack and to show; not a parser."""

from __future__ import annotations

import re
from typing import Final

#: Marks that end a sentence by themselves, in every script.
TERMINALS: Final = ".!?。！？…؟۔।॥։።"
#: Marks that may close a sentence after its terminal.
CLOSERS: Final = "\"'”’」』）)]】》»"

_WIDE_END: Final = re.compile(
    f"[。！？؟۔।॥։።]+[{re.escape(CLOSERS)}]*|…+[{re.escape(CLOSERS)}]*(?=\\s|$|[\\u3400-\\u9fff])"
)
_NARROW_END: Final = re.compile(rf"[.!?]+[{re.escape(CLOSERS)}]*(?=\s+[\"'“‘(\[]*[^\W_a-z])|\n+")
#: After these a full stop ends no sentence.
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Gen|Col|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|vs|etc|cf|No|Fig|Vol|pp|Inc|Ltd|Co|Corp"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|e\.g|i\.e)|\b[A-Z]|\b[A-Za-z]\.[A-Za-z])\.$"
)


def sentences(text: str) -> list[str]:
    """Split a text into sentences, without the spaces around them; lines always end one.

    Chinese and other wide marks (。！？) end a sentence wherever they stand; `. ! ?` only before a space and something
    that can begin a sentence, and a full stop not after a common English abbreviation or an initial.
    """
    ends = {match.end() for match in _WIDE_END.finditer(text)}
    for match in _NARROW_END.finditer(text):
        if not (match.group() == "." and _ABBREVIATION.search(text, max(0, match.end() - 12), match.end())):
            ends.add(match.end())
    found, start = [], 0
    for end in sorted(ends | {len(text)}):
        sentence = text[start:end].strip()
        if sentence:
            found.append(sentence)
        start = end
    return found
