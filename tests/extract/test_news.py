"""Fetched pages to documents: what the page does not say its feed may."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmflow.crawl.pages import HostPlan, Target, visit_hosts
from lmflow.crawl.sources import NewsSource
from lmflow.extract.documents import Known
from lmflow.extract.news import documents
from lmflow.lake import Objects
from tests.crawl.conftest import POLICY
from tests.crawl.site import running_site
from tests.extract.test_article import ENGLISH

LISTED = datetime(2026, 1, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "published"),
    [("", LISTED), ('<meta name="date" content="2026-01-03">', datetime(2026, 1, 3, tzinfo=UTC))],
)
def test_a_page_without_a_date_has_the_one_of_its_feed(tmp_path: Path, head: str, published: datetime) -> None:
    words = "".join(f"<p>{line}</p>" for line in ENGLISH)
    page = f"<html><head>{head}</head><body><article><h1>Fire</h1>{words}</article></body></html>"
    objects = Objects(f"file://{tmp_path}/objects")
    with running_site() as site:
        site.pages["/fire"] = page.encode()
        plan = HostPlan(POLICY, (Target(f"{site.url}/fire", "x", listed_at=LISTED.isoformat()),))
        list(visit_hosts([HostPlan.from_json(plan.as_json())], objects, "raw/1"))
        visits = list(visit_hosts([plan], objects, "raw/1"))  # as a crawl that goes on reads them back
        source = NewsSource(name="x", feed=f"{site.url}/feed", lang="en", license="CC0", terms="")
        (outcome,) = documents(visits, {"x": source}, Known({}, frozenset()), objects)
    assert outcome.document is not None and outcome.document.published_at == published
