"""What hand-checked snippets in 21 languages must keep, formulas by option, metadata from the same sweeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.wikipedia.scoring import Score, snippets
from lmflow.extract.wikitext import plain, redirect_target, to_text
from lmflow.extract.wikitext.expressions import evaluate
from lmflow.extract.wikitext.formulas import formula


def test_numbers_and_words_of_the_hand_checked_snippets_survive() -> None:
    score = Score()
    for snippet in snippets():
        score.add(snippet, to_text(snippet.markup, snippet.lang))
    assert score.of_numbers >= 300
    assert score.numbers >= 0.99 * score.of_numbers
    assert score.words >= 0.99 * score.of_words
    assert score.surplus <= 0.02 * score.of_numbers


@pytest.mark.parametrize(
    ("markup", "lang", "text"),
    [
        ("tall {{өзгөртүү|5|км|миль}} tower", "ky", "tall 5 км tower"),  # a number with a unit, whatever the name
        ("x {{туған күн үлгісі|1962|1|7}} y", "kk", "x 1962 ж. 7 қаңтар y"),  # a year, a month and a day
        ("x ({{jezik|de|Wien}}) y", "sl", "x (Wien) y"),  # a language code and a text
        ("x{{footnote-like|abc}} y", "en", "x y"),  # hangs on a word: a footnote
        ("{{Some box|abc}}\nx", "en", "x"),  # on a line of its own: a box
    ],
)
def test_an_unlisted_template_is_read_only_when_its_arguments_say_what_it_shows(
    markup: str, lang: str, text: str
) -> None:
    assert to_text(markup, lang) == text


def test_formulas_are_readable_text_tex_or_a_placeholder() -> None:
    markup = r"so <math>E=mc^2</math> and <math>\begin{matrix}a_{b_{1}}\end{matrix}</math>"
    assert to_text(markup, "en") == "so E=mc² and [formula]"
    assert to_text(markup, "en", "placeholder") == "so [formula] and [formula]"
    assert to_text(markup, "en", "tex") == r"so E=mc^2 and \begin{matrix}a_{b_{1} }\end{matrix}"


@given(st.text(alphabet=r"\frac{}^_[]|=style 12abc", max_size=60))
def test_tex_never_looks_like_leftover_markup(tex: str) -> None:
    written = formula(tex, "tex")
    assert [mark for mark in ("[[", "]]", "{{", "}}", "{|", "|}", "style=") if mark in written] == []


def test_categories_language_links_and_disambiguation_come_with_the_text() -> None:
    page = plain("{{Begriffsklärung}}\nX\n[[Kategorie:A_b|x]] [[Category:C]] [[en:Y]] [[Datei:Z.png]]", "de")
    assert page.categories == ("A b", "C")
    assert page.language_links == {"en": "Y"}
    assert page.disambiguation
    assert plain("X\n[[Kategoreja:A]]\n[[Xyzzy:B|c]][[Xyzzy:D]]", "ltg").text == "X"  # names that nobody listed
    assert not plain("X [[:Category:Y]]", "en").disambiguation
    assert plain("X [[:Category:Y]]", "en").categories == ()


@pytest.mark.parametrize(
    ("lang", "notice", "is_one"),
    [
        ("en", "{{Human name disambiguation}}", True),
        ("en", "{{place name disambiguation}}", True),
        ("en", "{{Letter–Number combination disambiguation}}", True),
        ("en", "{{genus disambig}}", True),
        ("en", "{{disambiguation cleanup}}", True),
        ("en", "__DISAMBIG__", True),
        ("sv", "{{Grensida}}", True),
        ("ru", "{{Список полных тёзок}}", True),
        ("ru", "{{значения|Литва}}", False),
        ("en", "[[Mercury]]{{disambiguation needed|date=May 2011}}", False),
        ("pl", "{{DisambigR|Merkury}}", False),
        ("id", "{{disambiginfo}}", False),
    ],
)
def test_a_notice_of_a_disambiguation_page_is_told_from_a_hatnote(lang: str, notice: str, is_one: bool) -> None:
    page = plain(f"{notice}\nMercury may be a planet.", lang)
    assert (page.disambiguation, page.unexpanded) == (is_one, [])


@pytest.mark.parametrize(
    ("markup", "target"),
    [
        ("#REDIRECT [[Foo bar#part]]", "Foo bar"),
        ("#redirect: [[Foo|x]]", "Foo"),
        ("#WEITERLEITUNG [[Ä]]", "Ä"),
        ("#перенаправление [[Б]]", "Б"),
        ("#重定向 [[丙]]", "丙"),
        ("# [[no redirect]]", ""),
        ("An article [[x]]", ""),
    ],
)
def test_redirects_in_any_edition(markup: str, target: str) -> None:
    assert redirect_target(markup) == target


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("3*4", "12"),
        ("100*5/20 round 1", "25"),
        ("-(2+3)^2", "25"),
        ("10/4", "2.5"),
        ("1/0", ""),
        ("__import__", ""),
        ("2^9999", ""),
    ],
)
def test_plain_arithmetic_is_computed_and_nothing_else(expression: str, value: str) -> None:
    assert evaluate(expression) == value
