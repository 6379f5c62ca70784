"""What a policy may change in a text before it is measured: quotes, Unicode form, foreign paragraphs. Off by default.

The text of a document depends on these options, so that its signals say which it was prepared with (`PREPARED_BY`):
when they change, deciding again reads it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import cached_property
from typing import Final, Literal

from pydantic import BaseModel

from lmflow.corpus.foreign import ForeignParagraphs
from lmflow.text.normalise import Normalised
from lmflow.text.spelling import compatible, straighten_quotes

#: Signal of prepared documents alone: a number that identifies the options (48 bits of a SHA-256).
PREPARED_BY: Final = "prepared_by"


class Preparation(BaseModel, frozen=True, extra="forbid"):
    """What is changed.

    Attributes:
        quotes: `straight`: curly quotes and apostrophes become straight ones; counted as `quotes`.
        unicode_form: `NFKC`: compatibility characters become plain ones; counted as `compatible`.
        foreign_paragraphs: what is done with paragraphs in another language (see `foreign`).
    """

    quotes: Literal["straight"] | None = None
    unicode_form: Literal["NFKC"] | None = None
    foreign_paragraphs: ForeignParagraphs | None = None

    @cached_property
    def number(self) -> float:
        """What identifies these options, as a signal."""
        return float(int(hashlib.sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()[:12], 16))


def respell(clean: Normalised, options: Preparation) -> Normalised:
    """A normalised text in the spelling that a policy wants, with what that changed beside what normalising did."""
    text, changes = clean.text, Counter(clean.changes)
    if options.unicode_form:
        text, changes["compatible"] = compatible(text)
    if options.quotes:
        text, changes["quotes"] = straighten_quotes(text)
    return Normalised(text, {kind: number for kind, number in changes.items() if number})
