"""The first step of every document: one spelling for one text, and a count of what had to change.

Canonical composition (NFC), mojibake repaired line by line, control and invisible characters removed, line ends and
spaces made one kind. Quotes, full-width forms and case stay: a language model must see them (`lmflow.text.spelling` has
other spellings, for who asks for them). Folding text for comparison is another matter (`lmflow.text.shingles`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import ftfy
from ftfy.badness import is_bad

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LINE_END: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028]")
_PARAGRAPH_END: Final = "\u2029"
#: A terminal's escape sequences (colours, as ftfy removes them), C0 and C1 controls, non-characters; tab and newline
#: are handled as spaces, and 0x80-0x9f only after the repair of mojibake, which they are a sign of.
_CONTROL: Final = re.compile("\x1b\\[[0-9;]*[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
#: Zero-width space, word joiner, byte order mark, soft hyphen, marks of annotation, and every mark that only steers
#: direction.
_INVISIBLE: Final = re.compile("[\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
#: The two joiners carry meaning in Arabic, Indic scripts and emoji, and none between other characters.
_JOINER: Final = re.compile(
    "(?<![\u0600-\u08ff\u0900-\u0dff\u1780-\u17ff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
)
_OTHER_SPACES: Final = "\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_OTHER_SPACE: Final = re.compile(f"[{_OTHER_SPACES}]")
_SPACES: Final = re.compile(f"[ {_OTHER_SPACES}]{{2,}}|[{_OTHER_SPACES}]")
_BLANK_LINES: Final = re.compile("\n{3,}")
_EXOTIC: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
#: UTF-8 read as a one-byte code page leaves two characters or more in a row, the first from this range (the lead bytes
#: C2 to F4 in Latin-1, Windows-1250/1/2, Mac Roman and code page 437). Clean text seldom has such pairs; none of these
#: code pages has Han or full-width forms, and one lead byte does not follow another (…… in Chinese). à leaves Ã and a
#: space without break, which may have become a plain one.
_MAYBE_MOJIBAKE: Final = re.compile(
    "[\x80-\u04ff\u2020-\u2030\u221a\u2500-\u256c\u0393\u03a3\u03c3\u03c4\u03a6]"
    "(?:[^\x00-\x7f\u3000-\u9fff\uff00-\uffef](?<!……)|(?<=Ã) (?:[ \n]|\\Z))"
)
#: Text of nothing but these needs a look at its spaces and line ends alone: ASCII without controls, marks that can be
#: seen, Chinese and Japanese with their punctuation and full-width forms. All of them are NFC as they are.
_PLAIN: Final = re.compile(
    "[\n -~\u2010-\u201f\u2032-\u205e\u3001-\u3029\u3030-\u3096\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uff01-\uff9f\uffe0-\uffe6]*+"
)


@dataclass(frozen=True)
class Normalised:
    r"""A text in its one spelling.

    Attributes:
        text: NFC, `\n` line ends, single spaces, no margins, at most one blank line in a row.
        changes: what was changed, by kind (`mojibake` counts lines, the others characters or places); zeros left out.
    """

    text: str
    changes: Mapping[str, int]


def normalise(text: str) -> Normalised:
    """Bring a text into its one spelling. Any string is accepted, lone surrogates and NUL too.

    Idempotent, but for text that was decoded wrongly twice over.
    """
    changes: Counter[str] = Counter()
    if not _PLAIN.fullmatch(text):
        text = _respelled(text, changes)
    if "  " in text or _OTHER_SPACE.search(text):
        text, changes["spaces"] = _SPACES.subn(" ", text)
    if " \n" in text or "\n " in text:
        spaced = len(text)
        text = text.replace(" \n", "\n").replace("\n ", "\n")  # there are no two spaces in a row by now
        changes["spaces"] += spaced - len(text)
    if "\n\n\n" in text:
        text, changes["blank_lines"] = _BLANK_LINES.subn("\n\n", text)
    return Normalised(text.strip(), {kind: number for kind, number in changes.items() if number})


def _respelled(text: str, changes: Counter[str]) -> str:
    """Repair mojibake, take out controls and invisible marks, and compose."""
    if not text.isascii():
        text = _repair(text, changes)
    if _EXOTIC.search(text):
        text, changes["line_ends"] = _LINE_END.subn("\n", text)
        text = text.replace(_PARAGRAPH_END, "\n\n")
        text, changes["control"] = _CONTROL.subn("", text)
        text, changes["invisible"] = _INVISIBLE.subn("", text)
        text, joiners = _JOINER.subn("", text)
        changes["invisible"] += joiners
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
        changes["nfc"] = 1
    return text


def _repair(text: str, changes: Counter[str]) -> str:
    """Join or drop surrogates, and repair the lines that were decoded with the wrong code page."""
    if _SURROGATE.search(text):
        changes["surrogates"] = len(_SURROGATE.findall(text))
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if not _MAYBE_MOJIBAKE.search(text):
        return text
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if _MAYBE_MOJIBAKE.search(line) and is_bad(line):
            repaired = ftfy.fix_encoding(line)
            if repaired != line:
                lines[index] = repaired
                changes["mojibake"] += 1
    return "\n".join(lines)
