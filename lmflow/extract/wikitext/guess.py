"""Templates that nobody listed: what can be read off their arguments when they stand inside a line.

A wiki has thousands of templates, and every wiki names them in its own words. Some shapes of arguments say what a
reader sees whatever the name is: a year, month and day; a number with a unit; a language code with a text; and, in the
middle of a sentence, one text alone. Everything else is dropped and counted. A template on a line of its own is a box
or a notice and is never guessed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from lmflow.extract.wikitext import locales
from lmflow.extract.wikitext.arguments import Arguments
from lmflow.extract.wikitext.dates import date_of

_LONGEST: Final = 400
_SEVERAL = re.compile(r"\|[^|{}]*[^|{}\s][^|{}]*\|")
#: A value stands after a gap, a bracket or a quotation mark; a footnote hangs on a word.
_GAP: Final = frozenset(" \u00a0\t([（「『“„«\"'—–-/~≈>")
_CJK_GAP: Final = frozenset("，、；《〈〔")
_IDEOGRAPH = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_CODE: Final = re.compile(r"(?:[^\W\d_]{1,5}[- ])?([a-z]{2,3})")
_NUMBER: Final = re.compile(r"[-+−–]?\d[\d.,٫٬ \u00a0]*")
_NOT_PROSE: Final = re.compile(r"https?:|//|\.(?:jpe?g|png|svg|og[gv]|webm|com|org|net)\b|^[#:]|=|_", re.IGNORECASE)
#: What the template looks something up by: `DE-BE`, `071023X`.
_KEY: Final = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^\d-]*[\d-])[A-Z\d-]+")
_LETTERS: Final = re.compile(r"[^\W\d_]")
_UNITS: Final = frozenset(
    tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["units"].split()
)


def may_show_words(markup: str, start: int, end: int, name: str) -> bool:
    """Whether an unlisted template from `start` to `end` is worth guessing at, by where and how it stands."""
    if end - start > _LONGEST or name[0] == "#":  # a function computes, its arguments are not what it shows
        return False
    before = markup[start - 1] if start else "\n"
    if before == "\n" and markup[end : end + 1] in ("\n", ""):
        return False
    bar = markup.find("|", start, end)
    if bar < 0 or markup.find("\n", start, end) >= 0:
        return False
    if _SEVERAL.match(markup, bar, end) or _CODE.fullmatch(name.strip().lower()):
        return True
    if before in _GAP:
        line = markup[max(0, start - 60) : start].rpartition("\n")[2].rstrip()
        return bool(line.strip("*#:;|! \t")) and line[-1] != "|"  # not the beginning of a line or of a cell
    return bool((before in _CJK_GAP or _IDEOGRAPH.match(before)) and _IDEOGRAPH.search(markup, bar, end))


def guess(name: str, args: Arguments) -> str:
    """What a reader most likely sees of an unlisted template, empty when its arguments do not say."""
    parts = args.positional
    first = parts[0] if parts else ""
    if not first or len(first) > _LONGEST:
        return ""
    code = _CODE.fullmatch(name.strip().lower())
    if code and locales.is_language(code[1]) and _LETTERS.search(first):  # {{de|Berlin}}, {{k-de|Berlin}}
        return first
    if len(parts) >= 3 and (when := date_of(parts, args.lang)):
        return when
    if len(parts) >= 2 and _NUMBER.fullmatch(first) and parts[1] in _UNITS:
        return f"{locales.number(first, args.lang)} {parts[1]}"
    if len(parts) >= 2 and first.islower() and locales.is_language(first) and _is_prose(parts[1]):
        return parts[1]
    if len(parts) == 1 and _is_prose(first) and not _KEY.fullmatch(first) and not args.named.keys() - _HARMLESS:
        return first
    return ""


#: Named arguments that change nothing about what the only positional one shows (a marked passage and its date).
_HARMLESS: Final = frozenset(
    ("date", "datum", "data", "fecha", "дата", "تاريخ", "title", "reason", "lang", "link", "ref", "1")
)


def _is_prose(text: str) -> bool:
    return bool(text) and _NOT_PROSE.search(text) is None and (_LETTERS.search(text) is not None or "{" not in text)
