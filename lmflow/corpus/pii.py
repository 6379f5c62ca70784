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
from typing import Final

from lmflow.corpus.code_words import CODE_WORDS


@dataclass(frozen=True)
class Redacted:
    """A text without the private data that was found, and how many of each kind there were."""

    text: str
    counts: Mapping[str, int]


def redact(text: str, source: str = "") -> Redacted:
    """Replace e-mail addresses, public IP addresses, phone, ID, card and account numbers by `<KIND>`.

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
    text = _replace(_IPV4S, _DOTTED, _AROUND_DIGITS, text, counts)
    return Redacted(_replace(_IPV6S, _COLONS, _AROUND_DIGITS, text, counts), dict(counts))


#: What a kind looks like in the text afterwards.
PLACEHOLDERS: Final[Mapping[str, str]] = {
    kind: f"<{kind.upper()}>" for kind in ("email", "user", "iban", "id_number", "bank_card", "phone", "ip")
}

#: Letters and digits of e-mail addresses in scripts with letters: Latin, Greek and Cyrillic, full-width forms.
_LETTER: Final = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿＡ-Ｚａ-ｚ"
_L: Final = f"{_LETTER}0-9０-９"
_HAN: Final = "\u3400-\u9fff"
#: A label of a domain is of one script, so that an address ends where Chinese text goes on: a@b.com或c@d.com.
_LABEL: Final = f"(?:[{_L}](?:[{_L}-]{{0,61}}[{_L}])?|[{_HAN}]{{1,20}})"
#: Top-level domains in Chinese (root zone of IANA, those with most names).
_HAN_TOP: Final = "公司|中国|中國|网络|網絡|网址|香港|台湾|台灣|新加坡|集团|集團|商城|商店|网店|在线|中文网|我爱你|世界"
#: RFC 5321 and 6531. A name of Han characters, at a Chinese domain, takes four: where it begins nobody can tell.
_EMAIL: Final = re.compile(
    rf"(?:(?<![{_L}_])(?=[{_L}_.+%'’-]{{1,64}}+[@＠])[{_L}_](?:[{_L}_.+%'’-]{{0,62}}[{_L}_+-])?|[{_HAN}]{{1,4}}(?=[@＠][{_HAN}]))"
    rf"[@＠](?:{_LABEL}[.．])+(?:[{_LETTER}]{{2,24}}|xn--[a-z0-9-]{{2,59}}|{_HAN_TOP})(?![{_L}_])"
)
#: Names that speak for a program, not a person: git@github.com:owner/repository.git
_PROGRAMS: Final = frozenset(("git", "hg", "svn"))
#: What follows `@` in a version or a picture (lodash@4.17.21.tgz, logo@2x.png), and ends of addresses that a
#: bracket may follow: `x@np.linalg.inv(y)` multiplies matrices.
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.|[23]x\.")
_COMMON_TOP: Final = re.compile(r"\.(?:[a-z]{2}|com|org|net|edu|gov)$", re.IGNORECASE)
#: `@name` and Mastodon's `@name@host`; not a price (`@ 5`), not inside a word or path. A name with Han characters, of
#: at most 15, ends at a space, a colon or the end, as on Weibo; else after 8, for the sentence goes on without a space.
_HANDLE: Final = re.compile(
    r"(?<![A-Za-z0-9_@＠.=-])(?<!(?<!/)/)[@＠]"
    rf"(?:(?=[A-Za-z0-9_-]{{0,14}}[{_HAN}])[\w-]{{1,15}}(?=[\s:：]|$)|[{_HAN}]\w{{0,7}}"
    rf"|(?P<latin>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{{0,38}}[A-Za-z0-9_])?))(?:@[{_L}.-]{{1,100}}\.[{_LETTER}]{{2,24}})?"
)
#: Arguments behind a handle are those of a decorator: @app.route("/").
_ARGUMENTS: Final = re.compile(r"\((?:[\"')0-9\[{]|\w+ ?=)")

_D: Final = "[0-9０-９]"
#: Seven digits with little between them, which every number below has but an IP address.
_MANY_DIGITS: Final = re.compile(rf"{_D}(?:[^0-9０-９\n]{{0,3}}+{_D}){{6,}}+")
_DOTTED: Final = re.compile(r"\.[0-9]{1,3}\.[0-9]")
_AT: Final = re.compile("[@＠]+")
#: Characters around a sign of private data in which the whole of it lies, and around that what may tell what it is.
_AROUND_AT: Final = 320
_AROUND_DIGITS: Final = 32
_CONTEXT: Final = 200
#: A number stands alone: no digit or Latin letter touches it, and it is no part of a decimal, date, path or formula.
_ALONE: Final = r"(?<![A-Za-z0-9０-９_])(?<![0-9０-９][./=-])"
_ENDS: Final = r"(?![A-Za-z0-9０-９_])(?![./=-][0-9０-９])"
#: Letters may touch a number of Chinese form, and another phone number may stand beside it: 13800138000/13900139000.
_NO_DIGIT_BEFORE: Final = r"(?<![0-9０-９])(?<![0-9０-９][.=-])(?:(?<![0-9０-９]/)|(?<=[0-9０-９]{7}/))"
_NO_DIGIT_BEHIND: Final = r"(?![0-9０-９])(?![.=-][0-9０-９])(?!/[0-9０-９]{1,6}(?![0-9０-９]))(?! ?[×*÷] ?[0-9])"

_IBAN: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}(?: ?(?=[A-Z]{0,3}[0-9])[A-Z0-9]{4}){1,6}"
    r"(?: ?(?=[A-Z]{0,2}[0-9])[A-Z0-9]{1,3})?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
#: 110101199003074477; 110101 19900307 4477
_ID_NUMBER: Final = re.compile(
    rf"{_NO_DIGIT_BEFORE}[1-8１-８]{_D}{{5}}[ -]?{_D}{{8}}[ -]?{_D}{{3}}[0-9０-９XxＸｘ]{_NO_DIGIT_BEHIND}"
)
_BANK_CARD: Final = re.compile(rf"{_ALONE}[2-69２-６９]{_D}{{3}}(?:[ -]?{_D}){{10,15}}{_ENDS}")
_DASH: Final = "[ －–-]"
#: Area codes in China without their 0.
_AREA: Final = rf"(?:10|2{_D}|[3-9]{_D}{{2}})"
_EXTENSION: Final = r"(?:/[0-9]{2,8}(?![0-9])){0,3}(?:,? ?(?:x|ext\.?|转|轉|分机) ?[0-9]{1,6}(?![0-9]))?"
#: Numbers of Chinese form.
_CHINESE_PHONES: Final = (
    # mobile: 13800138000, 138-0013-8000, 86 138 0013 8000, 008613800138000
    rf"(?:(?:[+＋]|00)?86{_DASH}?)?[1１][3-9３-９]{_D}(?:{_DASH}?{_D}{{4}}){{2}}",
    # landline with its area code: 010-62345678-801, (0571)87654321/22, 0755 8888 6666, 86-755-88886666
    rf"(?:[(（][0０]{_AREA}[)）] ?|(?:86{_DASH}|[0０]){_AREA}{_DASH})"
    rf"(?:{_D}{{7,8}}(?:-[0-9]{{1,6}})?|{_D}{{4}}{_DASH}{_D}{{4}}(?!{_DASH}{_D}))",
)
_CHINESE_PHONE: Final = re.compile(
    f"{_NO_DIGIT_BEFORE}(?P<number>{'|'.join(_CHINESE_PHONES)}){_EXTENSION}{_NO_DIGIT_BEHIND}"
)
_AMERICAN: Final = "[2-9][0-9]{2}"
_PHONES: Final = (
    # +1 (212) 555-0123, +86 138 0013 8000; 0044 20 7946 0958; (852) 2345 6789
    rf"(?:[+＋][1-9１-９]{_D}{{0,2}}|(?<![0-9] )00[1-9]{_D}{{0,2}}[ -])(?:[ ./-]?\(?{_D}{{1,4}}\)?){{2,6}}",
    r"\((?:852|853|886)\) ?[0-9]{4}[ -]?[0-9]{4}",
    # North American: 212-555-0123, 212.555.0123, 1-212-555-0123, (212) 555-0123, 212/555-0123, 212-5550123
    rf"(?:1[ -])?(?:\({_AMERICAN}\)[ -]?{_AMERICAN}[ .-]|{_AMERICAN}-{_AMERICAN}-?|{_AMERICAN}/{_AMERICAN}-"
    rf"|(?<![0-9] ){_AMERICAN} {_AMERICAN} (?![0-9]{{4}} [0-9]))[0-9]{{4}}",
    rf"(?:1\.)?{_AMERICAN}\.{_AMERICAN}\.[0-9]{{4}}",
    # Japanese and Taiwanese mobiles: 090-1234-5678, 0912-345-678
    r"0[789]0-[0-9]{4}-[0-9]{4}|09[0-9]{2}-[0-9]{3}-[0-9]{3}",
)
_PHONE: Final = re.compile(f"{_ALONE}(?P<number>{'|'.join(_PHONES)}){_EXTENSION}{_ENDS}")
#: As people write them at home, with the 0 (in Russia the 8) of a national call, or America's ten digits: private only
#: where they are called a phone number. 020 7946 0958, 06 12 34 56 78, 8 (495) 123-45-67, 01062345678, 4155552671
_NATIONAL_PHONE: Final = re.compile(
    rf"(?<![A-Za-z0-9_+])(?<![0-9][./=-])(?P<number>\(?0[1-9](?:[ ./()-]{{0,2}}[0-9]){{7,10}}"
    rf"|8 ?\(?[0-9]{{3}}\)?(?:[ -]?[0-9]){{7}}|{_AMERICAN}{_AMERICAN}[0-9]{{4}}){_EXTENSION}{_ENDS}"
)
_CALLED_PHONE: Final = re.compile(
    r"(?:\b(?:tel|fax|tél|tele(?:phone|fon)|téléphone|tel[eé]fono|phone|ph|mobile|mob|m[oó]vil|handy|cell"
    r"|call|ring|dial|text|rufen|whatsapp|тел|телефон)(?![^\W\d_])|电话|電話|手机|手機|座机|传真|傳真|热线|携帯|致电)[^0-9\n]{0,14}$",
    re.IGNORECASE,
)
_LONGEST_CALLED: Final = 26
#: Words of Latin letters that touch a number and say what it is: `Tel13800138000`, `13800138000QQ10001`.
_WORD_BEFORE: Final = re.compile(
    r"(?:^|[^A-Za-z0-9_])(?:tel|phone|mobile|mob|cell|call|fax|id|no|t|m|p|vx?|wx|wechat|weixin)$", re.IGNORECASE
)
_WORD_BEHIND: Final = re.compile(
    r"(?:qq|vx|wx|wechat|weixin|tel|phone|e-?mail|v(?![A-Za-z0-9])|id(?![A-Za-z]))", re.IGNORECASE
)
#: A plain row of eleven digits that is called an amount, an order or a number of something.
_AMOUNT_BEFORE: Final = re.compile(
    r"(?:[$￥¥€£]|\b(?:USD|RMB|CNY|EUR|GBP|HKD|JPY)"
    r"|\b(?:order|invoice|ticket|tracking|serial|parcel|item|part|case)(?:number|no|id|is|\W)*|[0-9] =|[×*÷]|\+ "
    r"|编码|[件取货]码|订单|[编单列备学工票证考批型]号|流水号|合同号|編號|單號|QQ ?群|群号|第|[量数]|金额|总额|总计"
    r"|共计|人口|投资)"
    r"[\s:：#为是达约共]{0,3}$",
    re.IGNORECASE,
)
_LONGEST_AMOUNT_BEFORE: Final = 24
_UNIT_BEHIND: Final = re.compile(
    r"\s?(?:[元股吨秒辆篇亿斤%％]|名(?!字)|号(?!码)|分(?!享)|人(?!工)|个(?!人)|户(?!主)|次(?!日)|集(?!合)|票(?!务)|[美欧日]元|字节|公里|平方|毫秒|千米|年"
    r"|(?:bytes?|[kmg]b|km|kg|ms|ns|people|users|cells|times|views|rows|records|votes|shares|tons|years|dollars|euros"
    r"|yuan|usd|per)\b| [+] [0-9]| = )",
    re.IGNORECASE,
)
_LATIN: Final = re.compile(r"[A-Za-z_]")
#: Looks international or national, and is a date or a number with its thousands apart.
_NO_PHONE: Final = re.compile(
    r".*(?:19|20)[0-9]{2}[-./][0-9]{2}[-./][0-9]{2}|[0-9]{2}([-./])[0-9]{2}\1(?:19|20)[0-9]{2}"
    r"|[+][0-9]{1,3}(?:[ .][0-9]{3}){1,2}$|.*[ .]000"
)
_IPV4: Final = re.compile(
    r"(?<![A-Za-z0-9_.])(?<![A-Za-z]/)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![A-Za-z0-9_]|\.[A-Za-z0-9_])"
)
#: Global unicast begins with 2 or 3 (RFC 4291): no `std::string`, no time of day, no hardware address.
_COLONS: Final = re.compile(":[0-9A-Fa-f]{0,4}:")
_IPV6: Final = re.compile(
    r"(?<![A-Za-z0-9_:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{1,4})?"
    r"(?![A-Za-z0-9_:])"
)
#: Addresses set aside for examples (RFC 5737, RFC 3849). They stand for real ones, as example.com does in e-mail.
_EXAMPLES: Final = tuple(
    ipaddress.ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
#: Four numbers with dots behind one of these count versions, paragraphs or enzymes; so they do before `版本`.
_VERSION_BEFORE: Final = re.compile(
    r"(?:\b(?:v|ver|versions?|release|build|rev|revision|firmware|kernel|driver|patch|update[ds]?|upgraded?|downgraded?"
    r"|section|chapter|clause|article|paragraph|table|figure|fig|EC|OID|iOS|macOS|Android|Windows|Linux|Ubuntu|Chrome"
    r"|Chromium|Firefox|Opera|Safari|OpenSSL|OpenSSH|MySQL|MariaDB|PostgreSQL|Java|JDK|nginx|PHP|Qt"
    r"|WeChat|Photoshop|Flash|g?libc|gcc|patched|fixed|since)"
    r"|§|版本|版|固件|驱动|内核|补丁|更新|升级|降级|系统|安卓|微信|软件|客户端|第|条款)"
    r"(?:[\s:：.,=/]|号|為|为|是|至|到|\b(?:is|was|number|no|from|to|and|or|of|in)\b|(?:[0-9]+\.){3}[0-9]+)*+$",
    re.IGNORECASE,
)
_LONGEST_VERSION_BEFORE: Final = 40
_VERSION_BEHIND: Final = re.compile(
    r"[\s-]?(?:版|固件|[章节節条]|(?:version|build|release|beta|alpha|rc|shipped)(?![a-z]))", re.IGNORECASE
)
#: A number inside a web address names a page, not a person; one that is the host does not.
_WEB_ADDRESS_BEFORE: Final = re.compile(r"(?:://\[?|\bwww\.)(?P<path>[^\s，。；、（）《》\"'<>]*)$", re.IGNORECASE)

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
    return _ID_CHECKS[total % 11] == number[17] and not _in_web_address(match)


def _is_bank_card(match: re.Match[str]) -> bool:
    number = _plain(match.group())
    return bool(_CARD.fullmatch(number)) and len(set(number)) > 1 and _luhn(number) and not _in_web_address(match)


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


def _is_iban(match: re.Match[str]) -> bool:
    number = _plain(match.group())
    other = len(number) if number.isupper() else 0  # in small letters only those of a known length
    if _IBAN_LENGTHS.get(number[:2].upper(), other) != len(number):
        return False
    total = int("".join(str(int(character, 36)) for character in number[4:] + number[:4]))
    return total % 97 == 1 and not _in_web_address(match)


def _is_phone(match: re.Match[str]) -> bool:
    return not _NO_PHONE.match(match["number"]) and _can_be_dialled(match)


def _can_be_dialled(match: re.Match[str]) -> bool:
    """Whether it has as many digits as phone numbers have (ITU-T E.164: at most 15), and not all the same."""
    digits = _plain(match["number"]).removeprefix("00")
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2 and not _in_web_address(match)


def _is_user(match: re.Match[str]) -> bool:
    return match["latin"] not in CODE_WORDS and not _ARGUMENTS.match(match.string, match.end())


def _is_email(match: re.Match[str]) -> bool:
    name, _, domain = match.group().replace("＠", "@").partition("@")
    behind = match.string[match.end() : match.end() + 1]
    if _VERSION.match(domain) or (name.lower() in _PROGRAMS and behind in (":", "/")):
        return False
    return behind != "(" or bool(_COMMON_TOP.search(domain))


def _is_chinese_phone(match: re.Match[str]) -> bool:
    if not _stands_apart(match) or not _can_be_dialled(match):
        return False
    return not _counts_something(match)


def _counts_something(match: re.Match[str]) -> bool:
    """Whether a plain row of digits, no longer than a mobile number, is an amount, or the number of an order."""
    if not match["number"].isdigit() or len(match["number"]) > 11:
        return False
    before = match.string[max(0, match.start() - _LONGEST_AMOUNT_BEFORE) : match.start()]
    return bool(_AMOUNT_BEFORE.search(before) or _UNIT_BEHIND.match(match.string, match.end()))


def _is_national_phone(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - _LONGEST_CALLED) : match.start()]
    return bool(_CALLED_PHONE.search(before)) and _is_phone(match) and not _counts_something(match)


def _stands_apart(match: re.Match[str]) -> bool:
    """Whether no Latin letter touches the number, as in a hash or a name, but one of a word that says what it is."""
    before, behind = (
        match.string[max(0, match.start() - 10) : match.start()],
        match.string[match.end() : match.end() + 1],
    )
    if _LATIN.match(before[-1:]) and not _WORD_BEFORE.search(before):
        return False
    return not _LATIN.match(behind) or bool(_WORD_BEHIND.match(match.string, match.end()))


def _is_public_ip(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.ip_address(match.group())
    except ValueError:  # above 255, with leading zeros, or too few groups
        return False
    if not any(address in network for network in _EXAMPLES) and (address.is_multicast or not address.is_global):
        return False
    return not _in_web_address(match)


def _is_public_ipv4(match: re.Match[str]) -> bool:
    octets = set(match.group().split("."))
    if len(octets) > 2 and all(len(octet) == 1 for octet in octets):
        return False  # 3.2.1.4 numbers a section or a version far more often than it is somebody's address
    before = match.string[max(0, match.start() - _LONGEST_VERSION_BEFORE) : match.start()]
    if _VERSION_BEFORE.search(before) or _VERSION_BEHIND.match(match.string, match.end()):
        return False
    return _is_public_ip(match)


def _in_web_address(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - _CONTEXT) : match.start()]
    found = _WEB_ADDRESS_BEFORE.search(before)
    return bool(found and found["path"])


_Check = Callable[[re.Match[str]], bool]
_Kind = tuple[str, re.Pattern[str], _Check]
#: In this order: the longer and better checked kinds first.
_NUMBERS: Final[tuple[_Kind, ...]] = (
    ("iban", _IBAN, _is_iban),
    ("id_number", _ID_NUMBER, _is_id_number),
    ("bank_card", _BANK_CARD, _is_bank_card),
    ("phone", _CHINESE_PHONE, _is_chinese_phone),
    ("phone", _PHONE, _is_phone),
    ("phone", _NATIONAL_PHONE, _is_national_phone),
)
_IPV4S: Final[tuple[_Kind, ...]] = (("ip", _IPV4, _is_public_ipv4),)
_IPV6S: Final[tuple[_Kind, ...]] = (("ip", _IPV6, _is_public_ip),)
_HANDLES: Final[tuple[_Kind, ...]] = (("user", _HANDLE, _is_user),)
_EMAILS: Final[tuple[_Kind, ...]] = (("email", _EMAIL, _is_email),)


def _replace(kinds: Sequence[_Kind], sign: re.Pattern[str], around: int, text: str, counts: Counter[str]) -> str:
    """Replace these kinds of private data, looking only around what `sign` matches: most of a text has no such sign."""
    parts, done = [], 0
    for start, end in _regions(sign, around, text):
        left, right = max(0, start - _CONTEXT), min(end + _CONTEXT, len(text))
        region, head, tail = text[left:right], start - left, right - end
        for kind in kinds:
            region = _without(kind, region, head, len(region) - tail, counts)
        parts += [text[done:start], region[head : len(region) - tail]]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


def _without(kind: _Kind, region: str, start: int, end: int, counts: Counter[str]) -> str:
    """A region with one kind replaced between `start` and `end`; what lies around it is there to be looked at."""
    name, pattern, check = kind
    parts, done = [], 0
    for match in pattern.finditer(region, start, end):
        if check(match):
            parts += [region[done : match.start()], PLACEHOLDERS[name]]
            done = match.end()
            counts[name] += 1
    return "".join([*parts, region[done:]]) if parts else region


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
