"""How a value template is read aloud: functions from its arguments to the words and numbers it shows.

`templates.toml` names them in its sections; those in `WITH_TEXT` take a text first. Converted values that only the
template's source could compute (the miles behind the kilometres) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lmflow.extract.wikitext import dates, links, locales, quantities
from lmflow.extract.wikitext.arguments import Arguments, Renderer
from lmflow.extract.wikitext.biography import biography

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
    "j": "Jyutping",
    "cy": "Cantonese Yale",
    "poj": "Pe̍h-ōe-jī",
    "l": "lit.",
}
_KOREAN_LABELS: Final = {"hangul": "Korean", "hanja": "Hanja", "rr": "RR", "mr": "MR"}
#: Editions whose `lang-xx` templates say the language's name (or its abbreviation, see locales.toml), and how.
_LABELLED: Final = {
    **dict.fromkeys(("en", "simple", "ja", "ko", "hi", "id", "ms", "tr", "bn", "ta", "te", "sw", "ur"), "{}: {}"),
    **dict.fromkeys(("th", "sv", "no", "nn", "da", "nl", "ro", "ml", "mr", "kn", "gu", "pa", "ne", "si"), "{}: {}"),
    **dict.fromkeys(("zh", "wuu", "gan"), "{}：{}"),
    **dict.fromkeys(("ru", "uk", "de", "cs"), "{} {}"),
    "es": "en {}: {}",
    "pt": "em {}: {}",
    "ar": "ب{}: {}",
}
#: Arguments of `IPAc-en` that say whose pronunciation it is, and are no sounds.
_SPEAKERS: Final = frozenset(
    ("us", "uk", "lang", "local", "pron", "also", "usalso", "ukalso", "uslang", "uklang", "us also", "uk also", "audio")
)
_PLACE: Final = re.compile(r"\$(\d)")
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
    "תוכן",
    "متن",
    "نص",
    "tekst",
    "treść",
    "текст",
    "内容",
    "본문",
)


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


def or_else(text: str) -> Renderer:
    """The first argument, a text without one: `{{yes}}`, `{{yes|2 of 3}}`."""
    return lambda args: args.at(0) or text


def written(pattern: str) -> Renderer:
    """Arguments in the places that a pattern gives them; what stands in brackets goes where its argument is missing."""
    parts = re.split(r"\[([^\[\]]*)\]", pattern)

    def render(args: Arguments) -> str:
        return "".join(
            _PLACE.sub(lambda place: args.at(int(place[1]) - 1), part)
            for number, part in enumerate(parts)
            if number % 2 == 0 or all(args.at(int(place) - 1) for place in _PLACE.findall(part))
        ).strip()

    return render


def sign(text: str) -> Renderer:
    """The amount after the sign of a currency; further arguments say which year's money or where a link goes."""
    return lambda args: f"{text}{first(args)}"


def items(separator: str) -> Renderer:
    """Items of a list template; a plain list already has its lines, and before it may stand into how many columns."""

    def render(args: Arguments) -> str:
        parts = [part for part in args.positional if part]
        if len(parts) > 1 and parts[0].isdecimal() and parts[1].startswith(("*", "#")):
            del parts[0]
        return parts[0] if len(parts) == 1 else separator.join(parts)

    return render


def phonetic(args: Arguments) -> str:
    """`{{IPA|ˈroma}}` as it stands, `{{IPA|it|ˈroma}}` in brackets."""
    return f"[{args.at(1)}]" if args.at(1) and locales.is_language(args.at(0)) else args.at(0)


def spelt(args: Arguments) -> str | None:
    """`{{IPAc-en|ˈ|t|aʊ|ər}}` as `/ˈtaʊər/`. Those that mark tones by numbers are not told."""
    sounds = "".join(part for part in args.positional if part.lower() not in _SPEAKERS).replace("_", " ")
    return None if any(character.isdecimal() for character in sounds) else f"/{sounds}/" if sounds else ""


def nihongo(args: Arguments) -> str:
    """`{{nihongo|English|kanji|rōmaji}}` as `English (kanji, rōmaji)`; a remark comes after them."""
    inside = ", ".join(part for part in args.positional[1:4] if part)
    return f"{args.at(0)} ({inside})" if args.at(0) and inside else args.at(0) or inside


def chinese_names(args: Arguments) -> str:
    """`{{zh|s=…|t=…|p=…}}`, `{{lang-zh|北京}}`; without labels where English is foreign."""
    names = [(label, args.named[key]) for key, label in _CHINESE_LABELS.items() if args.named.get(key)]
    labels = args.lang in ("en", "simple")
    shown = "; ".join(f"{label}: {name}" if labels else name for label, name in names)
    return shown or _labelled("zh", Arguments(args.positional[:1], {}, args.lang), 0)


def korean_names(args: Arguments) -> str | None:
    """English `{{Korean|hangul=서울|rr=Seoul}}` as `Korean: 서울; RR: Seoul`."""
    names = [(label, args.named[key]) for key, label in _KOREAN_LABELS.items() if args.named.get(key)]
    return "; ".join(f"{label}: {name}" for label, name in names) or None


def japanese_names(args: Arguments) -> str | None:
    """Chinese `{{jpn|j=東京|hg=とうきょう|rm=Tōkyō}}` as `日语：東京／とうきょう Tōkyō`."""
    written = "／".join(args.named[key] for key in ("j", "k", "hg", "kk") if args.named.get(key))
    shown = f"{written} {args.named.get('rm', '')}".strip()
    return f"日语：{shown}" if args.named.keys() & {"hg", "kk", "k", "rm"} and shown else None


def section(args: Arguments) -> str:
    """`{{section link|Rome|History}}` as `Rome § History`."""
    page, *parts = args.positional or ("",)
    return " § ".join([page, *filter(None, parts)]).strip()


def bible(args: Arguments) -> str:
    """`{{bibleverse|1|Kings|18:20|NIV}}` as `1 Kings 18:20`; German has chapter and verse apart, joined by a comma.

    The edition of the Bible, in capitals, only says where the link goes.
    """
    parts = [part for part in args.positional if part]
    if len(parts) > 1 and parts[-1].isupper() and parts[-1].isalpha():
        parts.pop()
    if args.lang == "de" and len(parts) > 2:
        return f"{parts[0]} {','.join(parts[1:3])}"
    return " ".join(parts)


def code_point(args: Arguments) -> str:
    """`{{unichar|20AC|EURO SIGN}}` as `U+20AC € EURO SIGN`."""
    character = chr(int(args.at(0)[:6], 16))
    shown = f"&#{ord(character)};" if character.isprintable() else ""
    return " ".join(filter(None, (f"U+{args.at(0)}", shown, args.at(1))))


def couplet(args: Arguments) -> str | None:
    """Arabic `{{بيت|…|…}}` and Persian `{{ب|…|…}}`: two halves of a verse a line; a poem has several pairs."""
    halves = args.positional
    lines = [" … ".join(filter(None, halves[at : at + 2])) for at in range(0, len(halves), 2)]
    return "".join(f"\n\n{line}\n\n" for line in lines if line) or None


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


def labelled(code: str) -> Renderer:
    """`{{lang-de|Berlin}}`: the text, after the language's name where the edition shows it."""

    def render(args: Arguments) -> str:
        return _labelled(code, args, 0)

    return render


def langx(args: Arguments) -> str:
    """`{{langx|de|Berlin}}`."""
    return _labelled(args.at(0), args, 1)


def _labelled(code: str, args: Arguments, place: int) -> str:
    """The text at a place, its transliteration and its meaning behind it, after the language's name."""
    text, lang = args.at(place) or args.named.get("text", ""), args.lang
    if not text:
        return ""
    reading = args.at(place + 1) or args.named.get("translit", "")
    if reading and lang in ("en", "simple", "de"):
        text += f" {reading}" if lang == "de" else f", romanized: {reading}"
    meaning = args.at(place + 2) or args.named.get("lit", "") or args.named.get("translation", "")
    if meaning and lang in ("en", "simple"):
        text += f", lit. '{meaning}'"
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
    "number": quantities.number,
    "quantity": quantities.quantity,
    "convert": quantities.convert,
    "fraction": quantities.fraction,
    "binomial": lambda args: f"C({args.at(0)}, {args.at(1)})",
    "superscript": quantities.superscript,
    "root": quantities.root,
    "above_and_below": quantities.above_and_below,
    "subscript_and_superscript": quantities.subscript_and_superscript,
    "formula_of_elements": quantities.formula_of_elements,
    "value": quantities.value,
    "as_of": dates.as_of,
    "circa": dates.circa,
    "date": dates.date,
    "date_range": dates.date_range,
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
    "currency": quantities.currency,
    "rupees": quantities.rupees,
    "quotient": quantities.quotient,
    "nihongo": nihongo,
    "chinese_names": chinese_names,
    "korean_names": korean_names,
    "japanese_names": japanese_names,
    "section": section,
    "bible": bible,
    "code_point": code_point,
    "couplet": couplet,
    "product": quantities.product,
    "million_years": quantities.million_years,
    "born_and_died": dates.born_and_died,
    "angle_brackets": lambda args: f"⟨{args.at(0)}⟩",
    "nuclide": lambda args: f"{args.at(0)}-{args.at(1)}" if args.at(1) else args.at(0),
    "with_reading": with_reading,
    "ship": ship,
    "ship_class": lambda args: f"{args.at(0)}-class {args.at(1)}",
    "siglo": dates.siglo,
    "segle": dates.segle,
    "lifespan": dates.lifespan,
    "third_or_first": links.third_or_first,
    "fourth": links.fourth,
    "link": links.link,
    "interlanguage": links.interlanguage,
    "not_translated": links.not_translated,
    "langx": langx,
    "in_language": lambda args: f"{locales.language_label(args.at(0), args.lang)} {args.at(1)}".strip(),
    "lower_case": lambda args: args.at(0).lower(),
    "upper_case": lambda args: args.at(0).upper(),
    "national_team": lambda args: locales.country(args.at(1), args.lang) or None,
    "country": country,
    "height": quantities.height,
    "coordinates": quantities.coordinates,
    "ordinal": quantities.ordinal,
    "percentage": quantities.percentage,
    "expression": quantities.expression,
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
    "sign": sign,
    "or_else": or_else,
    "written": written,
}
