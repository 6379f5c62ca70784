"""Readings of templates that show a number, a measure or a place on a map."""

from __future__ import annotations

import re
from typing import Final

from lmflow.extract.wikitext import locales
from lmflow.extract.wikitext.arguments import Arguments
from lmflow.extract.wikitext.expressions import evaluate

_NUMBER = re.compile(r"[-+−–]?[\d.,٫٬ /⁄+]*\d")
_RANGE: Final = {
    **{word: f" {word} " for word in ("to", "and", "or", "by", "x", "×", "plus", "bis", "à", "a", "y", "et", "und")},
    **{"-": "–", "–": "–", "to(-)": "–", "and(-)": "–", "+/-": " ± ", "±": " ± ", "x": " × ", "*": " × "},
    **{"до": " до ", "и": " и ", "至": "至", "到": "到", "〜": "〜", "إلى": " إلى ", "से": " से ", "تا": " تا "},
}
_UNITS: Final = {
    "m2": "m²", "km2": "km²", "cm2": "cm²", "mm2": "mm²", "m3": "m³", "km3": "km³", "cm3": "cm³", "sqmi": "sq mi",
    "mi2": "sq mi", "sqft": "sq ft", "ft2": "sq ft", "cuft": "cu ft", "C": "°C", "F": "°F", "K": "K", "kph": "km/h",
    "C-change": "°C", "F-change": "°F", "mph": "mph", "ftin": "ft", "um": "µm", "deg": "°", "percent": "%",
    "sqkm": "km²", "sqm": "m²", "cuyd": "cu yd", "e6t": "million tonnes", "e3": "thousand", "e6": "million",
}  # fmt: skip
_SUPERSCRIPT: Final = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_SUBSCRIPT: Final = str.maketrans("0123456789+-−–", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋")
_DIGITS_AND_SIGNS: Final = re.compile(r"[-+−–\d]{1,12}")
#: An exponent of more than that: decimals, or letters with digits or signs of arithmetic; and one variable.
_EXPRESSION: Final = re.compile(
    r"(?=[^\d+−–/·×*-]*[\d+−–/·×*-])(?=[^\da-zα-ω]*[\da-zα-ω])"
    r"[-+−–]?[(]?[\da-zα-ω][\da-zα-ω+−–/·×*.,() -]*|[ijkmnpqtxy]"
)
#: Numbers of notes behind a word, `1,9` and `(1)`, and points of a tie-break, `7–6<sup>(8–6)</sup>`.
_NOTES: Final = re.compile(r"\d+(?:, ?\d+)+|\([\d–-]+\)")
_ORDINAL: Final = re.compile(r"\d*(?:st|nd|rd|th|er|re|e|es|de|d|o|a|os|as)|[a-z](?:[,/–-] ?[a-z])+|[a-z]-?[a-z]*")
_RUPEES: Final = {
    "k": "thousand", "t": "thousand", "l": "lakh", "m": "million", "c": "crore", "b": "billion", "lc": "lakh crore",
}  # fmt: skip


def number(args: Arguments) -> str:
    """A number with the separators of the edition."""
    return locales.number(args.at(0), args.lang) if "R" not in args.positional[1:] else args.at(0)


def quantity(args: Arguments) -> str:
    """French `{{unité|5000|km|2}}` and its kin: a number, then units with exponents."""
    written = locales.number(args.at(0).replace(" ", ""), args.lang)
    if args.named.get("e"):
        written += f"×10{args.named['e'].translate(_SUPERSCRIPT)}"
    units = ""
    for part in args.positional[1:]:
        if part and part.lstrip("-−").isdecimal():
            units += part.translate(_SUPERSCRIPT)
        elif part:
            units += f" {part}"
    return f"{written}{units or ' ' + args.named.get('u', args.named.get('ul', ''))}".strip()


def convert(args: Arguments) -> str:
    """`{{convert|5|to|10|km|mi}}`: the values with the unit they were written in."""
    parts, index = args.positional, 1
    spoken = _mixed(locales.number(args.at(0), args.lang))
    while index + 1 < len(parts) and parts[index] in _RANGE and _NUMBER.fullmatch(parts[index + 1]):
        spoken += _RANGE[parts[index]] + _mixed(locales.number(parts[index + 1], args.lang))
        index += 2
    if index < len(parts) and parts[index]:
        unit = parts[index]
        per = unit.startswith("/") and unit[1:] in _UNITS
        spoken += f"/{_UNITS[unit[1:]]}" if per else f" {_UNITS.get(unit, unit)}"
    if index + 2 < len(parts) and parts[index] in ("ft", "st", "lb", "mi") and _NUMBER.fullmatch(parts[index + 1]):
        spoken += f" {_mixed(parts[index + 1])} {parts[index + 2]}"  # {{convert|6|ft|3|in}}
    return spoken


def product(args: Arguments) -> str:
    """French `{{dunité|12|8|m}}` as `12 × 8 m`."""
    parts = [part for part in args.positional if part]
    numbers = [locales.number(part, args.lang) for part in parts if _NUMBER.fullmatch(part)]
    return " ".join((" × ".join(numbers), *(part for part in parts if not _NUMBER.fullmatch(part))))


def million_years(args: Arguments) -> str:
    """English `{{mya|66}}` as `66 million years ago`, `{{Ma|66|56}}` with both ends."""
    return " to ".join(part for part in args.positional[:2] if part) + " million years ago"


def _mixed(number: str) -> str:
    """A whole number and a fraction, written `3+1/2`, as `3 1/2`."""
    return number.replace("+", " ") if "/" in number else number


def fraction(args: Arguments) -> str:
    """`{{frac|3|1|2}}` as `3 1/2`."""
    parts = args.positional
    if len(parts) == 1:
        return f"1/{parts[0]}"
    return f"{parts[0]}/{parts[1]}" if len(parts) == 2 else f"{parts[0]} {parts[1]}/{parts[2]}" if parts else ""


def raised(text: str, before: str) -> str:
    """What is raised behind a character: `⁶`, `^(n+1)`, `^n`; words, ordinals and marks of notes as they stand."""
    text = text.strip()
    if _DIGITS_AND_SIGNS.fullmatch(text):
        return text.translate(_SUPERSCRIPT)
    if _NOTES.fullmatch(text) and not (before.isdecimal() and text[0] != "("):
        return text
    if not (before.isalnum() or before in (")", "]")) or not _EXPRESSION.fullmatch(text):
        return text
    if len(text) == 1:
        return f"^{text}" if before.isdecimal() else text
    return text if _ORDINAL.fullmatch(text) else f"^{text}" if text.startswith("(") else f"^({text})"


def lowered(text: str) -> str:
    """What is lowered beside a digit: `₂`; words as they stand."""
    return text.translate(_SUBSCRIPT) if _DIGITS_AND_SIGNS.fullmatch(text) else text


def superscript(args: Arguments) -> str:
    """`10{{sup|6}}` as `10⁶`, like `10<sup>6</sup>`; raised words stay as they are."""
    return raised(args.at(0) or args.named.get("text", ""), "0")


def above_and_below(args: Arguments) -> str:
    """`1.5{{su|p=+0.3|b=−0.2}}` as `1.5 +0.3 −0.2`, `Σ{{su|p=2|b=1}}` as `Σ²₁`."""
    named = args.named
    above, below = (named.get(key) or args.at(place) for key, place in (("p", 0), ("b", 1)))
    if (above.isdecimal() and below.isdecimal()) or not (above and below):
        return raised(above, "0") + lowered(below)
    return f" {above} {below}"


def subscript_and_superscript(args: Arguments) -> str:
    """`{{subsup|x|1|2}}` as `x₁²`."""
    return args.at(0) + lowered(args.at(1)) + raised(args.at(2), "x")


def formula_of_elements(args: Arguments) -> str:
    """`{{chem|H|2|O}}` as `H2O`, `{{chem|SO|4|2-}}` as `SO4²⁻`, `{{chem|238|92|U}}` as `²³⁸₉₂U`."""
    shown = ""
    for place, part in enumerate(args.positional):
        if part.isdecimal() and not shown.strip("⁰¹²³⁴⁵⁶⁷⁸⁹"):
            shown += part.translate(_SUBSCRIPT if shown else _SUPERSCRIPT)
        elif place and part[-1:] in ("+", "-", "−", "–") and _DIGITS_AND_SIGNS.fullmatch(part):
            shown += part.translate(_SUPERSCRIPT)
        else:
            shown += part
    return shown


def root(args: Arguments) -> str:
    """`{{radic|2}}` as `√2`, `{{radic|x|3}}` as `³√x` (Template:Radic: expression, degree)."""
    return f"{args.at(1).translate(_SUPERSCRIPT)}√{args.at(0)}"


def value(args: Arguments) -> str:
    """`{{val|1.23|0.05|e=6|u=m}}`, `{{val|5|-|7|u=cm}}`."""
    spoken = args.at(0)
    if args.at(1) in _RANGE and args.at(2):
        spoken += _RANGE[args.at(1)] + args.at(2)
    elif args.at(1) and args.at(2):  # {{val|1.5|+0.1|-0.2}}
        spoken += f" +{args.at(1).lstrip('+')} −{args.at(2).lstrip('-−')}"
    elif args.at(1):
        spoken += f"±{args.at(1).lstrip('±')}"
    if args.named.get("e"):
        spoken += f"×10^{args.named['e']}"
    unit = next((args.named[key] for key in ("u", "ul", "up", "upl") if args.named.get(key)), "")
    return f"{args.named.get('p', '')}{spoken} {unit}".strip()


def currency(args: Arguments) -> str:
    """`{{currency|13 billion|USD}}`."""
    code = (args.at(1) or args.named.get("first", "")).upper()
    return f"{locales.currency(code, args.lang)}{args.at(0)}"


def rupees(args: Arguments) -> str | None:
    """English `{{INRConvert|5|c}}` as `₹5 crore`; what that is in dollars only the template's source knows."""
    scale = _RUPEES.get(args.at(1).lower(), "")
    if scale and args.lang not in ("en", "simple"):
        return None
    return f"₹{args.at(0)} {scale}".strip()


def quotient(args: Arguments) -> str | None:
    """`{{pop density|1000|20|km2|prec=0}}`: a number over an area, with the decimals that are asked for."""
    places = args.named.get("prec", "")
    shown = _ratio(Arguments((*args.positional[:2], places), {}, args.lang), 1) if places else ""
    unit = args.at(2)
    return f"{shown}/{_UNITS.get(unit, unit)}" if shown and unit else None


def height(args: Arguments) -> str:
    """`{{height|m=1.85}}`, `{{height|ft=6|in=2}}`."""
    units = ("m", "cm", "ft", "in")
    return " ".join(f"{args.named[unit]} {unit}" for unit in units if args.named.get(unit)) or args.at(0)


def coordinates(args: Arguments) -> str:
    """`{{coord|51|30|N|0|7|W|display=inline}}`; nothing when they stand in the title only."""
    if "inline" not in args.named.get("display", "inline"):
        return ""
    marks = ("°", "′", "″")
    shown, step = "", 0
    for part in args.positional:
        if part in ("N", "S", "E", "W", "O"):
            shown, step = f"{shown}{part} ", 0
        elif step < 3 and _NUMBER.fullmatch(part):
            shown, step = shown + part + marks[step], step + 1
        else:
            break
    if shown.endswith(("N ", "S ", "E ", "W ", "O ")):
        return shown.strip()
    return ", ".join(f"{part}°" for part in args.positional[:2] if _NUMBER.fullmatch(part))


def ordinal(args: Arguments) -> str:
    """English `{{ordinal|5}}`."""
    digits = args.at(0)
    if not digits.isdecimal():
        return digits
    ending = "th" if digits[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
    return digits + ending


def percentage(args: Arguments) -> str:
    """`{{percentage|1|4|0}}`: part of a whole, with so many decimals."""
    shown = _ratio(args, 100)
    return shown and f"{shown}%"


def _ratio(args: Arguments, times: int) -> str:
    """The first argument over the second, with as many decimals as the third says; empty when they are no numbers."""
    try:
        part, whole = (float(args.at(index).replace(",", "")) for index in (0, 1))
        return f"{times * part / whole:.{max(0, min(9, int(args.at(2) or 0)))}f}"
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""


def expression(args: Arguments) -> str:
    """`{{#expr: 3*4}}`."""
    return evaluate(args.at(0))
