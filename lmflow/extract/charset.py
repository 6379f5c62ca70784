"""Bytes of a page as text: what servers and pages call GB2312 is GB18030 in practice, and much of Latin-1 is UTF-8."""

from __future__ import annotations

import codecs
import re
from typing import Final

_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding=[\"']([\w.:-]+)", re.I
)
_CHARSET_WINDOW: Final = 4096
_ALIASES: Final = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "iso-8859-1": "cp1252", "ascii": "cp1252"}
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode(html: bytes, charset: str = "") -> str:
    """Bytes as text: byte-order mark, then header, then the page's own word, then what fits.

    A named character set is believed only if it decodes the page without errors, or nothing else does; and a page that
    is UTF-8 throughout, with letters beyond ASCII in it, is UTF-8 whatever it is called: no other writing produces its
    byte sequences by chance over a page's length (RFC 3629, section 1).
    """
    for mark, name in _MARKS:
        if html.startswith(mark):
            return html.decode(name, "replace")
    declared = _META_CHARSET.search(html[:_CHARSET_WINDOW])
    own = (declared[1] or declared[2]).decode("ascii", "replace") if declared else ""
    names = [_codec(name) for name in (charset, own, "utf-8", "gb18030") if name]
    if not html.isascii():
        names.insert(0, "utf-8")
    for name in filter(None, names):
        try:
            return html.decode(name)
        except UnicodeDecodeError:
            continue
    named = [name for name in names[1:] if name]
    return html.decode(next(iter(named), "utf-8"), "replace")


def _codec(name: str) -> str:
    name = name.strip().lower()
    name = _ALIASES.get(name, name)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
