"""The report of a run as one HTML page: counts, plots, samples of text beside the rules that decided."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from lmflow.settings import settings

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 0; } img { max-width: 100%; }
details { margin: .4rem 0; } summary { cursor: pointer; font-weight: 600; }
article { border-left: 3px solid #d9822b; margin: .6rem 0 1rem; padding-left: .8rem; }
article.kept { border-color: #3b6ea8; } article p { margin: .2rem 0; white-space: pre-wrap; }
code, .why { color: #555; font-size: .9em; }
"""

#: Sections on what a policy asks for, by what the result calls it.
_ON_REQUEST: Final = {
    "Text taken out because another document had it first": "repeated_text_removed",
    "Paragraphs in another language": "foreign_paragraphs",
    "Documents by perplexity": "perplexity",
}


def page(result: Mapping[str, Any], samples: Mapping[str, Sequence[Mapping[str, Any]]], picture: bytes) -> str:
    """An HTML page.

    Args:
        result: what the run did, as the job returns it.
        samples: from `report.samples`; documents under `kept` were kept, the others broke the rule they stand under.
        picture: PNG of `report.figure`.
    """
    counts = {name: result[f"documents_{name}"] for name in ("in", "kept", "dropped")}
    sections = [
        f"<h1>{counts['in']:,} documents in = {counts['kept']:,} kept + {counts['dropped']:,} dropped</h1>",
        f'<figure><img alt="Plots of this run" src="{_as_data(picture)}"></figure>',
        "<h2>Rules that documents broke</h2>",
        "<p>One document may break several.</p>",
        _table(result["dropped_by_rule"]),
        "<h2>Private data replaced in kept documents</h2>",
        _table(result["private_data_replaced"]),
        "<h2>What normalisation changed</h2>",
        _table(result["normalised"]),
        *(
            section
            for heading, name in _ON_REQUEST.items()
            if name in result
            for section in (f"<h2>{heading}</h2>", _table(result[name]))
        ),
        "<h2>Samples of what was kept</h2>",
        *(_sample(sample) for sample in samples.get("kept", ())),
        "<h2>Samples of what was dropped, by rule</h2>",
        *(_rule(rule, found) for rule, found in samples.items() if rule != "kept"),
        f"<p class=why>Table versions: {escape(str(dict(result['versions'])))}. One document's whole story: "
        "<code>lmflow explain DOC_ID</code></p>",
    ]
    body = "\n".join(sections)
    head = f'<meta charset="utf-8"><title>Corpus report</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def report_file() -> Path:
    """Where the page of the last run lies on this machine, beside the MLflow artifact."""
    return settings().home / "reports" / "corpus.html"


def _as_data(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _table(counts: Mapping[str, int]) -> str:
    if not counts:
        return "<p>none</p>"
    rows = (
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td class=number>{count:,}</td></tr>"
        for name, count in counts.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _rule(rule: str, found: Sequence[Mapping[str, Any]]) -> str:
    return f"<details open><summary>{escape(rule.replace('_', ' '))}</summary>{''.join(map(_sample, found))}</details>"


def _sample(sample: Mapping[str, Any]) -> str:
    broken = "; ".join(
        f"{failure['rule'].replace('_', ' ')}: {failure['value']:.4g}, allowed {failure['threshold']:.4g}"
        for failure in sample["failures"]
    )
    copy = f" · copy of <code>{escape(sample['duplicate_of'])}</code>" if sample["duplicate_of"] else ""
    kind = "dropped" if broken else "kept"
    return (
        f"<article class={kind}><p><b>{escape(sample['title'])}</b> <code>{escape(sample['doc_id'])}</code>{copy}</p>"
        f"<p class=why>{escape(broken)}</p><p>{escape(sample['text'])}</p></article>"
    )
