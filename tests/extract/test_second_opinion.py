"""What trafilatura extracts is the same whether readability is asked on every page or only where it may count."""

from __future__ import annotations

import random
from copy import deepcopy
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from trafilatura import bare_extraction, core, external, main_extractor
from trafilatura.utils import load_html

from lmflow.extract import second_opinion
from lmflow.samples import newspage
from lmflow.samples.newspaper import ENGLISH, pages

NOW = datetime(2002, 1, 1, tzinfo=UTC)


def strange(number: int) -> str:
    """A page out of order: text outside paragraphs, in tables, in lists, hardly any, and much beside it."""
    draw = random.Random(number)
    words = ["river", "stone", "lamp", "winter", "bread", "letter", "window", "harbour", "silver", "garden"]
    kinds = {
        "paragraph": "<p>{}</p>",
        "block": "<div>{}</div>",
        "table": "<table><tr><td>{}</td><td>7</td></tr></table>",
        "lines": "{}<br><br>",
        "list": "<ul><li>{}</li></ul>",
        "aside": "<aside><p>{}</p></aside>",
        "link": '<div class="nav"><a href="/x">{}</a></div>',
    }
    chosen = draw.sample(list(kinds), draw.randrange(1, 5))
    blocks = [
        kinds[draw.choice(chosen)].format(" ".join(draw.choices(words, k=draw.randrange(1, 90))) + ".")
        for _ in range(draw.randrange(1, 25))
    ]
    container = draw.choice(["<article>{}</article>", '<div class="content">{}</div>', "{}"])
    return f"<html><head><title>t</title></head><body>{container.format(''.join(blocks))}</body></html>"


@pytest.mark.parametrize("focus", [{}, {"favor_recall": True}, {"favor_precision": True}])
def test_pages_in_and_out_of_order_give_the_same_text_with_and_without(
    focus: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = (
        newspage.article_page(ENGLISH, page, "http://x", NOW, []) for page in islice(pages(ENGLISH), 0, 300, 12)
    )
    every = [*articles, *(strange(number) for number in range(150))]
    asked = 0
    readability = external.try_readability

    def counting(page: Any) -> Any:
        nonlocal asked
        asked += len(page) > 0
        return readability(page)

    second_opinion.install()
    monkeypatch.setattr(external, "try_readability", counting)
    texts, times = [], []
    for extract_and_compare in (always_asking, core._extract_and_compare):
        monkeypatch.setattr(core, "_extract_and_compare", extract_and_compare)
        asked = 0
        texts.append([text_of(html, focus) for html in every])
        times.append(asked)
    assert texts[0] == texts[1] and any(texts[0])
    assert times[1] <= times[0] if focus else times[1] < times[0]


def always_asking(cleaned_tree: Any, before_conversion: Any, tree: Any, options: Any) -> Any:
    """As trafilatura has it."""
    body, text = main_extractor.extract_content(cleaned_tree, options)
    return external.compare_extraction(before_conversion, deepcopy(tree), body, text, options)


def text_of(html: str | bytes, focus: dict[str, Any]) -> str | None:
    tree = load_html(html)
    found = None if tree is None else bare_extraction(tree, url="http://x/a", include_comments=False, **focus)
    return found.text if found else None
