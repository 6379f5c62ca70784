"""How Wikimedia names its wikis and the files of their dumps."""

from __future__ import annotations

import re


def wiki_name(lang: str) -> str:
    """Database name of a language edition: `zh-min-nan` is `zh_min_nanwiki`."""
    return lang.replace("-", "_") + "wiki"


def index_name(data: str) -> str:
    """Name of the index of a multistream file; empty when it is none."""
    return re.sub(r"multistream(\d*)\.xml", r"multistream-index\1.txt", data) if "multistream" in data else ""
