"""Bytes of a page as text: by the names that pages and servers give, read as browsers read them, or by the bytes.

The web's labels are wider than Python's codecs of the same names: what is called GB2312 is GB18030, what is called
Shift_JIS is Microsoft's code page 932, what is called Latin-1 is windows-1252 (WHATWG Encoding Standard, section 4.2).
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Final

_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding=[\"']([\w.:-]+)", re.I
)
_CHARSET_WINDOW: Final = 4096
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
#: The web's encodings: Python's name of what a label says, and the codec that reads what is sent under that label.
#: What is not here (rot13, hex, UTF-7, HZ, ISO-2022-KR) is none, and some of it would turn text into markup.
_WEB_CODECS: Final = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "cp950": "big5hkscs", "shift_jis": "cp932",
    "euc_kr": "cp949", "utf-16": "utf-16-le",
    **{name: name for name in (
        *("utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949"),
        *(f"cp{number}" for number in (866, 874, *range(1250, 1259))),
        *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        *("koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"),
    )},
}  # fmt: skip
#: Labels of the standard that Python does not know.
_LABELS: Final = {
    "x-sjis": "cp932", "windows-31j": "cp932", "x-euc-jp": "euc_jp", "windows-949": "cp949", "ksc_5601": "cp949",
    "ks_c_5601-1989": "cp949", "iso-ir-149": "cp949", "x-gbk": "gb18030", "gb_2312": "gb18030", "gb_2312-80": "gb18030",
    "cn-big5": "big5hkscs", "x-x-big5": "big5hkscs", "windows-874": "cp874", "dos-874": "cp874", "iso885911": "cp874",
    "iso88591": "cp1252", "iso88599": "cp1254", "iso-8859-6-e": "iso8859-6", "iso-8859-6-i": "iso8859-6",
    "unicode-1-1-utf-8": "utf-8", "x-mac-roman": "mac-roman", "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic", "iso-8859-8-e": "iso8859-8", "iso-8859-8-i": "iso8859-8",
    "logical": "iso8859-8", "visual": "iso8859-8",
    "koi": "koi8-r", "koi8": "koi8-r", "koi8-ru": "koi8-u", "mac": "mac-roman",
    **{f"iso8859{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15)},
    **{f"x-cp{number}": f"cp{number}" for number in range(1250, 1259)},
}  # fmt: skip
#: What a page that names nothing may be; the first of two that read the same bytes the same way is taken.
_GUESSES: Final = (
    *("cp1251", "koi8_r", "gb18030", "big5hkscs", "cp932", "euc_jp", "cp949", "cp1252", "cp1250", "cp1253", "cp1254"),
    *("cp874", "cp1255", "cp1256", "iso8859_2"),
)
#: A text is in an encoding when it has so many letters beyond ASCII for each byte that is none.
_LETTERS_PER_ERROR: Final = 4
_SAMPLE_BYTES: Final = 16_384
_BETWEEN_TAGS = re.compile(rb">([^<>]{1,2000})")


def decode(html: bytes, charset: str = "") -> str:
    """Bytes as text: byte-order mark, then UTF-8 if it is, then header, then the page's own word, then what fits.

    A named character set is believed if it decodes the page almost without errors: one byte that a site cut off or
    added does not make another encoding of it. A page that is UTF-8 so far, with letters beyond ASCII in it, is UTF-8
    whatever it is called: no other writing produces its byte sequences by chance over a page's length (RFC 3629,
    section 1). Where no name fits, charset-normalizer judges the text between tags; GB18030 is the last resort.
    """
    for mark, name in _MARKS:
        if html.startswith(mark):
            return html.decode(name, "replace")
    declared = _META_CHARSET.search(html[:_CHARSET_WINDOW])
    own = _codec((declared[1] or declared[2]).decode("ascii", "replace")) if declared else ""
    # What could be read as ASCII so far is no UTF-16 (WHATWG HTML, 13.2.3.2).
    named = [
        name for name in (_codec(charset), own.replace("utf-16-le", "utf-8").replace("utf-16-be", "utf-8")) if name
    ]
    for name in (*named, "utf-8") if html.isascii() else ("utf-8", *named):
        text = _read(html, name)
        if text is not None:
            return text
    guess = _guess(html)
    for name in (guess, "gb18030"):
        try:
            return html.decode(name)
        except UnicodeDecodeError:
            continue
    return html.decode(named[0] if named else guess, "replace")


def _read(html: bytes, codec: str) -> str | None:
    """The text, U+FFFD for each error; None when there are too many of them."""
    try:
        return html.decode(codec)
    except UnicodeDecodeError:
        text = html.decode(codec, "replace")
    errors = text.count("\ufffd")
    letters = len(text) - len(text.encode("ascii", "ignore")) - errors
    return text if letters >= _LETTERS_PER_ERROR * errors else None


def _guess(html: bytes) -> str:
    """The encoding that the text of a page looks like, UTF-8 when it looks like none; judged on a sample of it."""
    from charset_normalizer import from_bytes

    pieces: list[bytes] = []
    size = 0
    for between in _BETWEEN_TAGS.finditer(html):
        if not between[1].isascii():
            pieces.append(between[1])
            size += len(between[1])
        if size >= _SAMPLE_BYTES:
            break
    best = from_bytes(b"\n".join(pieces) or html[:_SAMPLE_BYTES], cp_isolation=list(_GUESSES)).best()
    return best.encoding if best is not None and best.encoding in _GUESSES else "utf-8"


@cache
def _python_name(label: str) -> str:
    try:
        return codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""


def _codec(label: str) -> str:
    """The codec that reads what the web calls by a label; empty for what is no encoding of the web."""
    label = label.strip().lower()[:40]
    return _LABELS.get(label) or _WEB_CODECS.get(_python_name(label), "")
