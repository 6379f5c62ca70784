"""What value templates show, template by template and edition by edition; and which of them are counted instead."""

import pytest

from lmflow.extract.wikitext import plain, to_text

#: Editions that the tables go through, where a template has the same name in all of them.
EDITIONS = ("en", "zh", "ja", "ar", "hi", "de", "fr", "es", "ru", "it", "pt")
NUMBERS = {
    **dict.fromkeys(("en", "zh", "ja", "ar"), "1,234,567.891"),
    **dict.fromkeys(("de", "es", "it", "pt"), "1.234.567,891"),
    **{"hi": "12,34,567.891", "fr": "1 234 567,891", "ru": "1 234 567,891"},
}
DATES = {
    "en": "March 14, 1879",
    "zh": "1879年3月14日",
    "ja": "1879年3月14日",
    "ar": "14 مارس 1879",
    "hi": "14 मार्च 1879",
    "de": "14. März 1879",
    "fr": "14 mars 1879",
    "es": "14 de marzo de 1879",
    "ru": "14 марта 1879",
    "it": "14 marzo 1879",
    "pt": "14 de março de 1879",
}
EVERYWHERE = {
    "{{formatnum:1234567.891}}": NUMBERS,
    "{{birth date|1879|3|14}}": DATES,
    "{{start date|1879|3|14}}": DATES,
    "{{convert|5|km|mi}}": "5 km",
    "{{cvt|5|-|7|m2|sqft}}": "5–7 m²",
    "{{nowrap|5 km}}": "5 km",
    "{{lang|fr|Île-de-France}}": "Île-de-France",
    "{{transl|ru|Moskva}}": "Moskva",
    "{{frac|3|4}}": "3/4",
    "{{binom|10|3}}, {{tbinom|n|k}}": "C(10, 3), C(n, k)",
    "{{val|1.23|0.05|e=6|u=m}}": "1.23±0.05×10^6 m",
    "{{age|1990|2|1|2020|1|1}}": "29",
    "{{ruby|漢字|かんじ}}": "漢字(かんじ)",
    "{{abbr|approx.|approximately}}": "approx.",
    "{{IPA|ˈroma}}": "ˈroma",
}
TABLE = [
    # Names in tables
    ("de", "{{SortKeyName|Cornelio|Saavedra|Cornelio Saavedra (Politiker)}}", "Cornelio Saavedra"),
    ("en", "{{cr|IND}} beat {{ru|FIJ}}", "India beat Fiji"),
    ("ru", "{{ru|FIJ}}", "FIJ"),
    # Lists
    ("en", "{{hlist|2|x}}", "2, x"),
    # Measures
    ("en", "{{convert|5|to|7|ft|m}}", "5 to 7 ft"),
    ("en", "{{convert|5|ft|3+1/2|in|cm}}", "5 ft 3 1/2 in"),
    ("en", "{{convert|5000|/sqmi}}", "5,000/sq mi"),
    ("en", "{{pop density|3645257|640081.87|km2|sqmi|prec=1}}", "5.7/km²"),
    ("ja", "{{convert|1234|km|mi}}", "1,234 km"),
    ("ar", "{{تحويل|5|كم|ميل}}", "5 كم"),
    ("pt", "{{converter|25000|m|ft}}", "25.000 m"),
    ("it", "{{converti|25000|m|ft}}", "25.000 m"),
    ("it", "{{M|5|ul=km}}", "5 km"),
    ("fr", "{{unité|2500|km|2}}", "2 500 km²"),
    ("es", "{{unidad|25000|km|2}}", "25.000 km²"),
    # Numbers
    ("en", "{{nts|1,234}}", "1,234"),
    ("en", "{{val|1.5|+0.1|-0.2}}", "1.5 +0.1 −0.2"),
    ("en", "{{sfrac|2|3|4}}", "2 3/4"),
    ("en", "{{percentage|1|4}}", "25%"),
    ("zh", "{{val|5|ul=km}}", "5 km"),
    ("ja", "{{分数|3|4}}", "3/4"),
    ("ar", "{{كسر|1|2}}", "1/2"),
    ("de", "{{Bruch|3|4}}", "3/4"),
    ("de", "{{Formatnum|12345}}", "12.345"),
    ("de", "{{Formnum|3.7}}", "3,7"),
    ("pt", "{{formatnum:12.5}}", "12,5"),
    ("en", "{{formatnum:12.5}}", "12.5"),
    ("fr", "{{unité|12.5|km/h}}", "12,5 km/h"),
    ("fa", "{{formatnum:12345.6}} {{formatnum:۱۲۳۴۵}}", "۱۲٬۳۴۵٫۶ ۱۲۳۴۵"),
    ("bn", "{{formatnum:1234567}}", "১২,৩৪,৫৬৭"),
    ("fr", "{{nombre|12345|habitants}}", "12 345 habitants"),
    ("es", "{{fracción|1|2}}", "1/2"),
    ("ru", "{{число|1234567}}", "1 234 567"),
    ("ru", "{{дробь|3|4}}", "3/4"),
    ("it", "{{frazione|1|2}}", "1/2"),
    ("pt", "{{fmtn|12345}}", "12.345"),
    ("pt", "{{fração|1|2}}", "1/2"),
    ("en", "8{{frac|1|2}} inches", "8 1/2 inches"),
    ("en", "8-{{frac|1|2}}-inch", "8-1/2-inch"),
    ("en", "({{frac|8|1|2}})", "(8 1/2)"),
    ("de", "10{{Bruch|1|2}}", "10 1/2"),
    ("en", "{{1/2}} and 3{{1/4}} in", "1/2 and 3 1/4 in"),
    ("en", "E=mc{{sup|2}}, 10{{smallsup|-6}}, n{{sup|th}}", "E=mc², 10⁻⁶, nth"),
    ("fr", "10{{exp|6}}, M{{exp|lle}}", "10⁶, Mlle"),
    ("en", "{{radic|2}} and {{radic|x|3}}", "√2 and ³√x"),
    ("de", "34–{{Höhe|115|DE-NHN}} hoch", "34–115 m hoch"),
    ("en", "B{{music|flat}} major, F{{music|#}}, C{{music|natural}}", "B♭ major, F♯, C♮"),
    # Money
    ("en", "{{INRConvert|5|c}}", "₹5 crore"),
    ("en", "{{INRConvert|2.5|lc}}", "₹2.5 lakh crore"),
    ("en", "{{US$|5|2010}}", "US$5"),
    ("en", "{{currency|13 billion|USD}}", "$13 billion"),
    ("zh", "{{CNY|100}}", "¥100"),
    # Languages
    ("en", "{{lang-de|Wien}}", "German: Wien"),
    ("en", "{{lang-zh|s=汉字|p=hànzì}}", "simplified Chinese: 汉字; pinyin: hànzì"),
    ("de", "{{zh|c=汉字|p=hànzì}}", "汉字; hànzì"),
    ("en", "{{transliteration|ar|ALA|al-Kitāb}}", "al-Kitāb"),
    ("zh", "{{lang-en|Paris}}", "英语：Paris"),
    ("ja", "{{lang-en-short|Paris}}", "英: Paris"),
    ("ja", "「{{en|I am happy.}}」", "「I am happy.」"),
    ("hi", "{{lang-en|Paris}}", "अंग्रेज़ी: Paris"),
    ("lt", "({{de|Berlin}})", "(Berlin)"),
    ("fr", "{{langue|de|Wien}}", "Wien"),
    ("ru", "{{lang-en|Paris}}", "англ. Paris"),
    ("ru", "{{lang-gd|Glaschu}}", "гэльский Glaschu"),
    ("uk", "{{lang-de|Wien}}", "нім. Wien"),
    ("ar", "{{lang-en|Paris}}", "بالإنجليزية: Paris"),
    ("es", "{{lang-fr|Paris}}", "en francés: Paris"),
    ("pt", "{{lang-fr|Paris}}", "em francês: Paris"),
    ("de", "{{enS|United Nations}}", "englisch United Nations"),
    ("de", "{{ruS|Москва|Moskwa}}", "russisch Москва Moskwa"),
    ("en", "{{KOR}} and {{GER}} and {{RUS}} and {{ESP}}", "South Korea and Germany and Russia and Spain"),
    ("de", "{{RUS}} und {{TUR|#}} [[Bergama]]", "Russland und Bergama"),
    ("nl", "{{TR}}: 98.659, {{GB}}: 13.456", "Turkije: 98.659, Verenigd Koninkrijk: 13.456"),
    ("en", "{{aut|Linnaeus}}, 1758", "Linnaeus, 1758"),
    ("ru", "{{Франция}} и {{США}} и {{Флагификация|Чехия}}", "Франция и США и Чехия"),
    ("hy", "{{դրոշավորում|Հոնգ Կոնգ}}", "Հոնգ Կոնգ"),
    # Links to other editions
    ("en", "{{ill|Ewald Wüst|de|lt=Wüst}}", "Wüst"),
    ("en", "{{ill|Joke|fr|Blague|hu|Vicc|de|Witz}}", "Joke"),
    ("en", "{{ill|de|Fremd|Local|label}}", "label"),
    ("ja", "{{仮リンク|憲政党 (チュニジア)|label=憲政党|en|Destour}}", "憲政党"),
    ("ja", "{{仮リンク|神聖なる雄牛|en|Sacred bull}}", "神聖なる雄牛"),
    ("ko", "{{임시링크|가나|en|Ghana}}", "가나"),
    ("ar", "{{وإو|فو بار|Foo Bar}}", "فو بار"),
    ("he", "{{קישור שפה|אנגלית|Foo|פו}}", "פו"),
    ("he", "{{קישור שפה|אנגלית|Foo|פו (סרט)|פו}}", "פו"),
    ("ru", "{{нп5|Новая синагога (Берлин)|Новая синагога|de|Neue Synagoge (Berlin)}}", "Новая синагога"),
    ("ru", "{{нп5|Фотоархив|||Prussian Heritage Image Archive}}", "Фотоархив"),
    ("ru", "{{не переведено|есть=:en:ofuda|надо=офуда|текст=|язык=en|nocat=1}}", "офуда"),
    ("ru", "{{не переведено|надо=Разлив Нила|текст=День разлива Нила|язык=англ.}}", "День разлива Нила"),
    ("uk", "{{нп5|Фу|фуу|en|Foo}}", "фуу"),
    ("cv", "{{iw|Шехитлик мечечĕ|de|Şehitlik-Moschee}}", "Шехитлик мечечĕ"),
    # Readings and pronunciations
    ("ja", "{{読み仮名 ruby不使用|漢字|かんじ}}", "漢字(かんじ)"),
    ("ja", "{{ふりがな|漢字|かんじ}}", "漢字(かんじ)"),
    ("ko", "{{윗주|漢字|한자}}", "漢字(한자)"),
    ("en", "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢(kan)"),
    ("en", "{{nihongo|Mount Fuji|富士山|Fujisan}}", "Mount Fuji (富士山, Fujisan)"),
    ("fr", "{{japonais|Fuji|富士山|Fujisan}}", "Fuji (富士山, Fujisan)"),
    ("en", "{{IPAc-en|æ|l|ˈ|b|iː|d|oʊ}}", "/ælˈbiːdoʊ/"),
    ("en", "({{IPAc-en|ˈ|t|aʊ|ər}}; old)", "(/ˈtaʊər/; old)"),
    ("en", "{{IPA-de|tʃ|}}", "[tʃ]"),
    ("en", "{{IPA|de|bɛɐ̯ˈliːn|lang}}", "[bɛɐ̯ˈliːn]"),
    ("en", "{{respell|ASS|kee}}", "ASS-kee"),
    ("en", "{{audio|De-Berlin.ogg|Berlin}}", "Berlin"),
    ("fr", "{{API|[bɛʁ.lɛ̃]}}", "[bɛʁ.lɛ̃]"),
    # Chinese variants
    ("zh", "-{zh-hans:信息;zh-hant:資訊}-", "信息"),
    ("zh", "-{zh-cn:软件;zh-tw:軟體}-", "软件"),
    ("zh", "-{T|zh-hans:甲;zh-hant:乙}-丙", "丙"),
    ("zh", "{{lang|zh-hans|-{汉}-}}", "汉"),
    ("zh", "-{zh-hans|甲}-、-{zh;zh-hans|乙}-、-{A;H|zh-hans:丙;zh-hant:丁}-戊", "甲、乙、戊"),
    ("zh", "{{tsl|en|Foreign|本地|标签}}", "标签"),
    # Of single editions
    ("ko", "{{범례|#EB001F|사회민주당 (21.6%)}}", "사회민주당 (21.6%)"),
    ("he", "ב{{ה|אצטדיון}}", "באצטדיון"),
    ("tr", "{{kardeş şehir|Los Angeles|Amerika Birleşik Devletleri|ülke=Amerika Birleşik Devletleri}}", "Los Angeles"),
    ("fa", "({{صدا|De-Berlin.ogg|آوا}})", "(آوا)"),
    # Passages that are doubted
    ("en", "{{citation needed span|Nobody knows.|date=May 2011}}", "Nobody knows."),
    ("fr", "{{référence nécessaire|Nul ne sait.|date=mai 2011}}", "Nul ne sait."),
    ("pl", "{{Fakt|[[Germanie]] pojawili się tam|data=2017-11}}", "Germanie pojawili się tam"),
    ("ru", "{{Нет АИ 2|Никто не знает.|13|05|2011}}", "Никто не знает."),
    ("ja", "{{要出典範囲|誰も知らない。|date=2011年5月}}", "誰も知らない。"),
    # Words around names
    ("en", "Ada ({{nee|Byron}}, {{b.|1815}}), {{lit|house}}", "Ada (née Byron, b. 1815), lit. house"),
    ("en", "{{Nihongo|Tokyo|東京|Tōkyō|lit. 'eastern capital'}}", "Tokyo (東京, Tōkyō, lit. 'eastern capital')"),
    ("en", "{{Korean|hangul=서울|hanja=漢|rr=Seoul}}", "Korean: 서울; Hanja: 漢; RR: Seoul"),
    ("ko", "{{llang|en|Seoul}}", "영어: Seoul"),
    ("zh", "{{jpn|j=東京|hg=とうきょう|rm=Tōkyō}}", "日语：東京／とうきょう Tōkyō"),
    ("de", "{{laS|Colonia}}", "lateinisch Colonia"),
    (
        "id",
        "{{lahirmati|[[Medan]]|26|7|1922|Jakarta|28|4|1949}}",
        "lahir di Medan, 26 Juli 1922 – meninggal di Jakarta, 28 April 1949",
    ),
    ("id", "{{lahirmati||1|1|1900}}", "lahir 1 Januari 1900"),
    # A flag before a name does not say it twice
    ("ko", "{{국기그림|대한민국}} 대한민국", "대한민국"),
    ("cs", "{{Vlajka|Česko}} Česko", "Česko"),
    ("tr", "{{bayraksimge|Türkiye}} Türkiye", "Türkiye"),
    ("he", "{{דגל|ישראל}} ישראל", "ישראל"),
    ("pl", "{{Państwo|POL}}", "Polska"),
    ("fr", "{{France}} et {{États-Unis}}", "France et États-Unis"),
    # Verses of books and of poems
    ("en", "{{bibleverse|1|Kings|18:20|NIV}} and {{Bibleverse||Genesis|1:1|KJV}}", "1 Kings 18:20 and Genesis 1:1"),
    ("de", "{{Bibel|Mt|5|3|LUT}}, {{§|1|bgb|juris}} BGB", "Mt 5,3, § 1 BGB"),
    # Numbers and signs
    ("en", "{{val|5|-|7|u=cm}}, {{sqrt|2}}, {{pi}}", "5–7 cm, √2, π"),
    ("en", "{{mya|66}}, {{Ma|66|56}}", "66 million years ago, 66 to 56 million years ago"),
    ("en", "{{date|2020-05-01|dmy}}", "1 May 2020"),
    ("en", "{{unichar|20AC|EURO SIGN}}, {{unichar|7B}}, {{key press|Ctrl|C}}", "U+20AC € EURO SIGN, U+7B {, Ctrl+C"),
    ("en", "{{section link|Rome|History}}, {{slink||Notes}}", "Rome § History, § Notes"),
    ("fr", "{{dunité|12|8|m}}, {{rom-maj|XIV|14}}", "12 × 8 m, XIV"),
    ("ja", "{{年数|1990|1|1|2000|1|1}}年", "10年"),
    ("ko", "{{만나이|1990|1|1|2000|1|1}}세, {{색|red|글}}", "10세, 글"),
]
BORN_AND_DIED = """
|LuogoNascita = Firenze
|GiornoMeseNascita = 21 maggio
|AnnoNascita = 1265
|LuogoMorte = [[Ravenna]]
|GiornoMeseMorte = 14 settembre
|AnnoMorte = 1321"""
BIOGRAPHIES = [
    (
        f"|Nome = Dante\n|Cognome = Alighieri\n|Sesso = M{BORN_AND_DIED}\n|Epoca = 1200\n|Attività = poeta\n"
        "|Attività2 = scrittore\n|AttivitàAltre = e [[politico]]\n|Nazionalità = italiano\n|Immagine = D.jpg",
        "Dante Alighieri (Firenze, 21 maggio 1265 – Ravenna, 14 settembre 1321) è stato un poeta, scrittore e politico"
        " italiano.",
    ),
    (
        "|Nome=Elsa|Cognome=Morante|Sesso=F|LuogoNascita=Roma|AnnoNascita=1912|AnnoMorte=?|Attività=scrittrice"
        "|Attività2=saggista|Nazionalità=italiana|PostNazionalità=, tra le più note",
        "Elsa Morante (Roma, 1912 – ...) è stata una scrittrice e saggista italiana, tra le più note.",
    ),
    (
        "|Nome=Ada|Cognome=Rossi|PostCognomeVirgola=nata Bianchi|Sesso=F|GiornoMeseNascita=1º maggio|AnnoNascita=1960"
        "|Attività=attrice|Nazionalità=argentina|NazionalitàNaturalizzato=italiana",
        "Ada Rossi, nata Bianchi (1º maggio 1960) è un'attrice argentina naturalizzata italiana.",
    ),
    (
        "|Nome=Bo|Sesso=M|AnnoMorte=300|FineIncipit=fu re di [[Creta]]",
        "Bo (... – 300) fu re di Creta.",
    ),
    (
        "|Nome=Ugo|Cognome=Neri|Sesso=M|Attività=scultore|Attività2=ebanista|Nazionalità=svizzero",
        "Ugo Neri è uno scultore ed ebanista svizzero.",
    ),
]


@pytest.mark.parametrize("lang", EDITIONS)
@pytest.mark.parametrize("markup", list(EVERYWHERE))
def test_a_template_that_every_edition_has_keeps_its_value(markup: str, lang: str) -> None:
    shown = EVERYWHERE[markup]
    assert to_text(f"a {markup} b", lang) == f"a {shown if isinstance(shown, str) else shown[lang]} b"


@pytest.mark.parametrize(("lang", "markup", "text"), TABLE)
def test_a_value_template_shows_what_a_reader_sees(lang: str, markup: str, text: str) -> None:
    found = plain(f"a {markup} b", lang)
    assert (found.text, found.unexpanded) == (f"a {text} b", [])


@pytest.mark.parametrize(
    ("lang", "markup", "text"),
    [
        ("ar", "قال:\n{{بداية قصيدة}}\n{{بيت|أ|ب}}\n{{بيت|ت|ث}}\n{{نهاية قصيدة}}\nثم", "قال:\nأ … ب\nت … ث\nثم"),
        ("ar", "قال: {{قصيدة|أ|ب|ت|ث}}", "قال:\nأ … ب\nت … ث"),
        ("fa", "گفت:\n{{شعر}}\n{{ب|الف|ب}}\n{{پایان شعر}}\nو", "گفت:\nالف … ب\nو"),
    ],
)
def test_each_verse_of_arabic_and_persian_poems_is_a_line(lang: str, markup: str, text: str) -> None:
    found = plain(markup, lang)
    assert (found.text, found.unexpanded) == (text, [])


@pytest.mark.parametrize(("arguments", "sentence"), BIOGRAPHIES)
def test_the_first_sentence_of_an_italian_biography_is_written_out(arguments: str, sentence: str) -> None:
    found = plain(f"{{{{Bio\n{arguments}\n}}}}\n\nPoi.", "it")
    assert (found.text, found.unexpanded) == (f"{sentence}\nPoi.", [])


@pytest.mark.parametrize(
    ("lang", "markup", "name"),
    [
        ("en", "{{inflation|US|3160384|2003}}", "inflation"),
        ("en", "{{age|1990|1|1}}", "age"),
        ("en", "{{age in years|2020|13|1|2021|1|1}}", "age in years"),
        ("en", "{{IPAc-cmn|b|ei|3|.|j|ing|1}}", "IPAc-cmn"),
        ("en", "{{pop density|3645257|640081.87|km2}}", "pop density"),
        ("en", "{{To USD|158.9|IND}}", "To USD"),
        ("en", "{{PAGENAME}}", "PAGENAME"),
        ("en", "{{#invoke:Sports table|main}}", "#invoke"),
        ("en", "{{#switch: 1 | 1 = one}}", "#switch"),
        ("zh", "{{年龄|1990|1|1}}", "年龄"),
        ("zh", "{{INRConvert|5|c}}", "INRConvert"),  # an English word is no Chinese
        ("zh", "{{age in years and days|1950|1|1|2000|3|5}}", "age in years and days"),
        ("de", "{{Alter|1|2|1990}}", "Alter"),
        ("de", "{{Metadaten Einwohnerzahl DE-BE|Berlin}}", "Metadaten Einwohnerzahl DE-BE"),
        ("fr", "{{âge|1|2|1990}}", "âge"),
        ("es", "{{edad|1|2|1990}}", "edad"),
        ("cy", "{{wikidata|property|Q64|P1082}}", "wikidata"),
        ("uz", "{{wikidata|p2046}}", "wikidata"),
        ("de", "{{Bio|Nome=X}}", "Bio"),
        ("de", "{{EWZ|DE-BE}}", "EWZ"),
        ("de", "{{FL|DE-BE}}", "FL"),
        ("de", "{{AUT|Kitzbühel|Kitzbühel}}", "AUT"),  # the town, and not the country
        ("zh", "{{jpn|j=東京}}", "jpn"),
        ("en", "{{bar}}", "bar"),
        ("ru", "{{СС3|29.2.1901}}", "СС3"),
    ],
)
def test_a_value_that_only_the_template_knows_is_counted(lang: str, markup: str, name: str) -> None:
    found = plain(f"a {markup} b", lang)
    assert (found.text, found.unexpanded) == ("a b", [name])


@pytest.mark.parametrize(
    ("lang", "markup"),
    [
        ("en", "{{sfn|Roe|2001|p=5}}"),
        ("en", "{{citation needed|date=May 2011}}"),
        ("en", "{{flagicon|FRA}}"),
        ("en", "{{ISBN|0-306-40615-2}}"),
        ("en", "{{inflation-fn|US}}"),
        ("en", "{{#tag:ref|a note}}"),
        ("ja", "{{要出典|date=2015年6月}}"),
        ("ja", "{{0|00}}"),
        ("de", "{{FN|1}}"),
        ("en", "{{Link FA|de}}"),
        ("fr", "{{Lien AdQ|en}}"),
        ("es", "{{bueno|en}}"),
        ("el", "{{de}}"),
        ("ru", "{{нет АИ|3|01|2018}}"),
        ("pl", "{{fakt|data=2017-11}}"),
        ("tr", "{{Webarşiv|url=https://x.org}}"),
        ("he", "{{כ}}"),
        ("sv", "{{källa behövs|motivering|datum=2024-04}}"),
    ],
)
def test_what_shows_no_words_in_running_text_is_not_counted(lang: str, markup: str) -> None:
    found = plain(f"a{markup} b", lang)
    assert (found.text, found.unexpanded) == ("a b", [])
