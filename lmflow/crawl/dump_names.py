"""How Wikimedia names its wikis and the files of their dumps."""

from __future__ import annotations

import re
from typing import Final

#: An edition that moved to another address and kept its database: its dumps go by the old code.
_MOVED: Final = {"be-tarask": "be-x-old"}


def wiki_name(lang: str) -> str:
    """Database name of a language edition: `zh-min-nan` is `zh_min_nanwiki`."""
    return _MOVED.get(lang, lang).replace("-", "_") + "wiki"


def edition_code(wiki: str) -> str:
    """The code of an edition by its database name, part of the identity of every page."""
    return wiki.removesuffix("wiki").replace("_", "-")


def index_name(data: str) -> str:
    """Name of the index of a multistream file; empty when it is none."""
    return re.sub(r"multistream(\d*)\.xml", r"multistream-index\1.txt", data) if "multistream" in data else ""
