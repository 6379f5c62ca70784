"""What came out of a retraining, in a few short tables: documents, models, what they write, and where to look."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from lmflow.services import local
from lmflow.settings import Settings

Results = Mapping[str, Sequence[Mapping[str, Any]]]
_PROMPTS = {"en": "The president", "zh": "中国"}
_MOST_RULES = 6


def show(settings: Settings, results: Results, seconds: Mapping[str, float], total_s: float, out: Console) -> None:
    """Print the result of a run that succeeded, from what its tasks returned."""
    _documents(results, out)
    _datasets(results, out)
    _embeddings(results, out)
    _language_models(results, out)
    _untrained(results, out)
    _texts(settings, results, out)
    _timings(seconds, total_s, out)
    _places(settings, out)


def _documents(results: Results, out: Console) -> None:
    for corpus in results.get("build_corpus", ()):
        if corpus.get("status") == "nothing_new":
            out.print(f"Documents: nothing new, {corpus.get('reason')}", markup=False)
            continue
        table = _table("Documents", "source", "in", "kept", "dropped")
        for source, counts in corpus.get("decided_by_source", {}).items():
            table.add_row(source, *(_whole(counts.get(name, 0)) for name in ("in", "kept", "dropped")))
        totals = [corpus.get(f"documents_{name}", 0) for name in ("in", "kept", "dropped")]
        table.add_row("all", *map(_whole, totals), style="bold", end_section=True)
        out.print(table)
        held = "holds" if totals[0] == totals[1] + totals[2] else "DOES NOT HOLD"
        out.print(f"  {totals[0]:,} in = {totals[1]:,} kept + {totals[2]:,} dropped: {held}", markup=False)
        rules = list(corpus.get("dropped_by_rule", {}).items())
        if rules:
            shown = ", ".join(f"{name} {number:,}" for name, number in rules[:_MOST_RULES])
            more = f" and {len(rules) - _MOST_RULES} more rules" if len(rules) > _MOST_RULES else ""
            out.print(f"  dropped for: {shown}{more} (a document may break several)", markup=False, soft_wrap=True)


def _datasets(results: Results, out: Console) -> None:
    table = _table("Tokens", "language", "documents", "train", "valid", "test", "vocabulary")
    for dataset in results.get("build_dataset", ()):
        splits = dataset["splits"]
        tokens = [_whole(splits[name]["tokens"]) for name in ("train", "valid", "test")]
        documents = sum(split["documents"] for split in splits.values())
        table.add_row(dataset["lang"], _whole(documents), *tokens, _whole(dataset["vocabulary"]))
    _print(table, out)


def _embeddings(results: Results, out: Console) -> None:
    """Every test that any of the models took, as Spearman's rho or accuracy with the share of pairs it knows."""
    trained = [result for result in results.get("train_embeddings", ()) if result.get("metrics")]
    tests = sorted({name for each in trained for name in each["metrics"] if name.endswith(("_spearman", "_semantic"))})
    table = _table("Word embeddings", "model", "words", *(name.rpartition("_")[0] for name in tests))
    for each in trained:
        metrics = each["metrics"]
        scores = [_score(metrics, name) for name in tests]
        table.add_row(f"{each['model']} v{each['version']}", _whole(metrics.get("vocabulary", 0)), *scores)
    _print(table, out)
    if table.row_count:
        out.print("  in brackets: the share of the test's pairs or questions whose words it knows", markup=False)


def _score(metrics: Mapping[str, float], name: str) -> str:
    if name not in metrics:
        return "–"
    coverage = metrics.get(f"{name.removesuffix('_spearman')}_coverage")
    return f"{metrics[name]:.3f}" + ("" if coverage is None else f" ({coverage:.0%})")


def _language_models(results: Results, out: Console) -> None:
    table = _table(
        "Language models before the gate", "model", "architecture", "bits per byte", "95 % interval", "verdict"
    )
    aliases: list[str] = []
    for decision in results.get("promote_model", ()):
        named: dict[int, list[str]] = {}
        for alias, number in decision.get("aliases", {}).items():
            named.setdefault(int(number), []).append(f"@{alias}")
        for row in decision.get("table", ()) if decision["model"].startswith("lm-") else ():
            score, low, high = (row.get(f"bits_per_byte{end}") for end in ("", "_low", "_high"))
            table.add_row(
                f"{decision['model']} v{row['version']}",
                str(row.get("architecture", "")),
                "–" if score is None else f"{score:.3f}",
                "–" if low is None else f"{low:.3f} to {high:.3f}",
                str(row.get("outcome", "")),
            )
        shown = ", ".join(f"v{number} {' '.join(sorted(names))}" for number, names in sorted(named.items()))
        aliases.append(f"  {decision['model']:<15} {shown}  ({decision.get('reason', '')})")
    _print(table, out)
    for line in aliases:
        out.print(line, markup=False, soft_wrap=True)


def _untrained(results: Results, out: Console) -> None:
    """What was not trained again, and why."""
    for result in (*results.get("train_embeddings", ()), *results.get("train_language_model", ())):
        if result.get("status") == "nothing_new":
            out.print(f"  not trained: {result['model']}, {result.get('reason')}", markup=False, soft_wrap=True)


def _texts(settings: Settings, results: Results, out: Console) -> None:
    """What the champions write, asked of the model page: so it is shown that they are in use."""
    url = f"http://{settings.host}:{settings.serving_port}"
    champions = {
        decision["model"]: decision["champion"]
        for decision in results.get("promote_model", ())
        if decision["model"].startswith("lm-") and decision.get("champion")
    }
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as page:
        for lang in _served_languages(page, champions):
            question = {"lang": lang, "prompt": _PROMPTS.get(lang, ""), "max_tokens": 60, "seed": 1}
            reply = page.post("/generate", json=question)
            if reply.is_success:
                said = reply.json()
                text = " ".join(str(said["text"]).split())
                out.print(f"\n{said['model']} v{said['version']} writes:", style="bold", markup=False)
                out.print(f"  {text}", markup=False, soft_wrap=True)
            else:
                out.print(f"\n{lang}: {reply.text}", markup=False)


def _served_languages(page: httpx.Client, champions: Mapping[str, int], within_s: float = 30.0) -> list[str]:
    """The languages the model page serves, once it has these champions; it looks for new ones every few seconds."""
    deadline = time.monotonic() + within_s
    while True:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            models = page.get("/models").json()["models"]
            served = {each["name"]: each["version"] for each in models if each["kind"] == "lm"}
            if champions.items() <= served.items() or time.monotonic() > deadline:
                return sorted(name.removeprefix("lm-") for name in served)
        if time.monotonic() > deadline:
            return []
        time.sleep(0.5)


def _timings(seconds: Mapping[str, float], total_s: float, out: Console) -> None:
    parts = ", ".join(f"{stage} {spent:.0f} s" for stage, spent in seconds.items())
    out.print(f"\nTime: {total_s:.0f} s in all ({parts})", markup=False, soft_wrap=True)


def _places(settings: Settings, out: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for place in local.places(settings):
        table.add_row(place.name, place.url, place.login)
    out.print()
    out.print(table)
    out.print("`make demo` again does only what is new; `make down` stops everything.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        figures = column in ("in", "kept", "dropped", "documents", "train", "valid", "test", "vocabulary", "words")
        table.add_column(column, justify="right" if figures and number else "left")
    return table


def _print(table: Table, out: Console) -> None:
    if table.row_count:
        out.print()
        out.print(table)


def _whole(number: float) -> str:
    return f"{number:,.0f}"
