"""Articles: the text without the page around it, in any character set, dated by what the page declares."""

from datetime import UTC, datetime

import pytest

from lmflow.extract.article import extract

URL = "https://news.example/2026/01/02/story.html?utm_source=feed#top"
CHINESE = [
    "新华社北京一月二日电 今天上午，全国各地的气象部门发布了新年第一份气候公报，"
    "公报显示去年全国平均气温较常年偏高零点九度。",
    "公报指出，去年全国平均降水量为六百四十五毫米，接近常年，但时空分布不均，南方地区出现了较为严重的夏秋连旱。",
    "气象专家表示，随着全球气候变暖，极端天气事件的发生频率正在增加，各地应当加强监测预警能力，做好防灾减灾工作。",
]
ENGLISH = [
    "Hundreds of people have been forced to leave their homes in the Southern Highlands as strong winds pushed a fire.",
    "The fire service says the blaze has burnt more than 4,500 hectares since Monday and it will reach the town.",
    "A spokesman said crews from three states were working through the night to protect the 120 houses on the ridge.",
]


def page(lang: str, title: str, paragraphs: list[str], charset: str) -> bytes:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"""<!DOCTYPE html><html lang="{lang}"><head><meta charset="{charset}"><title>{title} - Site</title>
    <link rel="canonical" href="/2026/01/02/story.html"><meta name="author" content="Ann Lee">
    <script type="application/ld+json">{{"@type": "NewsArticle", "datePublished": "2026-01-02T08:30:00+08:00"}}</script>
    </head><body><nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li></ul></nav>
    <div class="cookie">We use cookies. Accept all?</div><main><article><h1>{title}</h1>{body}</article></main>
    <aside><h3>Most read</h3><ul><li><a href="/a">Other story</a></li><li><a href="/b">Another</a></li></ul></aside>
    <footer>About us | Contact | Terms of use</footer></body></html>""".encode(charset)


@pytest.mark.parametrize("charset", ["utf-8", "gb2312", "gb18030"])
def test_a_chinese_article_is_read_in_its_own_character_set(charset: str) -> None:
    article = extract(page("zh-CN", "新年第一份气候公报发布", CHINESE, charset), URL)
    assert [line for line in CHINESE if line not in article.text] == []
    assert "cookies" not in article.text and "Most read" not in article.text
    assert article.title.startswith("新年第一份气候公报发布")
    assert article.language == "zh"
    assert article.published_at == datetime(2026, 1, 2, 0, 30, tzinfo=UTC)


def test_an_english_article_comes_without_the_page_around_it() -> None:
    article = extract(page("en", "Fire nears town", ENGLISH, "utf-8"), URL)
    assert [line for line in ENGLISH if line not in article.text] == []
    assert "Home" not in article.text and "Terms of use" not in article.text
    assert article.url == "https://news.example/2026/01/02/story.html"
    assert article.authors == ("Ann Lee",)


def test_a_canonical_address_of_another_site_or_the_front_page_is_not_believed() -> None:
    for declared in ("https://evil.example/2026/01/02/story.html", "/", "http://[bad"):
        html = page("en", "T", ENGLISH, "utf-8").replace(b"/2026/01/02/story.html", declared.encode())
        assert extract(html, URL).url == "https://news.example/2026/01/02/story.html"


def test_a_wrong_charset_header_does_not_garble_the_page() -> None:
    assert CHINESE[0] in extract(page("zh", "题目", CHINESE, "gb18030"), URL, charset="utf-8").text


@pytest.mark.parametrize(
    "html", [b"", b"\x00\x01\x02", b"<html></html>", b"not html at all", b"<p>" * 30000, b"\xff\xfe<"]
)
def test_a_page_without_an_article_gives_empty_text(html: bytes) -> None:
    assert extract(html, URL).text in ("", "not html at all")


def test_broken_json_ld_and_absurd_dates_are_ignored() -> None:
    html = (
        page("en", "T", ENGLISH, "utf-8")
        .replace(b'{"@type"', b'{,"@type"')
        .replace(b"2026-01-02T08:30", b"0001-01-02T08:30")
    )
    published = extract(html, "https://news.example/story").published_at
    assert published is None or published.year >= 1970


def with_head(head: str, body: str = "") -> bytes:
    words = "".join(f"<p>{line}</p>" for line in ENGLISH)
    article = f"<article><h2>Fire nears town</h2>{words}</article>"
    return f"<html><head>{head}</head><body>{body}<main>{article}</main></body></html>".encode()


def linked(data: str) -> str:
    return f'<script type="application/ld+json">{data}</script>'


ARTICLE = """{"@type": "NewsArticle", "headline": "Fire nears town", "author": {"name": "Ann Lee"},
 "datePublished": "2026-01-02T08:30:00Z"}"""


@pytest.mark.parametrize(
    "other",
    [
        """{"@type": "WebPage", "headline": "Site", "author": {"name": "Webmaster"}, "datePublished": "1999-01-01"}""",
        """{"@type": "WebSite", "datePublished": "1999-01-01"}""",
        """{"@type": "VideoObject", "datePublished": "2025-12-31", "author": {"name": "Cutter"}}""",
    ],
)
def test_an_articles_own_words_come_before_those_of_its_page(other: str) -> None:
    for blocks in (linked(other) + linked(ARTICLE), linked(f"[{other}, {ARTICLE}]")):
        article = extract(with_head(blocks), URL)
        assert (article.title, article.authors) == ("Fire nears town", ("Ann Lee",))
        assert article.published_at == datetime(2026, 1, 2, 8, 30, tzinfo=UTC)
    assert extract(with_head(linked(other)), URL).published_at is not None  # better than nothing


def test_an_author_may_be_a_reference_within_the_page() -> None:
    graph = """{"@graph": [{"@type": "NewsArticle", "author": {"@id": "#ann"}}, {"@type": "Person", "@id": "#ann",
     "name": "Ann Lee"}]}"""
    assert extract(with_head(linked(graph)), URL).authors == ("Ann Lee",)


@pytest.mark.parametrize("form", ["//<![CDATA[\n{}\n//]]>", "<![CDATA[{}]]>", "<!--\n{}\n-->"])
def test_json_ld_may_be_wrapped(form: str) -> None:
    article = extract(with_head(linked(form.replace("{}", ARTICLE))), URL)
    assert (article.title, article.authors) == ("Fire nears town", ("Ann Lee",))


def test_a_date_as_javascript_writes_it_keeps_its_zone() -> None:
    head = '<meta name="date" content="Wed May 01 2024 12:00:00 GMT+0800 (China Standard Time)">'
    assert extract(with_head(head), URL).published_at == datetime(2024, 5, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    ["<header><h1>Example Site</h1></header>", "<h1><a href='/'>Example Site</a></h1>"],
)
def test_the_name_of_the_site_is_not_the_headline(body: str) -> None:
    article = extract(with_head('<meta property="og:title" content="Fire nears town">', body), URL)
    assert article.title == "Fire nears town"
    assert "Fire nears town" not in article.text and ENGLISH[0] in article.text


def test_of_two_main_headings_the_articles_own_is_the_title() -> None:
    html = with_head("<title>x</title>", "<h1>Example Site</h1>").replace(b"h2>", b"h1>")
    assert extract(html, URL).title == "Fire nears town"


@pytest.mark.parametrize(
    "head",
    [
        '<meta http-equiv="Content-Language" content="de">',
        linked("""{"@type": "NewsArticle", "inLanguage": "de-AT"}"""),
    ],
)
def test_a_page_names_its_language_in_many_ways(head: str) -> None:
    assert extract(with_head(head), URL).language == "de"


@pytest.mark.parametrize(
    "head",
    [
        '<link rel="canonical shortlink" href="/2026/fire">',
        '<meta property="og:url" content="https://news.example/2026/fire">',
        '<base href="https://news.example/2026/"><link rel="canonical" href="fire">',
    ],
)
def test_a_page_names_its_address_in_many_ways(head: str) -> None:
    assert extract(with_head(head), URL).url == "https://news.example/2026/fire"
