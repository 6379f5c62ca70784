"""One extractor in a process of its own: reads pages (JSON lines), then converts them all on every line of its stdin.

Runs under the peers' Python (or ours, for `lmflow`), so it knows only the standard library and the one extractor.
Each peer is called as its own documentation or command line does, with titles and headings left to it.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable

Convert = Callable[[str, str, str], str]  # language, title, markup -> text


def lmflow() -> Convert:
    from lmflow.extract.wikitext import to_text

    return lambda lang, title, markup: to_text(markup, lang)


def wikiextractor(expand: bool = True) -> Convert:
    """`Extractor.extract` as `wikiextractor` runs it on a dump without template pages."""
    from wikiextractor.extract import Extractor

    def convert(lang: str, title: str, markup: str) -> str:
        extractor = Extractor(0, 0, "", title, [markup], templatePrefix="Template:")
        return "\n".join(extractor.clean_text(markup, expand_templates=expand, html_safe=False))

    return convert


def gensim() -> Convert:
    """`gensim.scripts.segment_wiki.segment`, without its XML."""
    import re

    from gensim.corpora.wikicorpus import filter_wiki

    def convert(lang: str, title: str, markup: str) -> str:
        contents = re.split(r"\n==[^=].*[^=]==\n", markup)
        headings = ["", *re.findall(r"\n==([^=].*[^=])==\n", markup)]
        return "\n".join(f"{heading.strip()}\n{filter_wiki(c)}" for heading, c in zip(headings, contents, strict=True))

    return convert


def mwparserfromhell() -> Convert:
    import mwparserfromhell as parser

    return lambda lang, title, markup: parser.parse(markup).strip_code()


def wikitextparser() -> Convert:
    import wikitextparser as parser

    return lambda lang, title, markup: parser.remove_markup(markup)


def wiki2dataset() -> Convert:
    """With template metadata that knows no template, as no snapshot of template pages comes with a dump."""
    from wiki2dataset import WikiConverter

    file = tempfile.NamedTemporaryFile(suffix=".sqlite", delete=False)  # noqa: SIM115
    with sqlite3.connect(file.name) as database:
        database.executescript(
            "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE page (namespace INTEGER, title TEXT, version INTEGER, wikitext TEXT,"
            " PRIMARY KEY(namespace,title)) WITHOUT ROWID;"
            "CREATE TABLE redirect (namespace INTEGER, title TEXT, to_namespace INTEGER, to_title TEXT,"
            " PRIMARY KEY(namespace,title)) WITHOUT ROWID;"
            "CREATE TABLE categorylink (namespace INTEGER, title TEXT, category_title TEXT,"
            " PRIMARY KEY(namespace,title,category_title)) WITHOUT ROWID;"
            "CREATE TABLE template_role (title TEXT, role TEXT, PRIMARY KEY(title,role)) WITHOUT ROWID;"
            "CREATE TABLE template_wrapper (title TEXT PRIMARY KEY, target_title TEXT, exclusive INTEGER)"
            " WITHOUT ROWID;"
            "CREATE TABLE disambiguation (page_id INTEGER PRIMARY KEY);"
        )
    converter = WikiConverter(file.name)
    os.unlink(file.name)
    return lambda lang, title, markup: converter.wiki2md(markup)[0] or ""


EXTRACTORS: dict[str, Callable[[], Convert]] = {
    "lmflow": lmflow,
    "wikiextractor": wikiextractor,
    "wikiextractor (no templates)": lambda: wikiextractor(expand=False),
    "gensim": gensim,
    "mwparserfromhell": mwparserfromhell,
    "wikitextparser": wikitextparser,
    "wiki2dataset": wiki2dataset,
}


def main() -> None:
    name, path = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    with open(path, encoding="utf-8") as file:
        pages = [json.loads(line) for line in file]
    convert = EXTRACTORS[name]()
    print("[]", file=out, flush=True)
    for verb in sys.stdin:
        results: list[float] | list[str] = []
        for lang, title, markup in pages:
            started = time.process_time()
            try:
                text = convert(lang, title, markup)
            except Exception as error:  # a peer that fails on a page gives nothing for it
                print(f"{name}: {title}: {error!r}", file=sys.stderr)
                text = ""
            results.append(time.process_time() - started if verb.strip() == "time" else text)  # type: ignore[arg-type]
        print(json.dumps(results), file=out, flush=True)


if __name__ == "__main__":
    main()
