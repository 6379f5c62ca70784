"""sources.yaml: the one that ships is valid, and a wrong line is named."""

from pathlib import Path

import pytest

from lmflow.crawl.sources import choose, load
from lmflow.errors import InputError
from lmflow.settings import settings


def test_the_list_that_ships_is_valid_and_starts_with_the_samples() -> None:
    sources = load()
    for group in (sources.wikipedia, sources.news, sources.social):
        assert {source.name.partition("-")[0] for source in choose(group, (), "news")} == {"sample"}
        assert all(source.terms for source in group if not source.name.startswith("sample"))
    assert sources.news[0].feed.startswith(settings().samples_url)
    assert {source.lang for source in (*sources.news, *sources.social)} == {"en", "zh"}


def test_a_named_source_is_taken_although_it_is_not_enabled() -> None:
    assert [source.name for source in choose(load().news, ["nasa"], "news")] == ["nasa"]
    with pytest.raises(InputError, match=r"--source nasaa: no news source of that name; there are sample-news-en"):
        choose(load().news, ["nasaa"], "news")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "news: [{name: a, lang: en, feed: 'ftp://x', license: x}]",
            "news, a, feed: Value error, must start with http",
        ),
        ("news: [{name: a, lang: en, license: x}]", "news, a, feed: Field required"),
        ("news: [{name: a, lang: en, feed: 'http://x', license: x, ratee: 1}]", "ratee: Extra inputs"),
        ("news: [{name: a, lang: en, feed: 'http://${HOME}', license: x}]", "HOME.* is unknown"),
        ("news: [", "is not YAML"),
        ("social: [{name: a, lang: en, api: 'http://x', license: x, rate: 0}]", "greater than 0"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load(path)


def test_a_name_is_used_once_and_a_file_must_be_there(tmp_path: Path) -> None:
    entry = "{name: a, lang: en, feed: 'http://x', license: x}"
    (tmp_path / "two.yaml").write_text(f"news: [{entry}, {entry}]")
    with pytest.raises(InputError, match="used twice"):
        load(tmp_path / "two.yaml")
    with pytest.raises(InputError, match="LMFLOW_SOURCES"):
        load(tmp_path / "none.yaml")
