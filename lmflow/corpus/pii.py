"""Private data replaced by typed placeholders, counted by kind. The values themselves go nowhere: no log, no table.

Precision comes from checks, not from patterns alone: checksums (Chinese resident ID, GB 11643; Luhn for cards, ISO
7812; mod 97 for IBAN, ISO 13616), real dates and regions, number plans, and what stands around a number. Names and
street addresses are not looked for.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final


@dataclass(frozen=True)
class Redacted:
    """A text without the private data that was found, and how many of each kind there were."""

    text: str
    counts: Mapping[str, int]


def redact(text: str, source: str = "") -> Redacted:
    """Replace e-mail addresses, public IPv4 addresses, phone, ID, card and account numbers by `<KIND>`.

    Args:
        text: any text; digits may be full-width.
        source: kind of source; in `social` text the handles of users are replaced too.
    """
    counts: Counter[str] = Counter()
    if "@" in text or "＠" in text:
        if source == "social":  # before addresses: @name@host is a handle
            text = _replace(_HANDLES, _AT, _AROUND_AT, text, counts)
        text = _replace(_EMAILS, _AT, _AROUND_AT, text, counts)
    text = _replace(_NUMBERS, _MANY_DIGITS, _AROUND_DIGITS, text, counts)
    return Redacted(_replace(_ADDRESSES, _DOTTED, _AROUND_DIGITS, text, counts), dict(counts))


#: What a kind looks like in the text afterwards.
PLACEHOLDERS: Final[Mapping[str, str]] = {
    kind: f"<{kind.upper()}>" for kind in ("email", "user", "iban", "id_number", "bank_card", "phone", "ip")
}

_EMAIL: Final = re.compile(
    r"(?<![\w.+-])(?=[\w.+%-]{1,64}+[@＠])[A-Za-z0-9](?:[\w.+%-]{0,62}[\w+-])?[@＠](?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,24}(?![A-Za-z0-9-])",
    re.ASCII,
)
#: `@name` and Mastodon's `@name@host`; not a decorator or a price (`@ 5`), not inside a word or path.
_HANDLE: Final = re.compile(
    r"(?<![A-Za-z0-9_@＠./=-])[@＠][A-Za-z0-9_\u4e00-\u9fff](?:[\w.-]{0,38}\w)?(?:@[\w.-]+\.[A-Za-z]{2,24})?"
)

_D: Final = "[0-9０-９]"
#: Seven digits with little between them, which every number below has but an IP address.
_MANY_DIGITS: Final = re.compile(rf"{_D}(?:[^0-9０-９\n]{{0,3}}+{_D}){{6,}}+")
_DOTTED: Final = re.compile(r"\.[0-9]{1,3}\.[0-9]")
_AT: Final = re.compile("[@＠]+")
#: Characters around a sign of private data in which the whole of it lies, with what stands before and behind.
_AROUND_AT: Final = 320
_AROUND_DIGITS: Final = 200
#: A number stands alone: no digit or Latin letter touches it, and it is no part of a decimal, date, path or formula.
_ALONE: Final = r"(?<![A-Za-z0-9０-９_])(?<![0-9０-９][./=-])"
_ENDS: Final = r"(?![A-Za-z0-9０-９_])(?![./=-][0-9０-９])"

_IBAN: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}(?: ?(?=[A-Z]{0,3}[0-9])[A-Z0-9]{4}){1,6}"
    r"(?: ?(?=[A-Z]{0,2}[0-9])[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_ID_NUMBER: Final = re.compile(rf"{_ALONE}[1-8１-８]{_D}{{16}}[0-9０-９XxＸｘ]{_ENDS}")
_BANK_CARD: Final = re.compile(rf"{_ALONE}[2-69２-６９]{_D}{{3}}(?:[ -]?{_D}){{10,15}}{_ENDS}")
_PHONES: Final = (
    # +1 (212) 555-0123, +86 138 0013 8000; 0044 20 7946 0958
    rf"(?:[+＋][1-9１-９]{_D}{{0,2}}|(?<![0-9] )00[1-9]{_D}{{0,2}}[ -])(?:[ .-]?\(?{_D}{{1,4}}\)?){{2,6}}",
    # Chinese mobile: 13800138000, 138-0013-8000, 138 0013 8000
    rf"(?:86[ -]?)?[1１][3-9３-９]{_D}(?:[ -]?{_D}{{4}}){{2}}",
    # Chinese landline with its area code: 010-62345678, (0571)87654321
    rf"(?:[(（][0０](?:10|2{_D}|[3-9]{_D}{{2}})[)）] ?|[0０](?:10|2{_D}|[3-9]{_D}{{2}})[ -]){_D}{{7,8}}",
    # North American: 212-555-0123, 212.555.0123, 1-212-555-0123, (212) 555-0123
    r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-]|[2-9][0-9]{2}([.-])[2-9][0-9]{2}\1)[0-9]{4}",
)
_PHONE: Final = re.compile(f"{_ALONE}(?:{'|'.join(_PHONES)}){_ENDS}")
#: Looks international, and is a date or a number with its thousands apart.
_NO_PHONE: Final = re.compile(
    r".*(?:19|20)[0-9]{2}[-./][0-9]{2}[-./][0-9]{2}|[+][0-9]{1,3}(?:[ .][0-9]{3}){1,2}$|.*[ .]000"
)
_IP: Final = re.compile(r"(?<![A-Za-z0-9_.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![A-Za-z0-9_]|\.[A-Za-z0-9_])")
_VERSION_BEFORE: Final = re.compile(
    r"(?:\bv|version|release|build|rev|section|chapter|clause|版本|版|第|§)[ :：.]?\s?$", re.IGNORECASE
)
#: A number inside a web address names a page, not a person.
_WEB_ADDRESS_BEFORE: Final = re.compile(r"(?:://|\bwww\.)[^\s，。；、（）《》\"'<>]*$", re.IGNORECASE)
_LONGEST_ADDRESS: Final = 200

#: First two digits of a resident ID: the provinces, by great region.
_REGIONS: Final = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123]")
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
#: Lengths by country, ISO 13616 registry (the countries with most accounts; others must pass mod 97 alone).
_IBAN_LENGTHS: Final = {
    **{"AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20},
    **{"ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27},
    **{"LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24},
    **{"SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29},
}
#: First digits and lengths of card networks: Visa, Mastercard, American Express, Discover, JCB, UnionPay and Chinese
#: debit cards, Diners.
_CARD: Final = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|60\d{14,17}|9558\d{15}|3(?:0[0-5]|[68]\d)\d{11}"
)


def _plain(number: str) -> str:
    """Digits and letters of a number, full-width forms made plain, separators dropped."""
    return re.sub(r"[^0-9A-Za-z]", "", unicodedata.normalize("NFKC", number))


def _is_id_number(match: re.Match[str]) -> bool:
    number = _plain(match.group()).upper()
    if not _REGIONS.match(number):
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    if not 1900 <= born.year <= 2100:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == number[17]


def _is_bank_card(match: re.Match[str]) -> bool:
    number = _plain(match.group())
    return bool(_CARD.fullmatch(number)) and len(set(number)) > 1 and _luhn(number)


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


def _is_iban(match: re.Match[str]) -> bool:
    number = _plain(match.group())
    if _IBAN_LENGTHS.get(number[:2], len(number)) != len(number):
        return False
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


def _is_phone(match: re.Match[str]) -> bool:
    digits = _plain(match.group()).removeprefix("00")
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2 and not _NO_PHONE.match(match.group())


def _is_public_ip(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match.group())
    except ValueError:  # above 255, or with leading zeros
        return False
    if address.is_multicast or not address.is_global:
        return False
    octets = set(match.group().split("."))
    if len(octets) > 2 and all(len(octet) == 1 for octet in octets):
        return False  # 3.2.1.4 numbers a section or a version far more often than it is somebody's address
    return not _VERSION_BEFORE.search(match.string[max(0, match.start() - 10) : match.start()])


def _in_web_address(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - _LONGEST_ADDRESS) : match.start()]
    return bool(_WEB_ADDRESS_BEFORE.search(before))


_Check = Callable[[re.Match[str]], bool]
_Kind = tuple[str, re.Pattern[str], _Check | None]
#: In this order: the longer and better checked kinds first.
_NUMBERS: Final[tuple[_Kind, ...]] = (
    ("iban", _IBAN, _is_iban),
    ("id_number", _ID_NUMBER, _is_id_number),
    ("bank_card", _BANK_CARD, _is_bank_card),
    ("phone", _PHONE, _is_phone),
)
_ADDRESSES: Final[tuple[_Kind, ...]] = (("ip", _IP, _is_public_ip),)
_HANDLES: Final[tuple[_Kind, ...]] = (("user", _HANDLE, None),)
_EMAILS: Final[tuple[_Kind, ...]] = (("email", _EMAIL, None),)


def _replace(kinds: Sequence[_Kind], sign: re.Pattern[str], around: int, text: str, counts: Counter[str]) -> str:
    """Replace these kinds of private data, looking only around what `sign` matches: most of a text has no such sign."""
    parts, done = [], 0
    for start, end in _regions(sign, around, text):
        region = text[start:end]
        for kind, pattern, check in kinds:
            region = pattern.sub(partial(_placeholder, kind, check, counts), region)
        parts += [text[done:start], region]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


def _regions(sign: re.Pattern[str], around: int, text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text around a sign, those that touch joined."""
    start, end = 0, -1
    for match in sign.finditer(text):
        if match.start() - around > end:
            if end >= 0:
                yield start, end
            start = max(0, match.start() - around)
        end = min(match.end() + around, len(text))
    if end >= 0:
        yield start, end


def _placeholder(kind: str, check: _Check | None, counts: Counter[str], match: re.Match[str]) -> str:
    if check is not None and (not check(match) or _in_web_address(match)):
        return match.group()
    counts[kind] += 1
    return PLACEHOLDERS[kind]
