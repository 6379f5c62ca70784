"""Exponents, chemistry, cells, quotations and names of editions that few tables cover."""

import pytest

from benchmarks.wikipedia.scoring import Score, snippets
from lmflow.extract.wikitext import plain, to_text

EXPONENTS = {
    "10<sup>6</sup>": "10⁶",
    "5×10<sup>{{formatnum:12}}</sup>": "5×10¹²",
    "10<sup>−3.5</sup>": "10^(−3.5)",
    "''x''<sup>n+1</sup> 2<sup>''n''</sup> 2<sup>(n−1)</sup>": "x^(n+1) 2^n 2^(n−1)",
    "f<sup> -1</sup>": "f⁻¹",
    "1<sup>st</sup> 2<sup>nd</sup> M<sup>me</sup> n<sup>th</sup>": "1st 2nd Mme nth",
    "6–7<sup>(5–7)</sup>, Somalia<sup>1,9</sup>, x<sup>a,b</sup>": "6–7(5–7), Somalia1,9, xa,b",
    "H<sub>2</sub>O, 101<sub>2</sub>, log<sub>2</sub>8": "H2O, 101₂, log₂8",
    "8<sup>1</sup>/<sub>2</sub> or <sup>3</sup>/<sub>4</sub>": "8 1/2 or 3/4",
    "1.5{{su|p=+0.3|b=−0.2}}, Σ{{su|p=2|b=1}}, {{subsup|x|1|2}}": "1.5 +0.3 −0.2, Σ²₁, x₁²",
    "{{chem|H|2|O}}, {{chem|SO|4|2-}}, {{chem|238|92|U}}, {{chem2|H2SO4}}": "H2O, SO4²⁻, ²³⁸₉₂U, H2SO4",
}
TABLE = [
    # Cells that say something else where they have an argument
    ("en", "{{yes}}, {{yes|12}}, {{n/a}}, {{no|3 of 5}}", "Yes, 12, N/A, 3 of 5"),
    # Quotations
    ("fi", "{{lainaus|Olin 3 päivää|Aho}}", "Olin 3 päivää"),
    ("ca", "{{Citació|Eren 3 dies}}", "Eren 3 dies"),
    ("he", "{{ציטוט|תוכן=לפני 3 ימים|מרכאות=כן}}", "לפני 3 ימים"),
    ("ar", "{{اقتباس مضمن|ثلاثة 3 أيام}}", "ثلاثة 3 أيام"),
    ("en", '{{"|Let It Be}}', "Let It Be"),
    # Verses of holy books
    ("he", '{{תנ"ך|בראשית|א|ג}}', "בראשית, פרק א, פסוק ג"),
    ("he", "{{בבלי|ברכות|ב|א}}", "תלמוד בבלי, מסכת ברכות, דף ב, עמוד א"),
    ("en", "{{qref|2|255}} and {{qref|2}}", "Quran 2:255 and Quran 2"),
    # Clubs and countries
    ("it", "{{Calcio Hellas Verona|N}} e {{Naz|CA|ITA}}", "Hellas Verona e Italia"),
    ("en", "{{fb team Arsenal}}", "Arsenal"),
    ("tr", "{{bayrak|Türkiye}}", "Türkiye"),
    ("bn", "{{পতাকা|বাংলাদেশ}}", "বাংলাদেশ"),
    # Languages, and words that differ between two countries
    ("cs", "{{vjazyce|de}} {{cizojazyčně|de|Prag}}, {{vjazyce2|la|Praga}}", "německy Prag, latinsky Praga"),
    ("nl", "{{lang-fr|Lille}}", "Frans: Lille"),
    ("en", "{{langx|el|Αθήνα|Athína|Athens}}", "Greek: Αθήνα, romanized: Athína, lit. 'Athens'"),
    ("pt", "{{PBPE|fóton|fotão}}", "fóton (português brasileiro) ou fotão (português europeu)"),
    # Passages that are doubted, links to other editions, small print
    ("nl", "{{Bron?|waarvan 5 miljoen|2012|05|11}}", "waarvan 5 miljoen"),
    ("fa", "{{پیوند میان\u200cویکی|باغ ارم|en|Eram Garden}}", "باغ ارم"),
    ("hy", "{{չթարգմանված 5|Գետ|գետը|en|River}}", "գետը"),
    ("zh", "，{{雙行夾注|民國12年}}，", "，民國12年，"),
    ("ko", "{{화학식|H|2|O}}", "H2O"),
    # Names that came from a larger edition
    ("kk", "{{s|5 км}} {{нобр|3 тг}}", "5 км 3 тг"),
    ("bar", "{{Höhe|115|DE-NHN}}", "115 m"),
    # Functions, lists, minor planets
    ("en", "{{lc:ABC}} {{uc:def}}", "abc DEF"),
    ("en", "{{enum|p|6 q}} {{mp|2010 TK|7}} {{abbrlink|GD|Goal difference}}", "p, 6 q 2010 TK7 GD"),
]


@pytest.mark.parametrize(("markup", "text"), EXPONENTS.items())
def test_what_is_raised_or_lowered_does_not_run_into_a_number(markup: str, text: str) -> None:
    assert to_text(f"a {markup} b", "en") == f"a {text} b"


@pytest.mark.parametrize(("lang", "markup", "text"), TABLE)
def test_a_template_of_one_edition_shows_what_a_reader_sees(lang: str, markup: str, text: str) -> None:
    found = plain(f"a {markup} b", lang)
    assert (found.text, found.unexpanded) == (f"a {text} b", [])


def test_numbers_and_words_of_the_second_list_survive() -> None:
    score = Score()
    for snippet in snippets("snippets_heldout"):
        score.add(snippet, to_text(snippet.markup, snippet.lang))
    assert score.of_numbers >= 450
    assert score.numbers >= 0.98 * score.of_numbers
    assert score.words >= 0.98 * score.of_words
    assert score.surplus <= 0.02 * score.of_numbers
