"""News pages with the text that a person or a site's own parser says is the article, and how a text is scored."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: A word, or one character of a script that is written without spaces.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f]|[^\W_]+")


@dataclass(frozen=True, slots=True)
class GoldPage:
    """A page and its article."""

    name: str
    url: str
    html: bytes
    text: str


def fundus(root: Path) -> Iterator[GoldPage]:
    """Pages of flairNLP/fundus' test data: `<root>/parser/test_data/<country>/<Publisher>_<date>.html.gz`.

    A publisher's JSON holds one extraction a parser version, its pages one a version in the same order of time.
    """
    for path in sorted((root / "parser/test_data").glob("*/*.json")):
        addresses = json.loads(path.with_name("meta.info").read_text())
        golds = list(json.loads(path.read_text()).values())
        pages = sorted(
            page for page in path.parent.glob("*.html.gz") if re.fullmatch(path.stem + r"_[\d_]+\.html\.gz", page.name)
        )
        if len(pages) != len(golds):
            raise ValueError(f"{path}: {len(golds)} extractions of {len(pages)} pages")
        for page, gold in zip(pages, golds, strict=True):
            body = gold.get("body") or {"summary": [], "sections": []}
            lines = [*body["summary"]]
            for section in body["sections"]:
                lines += [*section["headline"], *section["paragraphs"]]
            html = gzip.decompress(page.read_bytes())
            yield GoldPage(f"{path.parent.name}/{page.name}", addresses[page.name]["url"], html, "\n".join(lines))


def sample(most: int = 200) -> Iterator[GoldPage]:
    """Chinese pages of lmflow's own sample newspaper: real articles (People's Daily, 1998) in pages made for them."""
    from lmflow.samples import newspage
    from lmflow.samples.newspaper import CHINESE, Kind, pages

    public = [page for page in pages(CHINESE) if page.kind is Kind.ORIGINAL]
    for number, page in enumerate(public[:most]):
        now = page.published
        html = newspage.article_page(CHINESE, page, "https://sample.example", now, public[max(0, number - 8) : number])
        yield GoldPage(page.path, f"https://sample.example{page.path}", html, page.edition(now).text)


def f1(found: str, gold: str) -> tuple[float, float, float]:
    """Precision, recall and F1 over tokens as bags (SQuAD's measure), in lower case."""
    a, b = Counter(_TOKEN.findall(found.lower())), Counter(_TOKEN.findall(gold.lower()))
    if not a or not b:
        return (float(a == b),) * 3
    same = sum((a & b).values())
    precision, recall = same / sum(a.values()), same / sum(b.values())
    return precision, recall, 2 * precision * recall / (precision + recall) if same else 0.0
