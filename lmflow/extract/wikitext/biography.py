"""The first sentence of an Italian biography, which articles write as one template: `{{Bio|Nome=Dante|…}}`.

After Template:Bio and Modulo:Bio of it.wikipedia.org: name, then places and dates of birth and death in brackets, then
what the person was. Arguments that only sort the article into categories, and the picture, show nothing here.
"""

from __future__ import annotations

from typing import Final

from lmflow.extract.wikitext.arguments import Arguments

_UNKNOWN: Final = "..."
_VOWELS: Final = frozenset("aeiouàèéìòù")
#: Beginnings of masculine nouns that take `uno` (and `s` with a consonant, and `i` with a vowel).
_UNO: Final = ("z", "gn", "ps", "pn", "x", "y")


def biography(args: Arguments) -> str:
    """The sentence: `Dante Alighieri (Firenze, 1265 – Ravenna, 14 settembre 1321) è stato un poeta italiano.`."""
    named = args.named
    pseudonym = f", noto come {named['pseudonimo']}" if named.get("pseudonimo") else ""
    if pseudonym and _is_woman(named):
        pseudonym = pseudonym.replace("noto", "nota", 1)
    sentence = _name(named) + pseudonym
    if lived := _lived(named):
        sentence += f" ({lived})"
    what = named.get("fineincipit", "") or _was(named)
    if not what:
        return sentence
    gap = "" if what[0] in ",.;:" else " "
    return f"{sentence}{gap}{what}" + ("" if what[-1] in ".:" or named.get("punto") == "no" else ".")


def _is_woman(named: dict[str, str]) -> bool:
    return named.get("sesso", "").upper().startswith("F")


def _name(named: dict[str, str]) -> str:
    words = (named.get(key, "") for key in ("titolo", "nome", "cognome", "postcognome"))
    name = " ".join(word for word in words if word)
    after = named.get("postcognomevirgola", "")
    return f"{name}, {after}" if after else name


def _lived(named: dict[str, str]) -> str:
    born, died = (_when_and_where(named, event) for event in ("nascita", "morte"))
    dead = bool(named.get("annomorte") or died)
    life = f"{born or _UNKNOWN} – {died or _UNKNOWN}" if dead else born
    before = named.get("predata", "")
    return f"{before}; {life}" if before and life else life or before


def _when_and_where(named: dict[str, str], event: str) -> str:
    """`Firenze, 21 maggio 1265`."""
    place = named.get(f"luogo{event}", "") or named.get(f"luogo{event}alt", "")
    year = named.get(f"anno{event}", "")
    day = named.get(f"giornomese{event}", "")
    date = _UNKNOWN if year == "?" else " ".join(word for word in (day, year) if word and word != "?")
    return ", ".join(word for word in (place, date) if word)


def _was(named: dict[str, str]) -> str:
    """`è stata una scrittrice e poetessa italiana`."""
    first, second, third = (named.get(f"attività{number}", "") for number in ("", "2", "3"))
    if not first:
        return ""
    others = named.get("attivitàaltre", "")
    following = [activity for activity in (second, third) if activity]
    did = first
    for place, activity in enumerate(following):
        is_last = place == len(following) - 1 and not others
        did += f" {'ed' if activity[0].lower() == 'e' else 'e'} {activity}" if is_last else f", {activity}"
    did += others if not others or others[0] in ",;" else f" {others}"
    end = " ".join(word for word in (named.get("nazionalità", ""), _naturalized(named)) if word)
    was = f"{_verb(named)} {_article(first, _is_woman(named))}{did}" + (f" {end}" if end else "")
    after = named.get("postnazionalità", "")
    return was + (after if not after or after[0] in ",.;:" else f" {after}")


def _naturalized(named: dict[str, str]) -> str:
    to = named.get("nazionalitànaturalizzato", "")
    return f"naturalizzat{'a' if _is_woman(named) else 'o'} {to}" if to else ""


def _verb(named: dict[str, str]) -> str:
    if not named.get("annomorte"):
        return "è"
    return "è stata" if _is_woman(named) else "è stato"


def _article(noun: str, feminine: bool) -> str:
    beginning = noun[:2].lower()
    if feminine:
        return "un'" if beginning[:1] in _VOWELS else "una "
    s_and_consonant = beginning[:1] == "s" and beginning[1:] not in _VOWELS
    i_and_vowel = beginning[:1] == "i" and beginning[1:] in _VOWELS
    return "uno " if s_and_consonant or i_and_vowel or beginning.startswith(_UNO) else "un "
