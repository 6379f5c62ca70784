"""How an edition writes dates, numbers, languages and countries, from Unicode's CLDR (through Babel)."""

from __future__ import annotations

import re
import tomllib
from datetime import date as Date
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_skeleton, parse_pattern
from babel.numbers import format_decimal, get_currency_symbol

_DATA: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_CODES: Final[dict[str, str]] = dict(pair.split(":") for pair in _DATA["codes"].split())
_OLYMPIC: Final[dict[str, str]] = dict(pair.split(":") for pair in _DATA["countries"].split())
_ABBREVIATED: Final[dict[str, dict[str, str]]] = {
    lang: dict(pair.split(":") for pair in pairs.split()) for lang, pairs in _DATA["languages"].items()
}
#: Suffixes and eras that CLDR's long dates carry and articles do not.
_ERAS = re.compile(r"\s(?:г|р|թ)\.$|ค\.ศ\. ")
_PLAIN_NUMBER = re.compile(r"([-+−]?)([0-9]+)(\.[0-9]+)?")
#: Digits of editions that write their own, with separators (MediaWiki's MessagesFa.php, MessagesBn.php).
_DIGITS: Final = {
    "fa": str.maketrans("0123456789.,", "۰۱۲۳۴۵۶۷۸۹٫٬"),
    "bn": str.maketrans("0123456789", "০১২৩৪৫৬৭৮৯"),
}
#: Languages that group from five digits on (CLDR's minimumGroupingDigits).
_FROM_FIVE: Final = frozenset(("es", "pl", "pt", "bg", "it", "et", "hu", "lv", "ka", "ca", "gl"))
_ALIASES: Final = get_global("territory_aliases")


@lru_cache(maxsize=512)
def _locale(lang: str) -> Locale | None:
    code = _CODES.get(lang, lang).replace("-", "_")
    for name in (code, code.partition("_")[0]):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return None


@lru_cache(maxsize=65536)
def date(year: int, month: int, day: int, lang: str, day_first: bool = False) -> str:
    """A date as articles write it: `March 14, 1879` (English, unless the day goes first), `1879年3月14日`.

    Day 0 leaves the day out. A language that CLDR does not know, and a date that no calendar has, is written
    `1879-03-14`.
    """
    locale = _locale(lang)
    try:
        when = Date(year, month, day or 1)
    except ValueError:
        locale = None
    if locale is None:
        return f"{year}-{month:02}" + (f"-{day:02}" if day else "")
    if not day:
        written = format_skeleton("yMMMM", when, locale=locale)
    elif locale.language == "en" and day_first:
        written = f"{day} {locale.months['format']['wide'][month]} {year}"
    else:
        written = parse_pattern(locale.date_formats["long"].pattern.replace("dd", "d")).apply(when, locale)
    shown = _ERAS.sub("", str(written))
    if day == 1 and locale.language == "fr":
        return f"1er{shown[1:]}"
    return shown.translate(_DIGITS[lang]) if lang in _DIGITS else shown


@lru_cache(maxsize=65536)
def number(written: str, lang: str) -> str:
    """A number in Latin digits with the separators of the language; anything else as it stands."""
    found = _PLAIN_NUMBER.fullmatch(written)
    locale = _locale(lang) if found else None
    if not found or locale is None:
        return written
    sign, whole, decimals = found.groups("")
    if len(whole) > (4 if locale.language in _FROM_FIVE else 3):
        whole = str(format_decimal(int(whole), locale=locale))
    point = locale.number_symbols.get("latn", {}).get("decimal", ".")
    shown = sign + whole + decimals.replace(".", point)
    return shown.translate(_DIGITS[lang]) if lang in _DIGITS else shown


@lru_cache(maxsize=4096)
def language(code: str, lang: str) -> str:
    """The name of a language in another, empty when CLDR has none."""
    locale = _locale(lang)
    return str(locale.languages.get(code.lower(), "")) if locale else ""


def language_label(code: str, lang: str) -> str:
    """How an article names the language of a foreign word: `English`, `englisch`, `англ.`; empty when it is not known.

    Russian and Ukrainian editions abbreviate, the Czech one has an adverb; a language whose abbreviation is
    not listed is named in full.
    """
    short = _ABBREVIATED.get(lang, {}).get(code)
    if lang == "cs":  # an adverb, which CLDR lacks
        return short or ""
    name = short or language(code, lang)
    return name.lower() if lang in ("de", "ru", "uk") else name


@lru_cache(maxsize=4096)
def country(code: str, lang: str) -> str:
    """The name of a country by its code (ISO 3166, of three letters also the IOC's where that differs), else empty."""
    locale = _locale(lang)
    iso = code if len(code) == 2 else _OLYMPIC.get(code) or next(iter(_ALIASES.get(code, ())), "")
    return str(locale.territories.get(iso, "")) if locale and len(code) <= 3 else ""


@lru_cache(maxsize=8)
def territories(lang: str) -> dict[str, str]:
    """The names of countries in a language, by themselves in lower case."""
    locale = _locale(lang)
    names = (str(name) for code, name in locale.territories.items() if code.isalpha()) if locale else ()
    return {name.lower(): name for name in names}


@lru_cache(maxsize=4096)
def currency(code: str, lang: str) -> str:
    """The sign of a currency by its code of three letters (ISO 4217), or the code and a gap."""
    sign = str(get_currency_symbol(code, _locale(lang) or "en"))
    return f"{code} " if sign == code else sign


@lru_cache(maxsize=8192)
def is_language(code: str) -> bool:
    """Whether a word is a language code (`de`, `grc`, `zh-hant`)."""
    return code.partition("-")[0].lower() in _languages()


@lru_cache(maxsize=1)
def _languages() -> frozenset[str]:
    return frozenset(str(code) for code in Locale("en").languages if len(str(code)) <= 3)
