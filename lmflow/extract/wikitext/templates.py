"""Value templates: the ones that stand for words or numbers in running text, and how each is read aloud.

`templates.toml` says which names are read how: those that several editions share, then those of one language. All
others are dropped and counted, so that the report of an ingest shows what to add next.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple


class Arguments(NamedTuple):
    """A template's arguments, already plain text: by position (stripped), and by name (lower case)."""

    positional: tuple[str, ...]
    named: dict[str, str]

    def at(self, index: int) -> str:
        """The argument at a position from 0, empty when it is missing."""
        if index < len(self.positional):
            return self.positional[index]
        return self.named.get(str(index + 1), "")


Renderer = Callable[[Arguments], str]

_NAMED = re.compile(r"\s*([\w][\w .-]{0,40}?)\s*=(.*)", re.DOTALL)
_NUMBER = re.compile(r"[-+−–]?[\d.,٫٬ /⁄+]*\d")
_RANGE: Final = {
    **{word: f" {word} " for word in ("to", "and", "or", "by", "x", "×", "plus", "bis", "à", "a", "y", "et", "und")},
    **{"-": "–", "–": "–", "to(-)": "–", "and(-)": "–", "+/-": " ± ", "±": " ± ", "x": " × ", "*": " × "},
}
_UNITS: Final = {
    "m2": "m²", "km2": "km²", "cm2": "cm²", "mm2": "mm²", "m3": "m³", "km3": "km³", "cm3": "cm³", "sqmi": "sq mi",
    "mi2": "sq mi", "sqft": "sq ft", "ft2": "sq ft", "cuft": "cu ft", "C": "°C", "F": "°F", "K": "K", "kph": "km/h",
    "C-change": "°C", "F-change": "°F", "mph": "mph", "ftin": "ft", "um": "µm", "deg": "°", "percent": "%",
}  # fmt: skip
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_CHINESE_LABELS: Final = {
    "c": "Chinese",
    "s": "simplified Chinese",
    "t": "traditional Chinese",
    "p": "pinyin",
    "w": "Wade–Giles",
}


def arguments(raw: Iterable[str]) -> Arguments:
    """Split each argument at its first `=` if what stands before is a name."""
    positional: list[str] = []
    named: dict[str, str] = {}
    for text in raw:
        match = _NAMED.match(text) if "=" in text else None
        if match:
            named[match[1].lower()] = match[2].strip()
        else:
            positional.append(text.strip())
    if "1" in named and not positional:  # {{nowrap|1=a=b}}
        positional = [named[str(n)] for n in range(1, 10) if str(n) in named]
    return Arguments(tuple(positional), named)


@lru_cache(maxsize=65536)
def renderer(name: str, lang: str) -> Renderer | None:
    """The function for a template of this edition, None for one that is to be dropped."""
    key = " ".join(name.replace("_", " ").split()).lower().removeprefix("template:")
    found = _BY_LANGUAGE.get(lang.partition("-")[0], {}).get(key) or _SHARED.get(key)
    if found is None:
        found = next((render for prefix, render in _PREFIXES if key.startswith(prefix)), None)
    return found


@lru_cache(maxsize=65536)
def is_noise(name: str) -> bool:
    """Whether a dropped template shows no prose anyway: citations, boxes, notices, icons, parser functions."""
    key = name.replace("_", " ").strip().lower()
    return key.startswith(_NOISE) or key.endswith(("-stub", " icon"))


def _first(args: Arguments) -> str:
    return args.at(0)


def _last(args: Arguments) -> str:
    return args.positional[-1] if args.positional else ""


def _joined(separator: str) -> Renderer:
    return lambda args: separator.join(part for part in args.positional if part)


def _literal(text: str) -> Renderer:
    return lambda args: text


def _before(prefix: str) -> Renderer:
    return lambda args: prefix + "–".join(part for part in args.positional if part)


def _convert(args: Arguments) -> str:
    """`{{convert|5|to|10|km|mi}}`: the values with the unit they were written in."""
    parts, spoken, index = args.positional, args.at(0), 1
    while index + 1 < len(parts) and parts[index] in _RANGE and _NUMBER.fullmatch(parts[index + 1]):
        spoken += _RANGE[parts[index]] + parts[index + 1]
        index += 2
    if index < len(parts) and parts[index]:
        spoken += " " + _UNITS.get(parts[index], parts[index])
    if index + 2 < len(parts) and _NUMBER.fullmatch(parts[index + 1]):  # {{convert|6|ft|3|in}}
        spoken += f" {parts[index + 1]} {parts[index + 2]}"
    return spoken


def _fraction(args: Arguments) -> str:
    parts = args.positional
    if len(parts) == 1:
        return f"1/{parts[0]}"
    return f"{parts[0]}/{parts[1]}" if len(parts) == 2 else f"{parts[0]} {parts[1]}/{parts[2]}" if parts else ""


def _value(args: Arguments) -> str:
    """`{{val|1.23|0.05|e=6|u=m}}`."""
    spoken = args.at(0)
    if args.at(1):
        spoken += f"±{args.at(1).lstrip('±')}"
    if args.named.get("e"):
        spoken += f"×10^{args.named['e']}"
    unit = next((args.named[key] for key in ("u", "ul", "up", "upl") if args.named.get(key)), "")
    return f"{args.named.get('p', '')}{spoken} {unit}".strip()


def _date(args: Arguments) -> str:
    """`{{birth date|1879|3|14}}` as `14 March 1879`; words stay as they are."""
    numbers = [part for part in args.positional[:3] if part]
    if len(numbers) == 3 and all(part.isdigit() for part in numbers) and 1 <= int(numbers[1]) <= 12:
        year, month, day = numbers
        return f"{int(day)} {_MONTHS[int(month) - 1]} {year}"
    if len(numbers) == 2 and all(part.isdigit() for part in numbers) and 1 <= int(numbers[1]) <= 12:
        return f"{_MONTHS[int(numbers[1]) - 1]} {numbers[0]}"
    return " ".join(numbers)


def _as_of(args: Arguments) -> str:
    word = (args.named.get("since") and "since") or "as of"
    return f"{word if args.named.get('lc') else word.capitalize()} {_date(args)}"


def _nihongo(args: Arguments) -> str:
    """`{{nihongo|English|kanji|rōmaji}}` as `English (kanji, rōmaji)`."""
    inside = ", ".join(part for part in args.positional[1:3] if part)
    return f"{args.at(0)} ({inside})" if args.at(0) and inside else args.at(0) or inside


def _chinese_names(args: Arguments) -> str:
    return "; ".join(f"{label}: {args.named[key]}" for key, label in _CHINESE_LABELS.items() if args.named.get(key))


def _ship(prefix: str) -> Renderer:
    def render(args: Arguments) -> str:
        number = f" ({args.at(1)})" if args.at(1) else ""
        return f"{prefix} {args.at(0)}{number}"

    return render


def _list(separator: str) -> Renderer:
    """Items of a list template; a plain list already has its lines."""

    def render(args: Arguments) -> str:
        items = [part for part in args.positional if part]
        return items[0] if len(items) == 1 else separator.join(items)

    return render


def _with_reading(args: Arguments) -> str:
    return f"{args.at(0)}({args.at(1)})" if args.at(1) else args.at(0)


def _century(args: Arguments) -> str:
    return f"{args.at(0)}{args.at(1) or 'e'} siècle" + (" av. J.-C." if args.at(2) else "")


def _third_or_first(args: Arguments) -> str:
    return args.at(2) or args.at(0)


def _lifespan(args: Arguments) -> str:
    """Zh `{{bd|1879年|3月14日|1955年|4月18日}}`."""
    return f"（{args.at(0)}{args.at(1)}－{args.at(2)}{args.at(3)}）"


#: Ways to read a template, by the words that templates.toml uses; those in _WITH_TEXT take a text first.
_READINGS: Final[dict[str, Renderer]] = {
    "first": _first,
    "last": _last,
    "convert": _convert,
    "fraction": _fraction,
    "value": _value,
    "as_of": _as_of,
    "date": _date,
    "nihongo": _nihongo,
    "chinese_names": _chinese_names,
    "angle_brackets": lambda args: f"⟨{args.at(0)}⟩",
    "nuclide": lambda args: f"{args.at(0)}-{args.at(1)}" if args.at(1) else args.at(0),
    "with_reading": _with_reading,
    "ship": lambda args: " ".join(part for part in args.positional[:2] if part),
    "ship_class": lambda args: f"{args.at(0)}-class {args.at(1)}",
    "century": _century,
    "lifespan": _lifespan,
    "third_or_first": _third_or_first,
    "fourth": lambda args: args.at(3) or args.at(2) or args.at(1),
}
_WITH_TEXT: Final[dict[str, Callable[[str], Renderer]]] = {
    "joined": _joined,
    "list": _list,
    "before": _before,
    "literal": _literal,
    "vessel": _ship,
}
_PREFIXES: Final[tuple[tuple[str, Renderer], ...]] = (
    ("lang-", _first),
    ("link-", _third_or_first),
    ("internal link helper", _third_or_first),
    ("script/", _last),
)


def _table(section: dict[str, Any]) -> dict[str, Renderer]:
    """One section of templates.toml: template name to its reading."""
    table: dict[str, Renderer] = {}
    for reading, names in section.items():
        if reading in _WITH_TEXT:
            table |= {name: _WITH_TEXT[reading](text) for text, group in names.items() for name in group}
        else:
            table |= dict.fromkeys(names, _READINGS[reading])
    return table


_DATA: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_NOISE: Final = tuple(_DATA.pop("noise"))
_BY_LANGUAGE: Final = {language: _table(section) for language, section in _DATA.items()}
_SHARED: Final = _BY_LANGUAGE.pop("shared")
