"""Wikitext to text: what a reader sees stays, markup goes, and nothing can make it slow."""

import bz2
import html
import re
import time
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmflow.extract.wikitext import plain, to_text

RESIDUE = ("[[", "]]", "{{", "}}", "{|", "|}", "<ref", "style=")
WORDS = """[[ ]] [ ] {{ }} {{{ }}} {| |} | ! = == ''' '' <ref> </ref> <ref/> <nowiki> </nowiki> <!-- --> <math> </math>
 <br/> -{ }- convert|5|km lang|de| nowrap| File: Category: zh-hans: ; : * # &#91; &amp; http://x.y [http://x style="a"
 {{cite <table> </table> <sup>2</sup> <sup> </sup> <sub>2</sub> / <poem> </poem> <b> 北京 text 12.5 style"""
FRAGMENTS = st.sampled_from([*WORDS.split(), "\n", "\n\n", " ", "\n|}", "\n{|", "\n|-\n"])


@given(st.lists(FRAGMENTS, max_size=60).map("".join), st.sampled_from(["en", "zh", "ja"]))
@settings(max_examples=400, deadline=None)
def test_any_markup_becomes_text_without_residue(markup: str, lang: str) -> None:
    text = to_text(markup, lang)
    assert [mark for mark in RESIDUE if mark in text] == []
    assert all(line.strip() for line in text.split("\n")) or text == ""


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_string_is_accepted(markup: str) -> None:
    assert isinstance(to_text(markup, "zh"), str)


@pytest.mark.parametrize(
    "unit",
    [
        "{{",
        "[[",
        "{{a|",
        "{{nowrap|",
        "[[File:a|",
        "\n{|",
        "<ref>",
        "<!--",
        "a=\n",
        "{{convert|[[",
        "-{zh:",
        "(;",
        "{{\n",
        "[[a|b",
        "{{a|b}} {{a",
        "[http://a b",
        "<span display:none",
        "<poem>\n</poem>",
        "__a_",
    ],
)
def test_two_megabytes_of_broken_markup_take_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        markup = unit * (size // len(unit))
        started = time.thread_time()
        to_text(markup, "zh")
        return time.thread_time() - started

    def is_linear() -> bool:
        small, large = min(seconds(200_000) for _ in range(2)), seconds(2_000_000)
        return large < min(10, 40 * small + 0.5)  # quadratic would be 100 times

    assert any(is_linear() for _ in range(3))  # a core is slow for a moment, an algorithm every time


def test_two_megabytes_of_open_braces_end_within_a_second() -> None:
    started = time.thread_time()
    assert to_text("{{{{" * 500_000, "en") == ""
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        ("{|\n| ", "a=b", '"'),  # attributes that can be cut in exponentially many ways
        ("<span ", "display:none", ""),
        ("{{formatnum:", "9", "}}"),  # more digits than Python turns into a number
        ("{{birth date|1|2|", "9", "}}"),
    ],
)
def test_one_endless_value_ends_within_a_second(before: str, unit: str, after: str) -> None:
    started = time.thread_time()
    to_text(f"a {before}{unit * 100_000}{after} b", "en")
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("markup", "lang", "text"),
    [
        ("<[[L]]> x'''{{flag}}''' y''''z''' m<sup>''2''</sup>", "en", "<L> x y'z m²"),
        ("a\n\n[[wikt:rose|The word rose]]\n\n[[Kategurija:Roses|key]]", "en", "a\nThe word rose"),
        ("{{nowrap|[[a|b|c]] d}} [[File:A|{{nowrap|x}}|[[y]] [[z:w|v]]]] {{lang|de|<b>e</b>}}", "en", "b|c d e"),
        ("'''Rome''' ({{IPA|ˈroma}}) is [[Italy|Italian]].", "en", "Rome (ˈroma) is Italian."),
        ("It is {{convert|5|to|10|km|mi|abbr=on}} long.", "en", "It is 5 to 10 km long."),
        ("He is {{convert|6|ft|3|in|m}} tall.", "en", "He is 6 ft 3 in tall."),
        ("{{formatnum:1234567}} people", "en", "1,234,567 people"),
        ("mass {{val|1.67|0.02|e=-27|u=kg}}", "en", "mass 1.67±0.02×10^-27 kg"),
        ("10<sup>6</sup> m<sup>2</sup>, the 1<sup>st</sup> H<sub>2</sub>O", "en", "10⁶ m², the 1st H2O"),
        ("{{lang|fr|{{nowrap|Île [[de]] France}}}} {{frac|3|1|2}}", "en", "Île de France 3 1/2"),
        ("born {{birth date|1879|3|14}}, {{circa|1900}}", "en", "born March 14, 1879, c. 1900"),
        ("a<ref name=x>{{cite web|title=[[b]]}}</ref>b<ref name=x/>c<!-- d -->e", "en", "abce"),
        ("[[File:a.jpg|thumb|A [[nested]] caption]]Text[[Category:X]][[de:Y]]", "en", "Text"),
        ("[[:Category:X]] and [http://x.org a label] and [http://x.org]", "en", "Category:X and a label and"),
        ("at [http://[2001:db8::1]/x a host] and [http://[2001:db8::1]:80 port 80]", "en", "at a host and port 80"),
        ("a <nowiki>[[b]]</nowiki> &lt;c&gt; &amp; d", "en", "a b <c> & d"),
        ("<nowiki>&lt;b&gt; &amp;lt;</nowiki> <pre>&eacute;</pre>", "en", "<b> &lt; é"),
        ("AT&T &region; &ampamp; &copy 5 &times; 6", "en", "AT&T &region; &ampamp; &copy 5 × 6"),
        (
            "* {{cite book|title=x}}.\n* {{Literatur|Titel=y}}, .\n* z.\n\n{{cite web|url=u}}.\n\nEtc.",
            "en",
            "- z.\nEtc.",
        ),
        ("{{lang|fr|a <b>b</b> <i>c</i> <sup><b>2</b>}} d</sup> e", "en", "a b c 2 d e"),
        ('"[[[George Bush|Bush]]] said" [[[x]]]', "en", '"[Bush] said" [x]'),
        ("where <math>n+1</math> and <math>\\frac{1}{2}</math>", "en", "where n+1 and 1/2"),
        ("before\n{| class=x\n| a || b\n{|\n| c\n|}\n|}\nafter", "en", "before\na | b\nc\nafter"),
        ("-{zh-hans:信息;zh-hant:資訊}-技术和-{A|zh-cn:软件;zh-tw:軟體}-，-{只}-", "zh", "信息技术和软件，只"),
        ("{{link-en|维特根斯坦|Wittgenstein}}與{{lang-de|Berlin}}", "zh", "维特根斯坦與德语：Berlin"),
        ("[[文件:甲.jpg|缩略图|说明]][[分类:城市]]柏林", "zh", "柏林"),
        ("{{仮リンク|題名|en|Title}}は{{読み仮名|漢字|かんじ}}", "ja", "題名は漢字(かんじ)"),
        ("Le {{s-|XX|e}}, {{unité|5|km}}", "fr", "Le XXe siècle, 5 km"),
    ],
)
def test_what_a_reader_sees(markup: str, lang: str, text: str) -> None:
    assert to_text(markup, lang) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("the ''Iliad'''s gods", "the Iliad's gods"),
        ("''Time'''s and ''[[Life]]'''s covers", "Times and Lifes covers"),  # two bold quotes are bold
        ("dell'''[[Eneide]]'' e l'ira", "dell'Eneide e l'ira"),
        ("'''Lupin''' lit l'''Odyssée''", "Lupin lit l'Odyssée"),  # behind one letter
        ("a '''b cc'''d '''e'' f", "a b cc'd e f"),  # rather than behind a space
        ("''L''''Équipe'''", "L'Équipe"),  # one of four
        ("'''''both''' slanted'' '''bold'''", "both slanted bold"),
        ("'''x\nl'''y''", "x l'y"),  # each line by itself
        ("it is 5' 11''", "it is 5' 11"),
    ],
)
def test_an_apostrophe_beside_bold_and_italics_stays_as_in_mediawiki(markup: str, text: str) -> None:
    assert " ".join(to_text(markup, "en").split()) == text


def test_lines_are_paragraphs_headings_and_list_items() -> None:
    markup = (
        "First\nline.\n\n== Life ==\n{{main|X}}\n* one\n** two\n; term\n: meaning\n"
        "== Empty ==\n=== Deep ===\nEnd\n== References ==\n{{reflist}}"
    )
    assert to_text(markup, "en").split("\n") == [
        "First line.", "== Life ==", "- one", "- two", "term", "meaning", "== Empty ==", "=== Deep ===", "End",
    ]  # fmt: skip


def test_verses_and_lines_that_are_broken_by_hand_stay_lines() -> None:
    markup = (
        "Prose\ngoes on.\n<poem>\nOne [[a|line]]\nand two\n</poem>\n"
        "More<br />of it.\n{|\n| x<br>y\n|}\n<poem>unclosed\nverse"
    )
    assert to_text(markup, "en").split("\n") == [
        "Prose goes on.", "One line", "and two", "More", "of it.", "x y", "unclosed verse",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["__NOTOC__", "__SIN_TDC__", "__БЕЗ_ОГЛАВЛЕНИЯ__", "__INHALTSVERZEICHNIS_ERZWINGEN__"])
def test_words_that_only_set_a_page_are_no_text(word: str) -> None:
    assert to_text(f"{word}\nA page.", "en") == "A page."


def test_a_heading_whose_title_is_dropped_leaves_no_marks() -> None:
    assert to_text("A\n== {{mystery}} ==\nB\n\n= C", "en") == "A\nB\n= C"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("* {{mystery|a=b}}, 1999\n* {{mystery|a=b}}; 5 km\n* .5 mm", "- 1999\n- 5 km\n- .5 mm"),
        ("{{mystery|a=b}}, a year.\n\n.NET is old", "a year.\n.NET is old"),
        ("A year{{mystery|a=b}}\n, then", "A year , then"),
        ("{{mystery|a=b}}、年", "年"),
        ("。\n, 。\nA year", "A year"),
    ],
)
def test_what_lost_its_beginning_begins_with_words(markup: str, text: str) -> None:
    assert to_text(markup, "en") == text


def test_terms_and_definitions_in_html_are_lines_of_their_own() -> None:
    assert to_text("<dl><dt>term<dd>first<dd>second</dl>x", "en") == "term\nfirst\nsecond\nx"


def test_the_number_of_columns_is_no_item_of_a_list() -> None:
    assert to_text("{{columns-list|2|\n* a\n* b\n}}", "en") == "- a\n- b"


def test_a_space_written_as_an_entity_is_no_cell() -> None:
    assert to_text("{|\n&#32;\n|\n* a\n* b\n&#32;\n|}\n&#32; c", "en") == "- a\n- b\nc"


def test_soft_line_breaks_between_chinese_characters_leave_no_space() -> None:
    assert to_text("柏林是\n首都\nBerlin", "zh") == "柏林是首都 Berlin"


def test_an_unclosed_template_costs_its_own_lines_only() -> None:
    assert (
        to_text("{{Infobox city\n| name = X\n| area = 5\nThe city is old.\n\nMore.", "en") == "The city is old.\nMore."
    )


def test_unexpanded_templates_are_counted_and_citations_are_not() -> None:
    found = plain("{{mystery|5}} {{Mystery|{{inner}}}} {{cite web|x}} {{nowrap|y}}", "en").unexpanded
    assert sorted(found) == ["Mystery", "inner", "mystery"]


def test_the_english_wikipedia_sample_keeps_its_prose_and_numbers() -> None:
    dump = files("gensim").joinpath(
        "test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
    )
    xml = bz2.decompress(dump.read_bytes()).decode()
    markups = [html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", xml, re.DOTALL)]
    texts = [to_text(markup, "en") for markup in markups if not markup.lower().startswith("#redirect")]
    assert len(texts) == 106
    assert sum(len(text) > 1000 for text in texts) >= 100
    joined = "\n".join(texts)
    assert [mark for mark in RESIDUE if mark in joined] == []
    assert "Abraham Lincoln" in joined and "February 12, 1809" in joined


def test_a_variant_of_nothing_but_spaces_takes_linear_time() -> None:
    started = time.thread_time()
    assert to_text("-{zh-hans:a;" + " " * 100_000 + "!}-", "zh") == "a"
    assert time.thread_time() - started < 1
