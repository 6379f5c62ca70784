"""Which templates stand for words or numbers in running text, and which show no prose at all.

`templates.toml` says which names are read how: those that several editions share, then those of one language; the
ways of reading are in `readings`. All others are left to `guess`, or dropped and counted, so that the report of an
ingest shows what to add next.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from lmflow.extract.wikitext import locales
from lmflow.extract.wikitext.arguments import Renderer
from lmflow.extract.wikitext.readings import READINGS, WITH_TEXT, country_name, labelled, literal

Dropped = Literal["noise", "disambiguation", "lost"]


@lru_cache(maxsize=65536)
def renderer(name: str, lang: str) -> Renderer | None:
    """The function for a template of this edition, None for one that is not listed."""
    name = " ".join(name.replace("_", " ").split())
    key = name.lower().removeprefix("template:")
    edition = lang.partition("-")[0]
    found = _country(name, lang) or _BY_LANGUAGE.get(edition, {}).get(key)
    if found is None and (neighbour := _NEIGHBOURS.get(edition)):
        found = _BY_LANGUAGE.get(neighbour, {}).get(key)
    found = found or _SHARED.get(key)
    if found is None:
        found = next((render for prefix, render in _PREFIXES.items() if key.startswith(prefix)), None)
    if found is None and key.startswith(_TITLED):
        found = literal(next(name[len(prefix) :] for prefix in _TITLED if key.startswith(prefix)).strip())
    if found is None and key.startswith("lang-"):
        found = labelled(key[5:])
    if found is None and lang == "de" and (german := _GERMAN.fullmatch(name)) and locales.is_language(german[1]):
        found = labelled(german[1])
    if found is None and _FRACTION.fullmatch(key):
        found = literal(key)
    if found is None and lang == "fr" and (french := _CENTURY.fullmatch(name.strip())):
        found = literal(french[0])
    if found is None and lang in ("ru", "fr") and (territory := locales.territories(lang).get(key)):
        found = country_name(territory)
    return found


@lru_cache(maxsize=65536)
def dropped(name: str) -> Dropped:
    """What a dropped template was: one that shows no prose anyway, a disambiguation notice, or words that are lost."""
    key = name.replace("_", " ").strip().lower()
    if key in _NOISE_NAMES or key.startswith(_NOISE) or key.endswith(("-stub", " icon")):
        return "noise"
    if key in _DISAMBIGUATION or key.startswith(("disambig", "hndis", "geodis")) or key.endswith(_DISAMBIGUATES):
        return "disambiguation"
    return "lost"


def _country(name: str, lang: str) -> Renderer | None:
    """`{{GER}}`, and Dutch `{{DE}}`, show the country's name.

    In lower case it is something else: `{{aut|Linnaeus}}`, `{{jpn|j=東京}}`.
    """
    code = name.strip()
    shown = locales.country(code, lang) if _COUNTRY.fullmatch(code) and (len(code) == 3 or lang == "nl") else ""
    return country_name(shown) if shown else None


#: `{{enS|United Nations}}`; `{{RUS}}` is a country.
_GERMAN: Final = re.compile(r"\s*([a-z]{2,3})S\s*")
#: `{{Place name disambiguation}}`, `{{genus disambig}}`.
_DISAMBIGUATES: Final = (" disambiguation", " disambig")
_COUNTRY: Final = re.compile(r"[A-Z]{2,3}")
#: French `{{XIe}}`, `{{IIIe siècle av. J.-C.}}`.
_CENTURY: Final = re.compile(r"[IVXL]+er?(?: (?:siècle|millénaire)(?: av\. J\.-C\.)?)?")
#: `{{1/2}}`.
_FRACTION: Final = re.compile(r"\d{1,3}/\d{1,3}")


def _table(section: dict[str, Any]) -> dict[str, Renderer]:
    """One section of templates.toml: template name to its reading."""
    table: dict[str, Renderer] = {}
    for reading, names in section.items():
        if reading in WITH_TEXT:
            for text, group in names.items():
                table |= dict.fromkeys(group, WITH_TEXT[reading](text))
        else:
            table |= dict.fromkeys(names, READINGS[reading])
    return table


_DATA: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_NOISE: Final = tuple(_DATA.pop("noise"))
_NOISE_NAMES: Final = frozenset(_DATA.pop("noise_names"))
_DISAMBIGUATION: Final = frozenset(_DATA.pop("disambiguation"))
_NEIGHBOURS: Final[dict[str, str]] = {
    edition: neighbour for neighbour, editions in _DATA.pop("neighbours").items() for edition in editions.split()
}
_TITLED: Final = tuple(_DATA.pop("titled"))
_PREFIXES: Final = _table(_DATA.pop("prefixes"))
_BY_LANGUAGE: Final = {language: _table(section) for language, section in _DATA.items()}
_SHARED: Final = _BY_LANGUAGE.pop("shared")
