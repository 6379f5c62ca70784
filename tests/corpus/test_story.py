"""What people are shown of a corpus: one document's story, and the page of a run."""

import io

import pyarrow as pa
import pytest

from lmflow.corpus.assess import assess
from lmflow.corpus.page import page
from lmflow.corpus.policy import Policies
from lmflow.corpus.report import Account, figure, samples
from lmflow.corpus.story import story
from lmflow.errors import InputError
from lmflow.lake import Lake
from tests.corpus.documents import as_batch, build, english, ingest, row


def told(lake: Lake, doc_id: str, policies: Policies) -> str:
    return "\n".join("\n".join([its.heading, *its.lines]) for its in story(lake, doc_id, policies))


def test_a_story_has_every_version_verdict_value_copy_and_split(lake: Lake, policies: Policies) -> None:
    base = english(1) + " Mail ann@example.org."
    ingest(
        lake,
        [
            row(1, "news:a", base, revision=1),
            row(1, "news:b", base.replace(" the ", " THE ")),
            row(1, "news:c", "# Short #"),
        ],
    )
    build(lake, policies)
    ingest(lake, [row(2, "news:a", base + " And so it ended.", revision=2), row(3, "news:d", english(5))])
    kept = told(lake, "news:a", policies)
    assert "revision 1" in kept and "not decided yet" in kept
    build(lake, policies)
    kept = told(lake, "news:a", policies)
    assert "superseded: 1, allowed 2" in kept and "in the corpus: " in kept and "email: 1" in kept
    assert "n_words = " in kept and "too_few_words: at least 30" in kept and "ann@" not in kept
    assert "dropped as copies of it: news:b" in kept
    dropped = told(lake, "news:c", policies)
    assert "dropped\n" in dropped and "hash_signs: 2, allowed 0.1" in dropped and "not in the corpus" in dropped
    assert "copy of news:a" in told(lake, "news:b", policies)


def test_an_unknown_document_is_refused_with_names_that_exist(lake: Lake, policies: Policies) -> None:
    with pytest.raises(InputError, match="it holds no documents yet"):
        story(lake, "news:a", policies)
    ingest(lake, [row(1, "news:abc", english(1))])
    with pytest.raises(InputError, match="there are news:abc"):
        story(lake, "news:a", policies)


def test_the_page_shows_counts_plots_and_samples_and_no_markup_of_theirs(lake: Lake, policies: Policies) -> None:
    rows = [row(1, "a", english(1)), row(1, "b", english(1)), row(1, "x", "<script>alert(1)</script> short")]
    ingest(lake, rows)
    [outcome] = build(lake, policies)
    unit = assessed(rows, policies)
    account = Account()
    account.add(unit, outcome)
    shown = samples(unit, outcome, unit.to_batches(), 3)
    picture = io.BytesIO()
    figure(account, {"en": {"docs": 1, "splits": {"train": 1, "valid": 0, "test": 0}}}).savefig(picture, format="png")
    html = page({**account.as_dict(), "versions": {"corpus": 0}}, shown, picture.getvalue())
    assert "3 documents in = 1 kept + 2 dropped" in html and "data:image/png;base64," in html
    assert "exact duplicate" in html and "<article class=kept>" in html and "copy of <code>a</code>" in html
    assert "<script>" not in html and "&lt;script&gt;" in html


def assessed(rows: list[dict[str, object]], policies: Policies) -> pa.Table:
    return pa.Table.from_batches([assess(as_batch(rows), policies)])
