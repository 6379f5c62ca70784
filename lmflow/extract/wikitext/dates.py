"""Readings of templates that show a date, a span of years or an age.

An age is shown where both of its ends are given. One that runs until today changes with the day the page is looked at
and is not told.
"""

from __future__ import annotations

import re
from calendar import isleap
from datetime import date as Date
from datetime import timedelta
from typing import Final

from lmflow.extract.wikitext import locales
from lmflow.extract.wikitext.arguments import Arguments, Renderer

_YearMonthDay = tuple[int, int, int]
#: How a date of death is followed by the age, where it is more than a number in brackets.
_AGED: Final = {
    **dict.fromkeys(("en", "simple"), " (aged {})"),
    "fr": " (à {} ans)",
    "es": " ({} años)",
    "pt": " ({} anos)",
    "zh": "（{}岁）",
    "ja": "（{}歳没）",
}

#: Editions that write `13 (25) июля 1826`.
_JULIAN_FIRST: Final = ("ru", "uk", "be")
#: `18 April 1999`.
_WRITTEN_OUT: Final = re.compile(r"[^\W\d_].*\b\d{4}$|^\d{4}\b.*[^\W\d_]")
_ROMAN: Final = re.compile(r"[IVXL]+")
_AS_OF: Final = {"zh": "截至{}", "ja": "{}現在"}
_CIRCA: Final = {"zh": "约", "fr": "v. ", "ru": "ок. "}


def date(args: Arguments) -> str:
    """`{{birth date|1879|3|14}}` as the edition writes dates; of two dates the later, with the age."""
    parts = tuple(part for part in args.positional if part)
    if len(parts) == 2 and parts[1] in ("dmy", "mdy", "ymd", "iso"):  # {{date|2020-05-01|dmy}}
        return _iso(parts[0], args.lang, parts[1] == "dmy")
    day_first = args.named.get("df", "")[:1] in ("y", "1", "t") or args.named.get("format", "")[:1] == "d"
    if len(parts) >= 6 and all(part.isdecimal() for part in parts[:6]):
        return _last_date([int(part) for part in parts[:6]], args.lang, day_first)
    if len(parts) >= 3:
        return date_of(parts, args.lang, day_first) or " ".join(parts[:3])
    if len(parts) == 2 and all(part.isdecimal() for part in parts) and 1 <= int(parts[1]) <= 12:
        return locales.date(int(parts[0]), int(parts[1]), 0, args.lang)
    if len(parts) == 2 and all(_WRITTEN_OUT.search(part) for part in parts):  # a death, and a birth for the age
        return parts[0]
    return _iso(parts[0], args.lang) if len(parts) == 1 else " ".join(parts)


def date_range(args: Arguments) -> str:
    """`{{start and end dates|2011|3|11|2011|3|15}}`: both dates."""
    ends = (args.positional[:3], args.positional[3:6])
    return " – ".join(date(Arguments(end, args.named, args.lang)) for end in ends if any(end))


def age(args: Arguments) -> str | None:
    """Whole years between two dates that are both given; the age today is not known."""
    two = _two_dates(args)
    return str(_years(*two)) if two else None


def age_in_days(args: Arguments) -> str | None:
    """Days between two dates."""
    two = _two_dates(args)
    return locales.number(str((Date(*two[1]) - Date(*two[0])).days), args.lang) if two else None


def age_in_years_and_days(args: Arguments) -> str | None:
    """English `30 years, 5 days`; how other editions say it is not known here."""
    two = _two_dates(args)
    if not two or args.lang not in ("en", "simple"):
        return None
    years = _years(*two)
    year, month, day = two[0]
    leap_day = (month, day) == (2, 29)
    birthday = Date(year + years, 3, 1) if leap_day and not isleap(year + years) else Date(year + years, month, day)
    days = (Date(*two[1]) - birthday).days
    return f"{years} year{'s' * (years != 1)}, {days} day{'s' * (days != 1)}"


def _two_dates(args: Arguments) -> tuple[_YearMonthDay, _YearMonthDay] | None:
    """The earlier and the later of two dates, None unless both are given in numbers and exist."""
    parts = [part for part in args.positional if part][:6]
    if len(parts) < 6 or not all(part.isdecimal() and len(part) <= 4 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    early, late = sorted((_year_first(*numbers[:3]), _year_first(*numbers[3:])))
    try:
        Date(*early), Date(*late)
    except ValueError:
        return None
    return early, late


def _year_first(one: int, two: int, three: int) -> _YearMonthDay:
    """Year, month, day, in whichever order an edition's templates take them."""
    return (one, two, three) if one > 31 else (three, two, one)


def date_of(parts: tuple[str, ...], lang: str, day_first: bool = False) -> str:
    """Three leading arguments as a date, empty when they are none: year month day, day month year, day name year."""
    one, two, three = (part.strip() for part in parts[:3])
    if not (one.isdecimal() and three.isdecimal()):
        return ""
    if not two.isdecimal():
        one = "1er" if one == "1" and lang == "fr" else one
        return (
            f"{one} {two} {three}" if len(three) >= 3 and int(parts[0]) <= 31 and two.replace(".", "").isalpha() else ""
        )
    if 1 <= int(two) <= 12:
        if 3 <= len(one) <= 4 and 0 < int(three) <= 31:
            return locales.date(int(one), int(two), int(three), lang, day_first)
        if 3 <= len(three) <= 4 and 0 < int(one) <= 31:
            return locales.date(int(three), int(two), int(one), lang, day_first=True)
    return ""


def _iso(text: str, lang: str, day_first: bool = False) -> str:
    found = re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", text)
    return locales.date(int(found[1]), int(found[2]), int(found[3]), lang, day_first) if found else text


def _last_date(numbers: list[int], lang: str, day_first: bool) -> str:
    """Death and birth, in whichever order: the death, and the age."""
    early, late = sorted((_year_first(*numbers[:3]), _year_first(*numbers[3:])))
    written = locales.date(*late, lang, day_first)
    years = _years(early, late)
    return written + _AGED.get(lang, " ({})").format(years) if 0 < years < 130 else written


def _years(early: _YearMonthDay, late: _YearMonthDay) -> int:
    return late[0] - early[0] - (late[1:] < early[1:])


def as_of(args: Arguments) -> str:
    """`{{as of|2011|5|lc=y}}`, or the words that `alt` gives."""
    if args.named.get("alt"):
        return args.named["alt"]
    when = date(Arguments(args.positional, {}, args.lang))
    if args.lang in ("zh", "ja") and when.isdecimal():
        when += "年"
    if args.lang not in ("en", "simple"):
        return _AS_OF.get(args.lang, "{}").format(when)
    word = (args.named.get("since") and "since") or "as of"
    return f"{word if args.named.get('lc') else word.capitalize()} {when}"


def circa(args: Arguments) -> str:
    """`c. 1503`, `c. 1510 – c. 1516`."""
    about = _CIRCA.get(args.lang, "c. ")
    return " – ".join(f"{about}{part}" for part in args.positional if part) or about


def old_style(args: Arguments) -> str:
    """`{{OldStyleDate|2 May|1729|21 April}}`: a date of the Gregorian calendar with that of the Julian one."""
    parts = [part for part in args.positional if part]
    if args.lang in ("en", "simple") and len(parts) == 3:
        return f"{parts[0]} [O.S. {parts[2]}] {parts[1]}"
    if args.lang in _JULIAN_FIRST:
        return _julian_first(args)
    return " ".join(parts)


def _julian_first(args: Arguments) -> str:
    """Russian `{{OldStyleDate|25|июля|1826 года|13}}` as `13 (25) июля 1826 года`.

    After Модуль:Calendar of ru.wikipedia.org: day, month and year of the Gregorian calendar, then of the Julian one, a
    day also with its month; what both have in common is said once. `{{OldStyleDate|6 июня|1799|26 мая}}` is the
    English order.
    """
    if args.at(1)[:1].isdecimal() and not args.at(0).isdecimal():
        args = Arguments((args.at(0), "", *args.positional[1:]), {}, args.lang)
    (day, _, month), (old_day, _, old_month) = args.at(0).partition(" "), args.at(3).partition(" ")
    month, old_month = args.at(1) or month, args.at(4) or old_month
    year, old_year = args.at(2), args.at(5)
    return _both(old_day, old_month or month, old_year or year, day, month, year)


def julian(args: Arguments) -> str | None:
    """Russian `{{СС3|10.04.1870}}`, a Julian date, as `10 (22) апреля 1870` (Модуль:Calendar, OldDate)."""
    found = re.fullmatch(r"(\d\d?)\.(\d\d?)\.(\d{4})", args.at(0))
    if not found:
        return None
    day, month, year = (int(part) for part in found.groups())
    before_leap_day = year - (month < 3)
    leap_day = year % 4 == 0 and (month, day) == (2, 29)  # of 1900 too, which the Gregorian calendar lacks
    known = day - leap_day
    try:
        new = Date(year, month, known) + timedelta(before_leap_day // 100 - before_leap_day // 400 - 2 + leap_day)
    except (ValueError, OverflowError):
        return None
    _, *old = locales.date(year, month, known, args.lang).split(" ")
    return _both(str(day), *old, *locales.date(new.year, new.month, new.day, args.lang).split(" "))


def _both(old_day: str, old_month: str, old_year: str, day: str, month: str, year: str) -> str:
    """A Julian date with the Gregorian one in brackets, months and years that are the same only once."""
    if not old_day or not day:
        return " ".join(part for part in (old_day or day, month, year) if part)
    if old_year != year:
        return f"{old_day} {old_month} {old_year} ({day} {month} {year})"
    if old_month != month:
        return f"{old_day} {old_month} ({day} {month}) {year}".strip()
    return f"{old_day} ({day}) {month} {year}".strip()


def century(era: str) -> Renderer:
    """French `{{s-|XVIII}}`, `{{s2|XVI|e|XVII|e}}`, `{{sp|XVIII|e|et|XIX|e}}`, before an era.

    A numeral may have its ending behind it. Two of them are joined by the word between them, and `s` at the end makes
    a plural; without a word they are `XVIe et XVIIe siècles`.
    """

    def render(args: Arguments) -> str | None:
        shown: list[str] = []
        word, plural = "", ""
        for part in args.positional:
            if part in ("e", "er", "ème"):
                continue
            if not _ROMAN.fullmatch(part):
                word = part
                continue
            if shown and not word:
                word, plural = "et", "s"
            shown += (word, part + ("er" if part == "I" else "e"))
            word = ""
        plural = "s" if word == "s" else plural
        return f"{' '.join(filter(None, shown))} siècle{plural}{era}" if shown else None

    return render


def siglo(args: Arguments) -> str:
    """Spanish `{{siglo|XX||s}}` as `siglo XX`; the word, as it is to be written, comes only with a third argument."""
    word = {"s": "siglo ", "S": "Siglo "}.get(args.at(2), "")
    return f"{word}{args.at(0)}" + (" a. C." if args.at(1) in ("a", "a. C.") else "")


def segle(args: Arguments) -> str:
    """Catalan `{{segle|XIII|s}}`; the word is in the template: `del {{segle|XIX}}`."""
    return f"segle {args.at(0)}"


def lifespan(args: Arguments) -> str:
    """Zh `{{bd|1879年|3月14日|1955年|4月18日}}`."""
    return f"（{args.at(0)}{args.at(1)}－{args.at(2)}{args.at(3)}）"


def born_and_died(args: Arguments) -> str | None:
    """Indonesian `{{lahirmati|Medan|26|7|1922|Jakarta|28|4|1949}}`: where and when, either place may be missing."""
    shown = []
    for word, at in (("lahir", 0), ("meninggal", 4)):
        place = args.at(at)
        if when := date_of((args.at(at + 1), args.at(at + 2), args.at(at + 3)), args.lang):
            shown.append(f"{word} di {place}, {when}" if place else f"{word} {when}")
    return " – ".join(shown) or None
