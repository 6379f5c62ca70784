"""Readings of templates that link to an article which only another edition has: the words that a reader sees."""

from __future__ import annotations

from typing import Final

from lmflow.extract.wikitext import locales
from lmflow.extract.wikitext.arguments import Arguments

#: Arguments of links to other editions: labels, then titles in this edition.
_LINK_NAMES: Final = ("lt", "label", "texte", "текст", "نص", "fr", "надо", "عر")


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
