"""Other spellings of a normalised text, for who asks for them: straight quotes, and NFKC in place of NFC."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

from lmflow.text.normalise import normalise

#: ftfy's convention (`uncurl_quotes`): U+2018 to 201B and the modifier apostrophe become `'`, U+201C to 201F `"`.
#: Guillemets and corner brackets («», ‹›, 「」, 『』) stay: they are how their languages quote.
_CURLY: Final = re.compile("[\u02bc\u2018-\u201f]")
_STRAIGHT: Final = {code: "'" if code < 0x201C else '"' for code in (0x02BC, *range(0x2018, 0x2020))}


def straighten_quotes(text: str) -> tuple[str, int]:
    """A text with straight quotes and apostrophes in place of curly ones, and how many there were."""
    if text.isascii():
        return text, 0
    found = len(_CURLY.findall(text))
    return (text.translate(_STRAIGHT), found) if found else (text, 0)


def compatible(text: str) -> tuple[str, int]:
    """A normalised text in NFKC, and how many characters had another form there.

    Full-width letters and marks, ligatures, superscripts and circled numbers become plain ones; `，` becomes `,`
    too, so that this is seldom right for Chinese or Japanese. Spaces are made one kind again.
    """
    if unicodedata.is_normalized("NFKC", text):
        return text, 0
    changed = sum(
        number for character, number in Counter(text).items() if not unicodedata.is_normalized("NFKC", character)
    )
    return normalise(unicodedata.normalize("NFKC", text)).text, changed
