"""How a value template is read aloud: functions from its arguments to the words and numbers it shows.

`templates.toml` names them in its sections; those in `WITH_TEXT` take a text first. Converted values that only the
template's source could compute (the miles behind the kilometres) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lmflow.extract.wikitext import dates, locales
from lmflow.extract.wikitext.arguments import Arguments, Renderer
from lmflow.extract.wikitext.biography import biography
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
_ACCIDENTALS: Final = {
    **dict.fromkeys(("flat", "b"), "♭"),
    **dict.fromkeys(("sharp", "#"), "♯"),
    "natural": "♮",
}
_CHINESE_LABELS: Final = {
    "c": "Chinese",
    "s": "simplified Chinese",
    "t": "traditional Chinese",
    "p": "pinyin",
    "w": "Wade–Giles",
}
#: Editions whose `lang-xx` templates say the language's name (or its abbreviation, see locales.toml), and how.
_LABELLED: Final = {
    **dict.fromkeys(("en", "simple", "ja", "ko", "hi", "id", "ms", "tr", "bn", "ta", "te", "sw", "ur"), "{}: {}"),
    **dict.fromkeys(("zh", "wuu", "gan"), "{}：{}"),
    **dict.fromkeys(("ru", "uk", "de"), "{} {}"),
    "es": "en {}: {}",
    "pt": "em {}: {}",
    "ar": "ب{}: {}",
}
_SUPERSCRIPT: Final = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_EXPONENT: Final = re.compile(r"[-+−–]?\d{1,12}")
_RUPEES: Final = {
    "k": "thousand", "t": "thousand", "l": "lakh", "m": "million", "c": "crore", "b": "billion", "lc": "lakh crore",
}  # fmt: skip
#: Arguments of `IPAc-en` that say whose pronunciation it is, and are no sounds.
_SPEAKERS: Final = frozenset(
    ("us", "uk", "lang", "local", "pron", "also", "usalso", "ukalso", "uslang", "uklang", "us also", "uk also", "audio")
)
_TEXT_NAMES: Final = (
    "text",
    "quote",
    "content",
    "1",
    "texto",
    "texte",
    "zitat",
    "text1",
    "цитата",
    "quotation",
    "nombre",
)


#: Arguments of links to other editions: labels, then titles in this edition.
_LINK_NAMES: Final = ("lt", "label", "texte", "текст", "نص", "fr", "надо", "عر")


def first(args: Arguments) -> str:
    """The first argument, or the one named as the text."""
    return args.at(0) or next((args.named[name] for name in _TEXT_NAMES if args.named.get(name)), "")


def second(args: Arguments) -> str:
    """The second argument, else the first."""
    return args.at(1) or args.at(0)


def last(args: Arguments) -> str:
    """The last positional argument that is not empty."""
    return next((part for part in reversed(args.positional) if part), "")


def joined(separator: str) -> Renderer:
    """All arguments with a separator."""
    return lambda args: separator.join(part for part in args.positional if part)


def literal(text: str) -> Renderer:
    """Always the same."""
    return lambda args: text


def before(prefix: str) -> Renderer:
    """The arguments after a prefix."""
    return lambda args: prefix + "–".join(part for part in args.positional if part)


def after(suffix: str) -> Renderer:
    """The first argument before a suffix."""
    return lambda args: f"{args.at(0)}{suffix}"


def money(sign: str) -> Renderer:
    """The amount after the sign of a currency; further arguments say which year's money or where a link goes."""
    return lambda args: f"{sign}{first(args)}"


def items(separator: str) -> Renderer:
    """Items of a list template; a plain list already has its lines."""

    def render(args: Arguments) -> str:
        parts = [part for part in args.positional if part]
        return parts[0] if len(parts) == 1 else separator.join(parts)

    return render


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


def _mixed(number: str) -> str:
    """A whole number and a fraction, written `3+1/2`, as `3 1/2`."""
    return number.replace("+", " ") if "/" in number else number


def fraction(args: Arguments) -> str:
    """`{{frac|3|1|2}}` as `3 1/2`."""
    parts = args.positional
    if len(parts) == 1:
        return f"1/{parts[0]}"
    return f"{parts[0]}/{parts[1]}" if len(parts) == 2 else f"{parts[0]} {parts[1]}/{parts[2]}" if parts else ""


def superscript(args: Arguments) -> str:
    """`10{{sup|6}}` as `10⁶`, like `10<sup>6</sup>`; raised words stay as they are."""
    raised = first(args)
    return raised.translate(_SUPERSCRIPT) if _EXPONENT.fullmatch(raised) else raised


def root(args: Arguments) -> str:
    """`{{radic|2}}` as `√2`, `{{radic|x|3}}` as `³√x` (Template:Radic: expression, degree)."""
    return f"{args.at(1).translate(_SUPERSCRIPT)}√{args.at(0)}"


def value(args: Arguments) -> str:
    """`{{val|1.23|0.05|e=6|u=m}}`."""
    spoken = args.at(0)
    if args.at(1) and args.at(2):  # {{val|1.5|+0.1|-0.2}}
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


def phonetic(args: Arguments) -> str:
    """`{{IPA|ˈroma}}` as it stands, `{{IPA|it|ˈroma}}` in brackets."""
    return f"[{args.at(1)}]" if args.at(1) and locales.is_language(args.at(0)) else args.at(0)


def spelt(args: Arguments) -> str | None:
    """`{{IPAc-en|ˈ|t|aʊ|ər}}` as `/ˈtaʊər/`. Those that mark tones by numbers are not told."""
    sounds = "".join(part for part in args.positional if part.lower() not in _SPEAKERS).replace("_", " ")
    return None if any(character.isdecimal() for character in sounds) else f"/{sounds}/" if sounds else ""


def nihongo(args: Arguments) -> str:
    """`{{nihongo|English|kanji|rōmaji}}` as `English (kanji, rōmaji)`."""
    inside = ", ".join(part for part in args.positional[1:3] if part)
    return f"{args.at(0)} ({inside})" if args.at(0) and inside else args.at(0) or inside


def chinese_names(args: Arguments) -> str:
    """`{{zh|s=…|t=…|p=…}}`, `{{lang-zh|北京}}`; without labels where English is foreign."""
    names = [(label, args.named[key]) for key, label in _CHINESE_LABELS.items() if args.named.get(key)]
    labels = args.lang in ("en", "simple")
    shown = "; ".join(f"{label}: {name}" if labels else name for label, name in names)
    return shown or _labelled("zh", args.at(0), "", args.lang)


def vessel(prefix: str) -> Renderer:
    """`{{USS|Nimitz|CVN-68}}`."""

    def render(args: Arguments) -> str:
        hull = f" ({args.at(1)})" if args.at(1) else ""
        return f"{prefix} {args.at(0)}{hull}"

    return render


def ship(args: Arguments) -> str:
    """`{{ship|SS|Ohio}}`."""
    return " ".join(part for part in args.positional[:2] if part)


def with_reading(args: Arguments) -> str:
    """A word with its pronunciation."""
    return f"{args.at(0)}({args.at(1)})" if args.at(1) else args.at(0)


def third_or_first(args: Arguments) -> str:
    """A link to another language: the local label, else the local title."""
    return args.at(2) or args.at(0)


def fourth(args: Arguments) -> str:
    """`{{tsl|en|foreign|local|label}}`."""
    return args.at(3) or args.at(2) or args.at(1)


def link(args: Arguments) -> str:
    """French `{{lien|fr=Titre|texte=mots|lang=de|trad=Titel}}`."""
    return _label(args) or args.at(1) or args.at(0)


def interlanguage(args: Arguments) -> str:
    """`{{ill|Ewald Wüst|de|lt=Wüst}}`, `{{仮リンク|A|en|C|label=B}}`: the label, else the title in this edition.

    The older order `{{ill|de|foreign|local|label}}` begins with the language.
    """
    if label := _label(args):
        return label
    if len(args.positional) > 2 and _is_code(args.at(0)):
        return args.at(3) or args.at(2)
    return args.at(0)


def not_translated(args: Arguments) -> str:
    """Russian `{{нп5|title|label|language|foreign}}`, also with the names надо, текст; the label may be left out."""
    label = _label(args) or args.at(1)
    return args.at(0) or label if _is_code(label) else label or args.at(0)


def _label(args: Arguments) -> str:
    """What a link shows, where a name says so; else the title that a name gives."""
    return next((args.named[name] for name in _LINK_NAMES if args.named.get(name)), "")


def _is_code(word: str) -> bool:
    return len(word) <= 3 and word.isascii() and word.islower() and locales.is_language(word)


def labelled(code: str) -> Renderer:
    """`{{lang-de|Berlin}}`: the text, after the language's name where the edition shows it."""

    def render(args: Arguments) -> str:
        return _labelled(code, args.at(0) or args.named.get("text", ""), args.at(1), args.lang)

    return render


def langx(args: Arguments) -> str:
    """`{{langx|de|Berlin}}`."""
    return _labelled(args.at(0), args.at(1) or args.named.get("text", ""), args.at(2), args.lang)


def _labelled(code: str, text: str, reading: str, lang: str) -> str:
    if not text:
        return ""
    if reading and lang in ("en", "simple", "de"):
        text += f" {reading}" if lang == "de" else f", romanized: {reading}"
    label = _LABELLED.get(lang)
    name = locales.language_label(code, lang) if label else ""
    return label.format(name, text) if label and name else text


def country(args: Arguments) -> str:
    """`{{flag|Jamaica}}`, `{{flag|JAM}}`."""
    name = args.named.get("name") or args.at(0)
    return locales.country(name, args.lang) or name


def country_name(name: str) -> Renderer:
    """`{{GER}}`: the name; with `#` the flag alone (German); with words of its own the template says what it shows."""

    def render(args: Arguments) -> str | None:
        if args.at(0) == "#":
            return ""
        return None if any(not part.isdecimal() for part in args.positional if part) else name

    return render


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


def when_nonempty(args: Arguments) -> str:
    """`{{#if: condition | then | else}}`."""
    return args.at(1) if args.at(0) else args.at(2)


def when_equal(args: Arguments) -> str:
    """`{{#ifeq: a | b | then | else}}`."""
    return args.at(2) if args.at(0) == args.at(1) else args.at(3)


def sort_name(args: Arguments) -> str:
    """`{{sortname|John|Smith}}`."""
    return " ".join(part for part in args.positional[:2] if part)


def accidental(args: Arguments) -> str:
    """`B{{music|flat}}` as `B♭`; chords and the like as they stand."""
    return _ACCIDENTALS.get(args.at(0).lower(), args.at(0))


def quoted(args: Arguments) -> str:
    """A quotation and who said it."""
    text = first(args)
    who = next((args.named[key] for key in ("author", "autor", "auteur", "source", "автор") if args.named.get(key)), "")
    return f"{text} — {who}" if text and who else text


#: Ways to read a template, by the words that templates.toml uses.
READINGS: Final[dict[str, Renderer]] = {
    "first": first,
    "second": second,
    "last": last,
    "number": number,
    "quantity": quantity,
    "convert": convert,
    "fraction": fraction,
    "superscript": superscript,
    "root": root,
    "value": value,
    "as_of": dates.as_of,
    "circa": dates.circa,
    "date": dates.date,
    "old_style": dates.old_style,
    "julian": dates.julian,
    "age": dates.age,
    "age_in_days": dates.age_in_days,
    "age_in_years_and_days": dates.age_in_years_and_days,
    "biography": biography,
    "untold": lambda args: None,
    "phonetic": phonetic,
    "in_brackets": lambda args: args.at(0) and f"[{args.at(0)}]",
    "spelt": spelt,
    "respelt": lambda args: "-".join(part for part in args.positional if part).replace("-_-", " "),
    "second_only": lambda args: args.at(1),
    "currency": currency,
    "rupees": rupees,
    "quotient": quotient,
    "nihongo": nihongo,
    "chinese_names": chinese_names,
    "angle_brackets": lambda args: f"⟨{args.at(0)}⟩",
    "nuclide": lambda args: f"{args.at(0)}-{args.at(1)}" if args.at(1) else args.at(0),
    "with_reading": with_reading,
    "ship": ship,
    "ship_class": lambda args: f"{args.at(0)}-class {args.at(1)}",
    "siglo": dates.siglo,
    "segle": dates.segle,
    "lifespan": dates.lifespan,
    "third_or_first": third_or_first,
    "fourth": fourth,
    "link": link,
    "interlanguage": interlanguage,
    "not_translated": not_translated,
    "langx": langx,
    "country": country,
    "height": height,
    "coordinates": coordinates,
    "ordinal": ordinal,
    "percentage": percentage,
    "expression": expression,
    "when_nonempty": when_nonempty,
    "when_equal": when_equal,
    "sort_name": sort_name,
    "accidental": accidental,
    "quoted": quoted,
}
#: Those that take a text first.
WITH_TEXT: Final[dict[str, Callable[[str], Renderer]]] = {
    "joined": joined,
    "items": items,
    "before": before,
    "after": after,
    "literal": literal,
    "vessel": vessel,
    "century": dates.century,
    "money": money,
}
